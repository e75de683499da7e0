"""Fuzz: mutations through the decoder and the extractor; what must hold for every one of them.

`python -m benchmarks.trust.hostile.fuzz SEED` replays one, and shows what happens.
"""

import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

from asynccp.archive.tar import Data, Event, Hole, Member, MemberEnd, Rest, TarDecoder, member_path
from asynccp.errors import AsyncCpError
from asynccp.text import printable
from benchmarks.trust.hostile.case import Case, run, surroundings
from benchmarks.trust.hostile.mutations import mutation
from tests.archive.spelled import spelled

EXTRACTED = 4  # every fourth mutation is extracted too

Told = list[Event | tuple[str, bytes]]


@dataclass(slots=True)
class Findings:
    """decoded, extracted, accepted: how many. found: what must not be, each with its seed."""

    decoded: int = 0
    extracted: int = 0
    accepted: int = 0
    found: list[str] = field(default_factory=list)


def fuzz(first: int, count: int) -> Findings:
    """Try the mutations of the seeds from `first` on."""
    findings = Findings()
    with surroundings() as place:
        for seed in range(first, first + count):
            data = mutation(seed)
            findings.found += [f"seed {seed}: {what}" for what in wrong_events(data, seed)]
            findings.decoded += 1
            if seed % EXTRACTED == 0:
                verdict = run(Case("", (data,), "", {}), 1 << 30, place)
                findings.extracted += 1
                findings.accepted += verdict.verdict.startswith(("complete", "partial"))
                findings.found += [f"seed {seed}: {what}" for what in verdict.breaches]
    return findings


def wrong_events(data: bytes, seed: int) -> list[str]:
    """Return what is wrong with the events of an archive; nothing, as it should be."""
    try:
        told, said = events(data, len(data) or 1)
        cut, cut_said = events(data, random.Random(seed).randint(1, 600))
    except AssertionError as exc:
        return [str(exc)]
    except Exception as exc:
        return [f"untyped {exc!r}"]
    wrong = [] if (told, said) == (cut, cut_said) else ["another slicing gives other events"]
    return wrong + ([] if printable(said, len(said)) == said else [f"says {said!r}"])


def events(data: bytes, step: int) -> tuple[Told, str]:
    """Return the events of an archive, adjacent Data and Rest joined, and the words of the error, if there is one."""
    decoder, told, missing = TarDecoder(), Told(), 0
    try:
        for start in range(0, len(data), step):
            for event in spelled(decoder.feed(data[start : start + step])):
                if isinstance(event, Data | Rest):
                    missing -= len(event.data) if isinstance(event, Data) else 0
                    _join(told, type(event).__name__, bytes(event.data))
                    continue
                told.append(event)
                if isinstance(event, Member):
                    missing = event.entry.size
                    path = event.entry.path
                    assert path == member_path(path or b".", directory=True), "a name isn't clean"
                elif isinstance(event, Hole):
                    missing -= event.size
                elif isinstance(event, MemberEnd):
                    assert missing == 0, "a member is whole that isn't"
    except AsyncCpError as exc:
        return told, str(exc)
    return told, decoder.describe()


def _join(told: Told, kind: str, data: bytes) -> None:
    last = told[-1] if told else None
    if isinstance(last, tuple) and last[0] == kind:
        told[-1] = (kind, last[1] + data)
    else:
        told.append((kind, data))


def _replay(seed: int) -> None:
    data = mutation(seed)
    told, said = events(data, len(data) or 1)
    print(*told, said, *wrong_events(data, seed), sep="\n")
    with surroundings() as place:
        print(run(Case("", (data,), "", {}), 1 << 30, place))
    Path(f"mutation-{seed}.tar").write_bytes(data)


if __name__ == "__main__":
    _replay(int(sys.argv[1]))

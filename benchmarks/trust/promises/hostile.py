"""S1: hostile archives survived, on every Python; and directories swapped for links under the extractor's feet."""

import asyncio
from collections import Counter
from pathlib import Path

from benchmarks.trust.hostile.case import MAX_SIZE_BY_BYTE, STEPS, Case, Verdict, run, snapshot, surroundings, watched
from benchmarks.trust.hostile.interpreters import interpreters, verdicts
from benchmarks.trust.hostile.race import race
from benchmarks.trust.hostile.table import CASES
from benchmarks.trust.kubectl import Kubectl, kubectl
from benchmarks.trust.row import Row

RACE_S = 60.0
KINDS = {  # what a breach is called in the table → the words of `benchmarks.trust.hostile.case`
    "escapes": ("outside,",),
    "outward links": ("the link",),
    "special files": ("special file",),
    "set-id bits": ("has the mode",),
    "partial files left": ("left behind",),
    "hangs over 5 s": ("took more",),
    "untyped exceptions": ("untyped",),
    "unescaped words": ("says",),
}


def measure(scale: float) -> list[Row]:
    cases = list(CASES.values())[:: max(1, round(1 / scale))]
    return [_archives(cases), _pythons(), _race(scale)]


def _archives(cases: list[Case]) -> Row:
    counts, as_listed, runs = Counter[str](), 0, 0
    with surroundings() as place:
        for case in cases:
            large = sum(map(len, case.archives)) > MAX_SIZE_BY_BYTE
            told = [run(case, step, place) for step in STEPS if step > 1 or not large]
            runs += len(told)
            counts.update(kind for one in told for breach in one.breaches for kind in _kinds(breach))
            as_listed += all(_is_listed(case, one) for one in told)
    found = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS)
    return Row(
        what="A hostile archive does no harm, and its pod fails or what is left out is named",
        figure=f"{as_listed} of {len(cases)} archives as the table says, fed whole, byte by byte and by 509: {found}",
        held=as_listed == len(cases) and not counts.total(),
        kubectl=asyncio.run(_kubectl(cases)),
    )


def _is_listed(case: Case, verdict: Verdict) -> bool:
    return (verdict.verdict, dict(verdict.left)) == (case.verdict, dict(case.left))


def _kinds(breach: str) -> list[str]:
    return [kind for kind, words in KINDS.items() if any(word in breach for word in words)] or ["others"]


async def _kubectl(cases: list[Case]) -> str:
    """Return what `kubectl cp` does with the same archives."""
    # Of names 2,000 directories deep, kubectl makes directories that are deeper than Python can remove.
    cases = [case for case in cases if not case.name.startswith("H22")]
    counts, silent, killed = Counter[str](), 0, 0
    async with kubectl() as program:
        if program is None:
            return ""
        with surroundings() as place:
            for case in cases:
                with watched(place, case.before) as (root, breaches):
                    code, left = await _copied(program, case, root)
                    breached = breaches
                counts.update({kind for breach in breached for kind in _kinds(breach)})
                killed += code is None
                silent += code == 0 and (case.verdict != "complete" or left != dict(case.left))
    return (
        f"exit code 0 for {silent} of {len(cases)} although something is missing, or was made up; "
        f"{counts['escapes']} changed something outside; "
        f"{killed} did not end in 10 s"
    )


async def _copied(program: Kubectl, case: Case, root: Path) -> tuple[int | None, dict[str, str]]:
    code: int | None = 0
    for data in case.archives:
        code = (await program.copy(data, root, case.requested.decode() or "/")).code
    return code, dict(snapshot(root))


def _pythons() -> Row:
    found = interpreters()
    told = {version: verdicts(executable) for version, executable in found.items()}
    first, *others = told.values()
    same = sum(all(one[name] == first[name] for one in others) for name in first)
    return Row(
        what="The same archive gets the same verdict, words and tree on every supported Python",
        figure=f"{same} of {len(first)} archives the same on Python {', '.join(told)}",
        held=same == len(first) and len(told) > 1,
    )


def _race(scale: float) -> Row:
    outcome = race(RACE_S * scale)
    return Row(
        what="Directories that another process swaps for links during the copy lead nowhere",
        figure=f"{outcome.rounds} archives in {RACE_S * scale:g} s of swapping, {outcome.refused} of them refused: "
        f"{len(outcome.escaped)} names came outside",
        held=not outcome.escaped and outcome.refused > 0,
    )

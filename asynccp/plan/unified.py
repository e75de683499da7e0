"""Unified: which files' texts a comparison shows, and how two texts differ, as `diff -u` writes it (POSIX, diff). Pure.

Only what a person reads at a glance is shown: small files, few of one pod, short lines. What is not shown says why, in
one line. Every line is safe for a terminal; that is no patch any more, but a tab or a CR that differs can be seen.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from difflib import Match, SequenceMatcher

from asynccp.difference import Difference, Text, Why
from asynccp.entry import Kind
from asynccp.plan.manifest import Manifest
from asynccp.text import counted, human_size, printable

MOST_SIZE = 64 * 1024
"""Bytes of a file whose text is shown: some 1,500 lines of configuration."""

MOST_POD_SIZE, MOST_FILES = 1024 * 1024, 100
"""Bytes of such files of one pod, and how many: each is a question to the pod, and an answer."""

MOST_LINES, MOST_LINE = 500, 400
"""Lines of one file's difference, and characters of one line."""

MOST_STEPS = 2_000_000
"""Looks at a line, a fifth of a second: a few changes in 1,500 lines take a tenth of them. Where each of many lines is
there a hundred times it would be cubic (difflib), and what a pod has may be made so."""

CONTEXT = 3  # lines, as with `diff -u`
NOWHERE = "/dev/null"
_CONTENT = {Why.SIZE, Why.TIME, Why.CONTENT, Why.LINK}
_NO_NEWLINE = "\\ No newline at end of file"


def notes(differences: Iterable[Difference], wanted: Manifest, there: Manifest) -> dict[bytes, str]:
    """Return the files that differ in their content, and of each why its text is not shown; empty: it is.

    wanted: what the sources have; there: what the pod has.
    """
    found: dict[bytes, str] = {}
    room, count = MOST_POD_SIZE, 0
    for one in differences:
        items = [item for item in (wanted.get(one.path), there.get(one.path)) if item]
        size = max(item.size for item in items)
        is_file = all(item.kind is Kind.FILE for item in items)
        if not is_file or not size or (one.why and not _CONTENT & set(one.why)):
            continue
        if size > MOST_SIZE:
            found[one.path] = f"not shown: larger than {human_size(MOST_SIZE)}"
        elif size > room or count == MOST_FILES:
            found[one.path] = f"not shown: the pod's others have {human_size(MOST_POD_SIZE)}, or are {MOST_FILES}"
        else:
            room, count = room - size, count + 1
            found[one.path] = ""
    return found


def unified(theirs: bytes | None, ours: bytes | None, names: tuple[str, str]) -> Text:
    """Return how a text in a pod differs from the one here. None: there is no file. names: of both, for people."""
    digest = "" if theirs is None else hashlib.sha256(theirs).hexdigest()
    if b"\0" in (theirs or b""):
        return Text(note="not shown: binary in the pod, or not readable in full", digest=digest)
    if b"\0" in (ours or b""):
        return Text(note="not shown: binary", digest=digest)
    lines = list(_lines(_split(theirs or b""), _split(ours or b"")))
    if not lines:
        return Text(note="the content is the same", digest=digest)
    before, after = (
        NOWHERE if content is None else printable(name) for content, name in zip((theirs, ours), names, strict=True)
    )
    shown = (f"--- {before}", f"+++ {after}", *(line for line, _ in lines[:MOST_LINES]))
    return Text(shown, _cuts([is_cut for _, is_cut in lines]), digest)


def _cuts(are_cut: list[bool]) -> str:
    """Say what is missing of the lines, of each of which it is told whether it is cut."""
    more, long = len(are_cut) - MOST_LINES, sum(are_cut[:MOST_LINES])
    told = [f"{counted(more, 'more line', 'more lines')} not shown"] if more > 0 else []
    told += [f"{counted(long, 'line', 'lines')} cut after {MOST_LINE} characters"] if long else []
    return "; ".join(told)


def _lines(theirs: list[bytes], ours: list[bytes]) -> Iterator[tuple[str, bool]]:
    """Yield the lines of all hunks, and whether each is cut."""
    for group in _Matcher(theirs, ours).get_grouped_opcodes(CONTEXT):
        (_, i_begin, _, j_begin, _), (_, _, i_end, _, j_end) = group[0], group[-1]
        yield f"@@ -{_range(i_begin, i_end)} +{_range(j_begin, j_end)} @@", False
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from _marked(" ", theirs[i1:i2])
            else:
                yield from _marked("-", theirs[i1:i2])
                yield from _marked("+", ours[j1:j2])


def _marked(mark: str, lines: list[bytes]) -> Iterator[tuple[str, bool]]:
    for line in lines:
        text = line.removesuffix(b"\n").decode("utf-8", "backslashreplace")
        yield mark + printable(text, MOST_LINE), len(text) > MOST_LINE
        if not line.endswith(b"\n"):
            yield _NO_NEWLINE, False


def _range(begin: int, end: int) -> str:
    """Return lines as a hunk names them: from 1 on, and an empty range by the line before it."""
    count = end - begin
    return f"{begin + 1}" if count == 1 else f"{begin + bool(count)},{count}"


def _split(text: bytes) -> list[bytes]:
    """Return the lines, each with its newline: `splitlines` takes a CR for one as well."""
    return re.findall(rb"[^\n]*\n|[^\n]+", text)


class _Matcher(SequenceMatcher[bytes]):
    """Looks for what two texts have in common until it has taken MOST_STEPS; the rest is as if all of it differed."""

    a: list[bytes]  # these two are documented (difflib, SequenceMatcher), but have no types
    b2j: dict[bytes, list[int]]

    def __init__(self, theirs: list[bytes], ours: list[bytes]) -> None:
        self._left = MOST_STEPS
        super().__init__(None, theirs, ours)

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Match:
        self._left -= sum(1 + len(self.b2j.get(line, ())) for line in self.a[alo:ahi])
        return Match(alo, blo, 0) if self._left < 0 else super().find_longest_match(alo, ahi, blo, bhi)

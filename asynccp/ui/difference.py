"""Differences as people read them: what a push would do in each pod, pods with the same differences together.

    default/web-0, default/web-1 and 1 more: 2 to send, 4.6 KiB; 1 that the source doesn't have, 120 B
      + config/new.toml           1.2 KiB
      > config/app.toml           3.4 KiB  size, time
      - config/old.toml             120 B
    95 pods are the same

The text of a file, where it was asked for, stands below its line, further to the right.

rsync's itemised list has a letter for each attribute (rsync(1), --itemize-changes); these are words.
"""

from collections.abc import Iterator, Sequence

from asynccp.difference import Difference, Sign
from asynccp.report import Alike, Result, alike
from asynccp.target import Transfer
from asynccp.text import counted, human_size, listed, printable

MOST_LINES = 1000  # of one group; JSON has all
_NAMES = 3  # of pods


def difference_lines(results: Sequence[Result]) -> Iterator[str]:
    """Yield the lines of all comparisons that came to their end."""
    for group in alike(results):
        if group.differences:
            yield f"{_who(group.transfers)}: {_sum(group)}"
            yield from _lines(group.differences)
    same = sum(len(group.transfers) for group in alike(results) if not group.differences)
    if same:
        yield "1 pod is the same" if same == 1 else f"{same} pods are the same"


def _who(transfers: Sequence[Transfer]) -> str:
    return listed(transfers, _NAMES, lambda one: printable(str(one)))


def _sum(group: Alike) -> str:
    send, extra = group.count(Sign.NEW, Sign.CHANGED), group.count(Sign.EXTRA)
    parts = [f"{counted(send, 'entry', 'entries')} to send or set, {human_size(group.size(Sign.NEW, Sign.CHANGED))}"]
    if extra:
        parts.append(f"{extra} that the source doesn't have, {human_size(group.size(Sign.EXTRA))}")
    return "; ".join(parts if send else parts[1:])


def _lines(differences: Sequence[Difference]) -> Iterator[str]:
    shown = differences[:MOST_LINES]
    width = min(60, max(len(printable(one.path)) for one in shown))
    for one in shown:
        why = ", ".join(reason.value for reason in one.why)
        yield f"  {one.sign.value} {printable(one.path):{width}}  {human_size(one.size):>9}  {why}".rstrip()
        if one.text:
            yield from (f"      {line}" for line in one.text.lines)
            yield from [f"      ({one.text.note})"] if one.text.note else []
    if more := len(differences) - len(shown):
        yield f"  and {more} more (JSON has all)"

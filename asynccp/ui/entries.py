"""What came of single entries, in words: left out, not kept, grown; and of hooks.

Bounded: a pod may have a million of each. The first ten paths are named, and how many more there are; `-o json` has
all of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from asynccp.entry import LeftOut, NotKept
from asynccp.report import HookRun, Result, Tally
from asynccp.text import counted, human_size, listed, printable

MOST = 10  # paths, or kinds of what was not kept, for one pod
_EXAMPLES = 3  # paths that lack the same


def notes(result: Result) -> list[str]:
    """Return what is to be said of a pod's entries, a line each."""
    return [*left_out_lines(result.left_out), *not_kept_lines(result.not_kept), *grown_lines(result.grown)]


def left_out_lines(left_out: Sequence[LeftOut]) -> list[str]:
    """Name the first entries that were not copied; those with one reason share a line."""
    reasons = _gathered((one.reason, one.path) for one in left_out[:MOST])
    lines = [f"left out {', '.join(map(printable, paths))}: {printable(reason)}" for reason, paths in reasons.items()]
    if len(left_out) > MOST:
        lines.append(f"left out {sum(one.count for one in left_out[MOST:])} more (-o json has all)")
    return lines


def not_kept_lines(not_kept: Sequence[NotKept]) -> list[str]:
    """Say what entries that were copied lack, with a few paths for each kind."""
    kinds = list(_gathered((one.what, one.path) for one in not_kept).items())
    lines = [f"not kept: {_lack(printable(what), paths)}" for what, paths in kinds[:MOST]]
    if more := sum(len(paths) for _, paths in kinds[MOST:]):
        lines.append(f"not kept: other things of {counted(more, 'entry', 'entries')} (-o json has all)")
    return lines


def grown_lines(grown: Sequence[bytes]) -> list[str]:
    """Name the first files that were appended to while they were read."""
    if not grown:
        return []
    subject = "1 file grew while it was read" if len(grown) == 1 else f"{len(grown)} files grew while they were read"
    owner = "it" if len(grown) == 1 else "they"
    return [f"{subject}, complete up to the size {owner} had: {listed(grown, MOST, printable)}"]


def hook_lines(hooks: Sequence[HookRun]) -> list[str]:
    """Tell how the user's commands ended, each with the last lines of what it said."""
    found = []
    for one in hooks:
        found.append(f"{one.when}: exit code {one.exit_code}, {one.seconds:.1f} s")
        found += [f"| {printable(line)}" for line in one.output.split("\n")[-MOST:] if line]
    return found


def _lack(what: str, paths: Sequence[bytes]) -> str:
    if len(paths) == 1:
        return f"{printable(paths[0])}: {what}"
    return f"{what} of {len(paths)} entries: {listed(paths, _EXAMPLES, printable)}"


def _gathered(pairs: Iterable[tuple[str, bytes]]) -> dict[str, list[bytes]]:
    """Return the paths by their first words, in the order in which those appear."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for words, path in pairs:
        found[words].append(path)
    return found


def tally_words(tally: Tally) -> list[str]:
    """Return what there is to say of what was there already; nothing where all is new."""
    if tally == Tally(new=tally.new):
        return []
    counts = (
        (tally.new, "new"),
        (tally.changed, "changed"),
        (tally.set, "only set"),
        (tally.removed, "removed"),
        (tally.same, "the same"),
        (tally.passed_over, "passed over"),
    )
    words = [f"{count} {word}" for count, word in counts if count]
    return [*words, *([f"{human_size(tally.saved)} saved"] if tally.saved else [])]

"""The report as people read it, after the last pod: what was missing, one line for the whole, and who is in trouble.

    pushed to 3 of 318 pods (315 failed, 2 skipped); 600 entries, 4.5 MiB in 8.1 s
    slowest: default/web-3 7.9 s (median 1.1 s)
    312 pods failed: permission denied … (default/web-0, default/web-1, default/web-2 and 309 more)
    3 pods failed: there is no tar in the container (default/db-0, default/db-1, default/db-2)
    skipped 2 pods that matched: is being deleted (default/old-0); is Pending (default/old-1)

Everything here is bounded, whatever the size of the fleet; `to_json` has all of it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from asynccp.report import Group, Outcome, Report, Result, Tally, groups
from asynccp.target import Skipped, by_reason
from asynccp.text import counted, human_size, listed, printable
from asynccp.ui.difference import difference_lines
from asynccp.ui.entries import left_out_lines, not_kept_lines, tally_words
from asynccp.ui.lines import MOST_ALIKE
from asynccp.wave import Passed

DONE = {
    "push": "pushed to",
    "pull": "pulled from",
    "forward": "copied to",
    "diff": "compared",
    "rollback": "rolled back",
    "history": "asked",
}
_NAMES = 3  # of pods that are alike
_LINES = 10  # of causes, of reasons, of places, of what was not kept
_CAUSE_LIMIT = 500  # characters
_SLOW = 2.0  # times the median
_SLOW_S = 1.0  # below, nobody waits for a pod


def closing(report: Report) -> str:
    """Return the report's text. Causes were told when they happened; here equal ones are told once, with a count."""
    lines = list(difference_lines(report.results)) if report.direction == "diff" else []
    lines += [*left_out_lines(report.left_out), *not_kept_lines(report.not_kept)]
    lines += list(_revisions(report))
    lines += [*_of_several_pods(report.results), *_ways(report.results), *_compression(report.results)]
    lines += [*_planned(report), _summary(report), *_stopped(report)]
    lines += [*_absent(report.results), *_slowest(report), *_places(report), *_troubles(report), *_skipped(report)]
    return "\n".join(lines)


def quiet_closing(report: Report) -> str:
    """Return what is to be said at the end also to those who want it quiet; empty when there is nothing.

    What of the source no pod was sent, who was skipped, and the causes that had too many pods to name each when it
    failed.
    """
    many = [group for group in groups(report.failed) if len(group.results) > MOST_ALIKE]
    lines = [*left_out_lines(report.left_out), *_group_lines(many, namer(report)), *_skipped(report)]
    return "\n".join(lines)


def worst(results: Sequence[Result]) -> dict[str, Outcome]:
    """Return how each pod fared: as the worst of its transfers, when several paths or containers of it were copied."""
    found: dict[str, Outcome] = {}
    for outcome in Outcome:  # from good to bad
        found |= {one.transfer.target.of_pod: outcome for one in results if one.outcome is outcome}
    return found


def slowest(results: Sequence[Result]) -> tuple[list[Result], float]:
    """Return the complete transfers that took much longer than most, at most three, and the median; often none.

    Much: more than a second, and more than twice the median. Of an even number, the median is the smaller of the two
    in the middle, so that one of two can be slow.
    """
    by_time = sorted((one for one in results if one.outcome is Outcome.COMPLETE), key=lambda one: -one.seconds)
    if not by_time:
        return [], 0.0
    median = by_time[len(by_time) // 2].seconds
    return [one for one in by_time[:_NAMES] if one.seconds > max(_SLOW_S, _SLOW * median)], median


def _summary(report: Report) -> str:
    results, pods = report.results, worst(report.results)
    counts = Counter(pods.values())
    whole = f"{DONE[report.direction]} {counts[Outcome.COMPLETE]} of {counted(len(pods), 'pod', 'pods')}"
    incomplete = [outcome for outcome in Outcome if counts[outcome] and outcome is not Outcome.COMPLETE]
    rest = [f"{counts[outcome]} {outcome.value}" for outcome in incomplete]
    rest += [f"{len({one.name for one in report.skipped})} skipped"] if report.skipped else []
    what = f"{_brought(report)} in {report.seconds:.1f} s"
    landed = {one.landed for one in results if one.landed}
    where = f" as {printable(landed.pop())}" if len(landed) == 1 else ""
    return "; ".join([whole + where + (f" ({', '.join(rest)})" if rest else ""), what])


def _brought(report: Report) -> str:
    """Return what came to all pods together, or in how many something differs."""
    results = report.results
    if report.direction == "history":
        return counted(sum(len(one.revisions or ()) for one in results), "revision", "revisions")
    if report.direction == "diff":
        return f"{sum(bool(one.differences) for one in results)} with differences"
    entries, size = sum(one.entries for one in results), sum(one.size for one in results)
    found = [one.tally for one in results if one.tally]
    words = tally_words(Tally(*map(sum, zip(*found, strict=True)))) if found else []
    if words and not entries:
        return ", ".join(words)
    return ", ".join([counted(entries, "entry", "entries"), human_size(size), *words])


def _planned(report: Report) -> Iterator[str]:
    """Say in which waves a push would begin that was only compared."""
    if report.direction != "diff" or len(report.waves) < 2:
        return
    for one in report.waves[:_LINES]:
        those = [result for result in report.results if result.wave == one.wave]
        pods = list(dict.fromkeys(result.transfer.target.of_pod for result in those))
        yield f"{_wave(one, report)}: {counted(len(pods), 'pod', 'pods')}: {listed(pods, _NAMES, printable)}"
    if len(report.waves) > _LINES:
        yield f"and {counted(len(report.waves) - _LINES, 'more wave', 'more waves')} (-o json has all)"


def _stopped(report: Report) -> Iterator[str]:
    if (one := report.stopped) is None:
        return
    kept = len(_pods([result for result in report.results if result.begun_s is None]))
    which = f" {'before' if one.begun_s is None else 'after'} {_wave(one, report)}" if len(report.waves) > 1 else ""
    rest = f"; {counted(kept, 'pod was', 'pods were')} not begun" if kept else ""
    yield f"stopped{which}: {printable(one.stopped, _CAUSE_LIMIT)}{rest}"


def _wave(one: Passed, report: Report) -> str:
    name = f" ({printable(one.name)})" if one.name else ""
    return f"wave {one.wave} of {len(report.waves)}{name}"


def _revisions(report: Report) -> Iterator[str]:
    """Name what each pod keeps; of a rollback what was brought back."""
    name = namer(report)
    for one in report.results:
        for kept in one.revisions or ():
            digest = f" with sources {printable(kept.digest, 12)}" if kept.digest else ""
            entries = "" if kept.entries is None else f", {counted(kept.entries, 'entry', 'entries')}"
            who = "@".join(filter(None, (printable(kept.user, 40), printable(kept.host, 60)))) or "somebody"
            how = f"{printable(kept.by, 20)} of {who}{digest}{entries}"
            yield f"{name(one)}  {kept.name}  replaced {kept.replaced} by a {how}"
    restored = Counter(one.restored for one in report.results if one.restored)
    for revision, count in restored.most_common(_LINES):
        yield f"brought back {printable(revision)} in {counted(count, 'pod', 'pods')}"


_WAYS = {
    "shell": "no tar: the shell did its work",
    "tar-alone": "no shell: tar alone was asked, and what it leaves out without a word is not known",
    "ephemeral": "no shell: an ephemeral container did its work",
}


def _ways(results: Sequence[Result]) -> Iterator[str]:
    for way, words in _WAYS.items():
        if those := [one for one in results if one.way.partition(" ")[0] == way]:
            has = "1 pod has" if len(_pods(those)) == 1 else f"{len(_pods(those))} pods have"
            yield f"{has} {words} ({listed(those, _NAMES, _pod)})"


def _compression(results: Sequence[Result]) -> Iterator[str]:
    for codec in sorted({one.compression for one in results} - {""}):
        those = [one for one in results if one.compression == codec]
        wire, archive = sum(one.wire_size for one in those), sum(one.archive_size for one in those)
        pods = counted(len(_pods(those)), "pod", "pods")
        yield f"compressed with {codec} for {pods}: {human_size(wire)} instead of {human_size(archive)}"


def _of_several_pods(results: Sequence[Result]) -> Iterator[str]:
    """Add up what more than one pod has; what only one has was said with it."""
    grown = [one for one in results if one.grown]
    if len(grown) > 1:
        files, pods = sum(len(one.grown) for one in grown), counted(len(_pods(grown)), "pod", "pods")
        whole = "complete up to the size they had (-o json names them)"
        yield f"{files} files of {pods} grew while they were read, {whole}"
    entries = Counter(lack.what for one in results for lack in one.not_kept)
    those: dict[str, list[Result]] = defaultdict(list)
    for one in results:
        for what in {lack.what for lack in one.not_kept}:
            those[what].append(one)
    for what, count in entries.most_common(_LINES):
        if len(those[what]) > 1:
            pods = counted(len(_pods(those[what])), "pod", "pods")
            yield f"not kept: {printable(what)} of {count} entries of {pods} (-o json names them)"


def _absent(results: Sequence[Result]) -> Iterator[str]:
    """Count what only some containers lack."""
    absent = [one for one in results if one.outcome is Outcome.ABSENT]
    logs = [one for one in absent if one.transfer.log]
    for those, what in ((len(absent) - len(logs), "not in"), (len(logs), "no log from before the restart any more of")):
        if those:
            yield f"{what} {counted(those, 'container', 'containers')}, as told above (-o json names each)"


def _slowest(report: Report) -> Iterator[str]:
    name, (slow, median) = namer(report), slowest(report.results)
    if slow:
        yield f"slowest: {', '.join(f'{name(one)} {one.seconds:.1f} s' for one in slow)} (median {median:.1f} s)"


def _places(report: Report) -> Iterator[str]:
    """Say where it landed, when that is not the same everywhere."""
    places = Counter(one.landed for one in report.results if one.landed)
    if len(places) < 2:
        return
    for place, _ in places.most_common(_LINES):
        those = [one for one in report.results if one.landed == place]
        yield f"landed as {printable(place)}: {listed(those, _NAMES, _pod)}"
    if len(places) > _LINES:
        yield f"landed in {counted(len(places) - _LINES, 'other place', 'other places')} (-o json has all)"


def _troubles(report: Report) -> Iterator[str]:
    found = groups(report.failed)
    yield from _group_lines(found[:_LINES], namer(report))
    if rest := [one for group in found[_LINES:] for one in group.results]:
        pods = counted(len(_pods(rest)), "pod", "pods")
        yield f"{pods} for {counted(len(found) - _LINES, 'other cause', 'other causes')} (-o json has all)"


def _group_lines(found: Sequence[Group], name: Callable[[Result], str]) -> Iterator[str]:
    for group in found:
        cause = "" if group.outcome is Outcome.INTERRUPTED else group.cause  # who pressed ^C knows
        who = listed(group.results, _NAMES, name)
        what = f"{counted(len(_pods(group.results)), 'pod', 'pods')} {group.outcome.value}"
        yield what + (f": {printable(cause, _CAUSE_LIMIT)}" if cause else "") + f" ({who})"


def namer(report: Report) -> Callable[[Result], str]:
    """Return how pods are named: with the path only where not all have the same."""
    one_path = len({one.transfer.path for one in report.results}) < 2
    return _pod if one_path else lambda result: printable(str(result.transfer))


def _pods(results: Sequence[Result]) -> set[str]:
    return {one.transfer.target.of_pod for one in results}


def _pod(result: Result) -> str:
    return printable(str(result.transfer.target))


def _skipped(report: Report) -> Iterator[str]:
    """Name the pods that were matched or named but not copied; those that count as failed are apart."""
    missed = report.missed
    yield from _skipped_line(missed, "that count as failed" if len(missed) > 1 else "that counts as failed")
    others = [one for one in report.skipped if not (one.named or report.strict)]
    yield from _skipped_line(others, "that matched")


def _skipped_line(skipped: Sequence[Skipped], which: str) -> Iterator[str]:
    reasons = by_reason(skipped)
    if not reasons:
        return
    told = [f"{printable(why)} ({listed(pods, _NAMES, printable)})" for why, pods in reasons.items()]
    more = f"; and for {len(told) - _LINES} other reasons" if len(told) > _LINES else ""
    what = "container" if all(one.container for one in skipped) else "pod"
    if all(one.is_context for one in skipped):
        what = "context"
    yield f"skipped {counted(len(skipped), what, f'{what}s')} {which}: {'; '.join(told[:_LINES])}{more}"

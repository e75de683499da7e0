"""200 files of configuration, 1.5 MB, pushed to 100 BusyBox pods, and again: all of it, none of it, then one file.

The second push against the first one, and against `kubectl cp` under `xargs`, 10 and 32 at once, which copies all of it
every time. Then a file is changed: `asynccp diff` has to name it in every pod, and the next push to copy it alone. The
diff is compared to `kubectl exec` of sha256sum under `xargs`, whose output is compared to that of this machine.

Bytes on the wire are those of the pod with the most, from the report. Execs are counted by the API server, so nobody
else may be copying.
"""

import json
import re
import shlex
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from benchmarks import command
from benchmarks.compare import CLIENT_CPU, TIME, Comparison, compare, rows
from benchmarks.copying import Copying, check, digests, new_destination
from benchmarks.fleet import Fleet, fleet, kubectl
from benchmarks.row import OURS, Row
from benchmarks.sample import Incomplete, Sample, sampled
from benchmarks.setting import Setting
from benchmarks.sources import configuration

FIRST, OVER, AGAIN = "asynccp, first push", "asynccp, all over it", "asynccp, unchanged"
ONE, DIFF = "asynccp, one file", "asynccp diff"
DIGESTS = "xargs -P32 kubectl exec sha256sum"
MOST_WIRE_KIB = 64.0
_EXECS = re.compile(r'^apiserver_request_total\{.*subresource="exec".*\} (\S+)$', re.MULTILINE)


def measure(setting: Setting) -> list[Row]:
    pods, files = setting.scaled(100), setting.scaled(200)
    with tempfile.TemporaryDirectory() as directory, fleet("busybox", pods) as targets:
        source = configuration(Path(directory, "config"), files, setting.scaled(1_500_000))
        pushes, copying = Pushes(targets, source), Copying(targets, source)
        peers = {
            f"xargs -P{at_once} kubectl cp": copying.push(
                partial(command.kubectl_cp_push, targets, source, at_once=at_once)
            )
            for at_once in (10, 32)
        }
        # What is written anew keeps the disk busy for a while: that comes last.
        ours = {FIRST: pushes.first, AGAIN: pushes.again, DIFF: pushes.diff, ONE: pushes.one, OVER: pushes.over}
        found = compare({**ours, DIGESTS: pushes.digests, **peers}, setting.runs)
    what = f"{files} files, 1.5 MB → {pods} BusyBox pods"
    first, again = f"push {what} again, against the first time", f"push {what} again"
    over = f"push {what} over what is there"
    one, differ = f"push {what}, one file changed", f"diff {what}, one file changed"
    return [
        *rows(found.as_ours(OVER, FIRST), f"{over}, against an empty place", [(TIME, 1 / 1.1)]),
        *rows(found.as_ours(OVER, *peers), over, [(TIME, 2), (CLIENT_CPU, None)]),
        *rows(found.as_ours(AGAIN, FIRST), first, [(TIME, 2)]),
        *rows(found.as_ours(AGAIN, *peers), again, [(TIME, 3), (CLIENT_CPU, None)]),
        *pushes.rows(AGAIN, found, f"{again}: what each pod takes"),
        *rows(found.as_ours(ONE, *peers), one, [(TIME, None), (CLIENT_CPU, None)]),
        *pushes.rows(ONE, found, f"{one}: what each pod takes"),
        *rows(found.as_ours(DIFF, DIGESTS), differ, [(TIME, None), (CLIENT_CPU, None)]),
    ]


class Pushes:
    """Pushes of one tree to one directory after the other, each several times; and what the reports say of them."""

    def __init__(self, targets: Fleet, source: Path) -> None:
        self._targets, self._source = targets, source
        self._report = source.parent / "report.json"
        self._changed = min(path for path in source.rglob("*") if path.is_file())
        self._destination = ""
        self._wire_kib, self._execs = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)

    def first(self) -> Sample:
        self._destination = new_destination()
        sample, _ = self._pushed(FIRST)
        return sample

    def over(self) -> Sample:
        sample, _ = self._pushed(OVER, "--force")
        return sample

    def again(self) -> Sample:
        sample, tallies = self._pushed(AGAIN)
        self._check_size(0)
        _check(all(_is_nothing(one) for one in tallies), "a push of what is there has changed something")
        return sample

    def diff(self) -> Sample:
        """Change one file, and ask for the difference."""
        with self._changed.open("a") as file:
            file.write("# changed\n")
        argv = command.asynccp_diff(self._targets, self._source, self._destination, "--report", str(self._report)).argv
        sample = sampled(["sh", "-c", '"$@"; [ $? = 4 ]', "sh", *argv])
        path = str(self._changed.relative_to(self._source))
        found = [[one["path"] for one in some["differences"]] for some in self._told()["alike"]]
        _check(found == [[path]], f"the diff names {found}, not {path}")
        return sample

    def one(self) -> Sample:
        sample, tallies = self._pushed(ONE)
        self._check_size(self._changed.stat().st_size)
        _check(all(one["changed"] == 1 and one["new"] == 0 for one in tallies), "more was copied than the one file")
        return sample

    def digests(self) -> Sample:
        """Compare what pods have by what they all have: find, sha256sum, and a list of ours."""
        wanted = self._source.parent / "wanted"
        wanted.write_text("".join(sorted(f"{one}  ./{path}\n" for path, one in digests(self._source).items())))
        find = f"cd {self._destination} && find . -type f -exec sha256sum {{}} +"
        run = f"kubectl -n {self._targets.namespace} exec POD -- sh -c {shlex.quote(find)}"
        script = f"{run} | LC_ALL=C sort | cmp - {wanted}"
        argv = ["xargs", "-P32", "-I", "POD", "bash", "-o", "pipefail", "-c", script]
        return sampled(argv, stdin="\n".join(self._targets.pods))

    def rows(self, name: str, found: Comparison, scenario: str) -> list[Row]:
        """Return what the pod with the most bytes took, and how many execs there were for each."""
        measures = (
            ("bytes on the wire", "KiB", self._wire_kib[name], MOST_WIRE_KIB),
            ("execs", "for each pod", self._execs[name], 1.0),
        )
        failures = {OURS: found.failures[name]}
        return [
            Row(scenario, what, max(figures, default=inf), most, unit, "the most", 1.0, failures, {OURS: figures})
            for what, unit, figures, most in measures
        ]

    def _pushed(self, name: str, *flags: str) -> tuple[Sample, list[Mapping[str, int]]]:
        """Push, and check what pods have then. Return what the report counts for each of them."""
        made = command.asynccp_push(
            self._targets, self._source, self._destination, "--report", str(self._report), *flags
        )
        before = _execs()
        sample = sampled(made.argv)
        execs = _execs() - before
        check(self._targets.digests(self._destination), digests(self._source), len(self._targets.pods))
        pods = self._told()["pods"]
        self._wire_kib[name].append(max(one["wire_bytes"] for one in pods) / 1024)
        self._execs[name].append(execs / len(pods))
        return sample, [one["tally"] for one in pods]

    def _check_size(self, size: int) -> None:
        found = {one["bytes"] for one in self._told()["pods"]}
        _check(found == {size}, f"{found} bytes of files were sent to a pod, where {size} were new")

    def _told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._report.read_text())
        return found


def _check(true: bool, otherwise: str) -> None:
    if not true:
        raise Incomplete(otherwise)


def _is_nothing(tally: Mapping[str, int]) -> bool:
    return not any(tally[what] for what in ("new", "changed", "set", "removed"))


def _execs() -> int:
    """Return how many execs the API server has ended, or refused; those that are under way come when they end."""
    return sum(int(float(count)) for count in _EXECS.findall(kubectl("get", "--raw", "/metrics")))

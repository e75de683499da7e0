"""The storm: seeded cases of one transfer and one fault, run by the real engine against the fake cluster.

What must be true of each, whatever happens:

    complete    then the trees are identical
    otherwise   a non-zero exit code, the pod named, the cause in words, no control character
    always      no torn file under a final name: each file is what it was before, or what was to come
                within the deadlines that were asked for
                nothing left: no process in the pod, no temporary file, no descriptor, no task
"""

import asyncio
import hashlib
import os
import random
import shutil
import unicodedata
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from anyio import to_thread
from msgspec.structs import replace

from asynccp import Options, Report, Selection, Selector, connect, plan_pull, plan_push, pull, push
from asynccp.archive.layout import Blocks
from asynccp.kube.cluster import KubernetesCluster
from asynccp.kube.exec import STDIN, STDOUT
from asynccp.options import CLOSE_GRACE_S, Attributes, Deadlines, Failures, Verification
from asynccp.remote.commands import PullRequest, PushRequest, pull_command, push_command
from asynccp.remote.digests import encode_names
from asynccp.report import Outcome
from asynccp.testing import faults
from asynccp.testing.faults import Fault, Place
from asynccp.testing.kinds import KINDS, available_kinds
from asynccp.testing.pod import Container, FakePod
from asynccp.testing.server import FakeCluster
from asynccp.ui.text import closing
from tests.trees import SOME_TIME_S, describe

STALL_AFTER_S, OPEN_TIMEOUT_S = 3.0, 6.0
IDLE_WITHIN_S = 20.0  # for processes of a pod to end once their session has: much less, but on a busy machine
SIZES = {"empty": 0, "a/tiny": 100, "a/record": 65_536, "a/b/large": 300_001, "a/b/larger": 450_000, "z": 9_000}
BIG = {"a/big": 6_000_000}  # enough for a pull to continue where it was lost
PROTOCOLS = {"v4": ("v5", "v4"), "v5": ("v5",)}  # what is spoken → what the server has to know for it
QUESTION = encode_names([b"tree"])
SCRIPT_SIZES = {
    "push": len(
        push_command(PushRequest(token="0" * 16, directory="/srv", blocks=Blocks(512, 1, 0), question=QUESTION)).script
    ),
    "pull": len(pull_command(PullRequest(token="0" * 16, path="/srv")).script),
}
WITH_SHELL = tuple(kind.name for kind in available_kinds() if kind.name not in ("no-dd", "distroless"))
WITHOUT_TAR = WITHOUT_DIGESTS = ("no-tar",)
WITH_TAR = tuple(kind for kind in WITH_SHELL if kind not in WITHOUT_TAR)


@dataclass(frozen=True)
class Case:
    """One transfer and one fault.

    big: with a file that is large enough for a pull to continue. old: older versions of some files are in place.
    dir_perms: directories that are in place get the source's time as well.
    """

    seed: int
    direction: str
    kind: str
    protocol: str
    fault: Fault
    retries: int
    checksum: bool
    big: bool
    old: bool
    dir_perms: bool

    @classmethod
    def of(cls, seed: int, kinds: Sequence[str] = WITH_SHELL) -> "Case":
        """Return the case of a seed. kinds: of container, of which it has one."""
        chance = random.Random(seed)
        direction, kind = chance.choice(("push", "pull")), chance.choice(kinds)
        protocol = chance.choice(list(PROTOCOLS))
        checksum, big = chance.random() < 0.3 and kind not in WITHOUT_DIGESTS, chance.random() < 0.2
        place = _place(chance, direction, sum((SIZES | BIG if big else SIZES).values()))
        fault = replace(_fault(chance, place, checksum), always=chance.random() < 0.3)
        retries, old, dir_perms = chance.randrange(3), chance.random() < 0.5, chance.random() < 0.5
        return cls(seed, direction, kind, protocol, fault, retries, checksum, big, old, dir_perms)

    @property
    def sizes(self) -> dict[str, int]:
        return SIZES | BIG if self.big else SIZES

    @property
    def options(self) -> Options:
        return Options(
            deadlines=Deadlines(stall_after_s=STALL_AFTER_S, open_timeout_s=OPEN_TIMEOUT_S),
            failures=Failures(retries=self.retries),
            verification=Verification(checksum=self.checksum),
            attributes=Attributes(dir_perms=self.dir_perms),
        )

    @property
    def most_s(self) -> float:
        """Seconds that the run may take: each attempt's deadlines, the waits in between, and a busy machine."""
        attempt_s = 2 * OPEN_TIMEOUT_S + 2 * STALL_AFTER_S + 3 * CLOSE_GRACE_S
        return (1 + self.retries) * attempt_s + sum(2.0**n for n in range(self.retries)) + 15


def _place(chance: random.Random, direction: str, size: int) -> Place:
    """Return a place in the archive (its front, anywhere, its end), in the few words that go the other way, or in the
    script, which is the first on stdin."""
    script, begin = SCRIPT_SIZES[direction], {STDIN: SCRIPT_SIZES[direction], STDOUT: 0}
    archive, words = (STDIN, STDOUT) if direction == "push" else (STDOUT, STDIN)
    dice = chance.random()
    if dice < 0.1:
        return Place(STDIN, chance.randrange(script))
    if dice < 0.3:
        return Place(words, begin[words] + chance.randrange(240 if direction == "push" else 3))
    near_end = size + 8192 - chance.randrange(9000)
    return Place(archive, begin[archive] + chance.choice((chance.randrange(600), chance.randrange(size), near_end)))


def _fault(chance: random.Random, place: Place, checksum: bool) -> Fault:
    made: list[Fault] = [
        faults.Cut(place),
        faults.Cut(place, in_frame=True),
        faults.Cut(place, resets=True),
        faults.Close(place, code=chance.choice((1000, 1006, 1011))),
        faults.Delay(place),
        faults.Slow(place),
        faults.Silence(place),
        faults.Silence(place, deaf=True),
        faults.Garbage(place),
        faults.WrongChannel(place, channel=chance.choice((0, 4, 7, 255))),
        faults.OversizedFrame(place, size=chance.choice((2 * 1024 * 1024, 1 << 40))),
        faults.TextFrame(place),
        faults.EndlessStdout(place),
        faults.StderrFlood(place),
        faults.EarlySuccess(place),
        faults.FalseSuccess(place),
        faults.FalseSuccess(faults.LAST_WORD),
        faults.Cut(faults.LAST_WORD),
        faults.LastWord(text=chance.choice((b"", b"{", b"\x1b[2J", b"[]", b'{"status": "Failure"}'))),
        faults.Refuse(
            code=chance.choice((403, 404, 429, 500, 502, 503)),
            says_why=chance.random() < 0.5,
            retry_after=chance.choice(("", "1")),
        ),
        faults.Dropped(),
        faults.Unanswered(),
    ]
    if checksum:  # nothing else tells
        made += [faults.Flip(place)] * 3
    return chance.choice(made)


@dataclass(frozen=True)
class Finding:
    """A promise that was not kept. what: loss, torn, late, left or unnamed. kind: if all had to be of one."""

    seed: int
    what: str
    detail: str
    kind: str = ""

    def __str__(self) -> str:
        kind = f" --kind {self.kind}" if self.kind else ""
        return f"{self.what}: {self.detail}\n    again: python -m benchmarks.trust.faults {self.seed}{kind}"


@dataclass
class Ended:
    """How a storm ended. lines: one for each case."""

    findings: list[Finding] = field(default_factory=list)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def count(self, what: str) -> int:
        return sum(one.what == what for one in self.findings)


async def storm(
    seeds: Iterable[int], directory: Path, *, together: int = 10, kinds: Sequence[str] = WITH_SHELL
) -> Ended:
    """Run the cases, so many at a time, and look for what they leave in this process at the end.

    kinds: of container, of which each case has one.
    """
    ended, seeds = Ended(), list(seeds)
    before = await _in_use()
    limiter = anyio.CapacityLimiter(together)

    async def one(case: Case, cluster: FakeCluster, client: KubernetesCluster) -> None:
        async with limiter:
            await _Run(case, cluster, directory / f"{case.seed}").run(client, ended)

    async with AsyncExitStack() as stack:
        ends = {
            name: await stack.enter_async_context(_cluster(directory / name, known))
            for name, known in PROTOCOLS.items()
        }
        tasks = await stack.enter_async_context(anyio.create_task_group())
        for case in (Case.of(seed, kinds) for seed in seeds):
            tasks.start_soon(one, case, *ends[case.protocol])
    after = await _in_use()
    if after != before:
        what = f"descriptors and tasks: {before} before, {after} after, of seeds {min(seeds)} to {max(seeds)}"
        ended.findings.append(Finding(seeds[0], "left", what))
    if len(kinds) == 1:
        ended.findings = [Finding(one.seed, one.what, one.detail, kinds[0]) for one in ended.findings]
    return ended


@asynccontextmanager
async def _cluster(directory: Path, protocols: Sequence[str]) -> AsyncIterator[tuple[FakeCluster, KubernetesCluster]]:
    async with FakeCluster(directory / "pods", protocols=protocols) as cluster:
        await cluster.write_kubeconfig(directory / "kubeconfig")
        async with connect(str(directory / "kubeconfig")) as client:
            yield cluster, client


async def _in_use() -> tuple[int, int]:
    await anyio.wait_all_tasks_blocked()
    return open_descriptors(), len(asyncio.all_tasks())


def open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))


class _Run:
    """One case."""

    def __init__(self, case: Case, cluster: FakeCluster, directory: Path) -> None:
        self._case = case
        self._cluster = cluster
        self._directory = directory
        self._pod = FakePod(f"pod-{case.seed}", containers=[Container("main", KINDS[case.kind]())])

    async def run(self, client: KubernetesCluster, ended: Ended) -> None:
        case = self._case
        await self._cluster.add_pod(self._pod)
        await to_thread.run_sync(self._prepare)
        self._cluster.strike(self._pod, case.fault)
        begun = anyio.current_time()
        report = None
        with anyio.move_on_after(case.most_s):
            report = await self._copy(client)
        ended.findings += [Finding(case.seed, what, detail) async for what, detail in self._found(report)]
        if report is not None:
            (result,) = report.results
            ended.outcomes[result.outcome] += 1
            seconds = anyio.current_time() - begun
            ended.lines.append(f"{case.seed}: {result.outcome.value} in {seconds:.1f} s, {result.tries} attempts "
                               f"over {result.protocol or '-'}: {result.error or 'no error'}")  # fmt: skip
        await self._cluster.delete_pod(self._pod.name)
        await to_thread.run_sync(shutil.rmtree, self._directory)

    def _prepare(self) -> None:
        self._source, self._destination = self._directory / "here" / "tree", self._pod.root() / "srv" / "tree"
        if self._case.direction == "pull":
            self._source = self._pod.root() / "srv" / "tree"
            self._destination = self._directory / "back" / self._pod.name / "tree"
        (self._directory / "back").mkdir(parents=True)
        build(self._source, self._case.seed, self._case.sizes)
        if self._case.old:
            build(self._destination, -1 - self._case.seed, dict(list(SIZES.items())[::2]))
        self._new, self._old = contents(self._source), contents(self._destination)
        self._kept = self._directories()

    def _directories(self) -> set[bytes]:
        """Return the directories that are in the destination, and keep what they are when something comes into them."""
        if self._case.direction == "pull" or self._case.dir_perms:
            return set()
        return {name for name, one in describe(self._destination).items() if one.kind == "directory"}

    async def _copy(self, client: KubernetesCluster) -> Report:
        name, options = self._pod.name, self._case.options
        if self._case.direction == "push":
            selection = Selection((Selector("pod", name, "/srv"),))
            return await push(client, await plan_push(client, [str(self._source)], selection), options=options)
        selection = Selection((Selector("pod", name, "/srv/tree"),))
        return await pull(client, await plan_pull(client, str(self._directory / "back"), selection), options=options)

    async def _found(self, report: Report | None) -> AsyncIterator[tuple[str, str]]:
        if report is None:
            yield "late", f"not ended after {self._case.most_s:.0f} s"
        else:
            for text in unnamed(report, self._pod.name):
                yield "unnamed", text
        if getattr(self._case.fault, "deaf", False):
            self._cluster.heal(self._pod)
        with anyio.move_on_after(IDLE_WITHIN_S) as limit:
            await self._cluster.wait_idle(self._pod)
        if limit.cancelled_caught:
            yield "left", "a process in the pod"
        self._cluster.heal(self._pod)
        if report is not None and report.results[0].tries > 1:  # what the one before has made was there for the next
            self._kept = await to_thread.run_sync(self._directories)
        for what, detail in await to_thread.run_sync(self._on_disk, report is not None and report.ok):
            yield what, detail

    def _on_disk(self, complete: bool) -> list[tuple[str, str]]:
        found = []
        if complete and (differs := different(self._source, self._destination, self._kept)):
            found.append(("loss", f"exit 0, but {differs} differs"))
        # What was changed on its way into a pull is found when it stands already; a push compares before it publishes.
        if self._case.direction == "push" or not self._case.fault.corrupts:
            found += [("torn", path) for path in torn(self._destination, self._old, self._new)]
        found += [("left", str(path)) for path in left_behind(self._directory, self._pod.root())]
        return found


def build(root: Path, seed: int, sizes: dict[str, int] = SIZES) -> None:
    """Make a tree of files, whose contents are the seed's, and a link; of a negative seed an older one, without."""
    chance = random.Random(seed)
    for name, size in sizes.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(size))
        path.chmod(0o640)
    if seed >= 0:
        (root / "link").symlink_to("a/tiny")
    time_s = SOME_TIME_S if seed >= 0 else SOME_TIME_S - 3600
    for path in [root, *root.rglob("*")]:
        os.utime(path, (time_s, time_s), follow_symlinks=False)


def contents(root: Path) -> dict[str, str]:
    """Return each file's digest."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def different(source: Path, destination: Path, kept: Collection[bytes] = ()) -> str:
    """Return what differs between two trees, nothing when they are identical.

    kept: directories that were there before and keep what they are, but for their time: something came into them.
    """
    there, here = describe(source), describe(destination)
    for facts in (there, here):
        facts.update({name: replace(facts[name], mtime_s=0) for name in kept if name in facts})
    names = [name for name in there | here if there.get(name) != here.get(name)]
    return ", ".join(f"{os.fsdecode(name)} ({there.get(name)} is {here.get(name)})" for name in names)


def torn(destination: Path, old: dict[str, str], new: dict[str, str]) -> Iterator[str]:
    """Yield the files that are neither what they were nor what was to come."""
    for path, digest in contents(destination).items():
        if digest not in (old.get(path), new.get(path)) and not Path(path).name.startswith(".asynccp-"):
            yield path


def left_behind(*roots: Path) -> Iterator[Path]:
    """Yield the temporary files and directories of ours."""
    for root in roots:
        yield from root.rglob(".asynccp-*")


def unnamed(report: Report, pod: str) -> Iterator[str]:
    """Yield what is wrong with a report: who failed, and why, must be in it in words."""
    (result,) = report.results
    complete = result.outcome is Outcome.COMPLETE
    if complete != (report.exit_code == 0):
        yield f"exit code {report.exit_code} for {result.outcome}"
    if not complete and (pod not in closing(report) or len(result.error.split()) < 3):
        yield f"nobody is named: {closing(report)!r}, {result.error!r}"
    said = result.error + result.hint + closing(report).replace("\n", "")
    if "Traceback" in said or any(
        unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in said
    ):
        yield f"not fit for a terminal: {said!r}"

"""One pod to another: whole and in its place, or nothing there and the error names the pod that failed.

The report is about the pod that receives. So an error of the one that gives begins with its name, and no other does.
"""

import io
import tarfile
from dataclasses import dataclass, field

import anyio
import pytest
from msgspec.structs import replace

from asynccp.archive.header import encode_header
from asynccp.engine.forward import forward
from asynccp.entry import Entry, Kind
from asynccp.options import CHUNK_SIZE, LOOK_EVERY_S, Failures, Options
from asynccp.plan.forward import ForwardPlan
from asynccp.report import Outcome, Report, Result
from asynccp.status import ExitStatus
from asynccp.target import Transfer

from ..archive.reference import content_of, member
from .scripted import (
    ONCE,
    SUCCESS,
    TOKEN,
    Pod,
    Recorder,
    Script,
    by_name,
    greets_and_hangs,
    hangs,
    puts_in_place,
    running,
    scripted,
    target,
)

LOG = Entry(b"log", Kind.DIRECTORY, mode=0o755)
A, B = Entry(b"log/a", Kind.FILE, 1000), Entry(b"log/b", Kind.FILE, 200_000)
LINK, NAME = Entry(b"log/link", Kind.SYMLINK, link=b"a"), Entry(b"log/name", Kind.HARDLINK, link=b"log/a")
LOGS = b"".join(map(member, [LOG, LINK, A, B, NAME]))
BIG = Entry(b"log/big", Kind.FILE, 40 * CHUNK_SIZE)
LARGE = member(LOG) + encode_header(BIG) + bytes(BIG.size)
END = bytes(1024)
SENT = "5-202000"  # entries, and bytes as they will stand there
FROM, TO = "default/from-0:/var/log: ", "default/to-0:/srv"


def gives(archive: bytes = LOGS, entries: int = 5, *, rc: int = 0, complains: str = "", waits_s: float = 0) -> Script:
    """Return the script of a pod that gives an archive of so many entries, as it says."""

    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.note(f"census entries={entries} bytes=202000")
        for at in range(0, len(archive + END), 32 * 1024):
            await pod.say((archive + END)[at : at + 32 * 1024])
        if complains:
            await pod.complain(f"{complains}\n")
        await pod.done(f"rc={rc} hidden=", ended=f"rc={rc}")
        while (asked := await pod.hear()).startswith(b"old\n"):  # how many are as they were: all
            await pod.say(b"%d  %sasynccp %s summed\n" % (entries, asked.removeprefix(b"old\n")[:-1], TOKEN.encode()))
        await anyio.sleep(waits_s)
        await pod.end(ExitStatus(rc))

    return script


def gives_half(status: ExitStatus | None, *said: str) -> Script:
    """Return the script of a pod that ends in the middle of its archive."""

    async def script(pod: Pod) -> None:
        await pod.hello()
        for at in range(0, len(LARGE) // 2, 32 * 1024):
            await pod.say(LARGE[at : at + 32 * 1024])
        for words in said:
            await pod.complain(f"{words}\n")
        if status:
            await pod.end(status)

    return script


@dataclass
class Taker:
    """A pod that receives as it should. archives: what it was given, as far as it came. whole: all of it.

    says: of what it has, before it puts that in its place. busy_s: how long that takes.
    """

    says: str = "rc=0 sentinel=yes"
    busy_s: int = 0
    archives: list[bytearray] = field(default_factory=list)
    is_in_place: bool = False

    async def __call__(self, pod: Pod) -> None:
        await pod.hello("count=dd")
        self.archives = [bytearray(), bytearray()]
        for archive in self.archives:
            if not await self._hear(pod, archive):
                return
        if self.says != "rc=0 sentinel=yes":
            await pod.received(self.says)
            await pod.hear_line()
            await pod.end(SUCCESS)
            return
        await pod.received()
        await pod.hear_line()
        for _ in range(self.busy_s):
            await anyio.sleep(1)
            await pod.note("busy")
        self.is_in_place = True
        await pod.done()
        await pod.hear_line()
        await pod.end()

    async def _hear(self, pod: Pod, archive: bytearray) -> bool:
        """Hear one archive, each message a part of it; return whether it came to its end."""
        while part := await pod.hear():
            line, _, content = part.partition(b"\n")
            form, size, *more = line.split()
            assert (form, int(size)) == (b"r", len(content))
            archive += content
            if not more:
                return True
        return False

    def members(self, archive: int) -> list[str]:
        """Return the names in the first or the second archive, as Python's own reader has them."""
        with tarfile.open(fileobj=io.BytesIO(self.archives[archive])) as tar:
            return [name.removeprefix("./") for name in tar.getnames()]

    @property
    def was_told_the_end(self) -> bool:
        return f".asynccp-{TOKEN}".encode() in b"".join(self.archives)


PLAN = ForwardPlan(Transfer(target("from-0"), "/var/log"), Transfer(target("to-0"), "/srv"), TOKEN)


async def forwarded(
    giver: Script, taker: Script, options: Options = ONCE, recorder: Recorder | None = None
) -> tuple[Result, Report]:
    """Carry the plan out between two pods; whatever happened, no session is left open."""
    async with scripted(by_name(from_0=giver, to_0=taker)) as cluster:
        report = await forward(cluster, PLAN, options=options, observer=recorder)
        assert sum(cluster.open.values()) == 0, "a session was left open"
        assert all(pod.over.is_set() for pod in cluster.pods)
    (result,) = report.results
    assert (report.direction, str(result.transfer)) == ("forward", TO)
    assert (report.exit_code == 0) is (result.outcome is Outcome.COMPLETE)
    return result, report


async def test_what_one_pod_gives_the_other_has() -> None:
    taker, recorder = Taker(), Recorder()
    result, _ = await forwarded(gives(), taker, recorder=recorder)
    assert (result.outcome, result.error, result.left_out, result.not_kept) == (Outcome.COMPLETE, "", (), ())
    assert (result.entries, result.size, result.protocol) == (5, 202_000, "v4")
    assert result.landed == "/srv/log"
    assert taker.is_in_place
    last = ["log", f".asynccp-{TOKEN}-{SENT}"]
    assert taker.members(0) == ["log", "log/link", "log/a", "log/b", "log/name", *last]
    assert taker.members(1) == last, "directories once more, behind what links there are"
    with tarfile.open(fileobj=io.BytesIO(taker.archives[0])) as tar:
        for entry in (A, B):
            file = tar.extractfile(f"./{entry.path.decode()}")
            assert file
            assert file.read() == content_of(entry)
    assert result.archive_size == sum(map(len, taker.archives)) == recorder.advanced_by["to-0"]
    assert recorder.started_with == {"to-0": None}
    assert recorder.sized_with == {"to-0": 202_000 + 5 * 768}
    assert list(recorder.results) == ["to-0"]


async def test_the_last_word_is_given_only_when_the_giving_pod_has_proved_that_it_is_whole() -> None:
    """Without the last member the receiving pod puts nothing in its place."""
    taker = Taker()
    seen: list[bool] = []

    async def giver(pod: Pod) -> None:
        await gives(waits_s=50)(pod)
        seen.append(taker.was_told_the_end)

    result, _ = await forwarded(giver, taker)
    assert result.outcome is Outcome.COMPLETE
    assert seen == [False]
    assert taker.was_told_the_end


SHORT = "tar ended without an error, but 2 entries are missing of the 7 that are in the container"


def says_done_too_early() -> Script:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.say(member(LOG) + member(A))
        await pod.done("rc=0 hidden=", ended="rc=0")
        await pod.hear_line()
        await pod.end()

    return script


def has_a_problem(problem: str) -> Script:
    async def script(pod: Pod) -> None:
        await pod.hello(f"problem={problem}")
        await pod.hear_line()
        await pod.end(ExitStatus(1))

    return script


@pytest.mark.parametrize(
    ("giver", "says"),
    [
        (gives_half(None), "the session ended before the pod had said its last word"),
        (gives_half(ExitStatus(137)), "the commands in the container were killed (137)"),
        (
            gives_half(ExitStatus(2), "tar: ./log/big: Cannot read: Input/output error"),
            "tar failed in the container with exit code 2: tar: ./log/big: Cannot read: Input/output error",
        ),
        (gives(entries=7), SHORT),
        (gives(member(LOG)[:0], entries=0), "nothing of /var/log can be copied: "),
        (says_done_too_early(), "the pod says that it is done, but the archive has not come to its end"),
        (gives(LOGS + member(A)), "the archive has log/a twice"),
        (gives(member(Entry(b"etc", Kind.DIRECTORY))), "the archive has etc, which was not asked for"),
        (has_a_problem("missing"), "/var/log does not exist"),
        (hangs, "the pod did not answer within 60 s"),
        (greets_and_hangs, "nothing moved for 120 s"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_what_the_giving_pod_fails_with_has_its_name_and_changes_nothing(giver: Script, says: str) -> None:
    taker = Taker()
    result, report = await forwarded(giver, taker)
    assert (result.outcome, report.exit_code) == (Outcome.FAILED, 1)
    assert result.error.startswith(FROM)
    assert says in result.error
    assert not taker.was_told_the_end
    assert not taker.is_in_place
    assert (result.entries, result.size) == (0, 0), "nothing counts as arrived"


async def full_disk(pod: Pod) -> None:
    await pod.hello()
    await pod.hear()
    await pod.complain("tar: ./log/big: Cannot write: No space left on device\n")
    await pod.wait_until_stdin_is_full()
    await pod.received("rc=2 sentinel=no")
    await pod.hear_line()
    await pod.end(ExitStatus(2))


async def dies(pod: Pod) -> None:
    await pod.hello()
    await pod.hear()


async def takes_a_little(pod: Pod) -> None:
    await pod.hello()
    await pod.hear()
    await anyio.sleep_forever()


@pytest.mark.parametrize(
    ("taker", "says"),
    [
        (full_disk, "the disk in the container is full: tar: ./log/big: Cannot write: No space left on device"),
        (dies, "the session ended before the pod had said its last word"),
        (has_a_problem("not-writable"), "/srv is not writable for the container's user"),
        (hangs, "the pod did not answer within 60 s"),
        (takes_a_little, "nothing moved for 120 s"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_what_the_receiving_pod_fails_with_is_told_without_the_other_ones_name(taker: Script, says: str) -> None:
    result, report = await forwarded(gives(LARGE, 2), taker)
    assert (result.outcome, report.exit_code) == (Outcome.FAILED, 1)
    assert says in result.error
    assert "from-0" not in result.error


@pytest.mark.parametrize(
    ("received", "says"),
    [
        ("rc=0 sentinel=no entries=4 bytes=202000", "left something out: 4 of 5 entries, 202000 of 202000 bytes came"),
        ("rc=0 sentinel=no entries=5 bytes=1000", "left something out: 5 of 5 entries, 1000 of 202000 bytes came"),
        ("rc=0 sentinel=no entries= bytes=", "the last member of the archive was not extracted"),
    ],
)
async def test_a_receiving_pod_that_counts_otherwise_is_believed(received: str, says: str) -> None:
    taker = Taker(says=received)
    result, _ = await forwarded(gives(), taker)
    assert result.outcome is Outcome.FAILED
    assert says in result.error
    assert "from-0" not in result.error
    assert not taker.is_in_place
    assert (result.entries, result.size) == (0, 0)


async def test_a_receiving_pod_that_claims_all_too_early_is_not_believed() -> None:
    async def claims(pod: Pod) -> None:
        await pod.hello()
        await pod.hear()
        await puts_in_place(pod)

    result, _ = await forwarded(gives(LARGE, 2), claims)
    assert result.error == "the pod said that it has everything before everything was sent"


async def test_what_is_left_out_on_the_way_is_named_and_the_rest_is_there() -> None:
    taker = Taker()
    fifo = as_fifo(encode_header(Entry(b"log/pipe", Kind.FILE)))
    result, report = await forwarded(gives(LOGS + fifo, 6), taker)
    assert (result.outcome, report.exit_code) == (Outcome.PARTIAL, 23)
    assert [str(one) for one in result.left_out] == ["log/pipe: a FIFO is never copied"]
    assert taker.is_in_place


def as_fifo(header: bytes) -> bytes:
    """Return the header of an empty file as that of a FIFO: another type, another sum."""
    plain = bytearray(header)
    plain[156:157] = b"6"
    plain[148:156] = b" " * 8
    plain[148:156] = b"%06o\0 " % sum(plain)
    return bytes(plain)


async def test_what_the_giving_pods_tar_could_not_read_is_named_and_the_rest_is_there() -> None:
    taker = Taker()
    result, report = await forwarded(gives(rc=2, entries=6, complains="tar: ./log/x: Permission denied"), taker)
    assert (result.outcome, report.exit_code) == (Outcome.PARTIAL, 23), result.error
    assert [str(one) for one in result.left_out] == ["log/x: it can't be read: Permission denied"]
    assert taker.is_in_place


async def test_a_lost_session_is_tried_again_from_the_beginning() -> None:
    taker, attempts = Taker(), 0

    async def giver(pod: Pod) -> None:
        nonlocal attempts
        attempts += 1
        await (gives_half(None) if attempts == 1 else gives())(pod)

    result, _ = await forwarded(giver, taker, Options(failures=Failures(retries=1)))
    assert (result.outcome, result.tries) == (Outcome.COMPLETE, 2)
    assert (result.entries, result.size) == (5, 202_000)
    assert taker.members(0)[-1].endswith(SENT)


async def test_another_pod_of_the_giving_ones_name_is_not_read() -> None:
    """As of a StatefulSet's: what it has is not what was asked for."""
    async with scripted(by_name(from_0=gives_half(None), to_0=Taker())) as cluster:
        cluster.now["from-0"] = running(replace(target("from-0"), uid="another"))
        report = await forward(cluster, PLAN, options=Options(failures=Failures(retries=4)))
    (result,) = report.results
    assert (result.outcome, result.tries) == (Outcome.FAILED, 2)
    assert result.error == f"{FROM}the pod was deleted, and another of the same name took its place"
    assert [pod.target.pod for pod in cluster.pods] == ["from-0", "to-0"]


async def test_a_giving_pod_that_is_done_may_be_silent_while_the_other_is_busy() -> None:
    result, _ = await forwarded(gives(), Taker(busy_s=300))
    assert (result.outcome, result.error) == (Outcome.COMPLETE, "")


async def test_a_receiving_pod_may_wait_as_long_as_the_giving_one_sends() -> None:
    async def slow(pod: Pod) -> None:
        await pod.hello()
        await pod.note("census entries=2 bytes=")
        for at in range(0, len(LARGE + END), 128 * 1024):
            await anyio.sleep(100)
            await pod.say((LARGE + END)[at : at + 128 * 1024])
        await pod.done("rc=0 hidden=", ended="rc=0")
        await pod.hear_line()
        await pod.end()

    result, _ = await forwarded(slow, Taker())
    assert (result.outcome, result.error) == (Outcome.COMPLETE, "")


@pytest.mark.parametrize("taker", [takes_a_little, Taker(busy_s=10_000)], ids=["in the middle", "at the end"])
async def test_stop_ends_both_sessions_and_the_copy_is_interrupted(taker: Script) -> None:
    stop = anyio.Event()

    async def stop_soon() -> None:
        await anyio.sleep(30)
        stop.set()

    async with scripted(by_name(from_0=gives(LARGE, 2), to_0=taker)) as cluster, anyio.create_task_group() as tasks:
        tasks.start_soon(stop_soon)
        report = await forward(cluster, PLAN, stop=stop)
        assert sum(cluster.open.values()) == 0
        assert all(pod.over.is_set() for pod in cluster.pods)
    (result,) = report.results
    assert (result.outcome, report.exit_code) == (Outcome.INTERRUPTED, 130)
    assert result.seconds == pytest.approx(30, abs=LOOK_EVERY_S)
    assert len(cluster.pods) == 2

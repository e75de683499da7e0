"""Whole pushes and pulls to and from pods that work, lag, hang, die and lie. No pod's trouble is another's.

What is asserted is what a person would see: the report, the observer's calls, the files, and how long it took.
"""

import os
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from msgspec.structs import replace

from asynccp.archive.layout import ArchiveLayout
from asynccp.chunk import Chunk
from asynccp.engine import broadcast
from asynccp.engine.pull import pull
from asynccp.engine.push import push
from asynccp.entry import Entry, Kind
from asynccp.errors import Knob, ProtocolRefused, SourceChanged
from asynccp.kube.exec import V4, V5
from asynccp.local.read import read_chunk
from asynccp.options import CHUNK_SIZE, LOOK_EVERY_S, RECORD_SIZE, Attributes, Ephemeral, Failures, Options, Publishing
from asynccp.remote.dialogue import ACKNOWLEDGEMENT, GO
from asynccp.report import Outcome, Result
from asynccp.sinks.directory import DirectorySink
from asynccp.sinks.ingest import Ingest
from asynccp.status import ExitStatus
from asynccp.target import Target

from ..archive.reference import content_of, member
from .clock import JumpingLoop
from .scripted import (
    ONCE,
    RUNGS,
    SUCCESS,
    TOKEN,
    Pod,
    Recorder,
    Script,
    beside,
    by_name,
    greets_and_hangs,
    hangs,
    on_rung,
    pull_plan,
    push_plan,
    puts_in_place,
    scripted,
    takes_all,
    target,
    targets,
)

SIZE = 40 * CHUNK_SIZE
ON_ANY = ONCE._replace(ephemeral=Ephemeral("busybox:1"))


@pytest.fixture(params=RUNGS)
def rung(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def push_to(script: Script, size: int = SIZE, options: Options | None = None, *, rung: str = "tar") -> Result:
    """Push to one pod that follows the script, on a rung of its own."""
    async with scripted(on_rung(rung, script)) as cluster:
        cluster.beside = beside
        report = await push(cluster, push_plan([target()], size), options=options or ON_ANY)
    (result,) = report.results
    assert sum(cluster.open.values()) == 0, "a session was left open"
    assert report.exit_code in (0, 1, 24)
    assert (report.exit_code == 0) is (result.outcome is Outcome.COMPLETE)
    return result


class Reads:
    """Counts what is read from disk; the source changes at chunk `torn`."""

    def __init__(self) -> None:
        self.indices: list[int] = []
        self.torn: int | None = None

    def read_chunk(self, layout: ArchiveLayout, index: int) -> Chunk:
        self.indices.append(index)
        if index == self.torn:
            raise SourceChanged("/srv/a.log changed while it was read")
        return read_chunk(layout, index)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    found = Reads()
    monkeypatch.setattr(broadcast, "read_chunk", found.read_chunk)
    return found


async def test_a_push_gives_every_pod_the_whole_archive_and_reads_it_once(reads: Reads) -> None:
    got: dict[str, bytes] = {}

    async def script(pod: Pod) -> None:
        await pod.hello()
        data = bytearray()
        while len(data) < plan.layout.size:
            data += await pod.hear()
        got[pod.target.pod] = bytes(data)
        await puts_in_place(pod)

    plan, recorder = push_plan(targets(20), 3 * CHUNK_SIZE + 5), Recorder()
    whole = b"".join(read_chunk(plan.layout, index).data for index in range(plan.layout.chunks))
    async with scripted(script) as cluster:
        report = await push(cluster, plan, observer=recorder)
    assert report.ok
    assert set(got.values()) == {whole}
    assert sorted(reads.indices) == list(range(plan.layout.chunks))
    assert len(got) == len(recorder.results) == 20
    assert set(recorder.started_with.values()) == set(recorder.advanced_by.values()) == {plan.layout.size}
    for result in report.results:
        assert (result.size, result.entries) == (plan.size, 1)
        assert (result.wire_size, result.protocol, result.tries) == (plan.layout.size, "v4", 1)


async def test_the_command_is_told_where_and_how_much() -> None:
    async with scripted() as cluster:
        await push(
            cluster, push_plan([target()], 3 * RECORD_SIZE), options=Options(attributes=Attributes(preserve_owner=True))
        )
    (pod,) = cluster.pods
    assert pod.argv[6:8] == ["/etc/app", "."]
    told = {
        "block": str(RECORD_SIZE),
        "blocks": "4",
        "more_blocks": "0",
        "tar_options": "-xpf",
        "identity": "uid-web--main",
        "dir_perms": "",
        "partial": "",
        "in_place": "",
        "codecs": "zstd gzip",
    }
    assert pod.words.items() >= told.items()


async def test_not_a_byte_is_sent_before_the_pod_has_said_that_it_is_ready() -> None:
    async def script(pod: Pod) -> None:
        await anyio.sleep(50)
        assert pod.unheard == 0
        await takes_all(pod)

    assert (await push_to(script)).outcome is Outcome.COMPLETE


async def test_the_pod_may_put_it_in_place_and_go_only_when_it_has_said_what_it_received() -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.hear_archive()
        await anyio.sleep(50)
        assert pod.unheard == 0
        await pod.received()
        assert await pod.hear() == GO
        await anyio.sleep(50)
        assert pod.unheard == 0
        await pod.done()
        assert await pod.hear() == ACKNOWLEDGEMENT
        await pod.end()

    assert (await push_to(script)).outcome is Outcome.COMPLETE


async def test_a_slow_pod_does_not_delay_the_others() -> None:
    async def slow(pod: Pod) -> None:
        await pod.hello()
        while pod.heard < push_plan([], SIZE).layout.size:
            await anyio.sleep(20)
            await pod.hear()
        await puts_in_place(pod)

    recorder, begun = Recorder(), anyio.current_time()
    async with scripted(by_name(web_0=slow)) as cluster:
        report = await push(cluster, push_plan(targets(10), SIZE), observer=recorder)
    assert report.ok
    took = {pod: at - begun for pod, at in recorder.finished_at.items()}
    assert took.pop("web-0") > 40 * 20
    assert max(took.values()) < 1


async def test_a_hanging_pod_does_not_delay_the_others(clock: JumpingLoop) -> None:
    recorder, begun = Recorder(), clock.now
    async with scripted(by_name(web_0=greets_and_hangs, web_1=hangs)) as cluster:
        report = await push(cluster, push_plan(targets(10), SIZE), observer=recorder)
    assert [one.outcome for one in report.results] == [Outcome.FAILED] * 2 + [Outcome.COMPLETE] * 8
    assert max(at for pod, at in recorder.finished_at.items() if pod not in ("web-0", "web-1")) - begun < 1
    assert report.exit_code == 23


async def test_a_source_that_changed_reaches_every_pod_by_name(reads: Reads) -> None:
    reads.torn = 5
    async with scripted() as cluster:
        report = await push(cluster, push_plan(targets(5), SIZE))
    assert {one.outcome for one in report.results} == {Outcome.CHANGED}
    assert {one.error for one in report.results} == {"/srv/a.log changed while it was read"}
    assert report.exit_code == 24
    assert {pod.heard for pod in cluster.pods} == {5 * CHUNK_SIZE}, "no pod gets the rest of a torn archive"


async def full_disk(pod: Pod) -> None:
    """A pod whose tar fails: the shell then reads a line, so it takes on what is on its way, and forgets it."""
    await pod.hello()
    await pod.hear()
    await pod.hear()
    await pod.complain("tar: ./a: Cannot write: No space left on device\n")
    await pod.wait_until_stdin_is_full()
    await pod.received("rc=2 sentinel=no")
    await anyio.sleep(0.5)  # the shell reads byte by byte
    await pod.hear_line()
    await pod.end(ExitStatus(2))


async def test_a_tar_that_fails_early_ends_the_feed() -> None:
    result = await push_to(full_disk, 1000 * CHUNK_SIZE)
    assert result.outcome is Outcome.FAILED
    assert result.error == ("the disk in the container is full: tar: ./a: Cannot write: No space left on device")
    assert result.wire_size < 20 * CHUNK_SIZE
    assert result.seconds < 1


async def test_a_session_has_one_sender_at_a_time() -> None:
    async with scripted(full_disk) as cluster:
        await push(cluster, push_plan([target()], 1000 * CHUNK_SIZE))
    assert [pod.overlaps for pod in cluster.pods] == [0]


async def test_a_tar_that_fails_and_takes_nothing_more_is_told_by_its_own_words() -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.hear()
        await pod.complain("tar: ./a: Permission denied\n")
        await pod.say(b"")
        await pod.end(ExitStatus(2))

    result = await push_to(script)
    assert result.error == "tar failed in the container with exit code 2: tar: ./a: Permission denied"
    assert result.seconds < 1


async def test_a_tar_that_fails_is_told_though_the_server_never_tells_the_status() -> None:
    """containerd keeps the status while it can't hand on what is left of stdin."""

    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.complain("tar: ./a: Cannot write: No space left on device\n")
        await pod.received("rc=2 sentinel=no")
        await anyio.sleep_forever()

    result = await push_to(script)
    assert result.error == "the disk in the container is full: tar: ./a: Cannot write: No space left on device"
    assert result.seconds < 5


@pytest.mark.parametrize(
    ("received", "done", "status", "says"),
    [
        ("rc=0 sentinel=yes", "rc=0 settled=yes", None, "before the pod had said its last word"),
        ("rc=0 sentinel=yes", None, ExitStatus(0), "did not put it in its place"),
        (None, None, ExitStatus(0), "before the pod had said its last word"),
        (None, None, None, "before the pod had said its last word"),
        (None, "rc=0 settled=yes", ExitStatus(0), "where its received belongs"),
        ("rc=0 sentinel=no", None, ExitStatus(0), "the last member of the archive was not extracted"),
        ("rc=0", None, ExitStatus(0), "the last member of the archive was not extracted"),
        ("rc= sentinel=yes", None, ExitStatus(0), "exit code 255"),
        ("rc=0 sentinel=yes", "settled=yes", ExitStatus(0), "exit code 255"),
        ("rc=0 sentinel=yes", "rc=1 settled=yes", ExitStatus(1), "could not all be put in its place"),
        ("rc=0 sentinel=yes", "rc=0 settled=yes", ExitStatus(137), "were killed (137)"),
        (
            "rc=0 sentinel=yes",
            "rc=0 settled=yes",
            ExitStatus(None, "error reading from error stream"),
            "does not know how the command ended",
        ),
        (None, None, ExitStatus(137), "were killed (137)"),
        ("rc=2 sentinel=no", None, ExitStatus(2), "exit code 2"),
    ],
)
async def test_a_push_is_complete_only_if_the_pod_and_the_server_say_so(
    received: str | None, done: str | None, status: ExitStatus | None, says: str, rung: str
) -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.hear_archive()
        if received is not None:
            await pod.received(received)
            await pod.hear_line()
        if done is not None:
            await pod.done(done)
            await pod.hear_line()
        if status is not None:
            await pod.end(status)

    result = await push_to(script, rung=rung)
    assert result.outcome is Outcome.FAILED
    assert says in result.error
    assert (result.size, result.entries) == (0, 0), "nothing counts as arrived"
    assert result.seconds < 5


def ends_with(done: str, *words: str, rc: int = 0) -> Script:
    """Return the script of a pod that receives a push, says some words on stderr, and ends like this."""

    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.hear_archive()
        await pod.received()
        await pod.hear_line()
        for word in words:
            await pod.complain(f"{word}\n")
        await pod.done(f"rc={rc} {done}")
        await pod.hear_line()
        await pod.end(ExitStatus(rc))

    return script


async def push_result(script: Script, options: Options = ONCE) -> tuple[Result, int]:
    async with scripted(script) as cluster:
        report = await push(cluster, push_plan([target()]), options=options)
    return report.results[0], report.exit_code


async def test_directories_that_keep_their_modes_and_times_make_a_push_partial_and_nothing_is_left_out() -> None:
    script = ends_with("settled=no handed=yes barred=0 overwritten=0", "chmod: ./x: Operation not permitted")
    result, code = await push_result(script)
    assert (result.outcome, code) == (Outcome.PARTIAL, 23)
    assert result.left_out == ()
    (told,) = result.not_kept
    assert told.path == b"/etc/app"
    assert told.what == (
        "the modes and times of directories that were there before could not all be set: "
        "chmod: ./x: Operation not permitted"
    )
    assert (result.size, result.entries) == (1000, 1), "all of it arrived"


async def test_a_group_that_could_not_be_handed_down_is_told_and_all_is_there() -> None:
    result, code = await push_result(ends_with("settled=yes handed=no barred=0 overwritten=0"))
    assert (result.outcome, code, result.left_out) == (Outcome.COMPLETE, 0, ())
    assert [str(one) for one in result.not_kept] == [
        "/etc/app: the group that the set-group-id bit of its directory hands down could not be given to all of it"
    ]


@pytest.mark.parametrize(
    ("renames", "named", "landed"),
    [(True, "yes", "/etc/app"), (True, "", "/etc/app/a"), (False, "yes", ""), (False, "", "")],
)
async def test_where_a_single_file_came_to_stand_is_what_the_pod_says(renames: bool, named: str, landed: str) -> None:
    async def script(pod: Pod) -> None:
        asked.append((pod.argv[6], pod.argv[7], pod.words["renames"]))
        await pod.hello(f"count=dd named={named}")
        await pod.hear_archive()
        await puts_in_place(pod)

    asked: list[tuple[str, str, str]] = []
    async with scripted(script) as cluster:
        report = await push(cluster, replace(push_plan([target()]), renames=renames), options=ONCE)
    assert report.ok, report.results[0].error
    assert report.results[0].landed == landed
    assert asked == [("/etc", "./app", "yes") if renames else ("/etc/app", ".", "")]


MOUNTED = f"asynccp {TOKEN} barred mounted conf/a b"


async def test_a_push_that_meets_a_mounted_file_changes_nothing_and_names_it() -> None:
    result, code = await push_result(ends_with("settled=yes handed=yes barred=1 overwritten=0", MOUNTED, rc=1))
    assert (result.outcome, code) == (Outcome.FAILED, 1)
    assert result.error == (
        "nothing was changed, because some of it can't be put in its place: "
        "conf/a b: it is mounted there (a ConfigMap's or Secret's key, or a file of the runtime's)"
    )
    assert f"{Knob.PARTIAL} puts the rest in its place" in result.hint
    assert (result.size, result.entries, result.left_out) == (0, 0, ())


async def test_with_partial_the_rest_is_put_in_its_place_and_what_was_barred_is_left_out() -> None:
    script = ends_with("settled=yes handed=yes barred=3 overwritten=0", MOUNTED)
    result, code = await push_result(script, Options(failures=Failures(retries=0), publishing=Publishing(partial=True)))
    assert (result.outcome, code, result.error) == (Outcome.PARTIAL, 23, "")
    assert [str(one) for one in result.left_out] == [
        "conf/a b: it is mounted there (a ConfigMap's or Secret's key, or a file of the runtime's)",
        "/etc/app: 2 more entries can't be put in place",
    ]


async def test_with_partial_a_push_that_fails_while_it_is_put_in_place_does_not_say_that_nothing_was_changed() -> None:
    script = ends_with("settled=yes handed=yes barred=1 overwritten=0", MOUNTED, "mv: no room", rc=1)
    result, code = await push_result(script, Options(failures=Failures(retries=0), publishing=Publishing(partial=True)))
    assert (result.outcome, code) == (Outcome.FAILED, 1)
    assert result.error == "what was received could not all be put in its place: mv: no room"


async def test_what_was_overwritten_in_place_is_told_and_the_push_is_complete() -> None:
    word = f"asynccp {TOKEN} overwritten conf/a"
    script = ends_with("settled=yes handed=yes barred=0 overwritten=2", word)
    result, code = await push_result(
        script, Options(failures=Failures(retries=0), publishing=Publishing(in_place=True))
    )
    assert (result.outcome, code, result.left_out) == (Outcome.COMPLETE, 0, ())
    how = "overwritten in place, not at once: its mode and time stay, and a copy that is cut leaves it torn"
    assert [str(one) for one in result.not_kept] == [f"conf/a: {how}", f"/etc/app: 1 more file was {how}"]


@pytest.mark.parametrize(
    ("received", "says"),
    [
        ("entries=0 bytes=", "0 of 1 entries came to stand"),
        ("entries=1 bytes=99999", "1 of 1 entries, 99999 of 100000 bytes came to stand"),
        ("entries=1 bytes=100000", "the last member of the archive was not extracted"),
        ("entries= bytes=", "the last member of the archive was not extracted"),
        ("entries=\x1b[2J bytes=", "the last member of the archive was not extracted"),
    ],
)
async def test_what_is_left_out_without_a_word_is_found_out(received: str, says: str, rung: str) -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.hear_archive()
        await pod.received(f"rc=0 sentinel=no {received}")
        await pod.hear_line()
        await pod.end()

    result = await push_to(script, 100_000, rung=rung)
    assert result.outcome is Outcome.FAILED
    assert says in result.error


@pytest.mark.parametrize(
    "counts", ["entries=0 bytes=100000", "entries=1 bytes=99999", "entries=0", "bytes=0", "bytes=100001"]
)
async def test_who_has_the_last_of_it_and_other_than_was_sent_is_not_believed(counts: str, rung: str) -> None:
    heard = []

    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.hear_archive()
        await pod.received(f"rc=0 sentinel=yes {counts}")
        heard.append(await pod.hear())
        await pod.done()
        await pod.end()

    result = await push_to(script, 100_000, rung=rung)
    assert result.outcome is Outcome.FAILED
    assert GO not in heard, "nothing is put in its place"


async def test_a_pod_that_dies_in_mid_push() -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.hear()

    result = await push_to(script)
    assert (result.outcome, result.error) == (
        Outcome.FAILED,
        "the session ended before the pod had said its last word",
    )


async def test_a_pod_that_claims_to_have_what_it_was_not_sent_is_not_believed(rung: str) -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await puts_in_place(pod)

    result = await push_to(script, 1000 * CHUNK_SIZE, rung=rung)
    assert result.outcome is Outcome.FAILED
    assert result.seconds < 5


async def test_output_after_success_is_not_believed() -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.hear_archive()
        await pod.end()
        await pod.received()

    assert "output after the command's end" in (await push_to(script)).error


@pytest.mark.parametrize(
    ("script", "says", "after_s"),
    [
        (hangs, "the pod did not answer within 60 s", 60),
        (greets_and_hangs, "nothing moved for 120 s", 120),
    ],
)
async def test_silence_ends_at_the_deadline(script: Script, says: str, after_s: float) -> None:
    result = await push_to(script)
    assert says in result.error
    assert result.seconds == pytest.approx(after_s, abs=LOOK_EVERY_S + 0.1)


async def test_silence_after_the_done_line_ends_at_the_deadline() -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.hear_archive()
        await pod.received()
        await pod.hear_line()
        await pod.done()
        await anyio.sleep_forever()

    result = await push_to(script)
    assert "nothing moved for 120 s" in result.error
    assert result.seconds == pytest.approx(120, abs=LOOK_EVERY_S + 0.1)


async def test_a_stalled_pod_is_pinged_before_it_is_given_up(clock: JumpingLoop) -> None:
    begun = clock.now
    async with scripted(greets_and_hangs) as cluster:
        await push(cluster, push_plan([target()], SIZE))
    pinged = [at - begun for at in cluster.pods[0].pinged_at]
    assert pinged == pytest.approx([20, 40, 60, 80, 100], abs=LOOK_EVERY_S + 0.1)


async def test_a_server_that_does_not_answer_the_request_is_given_up_at_the_deadline() -> None:
    async def never(of: Target, protocol: str) -> None:
        await anyio.sleep_forever()

    async with scripted(opening=never) as cluster:
        report = await push(cluster, push_plan([target()]), options=ONCE)
    assert report.results[0].outcome is Outcome.FAILED
    assert report.results[0].seconds == pytest.approx(60, abs=1)


async def test_a_pod_with_a_problem_is_told_and_never_started() -> None:
    async def script(pod: Pod) -> None:
        await pod.hello("problem=not-writable")
        await pod.hear_line()
        await pod.end(ExitStatus(1))

    recorder = Recorder()
    async with scripted(script) as cluster:
        report = await push(cluster, push_plan([target()]), observer=recorder)
    assert report.results[0].error.startswith("/etc/app is not writable for the container's user")
    assert (recorder.started_with, dict(recorder.advanced_by)) == ({}, {})
    assert cluster.pods[0].heard == len(ACKNOWLEDGEMENT)


async def test_a_pod_that_was_deleted_is_told_as_such() -> None:
    async with scripted(greets_and_hangs) as cluster:
        cluster.now["web-0"] = None
        report = await push(cluster, push_plan([target()]))
    assert report.results[0].error == "the pod was deleted (nothing moved for 120 s)"


@pytest.mark.parametrize("direction", ["push", "pull"])
async def test_stop_ends_the_sessions_and_names_who_was_interrupted(direction: str, tmp_path: Path) -> None:
    stop, recorder = anyio.Event(), Recorder()

    async def stop_soon() -> None:
        await anyio.sleep(30)
        stop.set()

    script = by_name(greets_and_hangs, web_0=takes_all if direction == "push" else gives(LOGS))
    async with scripted(script) as cluster, anyio.create_task_group() as tasks:
        tasks.start_soon(stop_soon)
        if direction == "push":
            report = await push(cluster, push_plan(targets(4)), observer=recorder, stop=stop)
        else:
            report = await pull(cluster, pull_plan(str(tmp_path), targets(4)), observer=recorder, stop=stop)
    assert [one.outcome for one in report.results] == [Outcome.COMPLETE, *[Outcome.INTERRUPTED] * 3]
    assert report.exit_code == 130
    assert list(recorder.results) == ["web-0", "web-1", "web-2", "web-3"]
    assert sum(cluster.open.values()) == 0
    assert all(pod.over.is_set() for pod in cluster.pods)


# --- pull

LOG = Entry(b"log", Kind.DIRECTORY, mode=0o755)
A, B = Entry(b"log/a", Kind.FILE, 1000), Entry(b"log/b", Kind.FILE, 200_000)
LINK = Entry(b"log/link", Kind.SYMLINK, link=b"a")
LOGS = b"".join(map(member, [LOG, LINK, A, B]))
END = bytes(1024)
FILES = {"log/a": content_of(A), "log/b": content_of(B), "log/link": content_of(A)}


def gives(archive: bytes, *, end: bytes = END, rc: int = 0) -> Script:
    """Return the script of a pod that gives this archive as it should."""

    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.note("census entries=4 bytes=201000")
        for at in range(0, len(archive + end), 32 * 1024):
            await pod.say((archive + end)[at : at + 32 * 1024])
        await pod.done(f"rc={rc} hidden=", ended=f"rc={rc} entries=4")
        await pod.hear_line()
        await pod.end(ExitStatus(rc))

    return script


def files_in(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


async def files(directory: Path) -> dict[str, bytes]:
    return await to_thread.run_sync(files_in, directory)


async def pull_from(script: Script, to: Path, *, rung: str = "tar") -> Result:
    """Pull /var/log from one pod that follows the script, on a rung of its own."""
    async with scripted(on_rung(rung, script)) as cluster:
        cluster.beside = beside
        report = await pull(cluster, pull_plan(str(to), [target()]), options=ON_ANY)
    assert sum(cluster.open.values()) == 0, "a session was left open"
    assert (report.exit_code == 0) is (report.results[0].outcome is Outcome.COMPLETE)
    assert not any(".partial" in name for name in await files(to)), "a torn file was left"
    return report.results[0]


async def test_a_pull_writes_what_each_pod_has_under_its_name(tmp_path: Path) -> None:
    recorder = Recorder()
    async with scripted(gives(LOGS)) as cluster:
        report = await pull(cluster, pull_plan(str(tmp_path), targets(5)), observer=recorder)
    assert report.ok
    assert await files(tmp_path) == {
        f"web-{index}/{name}": content for index in range(5) for name, content in FILES.items()
    }
    assert set(recorder.sized_with.values()) == {201_000 + 4 * 768}
    for result in report.results:
        assert (result.size, result.entries, result.protocol) == (201_000, 4, "v4")
        assert recorder.advanced_by[result.transfer.target.pod] == result.wire_size >= len(LOGS + END)


@pytest.mark.parametrize(
    ("facts", "total"),
    [
        ("entries=4 bytes=201000", 201_000 + 4 * 768),
        ("entries=0 bytes=0", 0),
        ("entries=4 bytes=", None),
        ("entries= bytes=7", None),
        ("entries=x bytes=7", None),
        ("entries=-5 bytes=-5", None),
        ("entries=1 bytes=" + "9" * 40, None),
        ("entries=\u0663 bytes=\u0663", None),
        ("entries=1e3 bytes=1e3", None),
        ("", None),
    ],
)
async def test_a_total_that_a_pod_tells_is_a_number_or_nothing(facts: str, total: int | None, tmp_path: Path) -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.note(f"census {facts}")
        await pod.say(LOGS)

    recorder = Recorder()
    async with scripted(script) as cluster:
        await pull(cluster, pull_plan(str(tmp_path), [target()]), options=ONCE, observer=recorder)
    assert recorder.started_with == {"web-0": None}, "nothing waits for it"
    assert recorder.sized_with == ({} if total is None else {"web-0": total})


@pytest.mark.parametrize("piece", [1, 511, 512, 100_000])
async def test_an_archive_may_come_in_any_pieces(piece: int, tmp_path: Path) -> None:
    archive = (member(LOG) if piece == 1 else LOGS) + END + bytes(512)

    async def script(pod: Pod) -> None:
        stream = archive + b"asynccp 0123456789abcdef done rc=0\n"
        await pod.hello()
        await pod.note("ended rc=0 entries=")
        for at in range(0, len(stream), piece):
            await pod.say(stream[at : at + piece])
        await pod.hear_line()
        await pod.end()

    assert (await pull_from(script, tmp_path)).outcome is Outcome.COMPLETE


async def test_a_pod_may_go_only_when_we_have_all(tmp_path: Path) -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.say(LOGS + END)
        await anyio.sleep(Options().deadlines.late_after_s - LOOK_EVERY_S)
        assert pod.unheard == 0
        await pod.done("rc=0")
        assert await pod.hear() == ACKNOWLEDGEMENT
        await pod.end()

    assert (await pull_from(script, tmp_path)).outcome is Outcome.COMPLETE


def says(*words: bytes | str, status: ExitStatus | None = SUCCESS) -> Script:
    """Return the script of a pod that says this, in messages of its own, and ends with this status."""

    async def script(pod: Pod) -> None:
        await pod.hello()
        for word in words:
            await (pod.say(word) if isinstance(word, bytes) else pod.done(word))
        if status is not None:
            await pod.end(status)

    return script


UNREADABLE = "tar: ./log/x: Cannot open: Permission denied"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (says(LOGS, "rc=0"), "last word"),
        (says(LOGS, END[:512], "rc=0"), "last word"),
        (says(LOGS[:-700], "rc=0"), "last word"),
        (says(LOGS), "last word"),
        (says(LOGS + END), "last word"),
        (says(LOGS + END, status=None), "last word"),
        (says(LOGS + END, "rc=0", status=None), "last word"),
        (says(status=None), "last word"),
        (says(), "last word"),
        (says("rc=0"), "last word"),
        (says(LOGS + END, "rc=2", status=ExitStatus(2)), "exit code 2"),
        (says(LOGS + END, "rc=0", status=ExitStatus(137)), "killed (137)"),
        (says(LOGS + END, "rc=0", status=ExitStatus(None, "gone")), "does not know how the command ended: gone"),
        (says(LOGS + END, "rc=0", b"more"), "output after its last word"),
        (says(LOGS + END, b"noise"), "where its done belongs"),
        (says(LOGS + END, LOGS + END, "rc=0"), "where its done belongs"),
        (says(b"Welcome to the shell\n" + LOGS + END, "rc=0"), "no tar header"),
        (says(member(Entry(b"../evil", Kind.FILE)) + END, "rc=0"), "evil"),
        (says(member(Entry(b"other", Kind.FILE)) + END, "rc=0"), "not asked for"),
        (says(member(A) * 2 + END, "rc=0"), "twice"),
    ],
)
async def test_what_is_not_a_whole_archive_fails_the_pull_at_once(
    script: Script, error: str, rung: str, tmp_path: Path
) -> None:
    result = await pull_from(script, tmp_path / "to", rung=rung)
    assert result.outcome is Outcome.FAILED
    assert error in result.error
    assert result.seconds < 5


@pytest.mark.parametrize("left", [700, 512, 100_000, len(LOGS)])
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("tar: short read\n", "tar ended in a file that lost its end: the archive stops in"),
        ("tar: out of memory\n", "tar failed in the container with exit code 1: tar: out of memory"),
        ("", "tar failed in the container with exit code 1: it said nothing"),
    ],
)
async def test_a_tar_that_dies_in_mid_archive_is_told_at_once_by_its_own_words(
    left: int, said: str, told: str, tmp_path: Path
) -> None:
    """BusyBox's tar ends so when a file shrinks, and every tar that is killed: `done` stands within a file."""

    async def script(pod: Pod) -> None:
        await pod.hello()
        if left < len(LOGS):
            await pod.say(LOGS[:-left])
        if said:
            await pod.complain(said)
        await pod.done("rc=1")
        await pod.end(ExitStatus(1))

    result = await pull_from(script, tmp_path)
    assert result.error.startswith(told)
    assert result.seconds < 1


async def test_success_before_the_data_is_not_believed(tmp_path: Path) -> None:
    """kubernetes #60140: the status overtakes the tail."""

    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.say(LOGS)
        await pod.end()
        await pod.say(END)
        await pod.done("rc=0")

    result = await pull_from(script, tmp_path)
    assert result.outcome is Outcome.FAILED
    assert "output after the command's end" in result.error


async def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    async def script(pod: Pod) -> None:
        await pod.hello("problem=missing")
        await pod.hear_line()
        await pod.end(ExitStatus(1))

    result = await pull_from(script, tmp_path)
    assert result.error.startswith("/var/log does not exist in the container")
    assert await files(tmp_path) == {}


async def test_silence_in_mid_pull_ends_at_the_deadline_with_pings_before(clock: JumpingLoop, tmp_path: Path) -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.say(LOGS[:5000])
        await anyio.sleep_forever()

    begun = clock.now
    async with scripted(script) as cluster:
        report = await pull(cluster, pull_plan(str(tmp_path), [target()]), options=ONCE)
    (result,) = report.results
    assert "nothing moved for 120 s" in result.error
    assert result.seconds == pytest.approx(120, abs=LOOK_EVERY_S + 0.1)
    pinged = [at - begun for at in cluster.pods[0].pinged_at]
    assert pinged[:5] == pytest.approx([20, 40, 60, 80, 100], abs=LOOK_EVERY_S + 0.1)


async def test_one_pods_trouble_is_no_other_pods(tmp_path: Path) -> None:
    recorder, begun = Recorder(), anyio.current_time()
    script = by_name(gives(LOGS), web_0=greets_and_hangs, web_1=says(b"noise"), web_2=says(LOGS, status=None))
    async with scripted(script) as cluster:
        report = await pull(cluster, pull_plan(str(tmp_path), targets(6)), observer=recorder)
    assert [one.outcome for one in report.results] == [Outcome.FAILED] * 3 + [Outcome.COMPLETE] * 3
    assert report.exit_code == 23
    assert recorder.finished_at["web-5"] - begun < 1
    for index in (3, 4, 5):
        assert await files(tmp_path / f"web-{index}") == FILES


@pytest.fixture
def file_in_the_way(tmp_path: Path) -> Path:
    (tmp_path / "web-0").touch()
    return tmp_path


async def test_a_destination_that_cannot_be_written(file_in_the_way: Path) -> None:
    result = await pull_from(gives(LOGS), file_in_the_way)
    assert result.outcome is Outcome.FAILED
    assert "is a file or a symbolic link, but a directory belongs there" in result.error


async def test_a_pull_falls_back_to_v5(tmp_path: Path) -> None:
    async def refuse_v4(of: Target, protocol: str) -> None:
        await anyio.lowlevel.checkpoint()
        if protocol == V4:
            raise ProtocolRefused("unknown")

    async with scripted(gives(LOGS), opening=refuse_v4) as cluster:
        report = await pull(cluster, pull_plan(str(tmp_path), [target()]))
    assert report.ok
    assert cluster.offers["web-0"] == [V4, V5]
    assert report.results[0].protocol == "v5"


class SlowDisk:
    """A disk that takes nothing until it is told to."""

    def __init__(self, feeding: Callable[[Ingest, bytes | memoryview], Generator[int, None, bytes]]) -> None:
        self._feeding = feeding
        self.go_on = threading.Event()

    def feeding(self, extractor: Ingest, data: bytes | memoryview) -> Generator[int, None, bytes]:
        assert self.go_on.wait(10)
        return (yield from self._feeding(extractor, data))


async def test_a_slow_disk_slows_the_pod_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, said = SlowDisk(Ingest.feeding), 0
    monkeypatch.setattr(Ingest, "feeding", lambda extractor, data: disk.feeding(extractor, data))
    archive = LOGS + END

    async def script(pod: Pod) -> None:
        nonlocal said
        await pod.hello()
        for at in range(0, len(archive), 512):
            await pod.say(archive[at : at + 512])
            said += 1
        await pod.done("rc=0")
        await pod.hear_line()
        await pod.end()

    async def let_go_when_nothing_moves() -> None:
        before = -1
        while before != said or not said:
            before = said
            for _ in range(100):
                await anyio.lowlevel.checkpoint()
        held.append(said)
        disk.go_on.set()

    held: list[int] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(let_go_when_nothing_moves)
        result = await pull_from(script, tmp_path)
    assert result.outcome is Outcome.COMPLETE
    assert 0 < held[0] < 20 < said, "nothing is asked for while the disk is busy"
    assert await files(tmp_path / "web-0") == FILES


class FullAfterEach:
    """A sink that is full after all that it was given, until it was asked so three times."""

    def __init__(self, feeding: Callable[[Ingest, bytes | memoryview], Generator[int, None, bytes]]) -> None:
        self._feeding = feeding
        self._looks = 0
        self.fed = self.fed_while_full = 0

    def is_full(self) -> bool:
        self._looks = max(0, self._looks - 1)
        return self._looks > 0

    def feeding(self, extractor: Ingest, data: bytes | memoryview) -> Generator[int, None, bytes]:
        self.fed += 1
        self.fed_while_full += self._looks > 0
        self._looks = 4
        return (yield from self._feeding(extractor, data))


async def test_a_sink_that_is_full_gets_no_more_however_little_comes_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = FullAfterEach(Ingest.feeding)
    monkeypatch.setattr(Ingest, "feeding", lambda extractor, data: sink.feeding(extractor, data))
    monkeypatch.setattr(DirectorySink, "is_full", lambda _: sink.is_full())
    archive = LOGS + END

    async def script(pod: Pod) -> None:
        await pod.hello()
        for at in range(0, len(archive), 65536):
            await pod.say(archive[at : at + 65536])
        await pod.done("rc=0")
        await pod.hear_line()
        await pod.end()

    assert (await pull_from(script, tmp_path)).outcome is Outcome.COMPLETE
    assert (sink.fed > 1, sink.fed_while_full) == (True, 0)
    assert await files(tmp_path / "web-0") == FILES


async def test_an_interrupted_pull_leaves_no_torn_file(tmp_path: Path) -> None:
    stop = anyio.Event()

    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.say(LOGS[:100_000])
        await anyio.sleep(10)
        stop.set()
        await anyio.sleep_forever()

    async with scripted(script) as cluster:
        report = await pull(cluster, pull_plan(str(tmp_path), [target()]), stop=stop)
    assert report.exit_code == 130
    assert await files(tmp_path) == {"web-0/log/a": FILES["log/a"]}
    assert report.results[0].entries >= 1


def test_no_descriptor_is_left_open_by_these_tests() -> None:
    assert len(os.listdir("/dev/fd")) < 100

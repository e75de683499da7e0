"""One session as push and pull see it: its lines, the pod's last words, its silence."""

import pickle
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import pytest

from asynccp.engine.conversation import Conversation
from asynccp.engine.group import single_error
from asynccp.engine.sessions import Sessions
from asynccp.errors import (
    CommandFailed,
    CommandMissing,
    ConnectFailed,
    DestinationError,
    Knob,
    ProtocolViolation,
    SessionLost,
    SourceMissing,
    Stalled,
    TransferError,
)
from asynccp.kube.exec import V4, encode_status
from asynccp.options import CLOSE_GRACE_S, LOOK_EVERY_S, Deadlines, Options
from asynccp.remote.messages import Done, Hello
from asynccp.remote.notes import Note
from asynccp.remote.script import Command
from asynccp.status import ExitStatus

from .clock import JumpingLoop
from .scripted import TOKEN, Pod, Script, greets_and_hangs, hangs, scripted, target

OPTIONS = Options(deadlines=Deadlines(stall_after_s=120, open_timeout_s=60))
STOPS_AFTER = "nothing moved for 120 s"
SCRIPT = f"{{\nread -r l\n}}\n#{TOKEN}\n".encode()
COMMAND = Command(("sh",), SCRIPT)


@asynccontextmanager
async def conversation_with(script: Script) -> AsyncIterator[tuple[Conversation, Pod]]:
    async with (
        scripted(script) as cluster,
        Sessions(cluster, OPTIONS, TOKEN).opened(target(), COMMAND, V4) as conversation,
    ):
        yield conversation, cluster.pods[0]


async def test_the_hello_is_heard_with_what_follows_it() -> None:
    async def script(pod: Pod) -> None:
        await pod.say(b"")
        await pod.say(f"asynccp {TOKEN} he".encode())
        await pod.say(b"llo count=dd\narchive")
        await pod.say(b" goes on")

    async with conversation_with(script) as (conversation, _):
        assert await conversation.hello("/etc", target()) == Hello.read({"count": "dd"})
        assert [await conversation.stdout() for _ in range(3)] == [b"archive", b" goes on", None]


async def test_a_pod_that_does_not_speak_is_given_up_at_the_deadline(clock: JumpingLoop) -> None:
    begun = clock.now
    async with conversation_with(hangs) as (conversation, _):
        with pytest.raises(ConnectFailed, match="did not answer within 60 s"):
            await conversation.hello("/etc", target())
    assert clock.now - begun == 60


async def test_a_pod_that_speaks_too_slowly_is_given_up_at_the_deadline(clock: JumpingLoop) -> None:
    async def script(pod: Pod) -> None:
        for letter in f"asynccp {TOKEN} hello count=dd\n".encode():
            await pod.say(bytes((letter,)))
            await anyio.sleep(10)

    begun = clock.now
    async with conversation_with(script) as (conversation, _):
        with pytest.raises(ConnectFailed, match="did not answer"):
            await conversation.hello("/etc", target())
    assert clock.now - begun == 60


@pytest.mark.parametrize(
    ("problem", "kind", "says"),
    [
        ("no-tar", CommandMissing, "there is no tar"),
        ("missing", SourceMissing, r"/et\\x1bc does not exist .*\(ls: cannot open\)"),
        ("cannot-create", DestinationError, r"/et\\x1bc can't be created in the container \(ls: cannot open\)"),
    ],
)
async def test_a_problem_is_told_with_the_systems_words_and_the_pod_may_go(
    problem: str, kind: type[TransferError], says: str
) -> None:
    left = anyio.Event()

    async def script(pod: Pod) -> None:
        await pod.hello(f"problem={problem}")
        await pod.hear_line()
        await pod.complain("ls: cannot open\n")  # may come late, on a channel of its own
        await pod.end(ExitStatus(1))
        left.set()

    async with conversation_with(script) as (conversation, _):
        with pytest.raises(kind, match=says):
            await conversation.hello("/et\x1bc", target())
        assert left.is_set()


async def test_a_pod_that_has_a_problem_and_then_hangs_does_not_hold_us() -> None:
    async def script(pod: Pod) -> None:
        await pod.hello("problem=no-tar")
        await anyio.sleep_forever()

    async with conversation_with(script) as (conversation, _):
        with pytest.raises(CommandMissing), anyio.fail_after(OPTIONS.deadlines.open_timeout_s):
            await conversation.hello("/etc", target())


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (None, SessionLost, "before the pod had said its last word"),
        (ExitStatus(0), SessionLost, "before the pod had said its last word"),
        (ExitStatus(1), CommandFailed, "exit code 1"),
        (ExitStatus(127), CommandMissing, "127"),
        (ExitStatus(137), CommandFailed, "killed"),
        (ExitStatus(None, 'exec: "sh": executable file not found in $PATH'), CommandMissing, "there is no shell"),
        (ExitStatus(None, "container is gone"), CommandFailed, "container is gone"),
    ],
)
async def test_a_session_that_ends_before_the_hello(
    status: ExitStatus | None, kind: type[TransferError], says: str
) -> None:
    async def script(pod: Pod) -> None:
        if status is not None:
            await pod.end(status)

    async with conversation_with(script) as (conversation, _):
        with pytest.raises(kind, match=says):
            await conversation.hello("/etc", target())


HELLO = f"asynccp {TOKEN} hello count=dd\n"


@pytest.mark.parametrize(
    "said",
    [
        ["Welcome!\n", HELLO],
        ["Welcome!\n" + HELLO],
        ["Welcome!", HELLO],
        ["$ " + HELLO],
        ["asynccp asynccp 01", "23 hello\n", HELLO],
        ["x" * 30_000, "y" * 30_000, HELLO[:20], HELLO[20:]],
        list("Welcome!\n" + HELLO),
    ],
)
async def test_a_shell_that_greets_is_heard_out(said: list[str]) -> None:
    async def script(pod: Pod) -> None:
        for text in said:
            await pod.say(text.encode())
        await pod.say(b"archive")

    async with conversation_with(script) as (conversation, _):
        assert await conversation.hello("/etc", target()) == Hello.read({"count": "dd"})
        assert await conversation.stdout() == b"archive"


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (ExitStatus(0), ProtocolViolation, "the pod said '.*Wel\\\\x1bcome!' where its hello belongs"),
        (ExitStatus(1), CommandFailed, "exit code 1: .*Wel\\\\x1bcome!"),
        (None, SessionLost, "before the pod had said its last word"),
    ],
)
async def test_a_shell_that_only_greets_is_quoted(
    status: ExitStatus | None, kind: type[TransferError], says: str
) -> None:
    async def script(pod: Pod) -> None:
        await pod.say(b"x" * 1000 + b"Wel\x1bcome!\n")
        if status is not None:
            await pod.end(status)

    async with conversation_with(script) as (conversation, _):
        with pytest.raises(kind, match=says) as caught:
            await conversation.hello("/etc", target())
    assert len(str(caught.value)) < 400


async def test_a_shell_that_greets_without_end_is_given_up() -> None:
    async def script(pod: Pod) -> None:
        while True:
            await pod.say(b"la " * 10_000)

    async with conversation_with(script) as (conversation, _):
        with pytest.raises(ProtocolViolation, match="la la"):
            await conversation.hello("/etc", target())


async def test_the_script_is_the_first_that_a_pod_gets() -> None:
    got: list[bytes] = []

    async def script(pod: Pod) -> None:
        got.append(await pod._stdin.receive())
        await anyio.sleep_forever()

    async with conversation_with(script):
        await anyio.wait_all_tasks_blocked()
    assert got == [b"\0" + SCRIPT]


async def test_a_server_that_takes_no_script_is_given_up_at_the_deadline(clock: JumpingLoop) -> None:
    async with scripted(hangs) as cluster:
        cluster.room = 0
        begun = clock.now
        with pytest.raises(ConnectFailed, match="did not answer within 60 s"):
            async with Sessions(cluster, OPTIONS, TOKEN).opened(target(), COMMAND, V4):
                pass
        assert clock.now - begun == 60


@pytest.mark.parametrize("status", [ExitStatus(0), ExitStatus(1), ExitStatus(None, "lost")])
async def test_output_after_the_commands_end_is_a_violation(status: ExitStatus) -> None:
    async def script(pod: Pod) -> None:
        await pod.say(encode_status(status)[1:], channel=3)
        await pod.complain("late words are welcome")
        await pod.say(b"late")

    async with conversation_with(script) as (conversation, _):
        with pytest.raises(ProtocolViolation, match="output after the command's end"):
            await conversation.drain()
        assert conversation.stderr_tail == "late words are welcome"


async def test_the_status_is_kept() -> None:
    async def script(pod: Pod) -> None:
        await pod.end(ExitStatus(2))

    async with conversation_with(script) as (conversation, _):
        assert await conversation.stdout() is None
        assert conversation.status is not None
        assert conversation.status.code == 2


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (["tar: a: x\n"], "tar: a: x"),
        (["tar: a", ": x\n", "tar: b\n"], "tar: a: x; tar: b"),
        ([f"line {number}\n" for number in range(9)], "line 4; line 5; line 6; line 7; line 8"),
        (["\x1b[2J\u202e\n"], "\\x1b[2J\\u202e"),
        (["  \n\n"], ""),
        ([], ""),
    ],
)
async def test_last_words(said: list[str], shown: str) -> None:
    async def script(pod: Pod) -> None:
        for text in said:
            await pod.complain(text)

    async with conversation_with(script) as (conversation, _):
        await conversation.drain()
        assert conversation.stderr_tail == shown


async def test_a_flood_of_words_is_not_kept() -> None:
    async def script(pod: Pod) -> None:
        for _ in range(100):
            await pod.complain("x" * 30_000)
        await pod.complain("\nthe end\n")

    async with conversation_with(script) as (conversation, _):
        await conversation.drain()
        assert len(pickle.dumps(conversation.complaints)) < 10_000
        assert conversation.stderr_tail.startswith("xxx")
        assert len(conversation.stderr_tail) < 700


async def test_silence_is_pinged_and_ends_at_the_deadline(clock: JumpingLoop) -> None:
    begun = clock.now
    async with conversation_with(hangs) as (conversation, pod):
        with pytest.raises(Stalled, match=STOPS_AFTER) as caught:
            await conversation.watch()
    assert clock.now - begun == 120
    assert [at - begun for at in pod.pinged_at] == [20, 40, 60, 80, 100]
    assert Knob.STALL_AFTER in caught.value.hint


@pytest.mark.parametrize("end", ["\n", ""])
async def test_a_stall_is_told_with_the_pods_last_words(end: str) -> None:
    async def script(pod: Pod) -> None:
        await pod.complain("nfs: server not responding" + end)
        await anyio.sleep_forever()

    async with conversation_with(script) as (conversation, _), anyio.create_task_group() as tasks:
        tasks.start_soon(conversation.drain)
        with pytest.raises(Stalled, match="120 s: nfs: server not responding"):
            await conversation.watch()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("move", ["say", "hear"])
async def test_whatever_moves_starts_the_deadline_again(move: str, clock: JumpingLoop) -> None:
    async def script(pod: Pod) -> None:
        for _ in range(5):
            await anyio.sleep(100)
            await (pod.say(b"x") if move == "say" else pod.hear())
        await anyio.sleep_forever()

    async def send(conversation: Conversation) -> None:
        for _ in range(100):
            await conversation.send(b"x")

    begun = clock.now
    async with conversation_with(script) as (conversation, _), anyio.create_task_group() as tasks:
        tasks.start_soon(conversation.drain)
        if move == "hear":
            tasks.start_soon(send, conversation)
        with pytest.raises(Stalled):
            await conversation.watch()
        tasks.cancel_scope.cancel()
    assert clock.now - begun == pytest.approx(500 + 120, abs=LOOK_EVERY_S + 0.1)


async def test_nothing_is_pinged_while_bytes_flow() -> None:
    async def script(pod: Pod) -> None:
        for _ in range(1000):
            await pod.say(b"x" * 1000)
            await anyio.sleep(15)

    async with conversation_with(script) as (conversation, pod), anyio.create_task_group() as tasks:
        tasks.start_soon(conversation.watch)
        await conversation.drain()
        tasks.cancel_scope.cancel()
    assert pod.pinged_at == []


async def test_a_ping_that_breaks_ends_the_session() -> None:
    async with conversation_with(hangs) as (conversation, pod):
        pod.ping_breaks = True
        with pytest.raises(SessionLost):
            await conversation.watch()


async def test_a_ping_that_hangs_does_not_hide_the_deadline() -> None:
    async with conversation_with(hangs) as (conversation, pod):
        pod.answers_pings = False
        with pytest.raises(Stalled), anyio.fail_after(2 * OPTIONS.deadlines.stall_after_s):
            await conversation.watch()


@pytest.mark.parametrize(
    ("stall_after_s", "ends_at"), [(1.0, 1.0), (0.5, 0.5), (25.0, 25.0), (40.0, 40.0), (3600.0, 3600.0)]
)
async def test_any_deadline_is_kept(stall_after_s: float, ends_at: float, clock: JumpingLoop) -> None:
    begun = clock.now
    async with conversation_with(hangs) as (_, pod):
        with pytest.raises(Stalled):
            await Conversation(pod, TOKEN, Options(deadlines=Deadlines(stall_after_s=stall_after_s))).watch()
    assert clock.now - begun == pytest.approx(ends_at, abs=0.1)


async def test_an_acknowledgement_to_a_session_that_is_gone_is_no_error() -> None:
    async def script(pod: Pod) -> None:
        await pod.done()

    async with conversation_with(script) as (conversation, pod):
        assert await conversation.done() == Done(code=0, settled=True)
        await pod.over.wait()
        await conversation.acknowledge()
        await conversation.drain()


async def test_a_send_to_a_session_that_is_gone_is_a_lost_session() -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()

    async with conversation_with(script) as (conversation, pod):
        await pod.over.wait()
        with pytest.raises(SessionLost):
            await conversation.send(b"x")


@pytest.mark.parametrize("wait", [Conversation.drain, Conversation.watch])
async def test_waiting_can_be_cancelled(wait: Callable[[Conversation], Awaitable[None]]) -> None:
    async with conversation_with(greets_and_hangs) as (conversation, _):
        await conversation.hello("/etc", target())
        with anyio.move_on_after(5) as scope:
            await wait(conversation)
        assert scope.cancelled_caught


async def test_a_pod_that_has_work_to_do_before_it_speaks_is_waited_for() -> None:
    async def script(pod: Pod) -> None:
        await anyio.sleep(OPTIONS.deadlines.stall_after_s + 30)
        await pod.hello()
        await anyio.sleep_forever()

    async def watched(conversation: Conversation) -> None:
        with single_error():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(conversation.watch)
                assert await conversation.hello("/etc", target(), extra_stall_s=100) == Hello.read({"count": "dd"})
                heard.append("hello")
                await conversation.drain()

    heard: list[str] = []
    async with conversation_with(script) as (conversation, _):
        with pytest.raises(Stalled, match=STOPS_AFTER):
            await watched(conversation)
    assert heard == ["hello"], "from then on the deadline is the usual one"


# --- what comes beside the archive


async def hear_notes(script: Script) -> tuple[list[Note], str]:
    """Return the notes of a pod, and its other words."""
    notes: list[Note] = []
    async with conversation_with(script) as (conversation, _):
        conversation.hear_notes(notes.append)
        await conversation.drain()
        return notes, conversation.stderr_tail


async def test_notes_are_told_from_the_words_of_tar() -> None:
    async def script(pod: Pod) -> None:
        await pod.complain("tar: a: x\n")
        await pod.note("census entries=3 bytes=")
        await pod.complain("tar: b: y\n")
        await pod.note("ended rc=1 entries=3")

    notes, said = await hear_notes(script)
    assert [(note.word, note.facts) for note in notes] == [
        ("census", {"entries": "3", "bytes": ""}),
        ("ended", {"rc": "1", "entries": "3"}),
    ]
    assert said == "tar: a: x; tar: b: y"


async def test_notes_that_came_before_anybody_takes_them_are_kept_but_no_flood_of_them() -> None:
    async def script(pod: Pod) -> None:
        for number in range(1000):
            await pod.note(f"barred mounted {number}")
        await pod.hello()
        await pod.note("ended")

    notes: list[Note] = []
    async with conversation_with(script) as (conversation, _):
        await conversation.hello("/etc", target())
        conversation.hear_notes(notes.append)
        await conversation.drain()
    assert notes[0] == Note("barred", b"mounted 0")
    assert notes[-1] == Note("ended", b"")
    assert len(notes) <= 101


async def test_words_that_come_behind_the_done_line_are_heard(clock: JumpingLoop) -> None:
    """stderr may be late: it is another pipe, and another message."""

    async def script(pod: Pod) -> None:
        await pod.say(f"asynccp {TOKEN} done rc=1\n".encode())
        await anyio.sleep(3)
        await pod.complain("tar: ./a: file changed as we read it\n")
        await pod.say(b"")
        await pod.complain(f"asynccp {TOKEN} ended rc=1 entries=1\n")
        await pod.hear_line()
        await pod.end(ExitStatus(1))

    async with conversation_with(script) as (conversation, _):
        assert await conversation.done() == Done(code=1)
        begun = clock.now
        await conversation.hear_stderr_out()
        assert clock.now - begun == pytest.approx(3, abs=0.1)
        assert conversation.ended
        assert [one.path for one in conversation.complaints.told] == [b"a"]
        await conversation.acknowledge()
        await conversation.drain()
        assert conversation.status == ExitStatus(1, "command terminated with non-zero exit code: exit status 1")


async def test_words_that_came_before_the_done_line_are_not_waited_for(clock: JumpingLoop) -> None:
    async def script(pod: Pod) -> None:
        await pod.done()
        await anyio.sleep_forever()

    async with conversation_with(script) as (conversation, _):
        await conversation.done()
        begun = clock.now
        await conversation.hear_stderr_out()
        assert clock.now == begun


async def test_a_session_that_ends_before_the_last_words_is_no_wait_without_an_end() -> None:
    async def script(pod: Pod) -> None:
        await pod.say(f"asynccp {TOKEN} done rc=0\n".encode())
        await pod.complain("tar: a")

    async with conversation_with(script) as (conversation, _):
        await conversation.done()
        with anyio.fail_after(1):
            await conversation.hear_stderr_out()
            await conversation.drain()
        assert conversation.stderr_tail == "tar: a"


async def test_output_behind_the_last_word_is_a_violation() -> None:
    async def script(pod: Pod) -> None:
        await pod.say(f"asynccp {TOKEN} done rc=0\n".encode())
        await pod.say(b"more")
        await anyio.sleep_forever()

    async with conversation_with(script) as (conversation, _):
        await conversation.done()
        with pytest.raises(ProtocolViolation, match="output after its last word"):
            await conversation.hear_stderr_out()


# --- an archive that does not end


class Late:
    """A pod whose tar has ended; when it was let go, on the loop's clock, is in `let_go_at`.

    bytes_at: seconds after which a byte of the archive comes, all the same. stays: it does not go then.
    """

    def __init__(self, *bytes_at: float, stays: bool = False) -> None:
        self._bytes_at = bytes_at
        self._stays = stays
        self.let_go_at: list[float] = []

    async def __call__(self, pod: Pod) -> None:
        begun = anyio.current_time()
        await pod.note("ended rc=0 entries=1")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._hear, pod, begun)
            for at in self._bytes_at:
                await anyio.sleep_until(begun + at)
                await pod.say(b"x")

    async def _hear(self, pod: Pod, begun: float) -> None:
        while await pod.hear():
            self.let_go_at.append(anyio.current_time() - begun)
            if not self._stays:
                break


async def watch(late: Late, *, brings: bool = True, hears: bool = True) -> None:
    async with conversation_with(late) as (conversation, _), anyio.create_task_group() as tasks:
        conversation.brings = brings
        await conversation.stdout()  # by now `ended` has been heard
        if hears:
            tasks.start_soon(conversation.drain)
        with anyio.move_on_after(60):
            await conversation.watch()
        tasks.cancel_scope.cancel()


async def test_a_pod_whose_tar_has_ended_is_let_go_when_its_archive_does_not() -> None:
    await watch(late := Late(0))
    assert late.let_go_at == [pytest.approx(OPTIONS.deadlines.late_after_s, abs=LOOK_EVERY_S)], "once"


async def test_a_pod_that_is_let_go_and_does_not_go_is_lost(clock: JumpingLoop) -> None:
    begun = clock.time()
    with pytest.raises(SessionLost, match="the end of it does not come"):
        await watch(Late(0, stays=True))
    assert clock.time() - begun < OPTIONS.deadlines.late_after_s + CLOSE_GRACE_S + 2 * LOOK_EVERY_S


async def test_a_pod_whose_archive_still_comes_is_waited_for() -> None:
    await watch(late := Late(0, 3, 6, 9))
    assert late.let_go_at == [pytest.approx(9 + OPTIONS.deadlines.late_after_s, abs=LOOK_EVERY_S)]


async def test_a_pod_that_brings_nothing_is_not_let_go() -> None:
    await watch(late := Late(0), brings=False)
    assert late.let_go_at == []


async def test_a_pod_is_not_let_go_while_it_is_we_who_do_not_hear() -> None:
    """The disk here is slow: what is under way is not late."""
    await watch(late := Late(0), hears=False)
    assert late.let_go_at == []


async def test_words_on_stderr_are_no_move(clock: JumpingLoop) -> None:
    async def script(pod: Pod) -> None:
        while True:
            await pod.complain(".\n")
            await anyio.sleep(2)

    begun = clock.now
    async with conversation_with(script) as (conversation, _), anyio.create_task_group() as tasks:
        tasks.start_soon(conversation.drain)
        with pytest.raises(Stalled, match="nothing moved for 120 s"):
            await conversation.watch()
        tasks.cancel_scope.cancel()
    assert clock.now - begun == 120


@pytest.mark.parametrize(("size", "is_stalled"), [(1, True), (20, True), (40, False)])
async def test_a_drip_is_a_stall_after_ten_deadlines(clock: JumpingLoop, size: int, *, is_stalled: bool) -> None:
    async def script(pod: Pod) -> None:
        for _ in range(900):  # for half an hour
            await pod.say(b"x" * size)
            await anyio.sleep(2)

    begun, errors = clock.now, list[Stalled]()
    async with conversation_with(script) as (conversation, _), anyio.create_task_group() as tasks:
        tasks.start_soon(conversation.drain)
        with anyio.move_on_after(1790):
            try:
                await conversation.watch()
            except Stalled as exc:
                errors.append(exc)
        tasks.cancel_scope.cancel()
    assert bool(errors) is is_stalled
    if is_stalled:
        assert clock.now - begun == pytest.approx(1200, abs=2)
        assert f"only {size * 600} bytes moved" in str(errors[0])

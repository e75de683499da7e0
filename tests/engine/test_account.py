"""What a pod tells of the archive that it gives, by scripted pods: files that change while they are read, entries that
a tar passes over, with a word or without one, and an archive that does not end.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from asynccp.engine.pull import pull
from asynccp.entry import Entry, Kind
from asynccp.options import CLOSE_GRACE_S, LOOK_EVERY_S, Failures, Options, Verification
from asynccp.report import Outcome, Report, Result
from asynccp.status import ExitStatus

from ..archive.reference import content_of, member
from .scripted import ONCE, TOKEN, Pod, Recorder, Script, pull_plan, scripted, target, targets

THEN_S = 1_000_000_000
LOG = Entry(b"log", Kind.DIRECTORY, mode=0o755, mtime_ns=THEN_S * 10**9)
A = Entry(b"log/a", Kind.FILE, 1000, mtime_ns=THEN_S * 10**9)
B = Entry(b"log/b", Kind.FILE, 2000, mtime_ns=THEN_S * 10**9)
ENTRIES = (LOG, A, B)
END = bytes(1024)
FILES = {"log/a": content_of(A), "log/b": content_of(B)}


def archive_of(*entries: Entry) -> bytes:
    return b"".join(map(member, entries)) + END


@dataclass
class Giver:
    """A pod that gives an archive, says some words beside it, and answers questions.

    now: what its files are by then; touched: those that have another time. there: how many entries it has counted, None
    where it doesn't come to it; old: how many of them have not changed. can_tell: it has a stat.
    """

    archive: bytes = archive_of(*ENTRIES)
    words: tuple[str, ...] = ()
    rc: int = 0
    there: str | None = "3"
    old: str | None = None
    hidden: str = ""
    can_tell: bool = True
    touched: tuple[str, ...] = ()
    now: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    asked: list[str] = field(default_factory=list)

    async def __call__(self, pod: Pod) -> None:
        await pod.hello(f"sum=sha256sum counts=yes stat={'yes' if self.can_tell else ''}")
        if self.there is not None:
            await pod.note(f"census entries={self.there} bytes=")
        await pod.say(self.archive)
        for word in self.words:
            await pod.complain(f"{word}\n")
        await pod.done(f"rc={self.rc} hidden={self.hidden}", ended=f"rc={self.rc}")
        while (question := await pod.hear()) not in (b"", b"ok\n"):
            await pod.say(self._answer(*question.decode().removesuffix("\n\n").split("\n")))
        await pod.end(ExitStatus(self.rc))

    def _answer(self, what: str, *names: str) -> bytes:
        self.asked.append(" ".join((what, *sorted(names))))
        lines = []
        for name in names:
            *_, size, name = name.split(" ") if what == "span" else ("", name)
            if told := self._about(what, name.removeprefix("./"), int(size or 0)):
                lines.append(f"{told}  {name}\n")
        return "".join([*lines, f"asynccp {TOKEN} summed\n"]).encode()

    def _about(self, what: str, name: str, size: int) -> str:
        if what == "old":
            return (self.there or "") if self.old is None else self.old
        if name == "log":
            return f"4096 {THEN_S}"
        if (content := self.now.get(name)) is None:
            return ""
        if what == "state":
            return f"{len(content)} {THEN_S + (name in self.touched)}"
        return f"{'7 ' if size else ''}{hashlib.sha256(content[: size or None]).hexdigest()}"


async def pulled(script: Script, to: Path, options: Options = ONCE, path: str = "/var/log") -> tuple[Result, Report]:
    async with scripted(script) as cluster:
        report = await pull(cluster, pull_plan(str(to), [target()], path), options=options)
    (result,) = report.results
    return result, report


def files_in(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


async def files(directory: Path) -> dict[str, bytes]:
    return await to_thread.run_sync(files_in, directory)


# --- files that change while they are read

A_CHANGED = "tar: ./log/a: file changed as we read it"
MORE = {**FILES, "log/a": FILES["log/a"] + b"another line\n"}
SHORTER = {**FILES, "log/a": FILES["log/a"][:-1]}
REWRITTEN = {**FILES, "log/a": b"x" * 1000}
GONE = {"log/b": FILES["log/b"]}
STRICT = Options(failures=Failures(retries=0), verification=Verification(strict_sources=True))


async def test_a_log_that_grows_is_complete_up_to_the_size_that_the_pod_told(tmp_path: Path) -> None:
    giver = Giver(words=(A_CHANGED,), rc=1, now=MORE)
    result, report = await pulled(giver, tmp_path)
    assert (result.outcome, result.error, report.exit_code) == (Outcome.COMPLETE, "", 0)
    assert result.grown == (b"log/a",)
    assert giver.asked == ["state ./log/a"]
    assert await files(tmp_path / "web-0") == FILES


@pytest.mark.parametrize("now", [FILES, SHORTER, REWRITTEN, GONE], ids=["as it was", "shorter", "rewritten", "gone"])
async def test_what_changed_otherwise_is_told_by_name(now: dict[str, bytes], tmp_path: Path) -> None:
    result, report = await pulled(Giver(words=(A_CHANGED,), rc=1, now=now, touched=("log/a",)), tmp_path)
    assert (result.outcome, report.exit_code) == (Outcome.CHANGED, 24)
    assert result.error == "sources changed while they were pulled: log/a changed while it was read"
    assert result.grown == ()


async def test_one_that_grew_excuses_no_other(tmp_path: Path) -> None:
    words = (A_CHANGED, "tar: ./log/b: file changed as we read it")
    giver = Giver(words=words, rc=1, now=MORE)
    result, _ = await pulled(giver, tmp_path)
    assert result.outcome is Outcome.CHANGED
    assert result.error == "sources changed while they were pulled: log/b changed while it was read"
    assert giver.asked == ["state ./log/a ./log/b"]
    assert result.grown == (b"log/a",), "it is told all the same"


async def test_a_file_that_shrank_while_it_was_read_is_told_by_name(tmp_path: Path) -> None:
    giver = Giver(words=("tar: ./log/a: File shrank by 5 bytes; padding with zeros",), rc=1)
    result, report = await pulled(giver, tmp_path)
    assert (result.outcome, report.exit_code) == (Outcome.CHANGED, 24)
    assert result.error == "sources changed while they were pulled: log/a shrank while it was read"
    assert giver.asked == []


async def test_a_directory_in_which_something_came_or_went_is_complete(tmp_path: Path) -> None:
    giver = Giver(words=("tar: ./log: file changed as we read it",), rc=1)
    result, report = await pulled(giver, tmp_path)
    assert (result.outcome, result.grown, report.exit_code) == (Outcome.COMPLETE, (), 0)
    assert giver.asked == []


async def test_each_name_of_a_file_is_compared(tmp_path: Path) -> None:
    """It is one file here, and may be two in the pod by the time when it is asked."""
    archive = archive_of(*ENTRIES, Entry(b"log/c", Kind.HARDLINK, link=b"log/a"))
    same = {**FILES, "log/c": FILES["log/a"]}
    options = Options(failures=Failures(retries=0), verification=Verification(checksum=True))
    result, _ = await pulled(Giver(archive, there="4", now=same), tmp_path / "same", options)
    assert (result.outcome, result.error) == (Outcome.COMPLETE, "")
    assert {path.decode(): one for path, one in result.digests.items()} == {
        path: hashlib.sha256(content).hexdigest() for path, content in same.items()
    }
    other = {**FILES, "log/c": b"x" * 1000}
    result, _ = await pulled(Giver(archive, there="4", now=other), tmp_path / "other", options)
    assert result.outcome is Outcome.FAILED
    assert result.error == "1 file is not the same here and in the container: log/c"


async def test_a_pull_that_is_strict_about_its_sources_takes_no_growth_for_harmless(tmp_path: Path) -> None:
    result, report = await pulled(Giver(words=(A_CHANGED,), rc=1, now=MORE), tmp_path, STRICT)
    assert (result.outcome, report.exit_code, result.grown) == (Outcome.CHANGED, 24, ())
    assert result.error == "sources changed while they were pulled: log/a changed while it was read"


@pytest.mark.parametrize(
    "said", ["tar: ./log/a\\000b: file changed as we read it", "tar: ./../../x: file changed as we read it"]
)
async def test_a_name_that_no_file_has_is_one_pods_trouble(said: str, tmp_path: Path) -> None:
    async def script(pod: Pod) -> None:
        await (Giver(words=(said,), rc=1) if pod.target.pod == "web-0" else Giver())(pod)

    async with scripted(script) as cluster:
        report = await pull(cluster, pull_plan(str(tmp_path), targets(2)), options=ONCE)
    assert [one.outcome for one in report.results] == [Outcome.CHANGED, Outcome.COMPLETE]


# --- and with --checksum

CHECKED = Options(failures=Failures(retries=3), verification=Verification(checksum=True))


async def test_a_log_that_grows_is_compared_as_far_as_it_came_and_once(tmp_path: Path) -> None:
    giver = Giver(now=MORE)  # the four tars but GNU's say nothing of it
    result, report = await pulled(giver, tmp_path, CHECKED)
    assert (result.outcome, result.tries, report.exit_code) == (Outcome.COMPLETE, 1, 0)
    assert giver.asked == ["sum ./log/a ./log/b", "state ./log/a", "span 0 1000 ./log/a"]
    assert result.grown == (b"log/a",)
    assert result.digests == {path.encode(): hashlib.sha256(FILES[path]).hexdigest() for path in FILES}


@pytest.mark.parametrize("words", [(), (A_CHANGED,)], ids=["no word", "a word"])
@pytest.mark.parametrize(
    "now",
    [REWRITTEN, SHORTER, GONE, {**FILES, "log/a": b"x" * 2000}],
    ids=["rewritten", "shorter", "gone", "rewritten and longer"],
)
async def test_what_was_written_over_is_told_by_name(
    words: tuple[str, ...], now: dict[str, bytes], tmp_path: Path
) -> None:
    giver = Giver(words=words, rc=len(words), now=now, touched=("log/a",))
    result, report = await pulled(giver, tmp_path, CHECKED)
    assert (result.outcome, result.tries, report.exit_code) == (Outcome.CHANGED, 1, 24)
    assert result.error.startswith("sources changed while they were pulled: log/a ")
    assert result.digests.keys() == {b"log/b"}


@pytest.mark.parametrize("words", [(), (A_CHANGED,)], ids=["no word", "a word"])
async def test_what_differs_and_did_not_change_is_damage(words: tuple[str, ...], tmp_path: Path) -> None:
    giver = Giver(words=words, rc=len(words), now=REWRITTEN)
    result, report = await pulled(
        giver, tmp_path, Options(failures=Failures(retries=0), verification=Verification(checksum=True))
    )
    assert (result.outcome, report.exit_code) == (Outcome.FAILED, 1)
    assert result.error == "1 file is not the same here and in the container: log/a"


async def test_a_pod_that_can_not_tell_of_changes_is_told_of_damage(tmp_path: Path) -> None:
    """A container without stat: what differs may have changed, but must not be called so."""
    giver = Giver(now=REWRITTEN, touched=("log/a",), can_tell=False)
    result, _ = await pulled(
        giver, tmp_path, Options(failures=Failures(retries=0), verification=Verification(checksum=True))
    )
    assert (result.outcome, result.error) == (
        Outcome.FAILED,
        "1 file is not the same here and in the container: log/a",
    )


@pytest.mark.parametrize("words", [(), ("tar: ./log: file changed as we read it",)], ids=["no word", "another word"])
async def test_growth_that_no_tar_told_of_is_named_to_who_is_strict(words: tuple[str, ...], tmp_path: Path) -> None:
    options = Options(failures=Failures(retries=0), verification=Verification(checksum=True, strict_sources=True))
    result, report = await pulled(Giver(words=words, rc=len(words), now=MORE), tmp_path, options)
    assert (result.outcome, report.exit_code) == (Outcome.CHANGED, 24)
    assert "log/a changed while it was read" in result.error


@pytest.mark.parametrize(("damaged", "outcome"), [(False, Outcome.PARTIAL), (True, Outcome.FAILED)])
async def test_what_came_of_a_partial_pull_is_compared_too(damaged: bool, outcome: Outcome, tmp_path: Path) -> None:
    giver = Giver(words=("tar: ./log/x: Cannot open: Permission denied",), rc=2, now=REWRITTEN if damaged else FILES)
    result, _ = await pulled(
        giver, tmp_path, Options(failures=Failures(retries=0), verification=Verification(checksum=True))
    )
    assert result.outcome is outcome
    assert len(result.digests) == (1 if damaged else 2)


# --- entries that a tar passes over

GNU_END = "tar: Exiting with failure status due to previous errors"
BUSYBOX_END = "tar: error exit delayed from previous errors"
PASSED_OVER = {
    "GNU": (2, "tar: ./log/x: Cannot open: Permission denied", GNU_END),
    "BusyBox": (1, "tar: can't open './log/x': Permission denied", BUSYBOX_END),
    "BusyBox, a directory": (1, "tar: ./log/x: Permission denied", BUSYBOX_END),
    "toybox": (1, "tar: ./log/x: Permission denied", "tar: had errors"),
}


@pytest.mark.parametrize("tar", PASSED_OVER)
async def test_what_may_not_be_read_is_left_out_by_name_and_all_else_came(tar: str, tmp_path: Path) -> None:
    rc, *words = PASSED_OVER[tar]
    result, report = await pulled(Giver(words=tuple(words), rc=rc, there="4"), tmp_path)
    assert (result.outcome, result.error, report.exit_code) == (Outcome.PARTIAL, "", 23)
    assert [str(one) for one in result.left_out] == ["log/x: it can't be read: Permission denied"]
    assert result.entries == 3
    assert await files(tmp_path / "web-0") == FILES


async def test_where_bsdtar_stops_the_rest_was_not_read_and_that_is_said(tmp_path: Path) -> None:
    words = ("bsdtar: ./log/x: Cannot stat: Permission denied", "bsdtar: Error exit delayed from previous errors.")
    result, report = await pulled(Giver(words=words, rc=1, archive=archive_of(LOG, A)), tmp_path)
    assert (result.outcome, report.exit_code) == (Outcome.FAILED, 1)
    assert result.error == "tar stopped: log/x can't be read (Permission denied); what comes after it was not read"


async def test_a_tar_that_ends_with_an_error_and_without_an_end_is_a_failure(tmp_path: Path) -> None:
    giver = Giver(words=("tar: ./log/x: Cannot open: Permission denied", GNU_END), rc=2, archive=member(LOG))
    result, report = await pulled(giver, tmp_path)
    assert (result.outcome, report.exit_code) == (Outcome.FAILED, 1)
    assert "exit code 2" in result.error


async def test_words_that_come_behind_the_last_line_count(tmp_path: Path) -> None:
    """stdout may overtake stderr: what the tar has complained of must not be missed by that."""

    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.say(archive_of(*ENTRIES) + f"asynccp {TOKEN} done rc=2 hidden=\n".encode())
        await anyio.sleep(1)
        await pod.complain("tar: ./log/x: Cannot open: Permission denied\n")
        await pod.note("ended rc=2")
        await pod.hear_line()
        await pod.end(ExitStatus(2))

    result, _ = await pulled(script, tmp_path)
    assert result.outcome is Outcome.PARTIAL
    assert [one.path for one in result.left_out] == [b"log/x"]


# --- entries that a tar passes over without a word


DENIED = "tar: ./log/x: Cannot open: Permission denied"


@pytest.mark.parametrize(
    ("there", "old", "words", "missing"),
    [
        ("3", "3", (), 0),
        ("5", "5", (), 2),
        ("5", "4", (), 1),  # no more were there all the time
        ("5", "3", (), 0),
        ("5", "", (), 0),  # nobody can tell
        ("", "", (), 0),
        (None, "", (), 0),
        ("five", "5", (), 0),
        ("4", "4", (DENIED,), 0),
        ("5", "5", (DENIED,), 1),
    ],
)
async def test_fewer_entries_than_were_there_all_the_time_are_not_complete(
    there: str | None, old: str, words: tuple[str, ...], missing: int, tmp_path: Path
) -> None:
    giver = Giver(there=there, old=old, words=words, rc=2 * len(words))
    result, report = await pulled(giver, tmp_path)
    if missing:
        told = {1: "1 entry is", 2: "2 entries are"}[missing]
        assert result.error == (
            f"tar ended without an error, but {told} missing of the {there} that are in the container"
        )
        assert (result.outcome, report.exit_code) == (Outcome.FAILED, 1)
    else:
        assert result.outcome is (Outcome.PARTIAL if words else Outcome.COMPLETE)
    assert ("old ./log" in giver.asked) is (there == "5"), "who isn't suspicious isn't asked"


async def test_a_pod_that_is_slow_to_count_is_not_waited_for(tmp_path: Path) -> None:
    result, _ = await pulled(Giver(there=None), tmp_path)
    assert result.outcome is Outcome.COMPLETE
    assert result.seconds == pytest.approx(Options().deadlines.late_after_s, abs=0.1)


async def test_what_the_archive_has_twice_counts_once(tmp_path: Path) -> None:
    """GNU tar repeats a directory's header; four headers are no four entries."""
    result, _ = await pulled(Giver(there="4", archive=archive_of(LOG, A, LOG, B)), tmp_path)
    assert "1 entry is missing of the 4" in result.error


async def test_what_is_left_out_here_did_come(tmp_path: Path) -> None:
    fifo = Entry(b"log/pipe", Kind.SYMLINK, link=b"/dev/stdout")
    result, _ = await pulled(Giver(there="4", archive=archive_of(*ENTRIES, fifo)), tmp_path)
    assert result.outcome is Outcome.PARTIAL
    assert [one.path for one in result.left_out] == [b"log/pipe"]


async def test_a_file_whose_size_is_a_lie_is_not_complete(tmp_path: Path) -> None:
    giver = Giver(archive=archive_of(Entry(b"cpuinfo", Kind.FILE)), there="1", hidden="yes")
    result, report = await pulled(giver, tmp_path, path="/proc/cpuinfo")
    assert (result.outcome, report.exit_code) == (Outcome.FAILED, 1)
    assert result.error == "/proc/cpuinfo has content, but its size is told as 0: no tar can copy it"


# --- an archive that does not end


@pytest.mark.parametrize("came", [b"", member(LOG) + member(A), archive_of(*ENTRIES)[:-512]])
@pytest.mark.parametrize(
    ("rc", "word", "says"),
    [
        (0, "", "the session ended before the pod had said its last word"),
        (1, "tar: out of memory", "tar failed in the container with exit code 1: tar: out of memory"),
        (1, "tar: short read", "tar ended in a file that lost its end"),
    ],
)
async def test_an_archive_that_does_not_end_is_named_soon(
    came: bytes, rc: int, word: str, says: str, tmp_path: Path
) -> None:
    """`done` may stand within what is content by the archive: it can't be told. That the tar has ended can be."""

    async def script(pod: Pod) -> None:
        await pod.hello()
        if came:
            await pod.say(came)
        await pod.complain(f"{word}\n")
        await pod.note(f"ended rc={rc}")
        await pod.hear_line()
        await pod.end(ExitStatus(rc))

    result, report = await pulled(script, tmp_path)
    assert (result.outcome, report.exit_code) == (Outcome.FAILED, 1)
    assert says in result.error
    assert result.seconds == pytest.approx(Options().deadlines.late_after_s, abs=LOOK_EVERY_S + 0.1)


DONE = f"asynccp {TOKEN} done rc=0 hidden=\n".encode()


@pytest.mark.parametrize("came", [(b"",), (member(LOG), b""), (member(LOG) + member(A),), (bytes(512), b"\n", b"")])
@pytest.mark.parametrize("cut", [0, 1, len(DONE) // 2])
@pytest.mark.parametrize("stays", [False, True])
async def test_a_last_word_before_the_archives_end_is_known_without_a_wait(
    came: tuple[bytes, ...], cut: int, stays: bool, tmp_path: Path
) -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        *pieces, last = came
        for piece in pieces:
            await pod.say(piece)
        await pod.say(last + DONE[:cut])
        await pod.note("ended rc=0")
        await pod.say(DONE[cut:])
        await pod.hear_line()
        if stays:
            await anyio.sleep_forever()
        await pod.end()

    result, report = await pulled(script, tmp_path, options=Options())
    assert (result.outcome, result.tries, report.exit_code) == (Outcome.FAILED, 1, 1)
    assert result.error == "the pod says that it is done, but the archive has not come to its end"
    assert result.seconds <= LOOK_EVERY_S + 0.1 + stays * (CLOSE_GRACE_S + LOOK_EVERY_S)


async def test_what_only_looks_like_a_last_word_is_waited_for(tmp_path: Path) -> None:
    """A file may hold one, if the pod likes: it has not ended by then, or goes on behind it."""
    whole = archive_of(LOG, A)

    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.say(whole[:1024] + DONE)
        await anyio.sleep(3)
        await pod.note("ended rc=0")
        await pod.say(b"more")
        await pod.hear_line()
        await pod.end()

    result, _ = await pulled(script, tmp_path)
    assert "before the pod had said its last word" in result.error
    assert result.seconds > 3 + Options().deadlines.late_after_s


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (b"", "the whole archive has come, but tar does not end"),
        (bytes(10240), "the whole archive has come, but tar does not end"),
        (DONE, "but not that all has come that its programs have said"),
    ],
)
async def test_a_tar_that_does_not_end_behind_the_end_of_its_archive_is_named_soon(
    words: bytes, says: str, tmp_path: Path
) -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.say(archive_of(*ENTRIES))
        if words:
            await pod.say(words)
        assert await pod.hear() == b"", "it is not let go: what is left there would be ended by nobody"

    result, _ = await pulled(script, tmp_path, options=Options())
    assert (result.outcome, result.tries) == (Outcome.FAILED, 1)
    assert says in result.error
    assert result.seconds <= Options().deadlines.late_after_s + LOOK_EVERY_S + 0.1


async def test_a_pod_that_is_let_go_and_does_not_go_is_lost(tmp_path: Path) -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.note("ended rc=0")
        await anyio.sleep_forever()

    result, _ = await pulled(script, tmp_path)
    assert "sent everything, but the end of it does not come" in result.error
    assert result.seconds < Options().deadlines.late_after_s + CLOSE_GRACE_S + 2 * LOOK_EVERY_S


async def test_an_archive_whose_end_is_late_is_waited_for(tmp_path: Path) -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.note("ended rc=0")
        for at in range(0, len(archive_of(*ENTRIES)), 1000):
            await pod.say(archive_of(*ENTRIES)[at : at + 1000])
            await anyio.sleep(3)
        assert pod.unheard == 0
        await pod.say(f"asynccp {TOKEN} done rc=0 hidden=\n".encode())
        await pod.hear_line()
        await pod.end()

    recorder = Recorder()
    async with scripted(script) as cluster:
        report = await pull(cluster, pull_plan(str(tmp_path), [target()]), options=ONCE, observer=recorder)
    assert report.ok, report.results[0].error
    assert report.results[0].seconds > 15

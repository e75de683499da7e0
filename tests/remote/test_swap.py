"""A push that replaces its directory as a whole: all at once, or nothing; and what is run before and behind it."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asynccp.remote.commands import PushRequest, RollbackRequest, Swapping, push_command, rollback_command
from asynccp.remote.digests import encode_names, encode_question
from asynccp.remote.hooks import hook_line, signal_line

from . import boxes
from .boxes import TOKEN, Process
from .test_commands import Archive, BoxOf, assert_refused

REVISION = "20261130T034501Z-0123ab"
LATER = "20261130T034502Z-0123ab"


@pytest.fixture(params=boxes.SWAPPING, ids=lambda kind: kind.partition("-cp")[0])
def box(request: pytest.FixtureRequest, box_of: BoxOf) -> Path:
    return box_of(request.param)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """What is pushed: a file that changes, one that is new, and a directory with one."""
    top = tmp_path / "source"
    (top / "d").mkdir(parents=True)
    for name in ("changed", "new", "d/deep"):
        (top / name).write_text(f"{name} 2")
    return Archive(f"{top}/")


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """What it is pushed into: its modes, links and odd names are to stay."""
    top = tmp_path / "there" / "app"
    (top / "d" / "empty").mkdir(parents=True)
    for name in ("changed", "kept", "d/odd\n\\name", "-rf"):
        (top / name).write_text(f"{name} 1")
    (top / "link").symlink_to("kept")
    (top / "d").chmod(0o2750)
    top.chmod(0o751)
    (top / "kept").chmod(0o600)
    os.utime(top / "kept", (1_000_000_000, 1_000_000_000))
    return top


def seen(top: Path) -> dict[str, tuple[str, int, str]]:
    """Return what is below a directory, and itself: kind and mode, time of files, content."""
    found = {}
    for path in (top, *sorted(top.rglob("*"))):
        status = path.lstat()
        text = os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else ""
        time = int(status.st_mtime) if path.is_file() and not path.is_symlink() else 0
        found[path.relative_to(top).as_posix()] = (stat.filemode(status.st_mode), time, text)
    return found


def expected(top: Path, archive: Archive) -> dict[str, tuple[str, int, str]]:
    """Return what there is to be behind a push of the archive."""
    sent = {entry.path.decode(): entry for entry in archive.layout.entries}
    found = seen(top)
    for name in ("changed", "new", "d/deep"):
        entry = sent[name]
        found[name] = (stat.filemode(0o100000 | entry.mode), entry.mtime_s, f"{name} 2")
    return found


class Pushed:
    """A push into a directory that has come as far as the pod's `received`."""

    def __init__(self, box: Path, to: Path, archive: Archive, swapping: Swapping, *, powerless: bool = False) -> None:
        request = PushRequest(TOKEN, str(to), archive.blocks, swapping=swapping, hooks=True)
        self.pod = Process(box, push_command(request), to.parent.parent, powerless=powerless)
        self._archive = archive

    def receive(self) -> None:
        self.pod.line("hello")
        self.pod.stdin.write(self._archive.bytes)
        received = self.pod.line("received").facts
        assert (received["rc"], received["sentinel"]) == ("0", "yes"), self.pod.said()

    def told(self, line: str, word: str) -> str:
        self.pod.stdin.write(f"{line}\n".encode())
        return self.pod.line(word).facts["rc"]

    def prepare(self) -> None:
        assert self.told("copy", "copied") == "0", self.pod.said()
        assert self.told("merge", "merged") == "0", self.pod.said()

    def swap(self) -> dict[str, str]:
        self.pod.stdin.write(b"go\n")
        return dict(self.pod.line("done").facts)

    def end(self, code: int = 0) -> None:
        self.pod.acknowledge()
        assert self.pod.exit_code() == code, self.pod.said()


@contextlib.contextmanager
def pushed(
    box: Path, to: Path, archive: Archive, how: str = "directory", backups: int = 0, **more: bool
) -> Iterator[Pushed]:
    swapping = Swapping(how, REVISION, backups, "user=me host=here by=push digest=abc")
    one = Pushed(box, to, archive, swapping, **more)
    with one.pod:
        yield one


def left(there: Path) -> set[str]:
    return {path.name for path in there.parent.iterdir()} - {there.name}


def test_the_directory_is_replaced_with_what_a_push_makes_of_it(box: Path, there: Path, archive: Archive) -> None:
    wanted, inode, kept = expected(there, archive), there.stat().st_ino, (there / "kept").stat().st_ino
    with pushed(box, there, archive) as push:
        push.receive()
        push.prepare()
        assert there.stat().st_ino == inode
        assert (there / "changed").read_text() == "changed 1", "nothing has changed yet"
        assert push.swap()["swapped"] == "yes", push.pod.said()
        push.end()
    assert seen(there) == wanted
    assert there.stat().st_ino != inode
    assert (there / "kept").stat().st_ino == kept, "what is the same is the same file, for who has it open"
    assert left(there) == set()


def test_what_is_removed_is_so_in_the_same_moment(box: Path, there: Path, archive: Archive) -> None:
    request = PushRequest(
        TOKEN, str(there), archive.blocks, swapping=Swapping("directory", REVISION), question=b"./\n\n"
    )
    wanted = {name: one for name, one in expected(there, archive).items() if name not in ("-rf", "d/empty")}
    with Process(box, push_command(request), there.parent) as pod:
        pod.line("hello")
        pod.until(b"listed rc=0\n")
        pod.stdin.write(b"heard\nsend %d %d %d plain\n" % tuple(archive.blocks))
        pod.line("hello")
        pod.stdin.write(archive.bytes)
        pod.line("received")
        pod.stdin.write(b"copy\n")
        assert pod.line("copied").facts["rc"] == "0", pod.said()
        pod.stdin.write(encode_question([b"d/empty", b"-rf"], "remove"))
        pod.until(b"summed\n")
        assert (there / "-rf").exists()
        pod.stdin.write(b"merge\n")
        assert pod.line("merged").facts["rc"] == "0", pod.said()
        pod.stdin.write(b"go\n")
        assert pod.line("done").facts["swapped"] == "yes"
        pod.acknowledge()
        assert pod.exit_code() == 0
    assert seen(there) == wanted


def test_a_directory_that_is_not_there_yet_is_made(box: Path, there: Path, archive: Archive) -> None:
    to = there.parent / "deep" / "new"
    with pushed(box, to, archive) as push:
        push.receive()
        push.prepare()
        assert not to.exists()
        assert push.swap()["rc"] == "0", push.pod.said()
        push.end()
    assert (to / "d" / "deep").read_text() == "d/deep 2"
    assert {path.name for path in to.parent.iterdir()} == {"new"}


def test_a_client_that_goes_away_before_the_swap_leaves_all_as_it_was(box: Path, there: Path, archive: Archive) -> None:
    before = seen(there)
    with pushed(box, there, archive, backups=2) as push:
        push.receive()
        push.prepare()
        push.pod.stdin.close()
        assert push.pod.exit_code() == 1
    assert seen(there) == before
    assert left(there) == {".asynccp-backup"}  # which is empty
    assert list((there.parent / ".asynccp-backup" / "app").iterdir()) == []


def test_a_link_is_swapped_and_leads_to_the_new_directory(box: Path, there: Path, archive: Archive) -> None:
    wanted = expected(there, archive)
    old = there.parent / "old"
    there.rename(old)
    there.symlink_to("old")
    with pushed(box, there, archive) as push:
        push.receive()
        push.prepare()
        assert push.swap()["rc"] == "0", push.pod.said()
        push.end()
    assert os.readlink(there) == f".app.{REVISION}"
    assert seen(there.parent / f".app.{REVISION}") == wanted
    assert (old / "changed").read_text() == "changed 1"
    assert left(there) == {f".app.{REVISION}", "old"}, "what is not ours stays"


def test_a_directory_becomes_a_link_and_the_one_before_stays_for_its_readers(
    box: Path, there: Path, archive: Archive
) -> None:
    wanted = expected(there, archive)
    for number, revision in enumerate((REVISION, LATER, LATER.replace("02Z", "03Z"))):
        one = Pushed(box, there, archive, Swapping("link", revision))
        with one.pod:
            one.receive()
            one.prepare()
            assert one.swap()["rc"] == "0", one.pod.said()
            one.end()
        assert os.readlink(there) == f".app.{revision}"
        assert seen(there.parent / f".app.{revision}") == wanted
        assert len(left(there)) == min(2, number + 1)


@pytest.mark.parametrize("how", ["directory", "link"])
def test_what_is_replaced_is_kept_and_comes_back(box: Path, there: Path, archive: Archive, how: str) -> None:
    before, after = seen(there), expected(there, archive)
    with pushed(box, there, archive, how, backups=1) as push:
        push.receive()
        push.prepare()
        assert push.swap()["kept"] == REVISION, push.pod.said()
        push.end()
    store = there.parent / ".asynccp-backup" / "app"
    assert seen(store / REVISION / "tree") == before
    assert (store / REVISION / "about").read_text() == "user=me host=here by=push digest=abc entries=7\n"
    assert stat.S_IMODE(store.stat().st_mode) == 0o700
    os.truncate(there / "kept", 0)  # what is kept is a copy of its own
    assert history(box, there) == [REVISION]
    assert roll_back(box, there)["swapped"] == "yes"
    assert seen(there.resolve()) == before
    (there / "changed").write_text("changed 2")
    assert history(box, there) == [LATER], "what was replaced by that is kept in its stead"
    after["kept"] = (after["kept"][0], seen(store / LATER / "tree")["kept"][1], "")
    assert seen(store / LATER / "tree") == after


def test_what_a_rollback_replaces_need_not_be_kept(box_of: BoxOf, there: Path, archive: Archive) -> None:
    before = seen(there)
    with pushed(box_of("busybox"), there, archive, backups=1) as push:
        push.receive()
        push.prepare()
        push.swap()
        push.end()
    assert roll_back(box_of("busybox"), there, keeps=0)["kept"] == ""
    assert seen(there) == before
    assert history(box_of("busybox"), there) == []


def roll_back(box: Path, there: Path, wanted: str = "", keeps: int = 1) -> dict[str, str]:
    swapping = Swapping("directory", LATER, keeps, "user=me host=here by=rollback digest=")
    request = RollbackRequest(TOKEN, str(there), swapping, wanted=wanted)
    with Process(box, rollback_command(request), there.parent) as pod:
        assert pod.line("hello").facts.get("problem") is None
        pod.stdin.write(b"go\n")
        done = dict(pod.line("done").facts)
        assert done["rc"] == "0", pod.said()
        pod.acknowledge()
        assert pod.exit_code() == 0
    return done


def history(box: Path, there: Path) -> list[str]:
    request = RollbackRequest(TOKEN, str(there), Swapping("directory", LATER), lists=True)
    with Process(box, rollback_command(request), there.parent) as pod:
        count = int(pod.line("hello").facts["revisions"])
        found = [pod.line("revision").facts["rev"] for _ in range(count)]
        assert pod.line("done").facts["rc"] == "0"
        pod.acknowledge()
        assert pod.exit_code() == 0
    return found


def test_only_the_newest_backups_are_kept(box_of: BoxOf, there: Path, archive: Archive) -> None:
    for second in range(4):
        one = Pushed(
            box_of("busybox"), there, archive, Swapping("directory", f"20261130T03450{second}Z-0123ab", 2, "a=b")
        )
        with one.pod:
            one.receive()
            one.prepare()
            assert one.swap()["rc"] == "0", one.pod.said()
            one.end()
    kept = sorted(path.name for path in (there.parent / ".asynccp-backup" / "app").iterdir())
    assert kept == ["20261130T034502Z-0123ab", "20261130T034503Z-0123ab"]


def test_where_nothing_is_kept_nothing_comes_back(box: Path, there: Path) -> None:
    request = RollbackRequest(TOKEN, str(there), Swapping("directory", LATER))
    with Process(box, rollback_command(request), there.parent) as pod:
        assert_refused(pod, "no-backup")


@pytest.mark.parametrize("how", ["directory", "link"])
def test_a_command_that_fails_behind_it_brings_back_what_was_there(
    box: Path, there: Path, archive: Archive, how: str
) -> None:
    before, inode = seen(there), there.stat().st_ino
    with pushed(box, there, archive, how, backups=3) as push:
        push.receive()
        push.prepare()
        assert push.swap()["swapped"] == "yes"
        assert (there / "changed").read_text() == "changed 2"
        push.pod.stdin.write(hook_line("after", "echo no; exit 7", 60))
        assert push.pod.note("ran") == {"rc": "7", "back": "yes"}
        push.end()
    assert seen(there) == before
    assert there.stat().st_ino == inode
    assert left(there) == {".asynccp-backup"}
    assert list((there.parent / ".asynccp-backup" / "app").iterdir()) == []


def test_a_command_before_it_sees_all_of_the_new_directory(box: Path, there: Path, archive: Archive) -> None:
    script = 'cat "$ASYNCCP_STAGED/kept" "$ASYNCCP_STAGED/changed"; pwd; read -r x || echo " end"; exit 3'
    with pushed(box, there, archive) as push:
        push.receive()
        push.prepare()
        push.pod.stdin.write(hook_line("before", script, 60))
        ready = b""
        while b"ran rc=" not in ready:
            ready += os.read(push.pod.stderr.fileno(), 65536)
        assert ready.decode().startswith(f"kept 1changed 2{there.parent.parent}\n end\n"), ready
        assert b"rc=3 back=\n" in ready
        push.pod.stdin.close()
        assert push.pod.exit_code() == 1
    assert (there / "changed").read_text() == "changed 1"
    assert left(there) == set()


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_has_started(
    box: Path, there: Path, archive: Archive
) -> None:
    with pushed(box, there, archive) as push:
        push.receive()
        push.prepare()
        push.pod.stdin.write(hook_line("before", "sleep 1000; echo survived", 1))
        assert push.pod.note("ran") == {"rc": "124", "back": ""}
        push.pod.stdin.close()
        assert push.pod._process.wait(boxes.PATIENCE_S) == 1
        # What a command's shell leaves unwaited for is the container's first process's to wait for.
        assert [line for line in push.pod.left() if line.split()[1][0] != "Z"] == []
    assert left(there) == set()


def test_a_signal_reaches_the_process_of_a_name_but_neither_its_children_nor_ours(
    box: Path, there: Path, archive: Archive, tmp_path: Path
) -> None:
    """As a server and its workers: the shell of this name has a child of that name."""
    name = f"sw-{os.getpid()}"[:15]
    program = tmp_path / name
    shutil.copy(shutil.which("dash") or pytest.skip("this machine has no dash"), program)
    script = f"trap 'echo server; exit 0' HUP; {program} -c 'trap \"echo worker\" HUP; sleep 9; :' & echo up; wait"
    with subprocess.Popen([program, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True) as server:
        assert server.stdout
        assert server.stdout.readline() == "up\n"
        with pushed(box, there, archive) as push:
            push.receive()
            push.prepare()
            push.swap()
            push.pod.stdin.write(signal_line("HUP:no-such-one"))
            assert push.pod.note("ran") == {"rc": "1", "back": ""}
            push.pod.stdin.write(signal_line(f"HUP:{name}"))
            assert push.pod.note("ran") == {"rc": "0", "back": ""}
            push.end()
        assert server.stdout.readline() == "server\n"
        assert server.wait(boxes.PATIENCE_S) == 0
        os.killpg(server.pid, signal.SIGKILL)
        assert server.stdout.read() == "", "the worker has heard nothing"


def test_a_shell_that_is_killed_between_the_two_renames_leaves_what_the_next_push_mends(
    box: Path, there: Path, archive: Archive
) -> None:
    before, wanted = seen(there), expected(there, archive)
    with pushed(box, there, archive) as push:
        push.receive()
        push.prepare()
        (stage,) = there.parent.glob(".asynccp-*")
        push.pod._process.send_signal(signal.SIGKILL)
        push.pod._process.wait()
        (stage / "old").mkdir()
        there.rename(stage / "old" / "app")  # as the first rename leaves it
    with pushed(box, there, archive) as push:
        push.pod.line("hello")
        assert seen(there) == before
        push.pod.stdin.write(archive.bytes)
        push.pod.line("received")
        push.prepare()
        assert push.swap()["rc"] == "0", push.pod.said()
        push.end()
    assert seen(there) == wanted
    assert left(there) == set()


def test_who_has_replaced_it_meanwhile_is_not_undone(box: Path, there: Path, archive: Archive) -> None:
    with pushed(box, there, archive) as push:
        push.receive()
        push.prepare()
        there.rename(there.parent / "aside")
        there.mkdir()
        done = push.swap()
        assert (done["rc"], done["swapped"]) == ("1", "no")
        assert "somebody else has replaced it" in push.pod.said()
        push.end(1)
    assert list(there.iterdir()) == []
    assert left(there) == {"aside"}


@pytest.mark.parametrize(("how", "change"), [("directory", "made"), ("directory", "replaced"), ("link", "made")])
def test_what_others_do_there_meanwhile_is_not_lost(
    box: Path, there: Path, archive: Archive, how: str, change: str
) -> None:
    with pushed(box, there, archive, how, backups=2) as push:
        push.receive()
        push.prepare()
        (there / "d" / "theirs").write_text("theirs")
        (there / "d" / "theirs").rename(there / "d" / ("pid" if change == "made" else "odd\n\\name"))
        before = seen(there)
        done = push.swap()
        assert (done["rc"], done["swapped"]) == ("1", "no")
        assert "files were made, removed or replaced there meanwhile" in push.pod.said()
        push.end(1)
    assert seen(there) == before
    assert left(there) == {".asynccp-backup"}
    assert history(box, there) == [], "what is not replaced is not kept"


def test_what_a_program_writes_into_its_file_meanwhile_is_there(box: Path, there: Path, archive: Archive) -> None:
    with pushed(box, there, archive) as push, (there / "kept").open("a") as log:
        push.receive()
        push.prepare()
        log.write(", and more")
        log.flush()
        assert push.swap()["rc"] == "0", push.pod.said()
        log.write(", and still")
        log.flush()
        push.end()
        assert (there / "kept").read_text() == "kept 1, and more, and still"


@pytest.mark.parametrize(("to", "problem"), [("/", "no-name"), ("/proc/sys", "mount-point")])
def test_what_can_not_be_replaced_is_refused_before_the_first_byte(
    box: Path, to: str, problem: str, archive: Archive, tmp_path: Path
) -> None:
    request = PushRequest(TOKEN, to, archive.blocks, swapping=Swapping("directory", REVISION))
    with Process(box, push_command(request), tmp_path) as pod:
        facts = pod.line("hello").facts
        assert facts["problem"] in (problem, "closed-parent", "not-writable", "mount-below")
        pod.acknowledge()
        assert pod.exit_code() == 1


@pytest.fixture
def foreseen(box: Path, archive: Archive, tmp_path: Path) -> Callable[..., str]:
    """Return what the dry run of a push to a path finds in its way; empty for nothing."""

    def ask(to: Path | str, *, powerless: bool = False) -> str:
        swapping, question = Swapping("directory", ""), encode_names([b"."])
        request = PushRequest(TOKEN, str(to), archive.blocks, swapping=swapping, foresees=True, question=question)
        with Process(box, push_command(request), tmp_path, powerless=powerless) as pod:
            found = pod.line("hello").facts
        return found.get("problem", "")

    return ask


def test_a_dry_run_tells_what_can_not_be_replaced_and_makes_nothing(
    box: Path, place: Path, foreseen: Callable[..., str], there: Path
) -> None:
    before = seen(there.parent)
    assert foreseen(there) == ""
    assert foreseen(there.parent / "not" / "there") == ""
    assert seen(there.parent) == before
    assert foreseen("/") == "no-name"
    top = place / f"foreseen-{box.name}"
    (top / "app").mkdir(parents=True)
    (top / "app").chmod(0o777)
    os.chown(top / "app", boxes.NOBODY, boxes.NOBODY) if os.getuid() == 0 else pytest.skip("only root can")
    if subprocess.run(["mount", "-t", "tmpfs", "none", top / "app"], capture_output=True).returncode == 0:
        assert (foreseen(top / "app"), foreseen(top)) == ("mount-point", "mount-below")
        subprocess.run(["umount", top / "app"], check=True)
    assert foreseen(top / "app") == ""
    top.chmod(0o555)
    assert foreseen(top / "app", powerless=True) == "closed-parent"
    os.chown(top / "app", 0, 0)
    top.chmod(0o777)
    assert foreseen(top / "app", powerless=True) == "others-directory"


def test_a_parent_that_may_not_be_written_is_refused(box: Path, place: Path, archive: Archive) -> None:
    top = place / f"closed-{box.name}"
    (top / "app").mkdir(parents=True)
    (top / "app").chmod(0o777)
    top.chmod(0o555)
    os.chown(top / "app", boxes.NOBODY, boxes.NOBODY) if os.getuid() == 0 else pytest.skip("only root can")
    with pushed(box, top / "app", archive, powerless=True) as push:
        assert_refused(push.pod, "closed-parent")
    os.chown(top / "app", 0, 0)
    top.chmod(0o777)
    with pushed(box, top / "app", archive, powerless=True) as push:
        assert_refused(push.pod, "others-directory")

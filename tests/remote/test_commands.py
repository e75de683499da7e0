"""Every command that runs in a pod: its argv, and what this machine's shells and tars do when they run its script."""

import contextlib
import hashlib
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from msgspec.structs import replace

from asynccp.archive.compression import CODECS
from asynccp.archive.layout import ArchiveLayout, Blocks
from asynccp.checksum import ALGORITHMS
from asynccp.entry import Entry, Kind
from asynccp.local.read import read_chunk
from asynccp.local.scan import scan
from asynccp.options import RECORD_SIZE
from asynccp.remote.commands import PullRequest, PushRequest, pull_command, pull_name, push_command
from asynccp.remote.dialogue import Line, verdict
from asynccp.remote.digests import AnswerReader, encode_question, questions
from asynccp.remote.messages import Received
from asynccp.remote.script import Command, command, load
from asynccp.status import ExitStatus

from .. import trees
from . import boxes
from .boxes import TOKEN, Process, counted


@pytest.mark.parametrize(
    ("path", "argument"),
    [
        ("/etc/app", "/etc/app"),
        ("/etc/app/", "/etc/app"),
        ("/etc/app//", "/etc/app"),
        ("/", "/"),
        ("//", "/"),
        ("relative/x", "./relative/x"),
        ("./relative", "./relative"),
        (".", "./."),
        ("./", "./."),
        ("..", "./.."),
        ("../x", "./../x"),
        ("-rf", "./-rf"),
        ("--checkpoint-action=exec=sh", "./--checkpoint-action=exec=sh"),
        ("/with space/and 'quote'", "/with space/and 'quote'"),
        ("$(reboot)", "./$(reboot)"),
        ("/new\nline", "/new\nline"),
        ("a~", "./a~"),
    ],
)
def test_argv_of_a_push(path: str, argument: str) -> None:
    asked = push_command(PushRequest(token=TOKEN, directory=path, blocks=Blocks(512, 7, 1)))
    assert asked.argv[:2] == ("sh", "-c")
    assert asked.argv[3:8] == ("sh", TOKEN, str(len(asked.script)), argument, ".")
    assert {"block=512", "blocks=7", "more_blocks=1", "tar_options=-xopf"} <= set(asked.argv[8:])


def test_owners_are_kept_only_on_request() -> None:
    for preserve_owner, options in ((True, "-xpf"), (False, "-xopf")):
        request = PushRequest(token=TOKEN, directory="/x", blocks=Blocks(512, 1, 0), preserve_owner=preserve_owner)
        assert f"tar_options={options}" in push_command(request).argv


@pytest.mark.parametrize(
    ("path", "directory", "name"),
    [
        ("~", "./", "."),
        ("~/", "./", "."),
        ("~/x", "./", "./x"),
        ("~/x/", "./x", "."),
        ("~/x/y", "./x", "./y"),
        ("~//x", "./", "./x"),
    ],
)
def test_a_tilde_is_the_container_s_home(path: str, directory: str, name: str) -> None:
    argv = pull_command(PullRequest(token=TOKEN, path=path)).argv
    assert (argv[6].rstrip("/"), argv[7]) == (directory.rstrip("/"), name)
    assert "home=yes" in argv
    assert "home=" in pull_command(PullRequest(token=TOKEN, path="/~/x")).argv


@pytest.mark.parametrize(
    ("path", "directory", "name"),
    [
        ("/etc/b.conf", "/etc", "./b.conf"),
        ("b.conf", ".", "./b.conf"),
        ("/b.conf", "/", "./b.conf"),
        ("/etc/", "/etc", "."),
        ("/", "/", "."),
        ("..", "./..", "."),
    ],
)
def test_a_single_file_may_get_the_name_that_was_written(path: str, directory: str, name: str) -> None:
    argv = push_command(PushRequest(token=TOKEN, directory=path, blocks=Blocks(512, 1, 0), renames=True)).argv
    assert argv[6:8] == (directory, name)
    assert ("renames=yes" in argv) is (name != ".")


def test_every_word_that_a_script_reads_is_given() -> None:
    """Else the container's environment could give it."""
    push_it = push_command(PushRequest(token=TOKEN, directory="/x", blocks=Blocks(512, 1, 0)))
    pull_it = pull_command(PullRequest(token=TOKEN, path="/x"))
    assert {word.partition("=")[0] for word in push_it.argv[8:]} >= {"partial", "in_place", "dir_perms", "codecs"}
    assert {word.partition("=")[0] for word in pull_it.argv[8:]} >= {"follow", "want_size", "digest", "home"}


@pytest.mark.parametrize(
    ("path", "directory", "name", "first"),
    [
        ("/var/log", "/var", "./log", b"log"),
        ("/var/log/", "/var/log", ".", b""),
        ("/var/log//", "/var/log", ".", b""),
        ("/var//log", "/var", "./log", b"log"),
        ("/log", "/", "./log", b"log"),
        ("/", "/", ".", b""),
        ("log", ".", "./log", b"log"),
        ("./log", ".", "./log", b"log"),
        ("a/log", "./a", "./log", b"log"),
        (".", "./.", ".", b""),
        ("..", "./..", ".", b""),
        ("/var/.", "/var/.", ".", b""),
        ("/var/..", "/var/..", ".", b""),
        ("-rf", ".", "./-rf", b"-rf"),
        ("/var/-rf", "/var", "./-rf", b"-rf"),
        ("/var/..data", "/var", "./..data", b"..data"),
        ("/a b/'c' \"d\"", "/a b", "./'c' \"d\"", b"'c' \"d\""),
        ("/var/\udcff", "/var", "./\udcff", b"\xff"),
        ("/var/./", "/var/.", ".", b""),
    ],
)
def test_argv_of_a_pull(path: str, directory: str, name: str, first: bytes) -> None:
    asked = pull_command(PullRequest(token=TOKEN, path=path, records=7, digest="abc"))
    assert asked.argv[3:8] == ("sh", TOKEN, str(len(asked.script)), directory, name)
    assert {"records=7", "digest=abc"} <= set(asked.argv[8:])
    assert pull_name(path) == first


@pytest.mark.parametrize("path", ["/etc/app", "-x", "$(reboot)"])
def test_the_scripts_are_fixed_text(path: str) -> None:
    """Whatever the path: it never becomes part of what a shell reads as its program."""
    request = PushRequest(token=TOKEN, directory=path, blocks=Blocks(512, 9, 9))
    other = PushRequest(token=TOKEN, directory="/", blocks=Blocks(512, 1, 0), preserve_owner=True)
    assert push_command(request).argv[:3] == push_command(other).argv[:3]
    assert push_command(request).script == push_command(other).script


def test_a_command_takes_little_room_in_the_request_line() -> None:
    push_it = push_command(
        PushRequest(
            token=TOKEN, directory="/x", blocks=Blocks(10**6, 10**6, 10**6), identity="01234567-main", codecs=CODECS
        )
    )
    pull_it = pull_command(PullRequest(token=TOKEN, path="/x", records=10**9, digest="0" * 64, codecs=CODECS))
    for one in (push_it, pull_it):
        assert sum(len(quote_plus(word, safe="/:,!*()$'=")) + len("&command=") for word in one.argv) < 1024


boxes.reap_nothing()
BoxOf = Callable[[str], Path]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that every user can enter, as pytest's own can't."""
    directory = Path(tempfile.mkdtemp(prefix="asynccp-boxes-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def made(place: Path) -> dict[str, Path]:
    """The boxes that this machine can be, by kind."""
    return {kind: box for kind in boxes.ALL if (box := boxes.make(place, kind))}


@pytest.fixture(scope="module")
def box_of(made: dict[str, Path]) -> BoxOf:
    """Return the box of a kind; skip the test if the machine has not what belongs in it."""

    def get(kind: str) -> Path:
        return made.get(kind) or pytest.skip(f"this machine can't be {kind}")

    return get


@pytest.fixture(params=boxes.WITH_TAR)
def box(request: pytest.FixtureRequest, box_of: BoxOf) -> Path:
    return box_of(request.param)


SMALLEST = Blocks(RECORD_SIZE, 1, 0)


def to_receive(to: str, blocks: Blocks = SMALLEST) -> Command:
    return push_command(PushRequest(token=TOKEN, directory=to, blocks=blocks))


def push(box: Path, to: str, here: Path, blocks: Blocks = SMALLEST, *, powerless: bool = False) -> Process:
    return Process(box, to_receive(to, blocks), here, powerless=powerless)


def pull(
    box: Path, of: str, here: Path, *, want_size: bool = False, powerless: bool = False, follow: bool = True
) -> Process:
    request = PullRequest(token=TOKEN, path=of, want_size=want_size, follow=follow)
    return Process(box, pull_command(request), here, powerless=powerless)


def assert_refused(process: Process, problem: str) -> None:
    """The hello names the problem; the command stays until it is acknowledged, and then ends with 1."""
    assert process.line("hello").facts == {"problem": problem}
    assert process.runs
    process.acknowledge()
    assert process.exit_code() == 1
    assert process.rest() == b""


# --- push


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("dash-gnu", "dd"),
        ("bash-gnu", "dd"),
        ("dash-bsdtar", "dd"),
        ("busybox", "dd"),
        ("toybox", "head"),
        ("no-dd", "head"),
        ("no-count", "none"),
    ],
)
def test_the_hello_of_a_push_says_what_can_count(box_of: BoxOf, kind: str, count: str, tmp_path: Path) -> None:
    with push(box_of(kind), "new/directory", tmp_path) as pod:
        assert pod.line("hello").facts == {"count": count, "sum": "sha256sum", "z": "", "named": ""}
    assert (tmp_path / "new/directory").is_dir()


@pytest.mark.parametrize(
    ("to", "problem"),
    [
        ("file", "not-a-directory"),
        ("file/below", "cannot-create"),
        ("dangling", "cannot-create"),
        ("loop", "cannot-create"),
    ],
)
def test_a_destination_that_is_no_directory(box: Path, to: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("file/nowhere")
    (tmp_path / "loop").symlink_to("loop")
    with push(box, str(tmp_path / to), tmp_path) as pod:
        assert_refused(pod, problem)
        assert (problem != "not-a-directory") is bool(pod.said()), "the system's reason"


def test_a_destination_that_may_not_be_written(box: Path, place: Path) -> None:
    directory = Path(tempfile.mkdtemp(dir=place))
    directory.chmod(0o555)
    with push(box, str(directory), place, powerless=True) as pod:
        assert_refused(pod, "not-writable")
    with push(box, str(directory / "below"), place, powerless=True) as pod:
        assert_refused(pod, "cannot-create")
        assert "Permission denied" in pod.said()


DONE = {"rc": "0", "settled": "yes", "handed": "yes", "barred": "0", "overwritten": "0"}


def assert_whole(received: Line, pod: Process) -> None:
    """The pod has received everything, and counts what was sent."""
    assert received.facts["sentinel"] == "yes", pod.said()
    assert received.facts["rc"] == "0"


class Archive:
    """The archive of a tree, and where its members begin."""

    def __init__(self, source: Path | str) -> None:
        self.layout = ArchiveLayout(scan([str(source)]).entries, TOKEN)
        self.blocks = self.layout.blocks
        self.bytes = b"".join(read_chunk(self.layout, index).data for index in range(self.layout.chunks))
        self.borders: list[int] = []
        self.sentinels: list[int] = []
        for at in range(0, len(self.bytes), 512):
            for piece in self.layout.pieces(at, at + 512):
                if piece.start == 0:
                    (self.sentinels if piece.entry.path.startswith(b".asynccp") else self.borders).append(at)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with every kind of name, size, mode and link."""
    return trees.build(tmp_path_factory.mktemp("commands") / "tree")


@pytest.fixture(scope="module")
def archive(tree: Path) -> Archive:
    found = Archive(f"{tree}/")
    assert found.blocks.second > 0, "links in directories take a second archive"
    return found


@pytest.mark.parametrize("to", ["to", "-rf $(touch oops)\n'x' \"y\"", "deep/er/to/", "new\n-rw-r--r-- 1 0 0 x y/to"])
def test_a_push_is_complete_on_every_shell_and_tar(
    box: Path, to: str, tree: Path, archive: Archive, tmp_path: Path
) -> None:
    with push(box, to, tmp_path, archive.blocks) as pod:
        pod.line("hello")
        pod.stdin.write(archive.bytes)
        assert pod.put_in_place().facts == DONE, pod.said()
        assert pod.runs, "it waits for us"
        pod.acknowledge()
        assert pod.exit_code() == 0
        assert pod.rest() == b""
    assert trees.describe(tmp_path / to) == trees.describe(tree)  # the sentinel is gone
    assert not (tmp_path / "oops").exists()


def test_a_push_that_nothing_can_count_ends_with_stdin(
    box_of: BoxOf, tree: Path, archive: Archive, tmp_path: Path
) -> None:
    with push(box_of("no-count"), "to", tmp_path, archive.blocks) as pod:
        assert pod.line("hello").facts["count"] == "none"
        pod.stdin.write(archive.bytes)
        pod.stdin.close()
        assert_whole(pod.line("received"), pod)
        assert pod.line("done").facts == DONE, pod.said()
        assert pod.exit_code() == 0
    assert trees.describe(tmp_path / "to") == trees.describe(tree)


def test_a_push_over_what_is_there_replaces_it(box: Path, tree: Path, archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "to/links").mkdir(parents=True)
    (tmp_path / "to/plain").write_text("older")
    (tmp_path / "to/links/hard").write_text("older")
    (tmp_path / "to/untouched").write_text("ours")
    with push(box, "to", tmp_path, archive.blocks) as pod:
        pod.line("hello")
        pod.stdin.write(archive.bytes)
        assert pod.put_in_place().facts == DONE, pod.said()
        pod.acknowledge()
        assert pod.exit_code() == 0
    assert (tmp_path / "to/untouched").read_text() == "ours"
    (tmp_path / "to/untouched").unlink()
    os.utime(tmp_path / "to/links", ns=(0, (tree / "links").stat().st_mtime_ns))  # it was there before
    assert trees.describe(tmp_path / "to") == trees.describe(tree)


def test_an_archive_that_comes_in_dribbles_is_counted_whole(box: Path, tmp_path: Path) -> None:
    archive = cut_tree(tmp_path)
    with push(box, "to", tmp_path, archive.blocks) as pod:
        pod.line("hello")
        for at in range(0, len(archive.bytes), 997):
            pod.stdin.write(archive.bytes[at : at + 997])
            os.sched_yield()
        assert_whole(pod.line("received"), pod)


@pytest.mark.parametrize("kind", ["toybox", "no-dd"])
def test_padding_that_comes_after_tar_has_left_is_not_taken_for_the_second_archive(
    box_of: BoxOf, kind: str, tmp_path: Path
) -> None:
    """GNU's and toybox's tar leave at the end marker, and what head still had to hand on stayed in stdin."""
    (tmp_path / "source/d").mkdir(parents=True)
    (tmp_path / "source/d/a").write_bytes(b"a" * RECORD_SIZE)
    (tmp_path / "source/d/link").symlink_to("a")
    archive = Archive(f"{tmp_path}/source/")
    at = archive.blocks.first * archive.blocks.size - 1024  # behind the end marker, and more than head may hold back
    with push(box_of(kind), "to", tmp_path, archive.blocks) as pod:
        pod.line("hello")
        pod.stdin.write(archive.bytes[:at])
        while not list(tmp_path.glob(f"to/.asynccp-*/new/.asynccp-{TOKEN}-*")):
            os.sched_yield()
        pod.stdin.write(archive.bytes[at:])
        assert_whole(pod.line("received"), pod)


@pytest.mark.parametrize("size", [0, RECORD_SIZE - 4 * 512, RECORD_SIZE - 4 * 512 + 1, 40 * RECORD_SIZE])
def test_the_count_is_exact_however_the_archive_fills_its_records(box: Path, size: int, tmp_path: Path) -> None:
    source = tmp_path / "a"
    source.write_bytes(os.urandom(size))
    archive = Archive(source)
    with push(box, "to", tmp_path, archive.blocks) as pod:
        pod.line("hello")
        # Our lines, sent before they are due, are no part of the archive.
        pod.stdin.write(archive.bytes + b"go\nok\n")
        assert_whole(pod.line("received"), pod)
        assert pod.line("done").facts == DONE, pod.said()
        assert pod.exit_code() == 0
    assert (tmp_path / "to/a").read_bytes() == source.read_bytes()


def cut_tree(tmp_path: Path) -> Archive:
    source = tmp_path / "source"
    (source / "d/empty").mkdir(parents=True)
    (source / "d/a").write_bytes(b"a" * 600)
    (source / "d/link").symlink_to("a")
    (source / "b").touch()
    return Archive(f"{source}/")


def test_a_push_cut_between_any_two_members_is_not_complete(box: Path, tmp_path: Path) -> None:
    """Every tar ends with 0 when its archive does: only the sentinel tells."""
    archive = cut_tree(tmp_path)
    places = sorted([*archive.borders, *archive.sentinels, archive.blocks.first * archive.blocks.size])
    if box.name in ("toybox", "no-dd"):  # where head counts, the second archive is thrown away
        places = [at for at in places if at <= archive.sentinels[0]]
    complete = []
    for at in places:
        with push(box, "to", tmp_path, archive.blocks) as pod:
            pod.line("hello")
            pod.stdin.write(archive.bytes[:at])
            pod.stdin.close()
            received = pod.line("received")
            status = ExitStatus(pod.exit_code())
            complete += [at] if verdict(Received.read(received.facts), status, "") is None else []
            assert received.facts["sentinel"] == "no"
        assert not (tmp_path / "to").exists(), "what was cut leaves nothing, no empty directory either"
    assert len(places) >= 8
    assert complete == []


@pytest.mark.parametrize("keep", [1, 511, 512 + 300, 2000, 3 * 512 + 1])
def test_a_push_whose_client_vanishes_leaves_no_process(box: Path, keep: int, tmp_path: Path) -> None:
    archive = cut_tree(tmp_path)
    with push(box, "to", tmp_path, archive.blocks) as pod:
        pod.line("hello")
        pod.stdin.write(archive.bytes[:keep])
        pod.stdin.close()
        received = pod.line("received")
        assert verdict(Received.read(received.facts), ExitStatus(pod.exit_code()), "") is not None
        assert pod.rest() == b"", "all that could write to stdout has ended"
    assert not (tmp_path / "to").exists(), "it was not there before"


def test_a_push_whose_client_vanishes_at_once_leaves_no_process(box: Path, tmp_path: Path) -> None:
    with push(box, "to", tmp_path) as pod:
        pod.stdin.close()
        assert b"sentinel=no" in pod.rest()
        pod.exit_code()


def test_a_tar_that_fails_says_so_while_the_archive_still_comes(box: Path, tmp_path: Path) -> None:
    archive = cut_tree(tmp_path)
    assert archive.blocks.second, "the second archive must not make the failure of the first forgotten"
    damaged = bytes(512) + b"no tar header".ljust(512, b"!") + archive.bytes[1024:]
    with push(box, "to", tmp_path, archive.blocks) as pod:
        pod.line("hello")
        with contextlib.suppress(BrokenPipeError):
            pod.stdin.write(damaged + b"\n" * 20 * RECORD_SIZE)
        received = pod.line("received")
        assert verdict(Received.read(received.facts), ExitStatus(0), "") is not None
        with contextlib.suppress(BrokenPipeError):  # it may have taken a line of the archive for our acknowledgement
            pod.acknowledge()
        assert pod.exit_code() == int(received.facts["rc"])
    assert not (tmp_path / "to").exists(), "it was not there before"


def pushed(
    box: Path, archive: Archive, tmp_path: Path, *, powerless: bool = False, dir_perms: bool = False
) -> tuple[dict[str, str], str]:
    """Push into `to`; return the facts of `done`, and what was said on stderr."""
    request = PushRequest(token=TOKEN, directory=str(tmp_path / "to"), blocks=archive.blocks, dir_perms=dir_perms)
    with Process(box, push_command(request), tmp_path, powerless=powerless) as pod:
        pod.line("hello")
        pod.stdin.write(archive.bytes)
        done = pod.put_in_place()
        pod.acknowledge()
        code = pod.exit_code()
        assert code == int(done.facts["rc"])
        return dict(done.facts), pod.said()


def test_nothing_is_touched_before_we_say_so(box: Path, tmp_path: Path) -> None:
    archive = cut_tree(tmp_path)
    (tmp_path / "to").mkdir()
    (tmp_path / "to/b").write_text("older")
    with push(box, "to", tmp_path, archive.blocks) as pod:
        pod.line("hello")
        pod.stdin.write(archive.bytes)
        pod.line("received")
        pod.stdin.close()
        assert pod.exit_code() == 1
        assert pod.rest() == b"", "it says nothing of a success"
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["b"]
    assert (tmp_path / "to/b").read_text() == "older"


def test_a_link_to_a_directory_is_followed_and_stays(box: Path, tmp_path: Path) -> None:
    """What a container has behind /bin -> usr/bin stays there when a tree with a directory `bin` is pushed."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "to").mkdir()
    (tmp_path / "to/d").symlink_to("../elsewhere")
    assert pushed(box, cut_tree(tmp_path), tmp_path)[0] == DONE
    assert (tmp_path / "to/d").is_symlink()
    assert (tmp_path / "elsewhere/a").read_bytes() == b"a" * 600
    assert (tmp_path / "elsewhere/empty").is_dir()


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(box: Path, tmp_path: Path) -> None:
    for name in ("file", "directory"):
        (tmp_path / "to").mkdir(exist_ok=True)
        (tmp_path / "file").write_text("another's")
        (tmp_path / "directory").mkdir(exist_ok=True)
        (tmp_path / "to/b").unlink(missing_ok=True)
        (tmp_path / "to/b").symlink_to(tmp_path / name)
        shutil.rmtree(tmp_path / "source", ignore_errors=True)
        facts, said = pushed(box, cut_tree(tmp_path), tmp_path)
        if facts["rc"] == "0":
            assert not (tmp_path / "to/b").is_symlink()
        else:
            assert "b" in said
        assert (tmp_path / "file").read_text() == "another's"
        assert list((tmp_path / "directory").iterdir()) == []


def test_a_directory_in_the_place_of_a_file_fails_the_push_and_stays(box: Path, tmp_path: Path) -> None:
    (tmp_path / "to/b/in the way").mkdir(parents=True)
    facts, said = pushed(box, cut_tree(tmp_path), tmp_path)
    assert facts["rc"] != "0"
    assert "b" in said
    assert (tmp_path / "to/b/in the way").is_dir()
    assert not list((tmp_path / "to").glob(".asynccp*"))


def test_a_file_in_the_place_of_a_directory_fails_the_push_and_stays(box: Path, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to/d").write_text("older")
    facts, said = pushed(box, cut_tree(tmp_path), tmp_path)
    assert facts["rc"] != "0"
    assert "d" in said
    assert (tmp_path / "to/d").read_text() == "older"


def test_what_a_killed_shell_left_is_removed_and_what_a_living_one_holds_is_not(box: Path, tmp_path: Path) -> None:
    archive = cut_tree(tmp_path)
    with push(box, "to", tmp_path, archive.blocks) as other:
        other.line("hello")
        (held,) = (tmp_path / "to").iterdir()
        left = tmp_path / "to/.asynccp-pod-4194304.77"  # a process id that no kernel gives
        again = tmp_path / f"to/.asynccp-pod-{os.getpid()}.77"  # one that somebody else has by now
        (left / "new/closed").mkdir(parents=True)
        (again / "new").mkdir(parents=True)
        for one in (left, again):
            (one / "made").write_text(f"{one.name}\n")
        (left / "new/closed").chmod(0o000)
        (tmp_path / "guarded").mkdir(mode=0o500)
        (tmp_path / "to/.asynccp-pod-4194303.77").symlink_to(tmp_path / "guarded")
        anothers = [tmp_path / f"to/.asynccp-{whose}-4194304.77" for whose in ("another", "pod-sidecar")]
        anothers += [tmp_path / f"to/.asynccp-pod-{pid}.77" for pid in (4194302, 4194301)]
        for one in anothers:
            (one / "new/precious").mkdir(parents=True)
        (anothers[-1] / "made").write_text(f"{left.name}\n")  # somebody has moved it to this name
        for one in (left, again, *anothers):
            one.chmod(0o700)
        anothers.append(tmp_path / "to/.asynccp-pod-4194300.77")  # open to all: so is what has its name in it
        (anothers[-1] / "new/precious").mkdir(parents=True)
        (anothers[-1] / "made").write_text(f"{anothers[-1].name}\n")
        anothers[-1].chmod(0o777)
        assert pushed(box, archive, tmp_path)[0] == DONE
        assert not left.exists()
        assert not again.exists() or not Path("/proc/self").exists(), "no process that started then"
        assert all((one / "new/precious").exists() for one in anothers), (
            "the volume may be shared, and a name is no proof"
        )
        assert held.exists()
        assert (tmp_path / "guarded").stat().st_mode & 0o777 == 0o500, "a link under such a name leads nowhere"
        (tmp_path / "to/.asynccp-pod-4194303.77").unlink()
        other.stdin.write(archive.bytes)
        assert other.put_in_place().facts["rc"] == "0"
    assert {path.name for path in (tmp_path / "to").iterdir()} == {"b", "d", *(one.name for one in anothers)}


@pytest.mark.parametrize("kind", ["dash-gnu", "bash-gnu", "dash-bsdtar", "no-dd"])  # other tars can't extract it
def test_directories_that_their_owner_may_not_write_are_put_in_place(box_of: BoxOf, kind: str, place: Path) -> None:
    """Without root's powers a directory of mode 0555 can be neither filled nor renamed as it is."""
    box = box_of(kind)
    here = Path(tempfile.mkdtemp(dir=place))
    here.chmod(0o777)
    source = here / "source"
    for name in ("closed/deeper/file", "open/closed/file"):
        (source / name).parent.mkdir(parents=True)
        (source / name).write_text(name)
    for name in ("closed/deeper", "closed", "open/closed"):
        (source / name).chmod(0o555)
    (here / "to").mkdir()
    (here / "to").chmod(0o777)
    archive = Archive(f"{source}/")
    for _ in range(2):  # new, and then over what is there
        assert pushed(box, archive, here, powerless=True, dir_perms=True)[0] == DONE, _
        assert trees.describe(here / "to") == trees.describe(source)
        for path in [*(here / "to").rglob("*/")]:
            path.chmod(0o755)  # a directory that is closed can't be pushed into: mkdir -p and mv say so


def test_directories_of_somebody_else_keep_their_mode_and_are_told(box: Path, place: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can make a directory of somebody else")
    here = Path(tempfile.mkdtemp(dir=place))
    here.chmod(0o777)
    (here / "to/d").mkdir(parents=True)
    for path in (here / "to", here / "to/d"):
        path.chmod(0o777)
    facts, said = pushed(box, cut_tree(here), here, powerless=True, dir_perms=True)
    assert facts == DONE | {"settled": "no"}
    assert "not permitted" in said.lower()
    assert (here / "to/d/a").read_bytes() == b"a" * 600


def test_a_directory_that_is_there_gets_the_new_one_s_owner_on_request(box: Path, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give files away")
    source = tmp_path / "source"
    (source / "d").mkdir(parents=True)
    (source / "d/a").touch()
    os.chown(source / "d", 1234, 2345)
    (tmp_path / "to/d").mkdir(parents=True)
    archive = Archive(f"{source}/")
    for preserve_owner, owner in ((False, (0, 0)), (True, (1234, 2345))):
        request = PushRequest(
            token=TOKEN, directory="to", blocks=archive.blocks, preserve_owner=preserve_owner, dir_perms=True
        )
        with Process(box, push_command(request), tmp_path) as pod:
            pod.line("hello")
            pod.stdin.write(archive.bytes)
            assert pod.put_in_place().facts == DONE, pod.said()
        found = (tmp_path / "to/d").stat()
        assert (found.st_uid, found.st_gid) == owner


def test_a_container_that_lacks_what_was_asked_for_by_name_says_so(box_of: BoxOf, tmp_path: Path) -> None:
    request = PushRequest(token=TOKEN, directory="new", blocks=Blocks(512, 1, 0), dir_perms=True)
    with Process(box_of("no-stat"), push_command(request), tmp_path) as pod:
        assert_refused(pod, "no-stat")
    assert not (tmp_path / "new").exists()


def test_more_files_than_one_command_can_name_are_put_in_place(box_of: BoxOf, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "d").mkdir(parents=True)
    for number in range(12_000):  # of 200 bytes: 2.4 MB of arguments, where Linux takes 2 MiB
        (source / "d" / f"{number:0200}").touch()
    (tmp_path / "to/d").mkdir(parents=True)
    assert pushed(box_of("dash-gnu"), Archive(f"{source}/"), tmp_path)[0]["rc"] == "0"
    assert len(list((tmp_path / "to/d").iterdir())) == 12_000


@pytest.mark.parametrize("has_rmdir", [True, False])
def test_a_directory_that_is_there_already_takes_one_program(
    box_of: BoxOf, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, has_rmdir: bool
) -> None:
    """It took eight once: the second push of a configuration was slower than the first."""
    box = counted(box_of("dash-gnu"), log := tmp_path_factory.mktemp("programs") / f"log{has_rmdir}")
    if not has_rmdir:
        (box / "rmdir").unlink()
    source = tmp_path / "source"
    for number in range(250):
        (source / f"{number}/below").mkdir(parents=True)
        (source / f"{number}/below/file").write_text("new")
        (tmp_path / f"to/{number}/below").mkdir(parents=True)
    assert pushed(box, Archive(f"{source}/"), tmp_path)[0]["rc"] == "0"
    assert all((tmp_path / f"to/{number}/below/file").read_text() == "new" for number in range(250))
    programs = log.read_text().splitlines()
    assert programs.count("mv") == 250
    assert len(programs) < 550 or not has_rmdir


def test_a_push_into_a_container_without_mv(box_of: BoxOf, tmp_path: Path) -> None:
    with push(box_of("no-mv"), "new", tmp_path) as pod:
        assert_refused(pod, "no-mv")


# --- digests


def ask(pod: Process, paths: list[bytes], algorithm: str, *, what: str = "sum") -> list[str | None]:
    reader = AnswerReader(TOKEN, paths, algorithm)
    pod.stdin.write(encode_question(paths, what))
    while True:
        data = pod.read(65536)
        assert data, pod.said()
        if found := reader.feed(data):
            assert found[1] == b""
            return found[0]


def digests_below(root: Path, paths: list[bytes], algorithm: str) -> list[str | None]:
    found: list[str | None] = []
    for path in paths:
        digest = ALGORITHMS[algorithm]()
        digest.update((root / os.fsdecode(path)).read_bytes())
        found.append(digest.hexdigest())
    return found


def files_of(tree: Path) -> list[bytes]:
    return [path for path, facts in trees.describe(tree).items() if facts.kind == "file"]


def test_a_pod_tells_the_digests_of_what_it_received_before_it_is_put_in_place(
    box: Path, tree: Path, archive: Archive, tmp_path: Path
) -> None:
    files = files_of(tree)
    assert len(files) > 30
    with push(box, "to", tmp_path, archive.blocks) as pod:
        pod.line("hello")
        pod.stdin.write(archive.bytes)
        pod.line("received")
        for group in questions(files):
            assert ask(pod, group, "sha256sum") == digests_below(tree, group, "sha256sum")
        assert ask(pod, [b"not there", files[0]], "sha256sum")[0] is None
        assert [path.name.startswith(".asynccp") for path in (tmp_path / "to").iterdir()] == [True]
        pod.stdin.write(b"go\n")
        assert pod.line("done").facts == DONE


@pytest.mark.parametrize("kind", ["sha256sum", "md5sum", "cksum"])
def test_a_pod_tells_the_digests_of_what_it_sent(box_of: BoxOf, kind: str, tree: Path) -> None:
    files = files_of(tree)
    with pull(box_of("dash-gnu" if kind == "sha256sum" else kind), f"{tree}/", tree) as pod:
        assert pod.line("hello").facts["sum"] == kind
        pod.until(trailer())
        for group in questions(files):
            assert ask(pod, group, kind) == digests_below(tree, group, kind)
        pod.acknowledge()
        assert pod.exit_code() == 0


def test_a_pull_on_every_shell_tells_digests(box: Path, tree: Path) -> None:
    files = files_of(tree)
    with pull(box, f"{tree}/", tree) as pod:
        pod.until(trailer())
        for group in questions(files):
            assert ask(pod, group, "sha256sum") == digests_below(tree, group, "sha256sum")
        pod.acknowledge()
        assert pod.exit_code() == 0


def test_a_client_that_vanishes_between_two_questions_leaves_no_process(box: Path, tree: Path) -> None:
    with pull(box, f"{tree}/", tree) as pod:
        pod.until(trailer())
        ask(pod, [b"plain"], "sha256sum")
        pod.stdin.close()
        assert pod.exit_code() != 0
        assert pod.rest() == b""


def test_a_container_that_has_no_digests_says_so(box_of: BoxOf, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pull(box_of("no-sum"), "a", tmp_path) as pod:
        assert pod.line("hello").facts["sum"] == "none"
        take(pod)


# --- pull


def trailer(code: str = "0") -> bytes:
    return f"asynccp {TOKEN} done rc={code} hidden=\n".encode()


def take(pod: Process, code: str = "0") -> bytes:
    """Hear a pull out and return its archive."""
    stream = pod.until(trailer(code))
    assert pod.runs, "it waits for us"
    pod.acknowledge()
    assert pod.exit_code() == int(code)
    assert pod.rest() == b""
    return stream.removesuffix(trailer(code))


@pytest.mark.parametrize("of", ["{}/", "{}/.", "{}"])
def test_a_pull_is_complete_on_every_shell_and_tar(box: Path, of: str, tree: Path) -> None:
    with pull(box, of.format(tree), tree) as pod:
        assert pod.line("hello").facts["sum"] == "sha256sum"
        archive = take(pod)
    found = trees.describe_archive(archive)
    if of == "{}":
        assert found.pop(b"tree").kind == "directory"
        found = {
            name.removeprefix(b"tree/"): replace(facts, same_as=facts.same_as.removeprefix(b"tree/"))
            for name, facts in found.items()
        }
    assert found == trees.describe(tree)


ODD_NAMES = ["-rf", "$(touch oops)", "new\nline", "'q' \"q\"", "a b ", "*", "..data", "é"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_pull_takes_any_name_as_it_is(box_of: BoxOf, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("content")
    (tmp_path / "another").touch()
    for kind in ("dash-gnu", "busybox"):
        with pull(box_of(kind), name, tmp_path) as pod:
            pod.line("hello")
            assert set(trees.describe_archive(take(pod))) == {name.encode()}
    assert {path.name for path in tmp_path.iterdir()} == {name, "another"}


def test_a_symbolic_link_that_was_named_is_pulled_as_such_on_request(box: Path, tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    with pull(box, "dangling", tmp_path, follow=False) as pod:
        pod.line("hello")
        assert trees.describe_archive(take(pod))[b"dangling"].content == "nowhere"
    with pull(box, "dangling", tmp_path) as pod:
        assert_refused(pod, "dangling")


def test_a_symbolic_link_that_was_named_is_followed_and_those_below_it_are_not(box: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/file").write_text("content")
    (tmp_path / "there/link").symlink_to("file")
    (tmp_path / "directory").symlink_to("there")
    (tmp_path / "key").symlink_to("directory/link")
    with pull(box, "key", tmp_path) as pod:
        pod.line("hello")
        found = trees.describe_archive(take(pod))
        assert [(name, facts.kind, facts.content) for name, facts in found.items()] == [
            (b"key", "file", trees.describe(tmp_path / "there")[b"file"].content)
        ]
    with pull(box, "directory", tmp_path) as pod:
        pod.line("hello")
        found = trees.describe_archive(take(pod))
        kinds = {os.path.normpath(name): facts.kind for name, facts in found.items()}
        assert kinds == {b"directory": "directory", b"directory/file": "file", b"directory/link": "symlink"}


def test_the_size_is_told_on_request_and_the_number_of_entries_always(box: Path, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a\n12").write_bytes(b"x" * 100_000)
    (tmp_path / "d/link").symlink_to("nowhere")
    for want_size, size in ((True, "100000"), (False, "")):
        with pull(box, "d", tmp_path, want_size=want_size) as pod:
            pod.line("hello")
            pod.until(trailer())
            assert pod.note("census") == {"entries": "3", "bytes": size}
            pod.acknowledge()
            assert pod.exit_code() == 0


def test_a_pod_tells_how_many_entries_have_not_changed_since(box: Path, tmp_path: Path) -> None:
    (tmp_path / "d/e").mkdir(parents=True)
    for name in ("old", "new\nline"):
        (tmp_path / "d/e" / name).touch()
    with pull(box, "d", tmp_path) as pod:
        pod.until(trailer())
        begun = pod.begun_ns()
        while (tmp_path / "d/e").stat().st_ctime_ns <= begun:  # the kernel's clock has 1 to 10 ms
            (tmp_path / "d/e/old").rename(tmp_path / "d/e/older")  # which changes two
            (tmp_path / "d/e/older").rename(tmp_path / "d/e/old")
        (told,) = ask(pod, [b"d"], "old", what="old")
        if box.name == "busybox":  # its find counts in minutes
            assert told == "0"
        else:
            assert told == "2", "d, and the file whose name has two lines"
        pod.acknowledge()
        assert pod.exit_code() == 0


def test_a_container_that_can_not_count_tells_no_number(box_of: BoxOf, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pull(box_of("no-find"), "d", tmp_path, want_size=True) as pod:
        pod.until(trailer())
        assert pod.note("census") == {"entries": "", "bytes": ""}
        pod.acknowledge()


@pytest.mark.parametrize("of", ["gone", "gone/", "gone/below", "file/below"])
def test_a_source_that_is_missing(box: Path, of: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pull(box, str(tmp_path / of), tmp_path) as pod:
        assert_refused(pod, "missing")


def test_the_contents_of_a_file_cannot_be_pulled(box: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pull(box, f"{tmp_path}/file/", tmp_path) as pod:
        assert_refused(pod, "no-contents")


def test_a_source_that_may_not_be_read(box: Path, place: Path) -> None:
    directory = Path(tempfile.mkdtemp(dir=place))
    directory.chmod(0o755)
    (directory / "secret").touch(mode=0)
    (directory / "closed").mkdir(mode=0)
    for name in ("secret", "closed", "closed/"):
        with pull(box, f"{directory}/{name}", place, powerless=True) as pod:
            assert_refused(pod, "unreadable")
    (directory / "closed").chmod(0o700)


def test_a_file_that_may_not_be_read_among_others_fails_the_pull_by_name(box: Path, place: Path) -> None:
    directory = Path(tempfile.mkdtemp(dir=place))
    directory.chmod(0o755)
    (directory / "secret").write_text("secret")
    (directory / "secret").chmod(0)
    with pull(box, f"{directory}/", place, powerless=True) as pod:
        pod.line("hello")
        stream = b""
        while b"asynccp" not in stream:
            stream += pod.read(65536)
        assert f"asynccp {TOKEN} done rc=0".encode() not in stream
        assert "secret" in pod.said()
        pod.acknowledge()
        assert pod.exit_code() != 0


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that no pipe can hold."""
    path = tmp_path_factory.mktemp("large") / "large"
    path.write_bytes(bytes(4 * 1024 * 1024))
    return path


def test_a_pull_whose_client_vanishes_leaves_no_tar_behind(box: Path, large: Path) -> None:
    with pull(box, str(large), large.parent) as pod:
        pod.line("hello")
        pod.wait_until_blocked()
        pod.stdin.close()
        assert pod.exit_code() != 0
        left = pod.rest()  # it comes to an end: nobody is left who could write
        assert len(left) < large.stat().st_size, "tar went on to the end"
        assert b"asynccp" not in left


@pytest.mark.parametrize("kind", ["dash-gnu", "busybox", "toybox"])  # bsdtar fills up with zeros and ends with 0
def test_a_file_that_shrinks_while_it_is_pulled_fails_the_pull(box_of: BoxOf, kind: str, tmp_path: Path) -> None:
    """BusyBox's and toybox's archive just ends then: the done line stands where content belongs."""
    file = tmp_path / "file"
    file.write_bytes(bytes(1024 * 1024))
    with pull(box_of(kind), "file", tmp_path) as pod:
        pod.line("hello")
        pod.wait_until_blocked()
        os.truncate(file, 512 * 1024)
        assert len(pod.until(trailer("1"))) > 512 * 1024
        assert "sh" in pod.said()
        pod.acknowledge()
        assert pod.exit_code() == 1


def test_a_pull_whose_client_vanishes_before_it_acknowledges_leaves_no_process(box: Path, large: Path) -> None:
    with pull(box, str(large), large.parent) as pod:
        pod.line("hello")
        pod.until(trailer())
        assert pod.runs
        pod.stdin.close()
        pod.exit_code()
        assert pod.rest() == b""


def test_an_acknowledgement_that_comes_too_early_does_not_cut_the_archive(box: Path, large: Path) -> None:
    with pull(box, str(large), large.parent) as pod:
        pod.line("hello")
        pod.acknowledge()
        assert len(pod.until(trailer())) > large.stat().st_size
        assert pod.exit_code() == 0


def test_an_archive_is_cut_to_records_that_the_pod_counts() -> None:
    layout = ArchiveLayout([Entry(b"a", Kind.FILE, 10 * RECORD_SIZE)], TOKEN)
    assert layout.blocks == (RECORD_SIZE, 11, 0)


# --- what is left


def test_an_error_in_a_script_itself_leaves_nothing(box: Path, tmp_path: Path) -> None:
    """A name that was taken for a number once ended the shell, and its guard held the session open for four hours."""
    text = load("environment", "lifetime").removesuffix(b"}\n") + b"x=z/+ y=$((x + 1))\nexit 7\n}\n"
    values = (".", ".", "life=1000", "home=", "more_path=")
    with Process(box, command(TOKEN, text, values), tmp_path) as pod:
        assert pod.exit_code() != 7, "it did not go on"
        assert pod.rest() == b"", "nobody is left who could write"


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_nothing_is_left_of_a_copy_that_is_complete(box: Path, direction: str, tmp_path: Path) -> None:
    archive = cut_tree(tmp_path)
    if direction == "push":
        with push(box, "to", tmp_path, archive.blocks) as pod:
            pod.line("hello")
            pod.stdin.write(archive.bytes)
            pod.put_in_place()
            pod.acknowledge()
            assert pod.exit_code() == 0
            pod.exit_code()
    else:
        with pull(box, "source", tmp_path) as pod:
            pod.line("hello")
            take(pod)
            pod.exit_code()


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_nothing_is_left_at_whatever_moment_a_client_vanishes(box: Path, direction: str, tmp_path: Path) -> None:
    """Also while a program is about to be started, which what it is sent then does not reach."""
    archive, chance = cut_tree(tmp_path), random.Random(direction)
    for _ in range(20):
        with push(box, "to", tmp_path, archive.blocks) if direction == "push" else pull(box, "source", tmp_path) as pod:
            if direction == "push":
                pod.stdin.write(archive.bytes[: chance.randrange(len(archive.bytes))])
            pod.hear_for(chance.random() * 0.03)
            pod.stdin.close()
            pod.exit_code()
        assert not (tmp_path / "to").exists()


@pytest.fixture
def side_by_side(made: dict[str, Path]) -> list[Path]:
    """All boxes with a tar, for what takes seconds in each."""
    return [made[kind] for kind in boxes.WITH_TAR if kind in made]


def test_a_pull_that_nobody_hears_ends_itself_though_its_stdin_stays_open(
    side_by_side: list[Path], large: Path
) -> None:
    """So it is when containerd is killed: the shim holds stdin open, and nobody takes what tar writes."""
    asked = pull_command(PullRequest(token=TOKEN, path=str(large)))
    with contextlib.ExitStack() as stack:
        pods = [stack.enter_context(Process(box, asked, large.parent, life_s=2)) for box in side_by_side]
        for pod in pods:
            pod.line("hello")
            pod.wait_until_blocked()
        for pod in pods:
            pod.exit_code()


def test_a_push_that_nobody_feeds_ends_itself_and_leaves_nothing(side_by_side: list[Path], tmp_path: Path) -> None:
    archive = cut_tree(tmp_path)
    with contextlib.ExitStack() as stack:
        asked = {box: to_receive(f"to-{box.name}", archive.blocks) for box in side_by_side}
        pods = [stack.enter_context(Process(box, one, tmp_path, life_s=2)) for box, one in asked.items()]
        for pod in pods:
            pod.line("hello")
            pod.stdin.write(archive.bytes[:1000])
        for pod in pods:
            pod.exit_code()
    assert not list(tmp_path.glob("to-*")), "they were not there before"


# --- a pull that continues


class Lost:
    """The first `records` records of a pull that was lost then."""

    def __init__(self, box: Path, of: str, here: Path, records: int) -> None:
        with pull(box, of, here) as pod:
            pod.line("hello")
            data = bytearray()
            while len(data) < records * RECORD_SIZE:
                data += pod.read(65536)
        self.records = records
        self.bytes = bytes(data[: records * RECORD_SIZE])
        self.digest = hashlib.sha256(self.bytes).hexdigest()

    def again(self, box: Path, of: str, here: Path) -> Process:
        request = PullRequest(token=TOKEN, path=of, records=self.records, digest=self.digest)
        return Process(box, pull_command(request), here)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    directory = tmp_path / "mixed"
    directory.mkdir()
    for number in range(8):
        (directory / f"file-{number}").write_bytes(os.urandom(5 * RECORD_SIZE + number))
    return directory


CONTINUES = ("dash-gnu", "bash-gnu", "dash-bsdtar", "busybox")


@pytest.mark.parametrize("kind", CONTINUES)
@pytest.mark.parametrize("records", [1, 7, 40])
def test_a_pull_continues_behind_what_is_here(box_of: BoxOf, kind: str, records: int, mixed: Path) -> None:
    box, of = box_of(kind), f"{mixed}/"
    lost = Lost(box, of, mixed, records)
    with lost.again(box, of, mixed) as pod:
        assert pod.line("hello").facts["resume"] == str(records)
        archive = lost.bytes + take(pod)
    assert trees.describe_archive(archive) == trees.describe(mixed)


@pytest.mark.parametrize("kind", [*CONTINUES, "toybox", "no-dd", "no-sum"])
@pytest.mark.parametrize("change", ["content", "time", "name", "none"])
def test_a_pull_whose_beginning_changed_or_cannot_be_compared_starts_over(
    box_of: BoxOf, kind: str, change: str, mixed: Path
) -> None:
    box, of = box_of(kind), f"{mixed}/"
    lost = Lost(box, of, mixed, 30)
    first = next(path for path in mixed.iterdir() if path.name.encode() in lost.bytes[: RECORD_SIZE // 2])
    match change:
        case "content":
            before = first.stat()
            content = first.read_bytes()
            first.write_bytes(content[:-1] + bytes((content[-1] ^ 1,)))
            os.utime(first, ns=(before.st_atime_ns, before.st_mtime_ns))
        case "time":
            os.utime(first, (1, 1))
        case "name":
            first.rename(first.with_name("renamed"))
    with lost.again(box, of, mixed) as pod:
        hello = pod.line("hello")
        archive = take(pod)
        if change == "none" and kind in CONTINUES:
            assert hello.facts["resume"] == "30"
        else:
            assert "resume" not in hello.facts
            assert trees.describe_archive(archive) == trees.describe(mixed)


@pytest.mark.parametrize("kind", ["dash-gnu", "bash-gnu", "busybox"])  # bsdtar fills up with zeros and ends with 0
def test_a_tar_that_fails_while_a_pull_continues_is_told_with_its_code(
    box_of: BoxOf, kind: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(4 * 1024 * 1024))
    box = box_of(kind)
    lost = Lost(box, "file", tmp_path, 1)
    with lost.again(box, "file", tmp_path) as pod:
        assert pod.line("hello").facts["resume"] == "1"
        pod.wait_until_blocked()
        os.truncate(file, 2 * 1024 * 1024)
        assert len(pod.until(trailer("1"))) > 2 * 1024 * 1024 - RECORD_SIZE
        pod.acknowledge()
        assert pod.exit_code() == 1


@pytest.mark.parametrize("kind", CONTINUES)
def test_a_client_that_vanishes_while_a_pull_continues_leaves_no_process(box_of: BoxOf, kind: str, mixed: Path) -> None:
    box, of = box_of(kind), f"{mixed}/"
    with Lost(box, of, mixed, 2).again(box, of, mixed) as pod:
        pod.line("hello")
        pod.wait_until_blocked()
        pod.stdin.close()
        assert pod.exit_code() != 0
        assert b"asynccp" not in pod.rest(), "all that could write to stdout has ended"

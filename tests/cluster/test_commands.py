"""Every command that runs in a pod: its argv, and what the machine's own shells and tars do when they run it."""

import contextlib
import dataclasses
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asynccp.cluster.commands import pull_argv, pull_name, push_argv
from asynccp.disk.read import read_chunk
from asynccp.disk.scan import scan
from asynccp.entry import Entry, Kind
from asynccp.options import RECORD_SIZE
from asynccp.plan.layout import ArchiveLayout
from asynccp.wire.dialogue import verdict
from asynccp.wire.exec import ExitStatus

from .. import trees
from . import boxes
from .boxes import TOKEN, Process


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
        ("~", "./~"),
    ],
)
def test_argv_of_a_push(path: str, argument: str) -> None:
    argv = push_argv(TOKEN, path, (7, 1), preserve_owner=False)
    assert argv[:2] == ["sh", "-c"]
    assert argv[3:] == ["sh", TOKEN, argument, "7", "1", "-xopf"]


def test_owners_are_kept_only_on_request() -> None:
    assert push_argv(TOKEN, "/x", (1, 0), preserve_owner=True)[-1] == "-xpf"
    assert push_argv(TOKEN, "/x", (1, 0), preserve_owner=False)[-1] == "-xopf"


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
    assert pull_argv(TOKEN, path, want_size=False)[3:] == ["sh", TOKEN, directory, name, ""]
    assert pull_argv(TOKEN, path, want_size=True)[3:] == ["sh", TOKEN, directory, name, "size"]
    assert pull_name(path) == first


@pytest.mark.parametrize("path", ["/etc/app", "-x", "$(reboot)"])
def test_the_scripts_are_fixed_text(path: str) -> None:
    """Whatever the path: it never becomes part of what a shell reads as its program."""
    assert (
        push_argv(TOKEN, path, (9, 9), preserve_owner=False)[:3] == push_argv("t", "/", (1, 0), preserve_owner=True)[:3]
    )
    assert pull_argv(TOKEN, path, want_size=True)[:3] == pull_argv("t", "/", want_size=False)[:3]


BoxOf = Callable[[str], Path]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that every user can enter, as pytest's own can't."""
    directory = Path(tempfile.mkdtemp(prefix="asynccp-boxes-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def box_of(place: Path) -> BoxOf:
    """Return the box of a kind; skip the test if the machine has not what belongs in it."""
    made = {kind: boxes.make(place, kind) for kind in boxes.ALL}

    def get(kind: str) -> Path:
        box = made[kind]
        return box if box is not None else pytest.skip(f"this machine can't be {kind}")

    return get


@pytest.fixture(params=boxes.WITH_TAR)
def box(request: pytest.FixtureRequest, box_of: BoxOf) -> Path:
    return box_of(request.param)


def push(box: Path, to: str, here: Path, records: tuple[int, int] = (1, 0), *, powerless: bool = False) -> Process:
    return Process(box, push_argv(TOKEN, to, records, preserve_owner=False), here, powerless=powerless)


def pull(box: Path, of: str, here: Path, *, want_size: bool = False, powerless: bool = False) -> Process:
    return Process(box, pull_argv(TOKEN, of, want_size=want_size), here, powerless=powerless)


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
        assert pod.line("hello").facts == {"count": count}
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
    if box.name == "toybox" and to in ("dangling", "loop"):
        problem = "not-writable"  # its mkdir -p says nothing there
    with push(box, str(tmp_path / to), tmp_path) as pod:
        assert_refused(pod, problem)
        assert (problem == "cannot-create") is bool(pod.said()), "the system's reason"


def test_a_destination_that_may_not_be_written(box: Path, place: Path) -> None:
    directory = Path(tempfile.mkdtemp(dir=place))
    directory.chmod(0o555)
    with push(box, str(directory), place, powerless=True) as pod:
        assert_refused(pod, "not-writable")
    with push(box, str(directory / "below"), place, powerless=True) as pod:
        assert_refused(pod, "cannot-create")
        assert "Permission denied" in pod.said()


def test_a_push_into_a_container_without_tar(box_of: BoxOf, tmp_path: Path) -> None:
    with push(box_of("no-tar"), "new", tmp_path) as pod:
        assert_refused(pod, "no-tar")
    assert not (tmp_path / "new").exists()


class Archive:
    """The archive of a tree, and where its members begin."""

    def __init__(self, source: Path | str) -> None:
        self.layout = ArchiveLayout(scan([str(source)])[0], TOKEN)
        self.records = self.layout.records
        self.bytes = b"".join(read_chunk(self.layout, index).message[1:] for index in range(self.layout.chunks))
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
    assert found.records[1] > 0, "links in directories take a second archive"
    return found


@pytest.mark.parametrize("to", ["to", "-rf $(touch oops)\n'x' \"y\"", "deep/er/to/"])
def test_a_push_is_complete_on_every_shell_and_tar(
    box: Path, to: str, tree: Path, archive: Archive, tmp_path: Path
) -> None:
    with push(box, to, tmp_path, archive.records) as pod:
        pod.line("hello")
        pod.stdin.write(archive.bytes)
        assert pod.line("done").facts == {"rc": "0", "sentinel": "yes"}, pod.said()
        assert pod.runs, "it waits for us"
        pod.acknowledge()
        assert pod.exit_code() == 0
        assert pod.rest() == b""
    assert trees.describe(tmp_path / to) == trees.describe(tree)  # the sentinel is gone
    assert not (tmp_path / "oops").exists()


def test_a_push_that_nothing_can_count_ends_with_stdin(
    box_of: BoxOf, tree: Path, archive: Archive, tmp_path: Path
) -> None:
    with push(box_of("no-count"), "to", tmp_path, archive.records) as pod:
        assert pod.line("hello").facts == {"count": "none"}
        pod.stdin.write(archive.bytes)
        pod.stdin.close()
        assert pod.line("done").facts == {"rc": "0", "sentinel": "yes"}, pod.said()
        assert pod.exit_code() == 0
    assert trees.describe(tmp_path / "to") == trees.describe(tree)


def test_a_push_over_what_is_there_replaces_it(box: Path, tree: Path, archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "to/links").mkdir(parents=True)
    (tmp_path / "to/plain").write_text("older")
    (tmp_path / "to/links/hard").write_text("older")
    (tmp_path / "to/untouched").write_text("ours")
    with push(box, "to", tmp_path, archive.records) as pod:
        pod.line("hello")
        pod.stdin.write(archive.bytes)
        assert pod.line("done").facts == {"rc": "0", "sentinel": "yes"}, pod.said()
        pod.acknowledge()
        assert pod.exit_code() == 0
    assert (tmp_path / "to/untouched").read_text() == "ours"
    (tmp_path / "to/untouched").unlink()
    assert trees.describe(tmp_path / "to") == trees.describe(tree)


def test_an_archive_that_comes_in_dribbles_is_counted_whole(box: Path, tmp_path: Path) -> None:
    archive = cut_tree(tmp_path)
    with push(box, "to", tmp_path, archive.records) as pod:
        pod.line("hello")
        for at in range(0, len(archive.bytes), 997):
            pod.stdin.write(archive.bytes[at : at + 997])
            os.sched_yield()
        assert pod.line("done").facts == {"rc": "0", "sentinel": "yes"}, pod.said()


@pytest.mark.parametrize("kind", ["toybox", "no-dd"])
def test_padding_that_comes_after_tar_has_left_is_not_taken_for_the_second_archive(
    box_of: BoxOf, kind: str, tmp_path: Path
) -> None:
    """GNU's and toybox's tar leave at the end marker, and what head still had to hand on stayed in stdin."""
    archive, sentinel = cut_tree(tmp_path), tmp_path / f"to/.asynccp-{TOKEN}"
    with push(box_of(kind), "to", tmp_path, archive.records) as pod:
        pod.line("hello")
        pod.stdin.write(archive.bytes[: RECORD_SIZE // 2])
        while not sentinel.exists():
            os.sched_yield()
        pod.stdin.write(archive.bytes[RECORD_SIZE // 2 :])
        assert pod.line("done").facts == {"rc": "0", "sentinel": "yes"}, pod.said()


@pytest.mark.parametrize("size", [0, RECORD_SIZE - 4 * 512, RECORD_SIZE - 4 * 512 + 1, 40 * RECORD_SIZE])
def test_the_count_is_exact_however_the_archive_fills_its_records(box: Path, size: int, tmp_path: Path) -> None:
    source = tmp_path / "a"
    source.write_bytes(os.urandom(size))
    archive = Archive(source)
    with push(box, "to", tmp_path, archive.records) as pod:
        pod.line("hello")
        pod.stdin.write(
            archive.bytes + b"ok\n"
        )  # our acknowledgement, sent before it is due, is no part of the archive
        assert pod.line("done").facts == {"rc": "0", "sentinel": "yes"}, pod.said()
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
    places = sorted([*archive.borders, *archive.sentinels, archive.records[0] * RECORD_SIZE])
    if box.name in ("toybox", "no-dd"):  # where head counts, the second archive is thrown away
        places = [at for at in places if at <= archive.sentinels[0]]
    complete = []
    for at in places:
        with push(box, "to", tmp_path, archive.records) as pod:
            pod.line("hello")
            pod.stdin.write(archive.bytes[:at])
            pod.stdin.close()
            done = pod.line("done")
            status = ExitStatus(pod.exit_code())
            complete += [at] if verdict(done, status, "") is None else []
            assert done.facts["sentinel"] == "no"
        shutil.rmtree(tmp_path / "to", ignore_errors=True)
    assert len(places) >= 8
    assert complete == []


@pytest.mark.parametrize("keep", [1, 511, 512 + 300, 2000, 3 * 512 + 1])
def test_a_push_whose_client_vanishes_leaves_no_process(box: Path, keep: int, tmp_path: Path) -> None:
    archive = cut_tree(tmp_path)
    with push(box, "to", tmp_path, archive.records) as pod:
        pod.line("hello")
        pod.stdin.write(archive.bytes[:keep])
        pod.stdin.close()
        done = pod.line("done")
        assert verdict(done, ExitStatus(pod.exit_code()), "") is not None
        assert pod.rest() == b"", "all that could write to stdout has ended"
    assert not (tmp_path / f"to/.asynccp-{TOKEN}").exists()


def test_a_push_whose_client_vanishes_at_once_leaves_no_process(box: Path, tmp_path: Path) -> None:
    with push(box, "to", tmp_path) as pod:
        pod.stdin.close()
        assert b"sentinel=no" in pod.rest()
        pod.exit_code()


def test_a_tar_that_fails_says_so_while_the_archive_still_comes(box: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    (source / "a/x").touch()
    (source / "a/link").symlink_to("x")
    (source / "z").write_bytes(b"\n" * 20 * RECORD_SIZE)
    (tmp_path / "to/a/x/in the way").mkdir(parents=True)
    archive = Archive(f"{source}/")
    assert archive.records[1], "the second archive must not make the failure of the first forgotten"
    with push(box, "to", tmp_path, archive.records) as pod:
        pod.line("hello")
        pod.stdin.write(archive.bytes)
        done = pod.line("done")
        assert done.facts["rc"] not in ("", "0")
        assert "x" in pod.said(), "tar's own words"
        with contextlib.suppress(BrokenPipeError):  # it may have taken a line of the archive for our acknowledgement
            pod.acknowledge()
        assert pod.exit_code() == int(done.facts["rc"])


# --- pull


def trailer(code: str = "0") -> bytes:
    return f"asynccp {TOKEN} done rc={code}\n".encode()


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
        assert pod.line("hello").facts == {"size": ""}
        archive = take(pod)
    found = trees.describe_archive(archive)
    if of == "{}":
        assert found.pop(b"tree").kind == "directory"
        found = {
            name.removeprefix(b"tree/"): dataclasses.replace(facts, same_as=facts.same_as.removeprefix(b"tree/"))
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


def test_a_symbolic_link_is_pulled_as_such(box: Path, tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    with pull(box, "dangling", tmp_path) as pod:
        pod.line("hello")
        assert trees.describe_archive(take(pod))[b"dangling"].content == "nowhere"


def test_the_size_is_told_on_request(box: Path, tmp_path: Path) -> None:
    (tmp_path / "a\n12").write_bytes(b"x" * 100_000)
    with pull(box, "a\n12", tmp_path, want_size=True) as pod:
        size = pod.line("hello").facts["size"]
        assert 90 <= int(size) <= 200
        take(pod)


def test_a_container_without_du_tells_no_size(box_of: BoxOf, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pull(box_of("no-du"), "a", tmp_path, want_size=True) as pod:
        assert pod.line("hello").facts == {"size": ""}
        take(pod)


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
            assert_refused(pod, "unreadable" if name != "closed/" else "missing")
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
        assert pod.exit_code() != 0


def test_a_pull_from_a_container_without_tar(box_of: BoxOf, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pull(box_of("no-tar"), "a", tmp_path) as pod:
        assert_refused(pod, "no-tar")


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
        assert pod.exit_code() == 1, "it waits for nobody"


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
    assert push_argv(TOKEN, "/x", layout.records, preserve_owner=False)[6:8] == ["11", "0"]

"""A container without tar: its shell reads what is framed, and writes what any tar reads. GNU tar is the judge."""

import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from asynccp.archive.bundle import TYPEFLAG, read_bundle
from asynccp.archive.format import ArchiveFormat
from asynccp.archive.framed import FRAMED, FRAMED_TEXT
from asynccp.archive.layout import ArchiveLayout
from asynccp.archive.plain import Whole
from asynccp.archive.tar import ArchiveEnd, Event, Member, TarDecoder
from asynccp.entry import Entry, Kind
from asynccp.limits import DEFAULT_LIMITS
from asynccp.local.read import fitted, read_chunk
from asynccp.local.scan import scan
from asynccp.options import RECORD_SIZE
from asynccp.remote.commands import PullRequest, PushRequest, lesson, pull_command, push_command

from .. import trees
from . import boxes
from .boxes import TOKEN, Process, counted

boxes.reap_nothing()
BoxOf = Callable[[str], Path]
UNCOUNTED = ("cat-no-tar", "toybox-no-tar")  # whose head takes more than it hands on
READY = {"sum": "sha256sum", "z": "", "named": "", "holds": "bytes"}


@pytest.fixture(params=boxes.WITHOUT_TAR)
def tarless(request: pytest.FixtureRequest, box_of: BoxOf) -> Path:
    return box_of(request.param)


@pytest.fixture(params=[kind for kind in boxes.WITHOUT_TAR if kind not in UNCOUNTED])
def counting(request: pytest.FixtureRequest, box_of: BoxOf) -> Path:
    return box_of(request.param)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with every kind of name, size, mode and link."""
    return trees.build(tmp_path_factory.mktemp("without") / "tree")


class Framed:
    """A tree as it is pushed to a container without tar. borders: where a line begins, or ends."""

    def __init__(self, source: Path, format: ArchiveFormat = FRAMED) -> None:  # noqa: A002 (the field's word)
        entries = format.ordered(scan([f"{source}/"]).entries)
        self.layout = ArchiveLayout(entries, TOKEN, fitted(format, entries))
        self.bytes = b"".join(read_chunk(self.layout, index).data for index in range(self.layout.chunks))
        pieces = list(self.layout.pieces(0, self.layout.size))
        self.borders = sorted(
            {at for one in pieces for at in (one.offset, one.offset + self.layout.format.header_size(one.entry))}
        )


def pushing(box: Path, to: Path, framed: Framed, *, preserve_owner: bool = False, powerless: bool = False) -> Process:
    """Begin a push; return when the pod has learned what it needs."""
    request = PushRequest(TOKEN, str(to), framed.layout.blocks, preserve_owner=preserve_owner)
    pod = Process(box, push_command(request), to.parent, powerless=powerless)
    assert pod.line("hello").facts == {"lacks": "tar"}
    pod.stdin.write(lesson(request))
    return pod


def pulling(box: Path, path: str, here: Path, *, powerless: bool = False) -> Process:
    request = PullRequest(token=TOKEN, path=path)
    pod = Process(box, pull_command(request), here, powerless=powerless)
    assert pod.line("hello").facts == {"lacks": "tar"}
    pod.stdin.write(lesson(request))
    return pod


def pulled(pod: Process) -> bytes:
    """Return the archive of a pull."""
    facts = pod.line("hello").facts
    assert facts["tar"] == "sh"
    archive = pod.until(f"\nasynccp {TOKEN} done rc=0 hidden=\n".encode().removeprefix(b"\n"))
    pod.acknowledge()
    assert pod.exit_code() == 0
    return archive[: -len(f"asynccp {TOKEN} done rc=0 hidden=\n")]


def decoded(archive: bytes) -> list[Event]:
    """Return what our decoder makes of an archive, however it is sliced."""
    events = list(TarDecoder(DEFAULT_LIMITS, bundles=True).feed(archive))
    decoder = TarDecoder(DEFAULT_LIMITS, bundles=True)
    sliced = [entry for at in range(0, len(archive), 997) for entry in entries_of(decoder.feed(archive[at : at + 997]))]
    assert sliced == entries_of(events)
    return events


def entries_of(events: Iterable[Event]) -> list[Entry]:
    return [one.entry for one in events if isinstance(one, Member | Whole)]


def expanded(archive: bytes) -> Iterator[bytes]:
    """Yield the pieces of an archive in which each file of a bundle is a member, as any tar has it."""
    at = 0
    while at < len(archive):
        header = archive[at : at + 512]
        size = int(header[124:135] or b"0", 8) if header.strip(b"\0") else 0
        stop = at + 512 + -(-size // 512) * 512
        if header[156:157] != TYPEFLAG:
            yield archive[at:stop]
        else:
            for one in read_bundle(archive[at + 512 : at + 512 + size]):
                info = tarfile.TarInfo(os.fsdecode(one.name))
                info.size, info.mode, info.mtime = len(one.content), one.mode, one.mtime_s
                info.uid, info.gid = one.uid, one.gid
                yield info.tobuf(tarfile.GNU_FORMAT, errors="surrogateescape")
                yield bytes(one.content) + bytes(-info.size % 512)
        at = stop


def unpacked(archive: bytes, to: Path) -> Path:
    """Have GNU tar unpack an archive, of whose every byte ours makes sense, too."""
    assert any(isinstance(one, ArchiveEnd) for one in decoded(archive))
    to.mkdir()
    plain = b"".join(expanded(archive))
    subprocess.run(["tar", "xpf", "-", "--delay-directory-restore", "-C", to], input=plain, check=True)
    return to


def with_program(box: Path, name: str, script: str, here: Path) -> Path:
    """Return a box that has a program of the test's own in place of another, which that one may call as `real`."""
    made = here / f"box-with-{name}"
    made.mkdir()
    for one in box.iterdir():
        (made / one.name).symlink_to(one.resolve())
    (made / "real").symlink_to((box / name).resolve())
    (made / name).unlink()
    (made / name).write_text(f"#!/bin/sh\n{script}\n")
    (made / name).chmod(0o755)
    return made


# --- push


def test_a_push_is_complete_on_every_shell(counting: Path, tree: Path, tmp_path: Path) -> None:
    framed = Framed(tree)
    assert framed.layout.blocks.second > 0
    with pushing(counting, tmp_path / "to", framed) as pod:
        assert pod.line("hello").facts == {"count": "sh", **READY}
        pod.stdin.write(framed.bytes)
        assert pod.put_in_place().facts["rc"] == "0", pod.said()
        pod.acknowledge()
        assert pod.exit_code() == 0
        assert pod.rest() == b""
    assert trees.describe(tmp_path / "to") == trees.describe(tree)
    assert not (tmp_path / "oops").exists()


def test_a_push_takes_neither_more_nor_less_than_its_own(counting: Path, tree: Path, tmp_path: Path) -> None:
    framed = Framed(tree)
    with pushing(counting, tmp_path / "to", framed) as pod:
        pod.line("hello")
        pod.stdin.write(framed.bytes + b"go\nok\n")
        pod.line("received")
        assert pod.line("done").facts["rc"] == "0", pod.said()
        assert pod.exit_code() == 0
    assert trees.describe(tmp_path / "to") == trees.describe(tree)


def test_a_push_that_is_cut_anywhere_is_not_complete(box_of: BoxOf, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "d").mkdir(parents=True)
    (source / "d/a").write_bytes(b"f 0644 0 0:0 3 ./fake\n" * 40)
    (source / "d/link").symlink_to("a")
    (source / "b").write_bytes(b"b" * 70_000)
    framed = Framed(source)
    for at in sorted({0, *framed.borders, *(one - 1 for one in framed.borders if one), 40_000} - {len(framed.bytes)}):
        with pushing(box_of("no-tar"), tmp_path / "to", framed) as pod:
            pod.line("hello")
            pod.stdin.write(framed.bytes[:at])
            pod.stdin.close()
            received = pod.line("received").facts
            assert (received["rc"], received["sentinel"]) != ("0", "yes"), at
            assert pod.exit_code() != 0
        assert not (tmp_path / "to").exists(), at


@pytest.mark.parametrize(
    "line", [b"x 0644 0 0:0 0 ./a\n", b"f 0644 0 0:0 x ./a\n", b"\n", b"d\n", b"f 9 0 0:0 0 ./a\n"]
)
def test_what_is_no_line_of_ours_ends_the_push(box_of: BoxOf, line: bytes, tree: Path, tmp_path: Path) -> None:
    framed = Framed(tree)
    with pushing(box_of("no-tar"), tmp_path / "to", framed) as pod:
        pod.line("hello")
        pod.stdin.write(line + framed.bytes)
        received = pod.line("received").facts
        assert (received["rc"], received["sentinel"]) != ("0", "yes")
    assert not (tmp_path / "to").exists()


TEXTS = {
    "a": "one\n",
    "b": "no newline",
    "c": "two of them\n\n",
    "c three": "three of them\n\n\n",
    "d*[d]?": " blanks and * [glob] $(patterns) \\0101 %s ",
    "e": "\n",
    "f": "",
    "g\nnewline": "x" * 16_384,
    "h": "y" * 16_385,
    "i": "z" * 16_000,
    "j": "\r\n\t",
    "k": "bell\x07",
    "l": "ünïcödé",
    "m": "separated\x01by it",
    "n": "nothing\x00",
    "o": "".join(map(chr, range(256))),
    "p": "\0" * 3000,
    "q": "\0" * 4000,
    "r": "\\" * 16_000,
    "s": "\\c\\0101\\n%s\\",
    **{f"many-{number:03}": f"of {number}\n" for number in range(401)},
    "zz": "the last one ends so\n\n",
}


@pytest.mark.parametrize("format_", [FRAMED, FRAMED_TEXT], ids=["bytes", "text"])
def test_small_files_come_together_and_are_what_they_were(
    counting: Path, format_: ArchiveFormat, tmp_path: Path
) -> None:
    (tmp_path / "source").mkdir()
    for number, (name, text) in enumerate(TEXTS.items()):
        (tmp_path / "source" / name).write_bytes(text.encode("latin-1" if name == "o" else "utf-8"))
        (tmp_path / "source" / name).chmod(0o600 + number % 3 * 0o44)
        os.utime(tmp_path / "source" / name, (0, number // 7))
    framed = Framed(tmp_path / "source", format_)
    assert framed.layout.format.encoded
    assert framed.bytes.count(b"b ") < 20
    with pushing(counting, tmp_path / "to", framed) as pod:
        pod.line("hello")
        pod.stdin.write(framed.bytes)
        assert pod.put_in_place().facts["rc"] == "0", pod.said()
    assert trees.describe(tmp_path / "to") == trees.describe(tmp_path / "source")


def test_many_directories_with_small_files_take_few_programs(
    box_of: BoxOf, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A program for each directory, and for each file between two, took 50 pods five times what a tar takes them."""
    box = counted(box_of("no-tar"), log := tmp_path_factory.mktemp("programs") / "log")
    for number in range(450):
        (tmp_path / f"source/{number}/below").mkdir(parents=True)
        (tmp_path / f"source/{number}/below/file").write_text(f"{number}\n")
    for path in (tmp_path / "source", *(tmp_path / "source").rglob("*")):
        os.utime(path, (0, 1000))
    framed = Framed(tmp_path / "source")
    with pushing(box, tmp_path / "to", framed) as pod:
        pod.line("hello")
        before = len(log.read_text().splitlines())
        pod.stdin.write(framed.bytes)
        received = pod.line("received").facts
        assert (received["rc"], len(log.read_text().splitlines()) - before < 60) == ("0", True), pod.said()
        pod.stdin.write(b"go\n")
        assert pod.line("done").facts["rc"] == "0", pod.said()
    assert trees.describe(tmp_path / "to") == trees.describe(tmp_path / "source")


def test_a_bundle_that_does_not_come_whole_ends_the_push(box_of: BoxOf, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a").write_text("one two\n")
    (tmp_path / "source/b").write_text("three\n")
    framed = Framed(tmp_path / "source")
    for other in (b"one\x01two", b"one\x00two"):  # to a shell NUL is nothing
        with pushing(box_of("no-tar"), tmp_path / "to", framed) as pod:
            pod.line("hello")
            pod.stdin.write(framed.bytes.replace(b"one two", other))
            received = pod.line("received").facts
            assert (received["rc"], received["sentinel"]) != ("0", "yes")
        assert not (tmp_path / "to").exists()


def test_a_disk_that_is_full_is_told_in_the_words_of_the_program(box_of: BoxOf, tree: Path, tmp_path: Path) -> None:
    full = with_program(
        box_of("no-tar"),
        "dd",
        'case "$*" in "bs=65535 "*) echo "dd: error writing: No space left on device" >&2; exit 1 ;; esac; real "$@"',
        tmp_path,
    )
    framed = Framed(tree)
    with pushing(full, tmp_path / "to", framed) as pod:
        pod.line("hello")
        pod.stdin.write(framed.bytes)
        assert pod.line("received").facts["rc"] == "1"
        assert "No space left on device" in pod.said()
    assert not (tmp_path / "to").exists()


INJECTED = (
    b"f 0644 0 0:0 5 ./../../../evil\nevil\n",
    b"f 0644 0 0:0 5 ./../../evil\nevil\n",
    b"s 0777 0 0:0 0 ./link ../../..\nf 0644 0 0:0 5 ./link/evil\nevil\n",
    b"h 0644 0 0:0 0 ./evil ./../../victim\n",
    b"b 33\n0644 0 0:0 ./../../../evil\x01evil\n\x01",
)


@pytest.mark.parametrize("fails", ["exit 1", "head -c 300 >/dev/null; exit 1"])
@pytest.mark.parametrize("content", INJECTED)
def test_what_a_file_holds_is_never_taken_for_what_is_to_be_done(
    box_of: BoxOf, content: bytes, fails: str, tmp_path: Path
) -> None:
    """A program that fails in the middle of a file leaves the rest of it where a line of ours belongs."""
    (tmp_path / "source").mkdir()
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / "source/a").write_bytes(b"\0" * 300 + content + b"\0" * 70_000)
    (tmp_path / "source/b").write_bytes(b"\0" * 300 + content * 10)
    box = with_program(box_of("no-tar"), "dd", f'case $PWD in */new) {fails} ;; esac; real "$@"', tmp_path)
    with pushing(box, tmp_path / "to", Framed(tmp_path / "source")) as pod:
        pod.line("hello")
        pod.stdin.write(Framed(tmp_path / "source").bytes)
        pod.stdin.close()
        received = pod.line("received").facts
        assert (received["rc"], received["sentinel"]) != ("0", "yes")
        pod.exit_code()
    assert not list(tmp_path.rglob("evil"))
    assert (tmp_path / "victim").stat().st_nlink == 1
    assert not (tmp_path / "to").exists()


def test_what_a_container_has_no_program_for_is_told(box_of: BoxOf, tree: Path, tmp_path: Path) -> None:
    poor = tmp_path / "poor"
    poor.mkdir()
    for one in box_of("no-tar").iterdir():
        if one.name not in ("touch", "chmod"):
            (poor / one.name).symlink_to(one.resolve())
    framed = Framed(tree)
    with pushing(poor, tmp_path / "to", framed) as pod:
        pod.line("hello")
        pod.stdin.write(framed.bytes)
        pod.put_in_place()
        said = pod.said()
        assert f"asynccp {TOKEN} lacks chmod\n" in said
        assert f"asynccp {TOKEN} lacks touch\n" in said
    assert trees.describe(tmp_path / "to").keys() == trees.describe(tree).keys()


@pytest.mark.parametrize("kind", UNCOUNTED)
def test_a_push_where_nothing_counts_names_the_program_that_would_do(
    box_of: BoxOf, kind: str, tree: Path, tmp_path: Path
) -> None:
    with pushing(box_of(kind), tmp_path / "to", Framed(tree)) as pod:
        assert pod.line("hello").facts == {"problem": "no-dd"}
    assert not (tmp_path / "to").exists()


# --- pull


def test_a_pull_is_complete_on_every_shell(tarless: Path, tree: Path, tmp_path: Path) -> None:
    with pulling(tarless, f"{tree}/", tmp_path) as pod:
        found = unpacked(pulled(pod), tmp_path / "back")
    assert trees.describe(found) == trees.describe(tree)


def test_a_single_file_and_a_named_directory_have_their_names(box_of: BoxOf, tree: Path, tmp_path: Path) -> None:
    for path, first in ((f"{tree}/plain", "plain"), (f"{tree}", "tree"), (f"{tree}/links", "links")):
        with pulling(box_of("no-tar"), path, tmp_path) as pod:
            archive = pulled(pod)
        names = {one.path.split(b"/")[0] for one in entries_of(decoded(archive))}
        assert names == {first.encode()}


def test_a_link_that_is_named_is_followed(box_of: BoxOf, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_text("here")
    (tmp_path / "link").symlink_to("real")
    with pulling(box_of("no-tar"), str(tmp_path / "link"), tmp_path) as pod:
        found = unpacked(pulled(pod), tmp_path / "back")
    assert (found / "link/file").read_text() == "here"
    assert not (found / "link").is_symlink()


def test_numbers_that_are_too_large_for_a_header(box_of: BoxOf, tmp_path: Path) -> None:
    """Of 8 GiB and more, before 1970, and of users beyond 2 million."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source/file").write_bytes(b"x")
    os.utime(tmp_path / "source/file", (0, -5))
    huge = with_program(
        box_of("no-tar"),
        "stat",
        'real "$@" | while read -r m s t u g rest; do case $m in 8*) s=8589934592 u=3000000 g=3000001 ;; esac; '
        'echo "$m $s $t $u $g $rest"; done',
        tmp_path,
    )
    with pulling(huge, f"{tmp_path}/source/", tmp_path) as pod:
        pod.line("hello")
        head = b""
        while len(head) < 4096:
            head += pod.read(4096 - len(head))
    _, entry = entries_of(TarDecoder(DEFAULT_LIMITS).feed(head))
    assert (entry.size, entry.mtime_s, entry.uid, entry.gid) == (8_589_934_592, -5, 3_000_000, 3_000_001)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/a.log").write_bytes(b"a" * 1000)
    (tmp_path / "logs/b.log").write_bytes(b"b" * 3_000_001)
    return tmp_path / "logs"


def lying(box: Path, by: int, here: Path) -> Path:
    """Return a box whose stat tells other sizes of files than they have."""
    told = 'real "$@" | while read -r m s rest; do case $m in 8*) s=$((s + BY)) ;; esac; echo "$m $s $rest"; done'
    return with_program(box, "stat", told.replace("BY", str(by)), here)


def test_a_file_that_lost_its_end_is_filled_up_and_named(box_of: BoxOf, logs: Path, tmp_path: Path) -> None:
    with pulling(lying(box_of("no-tar"), 10, tmp_path), f"{logs}/", tmp_path) as pod:
        pod.line("hello")
        archive = pod.until(f"asynccp {TOKEN} done rc=1 hidden=\n".encode())
        said = pod.said()
    for name in ("a", "b"):
        assert f"tar: ./{name}.log: File shrank by 10 bytes; padding with zeros\n" in said
    back = unpacked(archive[: archive.rindex(b"asynccp")], tmp_path / "back")
    assert (back / "a.log").read_bytes() == b"a" * 1000 + bytes(10)
    assert (back / "b.log").read_bytes() == b"b" * 3_000_001 + bytes(10)


def test_of_a_file_that_grew_comes_what_was_told(box_of: BoxOf, logs: Path, tmp_path: Path) -> None:
    for kind in ("no-tar", "head-no-tar"):
        here = tmp_path / kind
        here.mkdir()
        with pulling(lying(box_of(kind), -10, here), f"{logs}/", here) as pod:
            back = unpacked(pulled(pod), here / "back")
        assert (back / "a.log").read_bytes() == b"a" * 990
        assert (back / "b.log").read_bytes() == b"b" * 2_999_991


@pytest.mark.parametrize(("kind", "by"), [("head-no-tar", 10), ("cat-no-tar", 10), ("cat-no-tar", -10)])
def test_where_nothing_counts_a_size_that_was_wrong_ends_the_archive(
    box_of: BoxOf, kind: str, by: int, logs: Path, tmp_path: Path
) -> None:
    told = (
        'case "$*" in *%f*) real "$@" | while read -r m s rest; do case $m in 8*) s=$((s + BY)) ;; esac; '
        'echo "$m $s $rest"; done ;; *) real "$@" ;; esac'
    )
    box = with_program(box_of(kind), "stat", told.replace("BY", str(by)), tmp_path)
    with pulling(box, f"{logs}/", tmp_path) as pod:
        pod.line("hello")
        archive = pod.until(f"asynccp {TOKEN} done rc=3 hidden=\n".encode())
        assert "tar: short read\n" in pod.said()
    assert bytes(1024) not in archive


def test_what_changes_while_it_is_read_is_named(box_of: BoxOf, logs: Path, tmp_path: Path) -> None:
    touching = with_program(box_of("no-tar"), "dd", f'real "$@"; code=$?; touch {logs}/a.log; exit $code', tmp_path)
    with pulling(touching, f"{logs}/", tmp_path) as pod:
        pod.line("hello")
        pod.until(f"asynccp {TOKEN} done rc=1 hidden=\n".encode())
        assert "tar: ./a.log: file changed as we read it\n" in pod.said()


@pytest.mark.parametrize(
    ("meanwhile", "said", "comes"),
    [
        ("echo more >>b", "./b: file changed as we read it", b"bb\n"),
        ("echo >b", "./b: File shrank by 2 bytes; padding with zeros", b"\n\0\0"),
        ("echo BB >b", "./b: file changed as we read it", b"BB\n"),
        ("rm b", "./b: File removed before we read it", None),
        ("rm b; echo another >b", "./b: file changed as we read it", b"ano"),
    ],
)
def test_of_many_small_files_one_that_changes_is_named_and_the_others_are_what_they_were(
    box_of: BoxOf, meanwhile: str, said: str, comes: bytes | None, tmp_path: Path
) -> None:
    (tmp_path / "source").mkdir()
    files = {f"{letter}": letter.encode() * 2 + b"\n" for letter in "abcde"}
    for name, content in files.items():
        (tmp_path / "source" / name).write_bytes(content)
    script = f'case "$*" in *./b*) [ -e {tmp_path}/once ] || {{ : >{tmp_path}/once; {meanwhile}; }} ;; esac; real "$@"'
    box = with_program(box_of("no-tar"), "cat", script, tmp_path)
    with pulling(box, f"{tmp_path}/source/", tmp_path) as pod:
        pod.line("hello")
        archive = pod.until(f"asynccp {TOKEN} done rc=1 hidden=\n".encode())
        assert f"tar: {said}\n" in pod.said()
    found = unpacked(archive[: archive.rindex(b"asynccp")], tmp_path / "back")
    came = {one.name: one.read_bytes() for one in found.iterdir()}
    assert came.pop("b", None) == comes
    del files["b"]
    assert came == files


def test_what_can_not_be_read_is_named_and_the_rest_comes(box_of: BoxOf, place: Path, tmp_path: Path) -> None:
    source = place / f"closed-{tmp_path.name}"
    (source / "directory").mkdir(parents=True)
    (source / "directory/inside").touch()
    (source / "file\\n").write_text("secret")
    (source / "open").write_text("open")
    os.mkfifo(source / "pipe")
    (source / "file\\n").chmod(0)
    (source / "directory").chmod(0)
    with pulling(box_of("no-tar"), f"{source}/", place, powerless=True) as pod:
        pod.line("hello")
        archive = pod.until(f"asynccp {TOKEN} done rc=2 hidden=\n".encode())
        said = pod.said()
    (source / "directory").chmod(0o755)
    assert "tar: ./file\\\\n: Cannot open: Permission denied\n" in said
    assert "tar: ./directory: Cannot open: Permission denied\n" in said
    with tarfile.open(fileobj=io.BytesIO(b"".join(expanded(archive)))) as found:
        kinds = {one.name: one.type for one in found}
    assert kinds == {
        ".": tarfile.DIRTYPE,
        "./directory": tarfile.DIRTYPE,
        "./open": tarfile.REGTYPE,
        "./pipe": tarfile.FIFOTYPE,
    }


def test_more_names_than_one_program_takes(box_of: BoxOf, tmp_path: Path) -> None:
    for number in range(1001):
        (tmp_path / f"source/{number % 3}").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"source/{number % 3}/{number}").touch()
    with pulling(box_of("no-tar"), f"{tmp_path}/source/", tmp_path) as pod:
        members = entries_of(decoded(pulled(pod)))
    assert len({one.path for one in members}) == len(members) == 1005
    assert sum(one.kind is Kind.FILE for one in members) == 1001


@pytest.mark.parametrize("kind", ["no-tar", "bash-no-tar"])
@pytest.mark.parametrize("records", [1, 5, 20])
def test_a_pull_continues_behind_what_is_here(box_of: BoxOf, kind: str, records: int, tmp_path: Path) -> None:
    """In the middle of a bundle, too."""
    for number in range(150):
        (tmp_path / "source").mkdir(exist_ok=True)
        (tmp_path / f"source/{number}").write_bytes(os.urandom(9000 + number * 50))
    (tmp_path / "source/large").write_bytes(os.urandom(600_000))
    with pulling(box_of(kind), f"{tmp_path}/source/", tmp_path) as pod:
        whole = pulled(pod)
    beginning = whole[: records * RECORD_SIZE]
    digest = hashlib.sha256(beginning).hexdigest()
    request = PullRequest(token=TOKEN, path=f"{tmp_path}/source/", records=records, digest=digest)
    with Process(box_of(kind), pull_command(request), tmp_path) as pod:
        pod.line("hello")
        pod.stdin.write(lesson(request))
        assert pod.line("hello").facts["resume"] == str(records)
        end = f"asynccp {TOKEN} done rc=0 hidden=\n".encode()
        rest = pod.until(end)[: -len(end)]
        pod.acknowledge()
        assert pod.exit_code() == 0
    assert beginning + rest == whole


def test_a_pull_whose_client_is_gone_leaves_nothing(box_of: BoxOf, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/large").write_bytes(bytes(5_000_000))
    with pulling(box_of("no-tar"), f"{tmp_path}/source/", tmp_path) as pod:
        pod.line("hello")
        pod.wait_until_blocked()
        pod.stdin.close()
        pod.exit_code()


def test_a_pull_without_stat_names_it(box_of: BoxOf, tmp_path: Path) -> None:
    poor = tmp_path / "poor"
    poor.mkdir()
    for one in box_of("no-tar").iterdir():
        if one.name != "stat":
            (poor / one.name).symlink_to(one.resolve())
    (tmp_path / "file").touch()
    with pulling(poor, str(tmp_path / "file"), tmp_path) as pod:
        assert pod.line("hello").facts == {"problem": "no-stat"}

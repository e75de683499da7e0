"""One archive of all pods: valid whoever fails, whole or not there, and what it can't hold is each pod's failure."""

import errno
import io
import json
import os
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from asynccp.archive import zstd
from asynccp.archive.compression import codec_of
from asynccp.archive.format import TAR
from asynccp.entry import Entry, Kind
from asynccp.errors import DestinationError, UsageError
from asynccp.options import Attributes, Collecting, Options, Verification
from asynccp.report import Outcome, Report, Result
from asynccp.sinks import archive as archives
from asynccp.sinks.archive import Archive, Output
from asynccp.sinks.archivefile import ArchiveFile
from asynccp.sinks.base import Place
from asynccp.sinks.destinations import destination_of
from asynccp.sinks.ingest import Ingest
from asynccp.target import STANDARD_OUTPUT, Target, Transfer
from tests.archives import archive, directory, file, hard_link, sparse, symlink

MIB = 1024 * 1024
LARGE = os.urandom(2 * MIB)  # more than is kept in memory
PODS = ("web-0", "web-1")
MADE = (directory(b"log"), file(b"log/a", b"x" * 1000), file(b"log/big", LARGE), symlink(b"log/l", b"a"))
MORE = (
    hard_link(b"log/h", b"log/a"),
    sparse(b"log/s", 3 * MIB, b"2\n%d\n1000\n%d\n0\n" % (2 * MIB, 3 * MIB), b"y" * 1000),
)


def report(*outcomes: Outcome) -> Report:
    targets = [Transfer(Target("shop", pod, "main"), "/var/log") for pod in PODS]
    results = [
        Result(target, outcome, size=7, entries=2, error="" if outcome is Outcome.COMPLETE else "it was lost")
        for target, outcome in zip(targets, outcomes, strict=False)
    ]
    return Report("pull", results)


def pulled(destination: Archive, pod: str, *parts: bytes) -> None:
    """Take in what a pod sends; its archive is not ended where `parts` don't end it."""
    ingest = Ingest(destination.open(Place(directory=pod, name=b"log")), b"log")
    try:
        ingest.feed(b"".join(parts))
        if ingest.ended:
            ingest.finish()
    finally:
        ingest.abort()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.tar"


@pytest.fixture(params=[".tar", ".tar.gz", ".tgz", ".tar.zst"])
def packed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"out{request.param}"


def into(path: Path) -> Archive:
    destination = destination_of(str(path), Options(), is_archive=True)
    assert isinstance(destination, Archive)
    return destination


def unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".zst":
        return zstd.decompressor().decompress(data)
    return data if path.suffix == ".tar" else zlib.decompress(data, 31)


READERS = [
    one
    for one in (["tar"], ["bsdtar"], ["busybox", "tar"], ["toybox", "tar"])
    if shutil.which(one[0])
]  # fmt: skip


@pytest.mark.parametrize("reader", READERS, ids=lambda one: one[0])
def test_every_tar_reads_it(packed: Path, tmp_path: Path, reader: list[str]) -> None:
    destination = into(packed)
    for pod in PODS:
        pulled(destination, pod, archive(*MADE, *MORE))
    assert destination.finish(report(Outcome.COMPLETE, Outcome.COMPLETE)).ok
    to = tmp_path / "to"
    to.mkdir()
    read = subprocess.run([*reader, "xf", "-"], input=unpacked(packed), cwd=to, capture_output=True, check=False)
    assert (read.returncode, read.stderr) == (0, b"")
    for pod in PODS:
        there = to / pod / "log"
        assert (there / "a").read_bytes() == b"x" * 1000
        assert (there / "big").read_bytes() == LARGE
        assert (there / "s").read_bytes() == bytes(2 * MIB) + b"y" * 1000 + bytes(MIB - 1000)
        assert os.readlink(there / "l") == "a"
        assert os.path.samefile(there / "h", there / "a")
    assert [one["outcome"] for one in json.loads((to / "report.json").read_text())["pods"]] == ["complete"] * 2


@pytest.mark.parametrize(("name", "program"), [("out.tar.gz", "gzip"), ("out.tar.zst", "zstd")])
def test_the_programs_that_it_is_named_after_find_it_sound(tmp_path: Path, name: str, program: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"there is no {program}")
    destination = into(tmp_path / name)
    pulled(destination, "web-0", archive(*MADE))
    destination.finish(report(Outcome.COMPLETE))
    assert subprocess.run([program, "-t", tmp_path / name], capture_output=True, check=False).returncode == 0


def test_the_report_is_the_last_member_and_a_pod_that_failed_leaves_no_torn_one(packed: Path) -> None:
    destination = into(packed)
    pulled(destination, "web-0", archive(*MADE))
    pulled(destination, "web-1", directory(b"log"), file(b"log/a", b"whole"), file(b"log/big", LARGE)[:MIB])
    destination.finish(report(Outcome.COMPLETE, Outcome.FAILED))
    with tarfile.open(fileobj=io.BytesIO(unpacked(packed))) as tar:
        names = tar.getnames()
        told = tar.extractfile(tar.getmembers()[-1])
        assert told
        assert [one["outcome"] for one in json.loads(told.read())["pods"]] == ["complete", "failed"]
    assert names == [f"./web-0/log{name}" for name in ("", "/a", "/big", "/l")] + [
        "./web-1/log", "./web-1/log/a", "./report.json",
    ]  # fmt: skip


def test_nothing_stands_under_its_name_before_it_is_whole_and_nothing_beside_it_then(path: Path) -> None:
    destination = into(path)
    pulled(destination, "web-0", archive(*MADE))
    assert not path.exists()
    assert [one.name.startswith(".asynccp-") for one in path.parent.iterdir()] == [True]
    destination.finish(report(Outcome.COMPLETE))
    assert [one.name for one in path.parent.iterdir()] == ["out.tar"]
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_an_archive_of_nothing_is_not_kept(packed: Path) -> None:
    destination = into(packed)
    told = destination.finish(report(Outcome.FAILED, Outcome.FAILED))
    assert [one.error for one in told.results] == ["it was lost"] * 2, "the causes of their own"
    assert list(packed.parent.iterdir()) == []


def test_a_run_that_ends_in_a_defect_leaves_nothing(packed: Path) -> None:
    destination = into(packed)
    pulled(destination, "web-0", archive(*MADE))
    destination.close()
    assert list(packed.parent.iterdir()) == []
    destination.close()


def test_what_came_to_stand_under_its_name_meanwhile_is_not_replaced(path: Path) -> None:
    destination = into(path)
    pulled(destination, "web-0", archive(*MADE))
    path.write_text("another run's")
    told = destination.finish(report(Outcome.COMPLETE))
    assert (told.exit_code, told.results[0].error) == (1, f"{path} can't be written: there is one by now")
    assert [one.name for one in path.parent.iterdir()] == ["out.tar"]
    assert path.read_text() == "another run's"


def test_what_a_killed_run_left_goes_with_the_next_one(path: Path) -> None:
    destination = into(path)
    pulled(destination, "web-0", archive(*MADE))
    (left,) = path.parent.iterdir()
    killed = left.with_name(left.name)
    copy = killed.read_bytes()
    destination.close()
    killed.write_bytes(copy)  # as nobody holds it any more
    again = into(path)
    pulled(again, "web-0", archive(*MADE))
    again.finish(report(Outcome.COMPLETE))
    assert [one.name for one in path.parent.iterdir()] == ["out.tar"]


class Full:
    """An output whose disk is full after so many bytes, or when it is ended."""

    name, patience_s = "out.tar", 1.0

    def __init__(self, room: int) -> None:
        self._room = room
        self.is_there = False

    def begin(self) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def finish(self) -> None:
        self.write(b"x")
        self.is_there = True

    def discard(self) -> None:
        pass


def whole_size() -> int:
    """Return the bytes of an archive of one pod and its report."""
    output = Full(1 << 40)
    destination = Archive(output, Attributes(), has_report=True)
    pulled(destination, "web-0", archive(*MADE))
    destination.finish(report(Outcome.COMPLETE))
    return (1 << 40) - output._room


@pytest.mark.parametrize("missing", [1, 2, 1025, 1500, 4000])
def test_a_disk_that_is_full_at_the_very_end_fails_what_was_complete(missing: int) -> None:
    output = Full(whole_size() - missing)
    destination = Archive(output, Attributes(), has_report=True)
    try:
        pulled(destination, "web-0", archive(*MADE))
    except DestinationError:
        assert missing == 4000, "only then it is the pod's own members that have no room"
    told = destination.finish(report(Outcome.COMPLETE))
    assert (told.exit_code, told.results[0].outcome) == (1, Outcome.FAILED)
    assert told.results[0].error == "out.tar can't be written: No space left on device"
    assert (told.results[0].entries, told.results[0].size) == (0, 0), "it stands nowhere"
    assert not output.is_there


def test_a_disk_that_is_full_in_the_middle_fails_the_pod_at_once_and_leaves_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = into(path)
    pulled(destination, "web-0", archive(*MADE))
    monkeypatch.setattr("asynccp.sinks.archivefile.write_all", _full)
    with pytest.raises(DestinationError, match="can't be written: No space left on device"):
        pulled(destination, "web-1", archive(*MADE))
    told = destination.finish(report(Outcome.COMPLETE, Outcome.FAILED))
    assert [one.outcome for one in told.results] == [Outcome.FAILED, Outcome.FAILED]
    assert told.results[1].error == "it was lost", "it has a cause of its own"
    assert list(path.parent.iterdir()) == []


def _full(fd: int, data: bytes) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_place_that_is_gone_fails_the_pods(tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    destination = into(tmp_path / "a-file" / "out.tar")
    with pytest.raises(DestinationError, match=r"out\.tar can't be written"):
        pulled(destination, "web-0", archive(*MADE))
    destination.finish(report(Outcome.FAILED))


def test_a_file_of_more_than_8_gib_has_a_header_that_every_tar_reads(tmp_path: Path) -> None:
    size = 9 * 1024**3
    header = TAR.encode_header(Entry(b"web-0/big", Kind.FILE, size, mtime_ns=10**18))
    for reader in READERS:
        if reader[0] == "toybox":
            continue  # it lists when all has come
        listed = subprocess.run([*reader, "tvf", "-"], input=header, capture_output=True, check=False)
        assert str(size).encode() in listed.stdout, reader
    with tarfile.open(fileobj=io.BytesIO(header)) as tar:
        member = tar.next()
        assert member
        assert member.size == size


class Standing:
    """An output that takes nothing more after a while."""

    name, patience_s = "standard output", 0.1

    def __init__(self) -> None:
        self.go = Event()

    def begin(self) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.go.wait(30)

    def finish(self) -> None:
        pass

    def discard(self) -> None:
        pass


@pytest.fixture
def standing() -> Iterator[Standing]:
    output = Standing()
    yield output
    output.go.set()


def test_a_reader_that_stands_still_at_the_end_is_given_up_in_words(standing: Standing) -> None:
    destination = Archive(standing, Attributes())
    destination.open(Place(directory="web-0", name=b"a"))
    sink = destination.open(Place(directory="web-0", name=b"a"))
    sink.begin(Entry(b"a", Kind.FILE, 1))
    sink.write(memoryview(b"x"))
    sink.end()
    told = destination.finish(report(Outcome.INTERRUPTED, Outcome.COMPLETE))
    assert [one.outcome for one in told.results] == [Outcome.INTERRUPTED, Outcome.FAILED]
    assert told.results[1].error == "standard output can't be written: its reader has stood still for 0 s"


def test_pods_wait_while_the_output_does(standing: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "QUEUED_SIZE", 10_000)
    destination = Archive(standing, Attributes())
    sink = destination.open(Place(directory="web-0", name=b"a"))
    assert not sink.is_full()
    sink.begin(Entry(b"a", Kind.FILE, 20_000))
    sink.write(memoryview(bytes(20_000)))
    sink.end()
    assert sink.is_full(), "and is asked again, until there is room"
    standing.go.set()
    steps = sink.finish(())
    assert all(step == 0 for step in steps)
    assert not sink.is_full()


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.tar", ""),
        ("a.tar.gz", "gzip"),
        ("a.tgz", "gzip"),
        ("a.tar.zst", "zstd"),
        ("/x.zip/a.tar", ""),
        ("a.gz.tar", ""),
    ],
)
def test_an_archives_name_says_how_it_is_compressed(name: str, codec: str) -> None:
    assert codec_of(name) == codec


@pytest.mark.parametrize("name", ["a", "a.zip", "a.tar.xz", "a.gz", "a.zst", "a.tar/", "a.TAR", "", ".tar", "x/.tgz"])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"ends with \.tar, \.tar\.gz, \.tgz, \.tar\.zst"):
        codec_of(name)


def test_what_is_in_an_archive_can_not_be_compared(path: Path) -> None:
    options = Options(verification=Verification(checksum=True))
    with pytest.raises(UsageError, match="archive can't be compared"):
        destination_of(str(path), options, is_archive=True)
    assert list(path.parent.iterdir()) == []


def test_an_archive_is_no_mirror(path: Path) -> None:
    options = Options(collecting=Collecting(mirror=True))
    for name, is_archive in ((str(path), True), (STANDARD_OUTPUT, False)):
        with pytest.raises(UsageError, match="an archive has nothing that a mirror could remove"):
            destination_of(name, options, is_archive=is_archive)
    assert list(path.parent.iterdir()) == []


def test_outputs_are_outputs(path: Path) -> None:
    made: list[Callable[[], Output]] = [lambda: ArchiveFile(str(path)), lambda: Full(0), Standing]
    assert all(one().name for one in made)

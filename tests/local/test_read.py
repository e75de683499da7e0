"""The archive as it is read from disk: what tar makes of it, and what happens when a file is no longer as it was."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from asynccp.archive.layout import ArchiveLayout
from asynccp.errors import SourceChanged
from asynccp.local.read import read_chunk, read_content
from asynccp.local.scan import scan
from asynccp.options import CHUNK_SIZE

from .. import trees
from ..archive.reference import TOKEN, reference

TARS = [path for name in ("tar", "bsdtar", "busybox") if (path := shutil.which(name))]


def layout_of(*sources: Path | str) -> ArchiveLayout:
    return ArchiveLayout(scan([str(source) for source in sources])[0], TOKEN)


def read_all(layout: ArchiveLayout) -> bytes:
    chunks = [read_chunk(layout, index) for index in range(layout.chunks)]
    assert [chunk.index for chunk in chunks] == list(range(layout.chunks))
    assert [chunk.size for chunk in chunks[:-1]] == [CHUNK_SIZE] * (layout.chunks - 1)
    archive = b"".join(chunk.data for chunk in chunks)
    assert len(archive) == layout.size == sum(chunk.size for chunk in chunks)
    return archive


def run_tar(program: str, options: Sequence[str], archive: bytes) -> bytes:
    argv = [program, "tar", *options] if Path(program).name == "busybox" else [program, *options]
    return subprocess.run(argv, input=archive, capture_output=True, check=True, timeout=30).stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with every kind of name, size, mode and link."""
    return trees.build(tmp_path_factory.mktemp("read") / "tree")


@pytest.fixture(scope="module")
def archive(tree: Path) -> bytes:
    return read_all(layout_of(f"{tree}/"))


@pytest.mark.parametrize("program", TARS)
def test_every_tar_extracts_what_was_on_disk(program: str, tree: Path, archive: bytes, tmp_path: Path) -> None:
    run_tar(program, ["-xpf", "-", "-C", str(tmp_path)], archive)
    (sentinel,) = tmp_path.glob(f".asynccp-{TOKEN}-*")
    assert sentinel.read_bytes() == b""
    sentinel.unlink()
    found, wanted = trees.describe(tmp_path), trees.describe(tree)
    if "busybox" in program:  # it settles directories with the second archive, which is a second tar's
        found, wanted = (
            {name: one for name, one in facts.items() if one.kind != "directory"} for facts in (found, wanted)
        )
    assert found == wanted


def test_gnu_tar_lists_every_entry_in_order(tree: Path, archive: bytes) -> None:
    listed = run_tar("tar", ["--quoting-style=literal", "--show-transformed-names", "-tf", "-"], archive)
    names = [b"./" + entry.path + (b"/" if entry.kind.value == "directory" else b"") for entry in scan([f"{tree}/"])[0]]
    assert listed.startswith(b"\n".join(names) + b"\n")


def test_what_is_read_is_the_archive_of_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    Path("d/empty").touch()
    Path("d/link").symlink_to("empty")
    entries = scan(["d"])[0]
    assert read_all(ArchiveLayout(entries, TOKEN)) == reference(entries)


def test_a_chunk_in_the_middle_of_a_huge_file_is_read_alone(tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(9 * 1024**3)
        file.seek(5 * 1024**3)
        file.write(b"in the middle")
    chunk = read_chunk(layout_of(huge), 5 * 1024**3 // CHUNK_SIZE)
    assert bytes(chunk.data)[512:].rstrip(b"\0") == b"in the middle"


SIZE = CHUNK_SIZE + 1000  # it ends in the second chunk


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def touch(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def rewrite(path: Path) -> None:
    path.write_bytes(b"y" * path.stat().st_size)
    touch(path)


def remove(path: Path) -> None:
    path.unlink()


def replace_by_link(path: Path) -> None:
    path.symlink_to(path.rename(path.with_name("moved")))


def replace_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def remove_directory(path: Path) -> None:
    shutil.rmtree(path.parent)


def replace_by_one_like_it(path: Path) -> None:
    """As `mv` of a file that a reproducible build made: size and mtime are the same."""
    status, new = path.stat(), path.with_name("new")
    new.write_bytes(b"y" * status.st_size)
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.rename(path)


def rewrite_and_set_the_time_back(path: Path) -> None:
    status = path.stat()
    wait_for_the_clock(path)
    path.write_bytes(b"y" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace_directory_by_link(path: Path) -> None:
    """To one in which a file of this name has the same size and mtime: another's secret, for instance."""
    secret = path.parent.with_name("secret")
    shutil.copytree(path.parent, secret)
    path.parent.rename(path.parent.with_name("moved"))
    path.parent.symlink_to(secret)


def replace_directory(path: Path) -> None:
    replace_directory_by_link(path)
    secret = path.parent.resolve()
    path.parent.unlink()
    secret.rename(path.parent)


def wait_for_the_clock(path: Path) -> None:
    """Wait until a change gets another time than the last one: the kernel's clock for files ticks every few ms."""
    probe, before = path.with_name("probe"), path.stat().st_ctime_ns
    probe.touch()
    while probe.stat().st_ctime_ns <= before:
        probe.touch()
    probe.unlink()


CHANGES = [grow, shrink, empty, touch, rewrite, remove, replace_by_link, replace_by_fifo, replace_by_directory]
CHANGES += [remove_directory, replace_by_one_like_it, rewrite_and_set_the_time_back]
CHANGES += [replace_directory_by_link, replace_directory]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    path = tmp_path / "logs/a\n.log"
    path.write_bytes(b"z" * SIZE)
    return path


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changed_after_the_scan_is_named(log: Path, change: Callable[[Path], None]) -> None:
    layout = layout_of(log.parent)
    change(log)
    with pytest.raises(SourceChanged, match=r"/logs/a\\n\.log "):
        read_chunk(layout, 0)


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_is_read_whole_unless_it_changed_after_the_scan(log: Path, change: Callable[[Path], None]) -> None:
    (entry,) = layout_of(log).entries
    assert read_content(entry) == log.read_bytes()
    change(log)
    with pytest.raises(SourceChanged, match=r"/logs/a\\n\.log "):
        read_content(entry)


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_between_two_chunks_is_named(log: Path, change: Callable[[Path], None]) -> None:
    layout = layout_of(log.parent)
    assert read_chunk(layout, 0).size == CHUNK_SIZE
    change(log)
    with pytest.raises(SourceChanged, match=r"/logs/a\\n\.log "):
        read_chunk(layout, 1)


@pytest.mark.parametrize("change", [grow, shrink, empty, touch, rewrite, rewrite_and_set_the_time_back])
def test_a_file_that_changes_while_it_is_read_is_named(
    log: Path, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, preadv = layout_of(log.parent), os.preadv

    def change_then_read(descriptor: int, *arguments: Any) -> int:
        change(log)
        return preadv(descriptor, *arguments)

    monkeypatch.setattr(os, "preadv", change_then_read)
    with pytest.raises(SourceChanged, match=r"/logs/a\\n\.log "):
        read_chunk(layout, 0)


@pytest.mark.parametrize("change", [grow, remove, replace_by_link, replace_by_fifo])
def test_an_empty_file_that_changed_is_named_too(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "a\n.log"
    path.touch()
    layout = layout_of(path)
    change(path)
    with pytest.raises(SourceChanged, match=r"/a\\n\.log "):
        read_chunk(layout, 0)


def test_a_disk_that_gives_little_at_a_time_is_read_to_the_end(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout, preadv = layout_of(log), os.preadv
    whole = read_all(layout)

    def read_little(descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        return preadv(descriptor, [buffers[0][:100_000]], offset)

    monkeypatch.setattr(os, "preadv", read_little)
    assert read_all(layout) == whole


def test_reading_leaves_no_file_open(log: Path) -> None:
    layout = layout_of(log)
    before = os.listdir("/dev/fd")
    read_all(layout)
    grow(log)
    with pytest.raises(SourceChanged):
        read_chunk(layout, 0)
    assert len(os.listdir("/dev/fd")) == len(before)

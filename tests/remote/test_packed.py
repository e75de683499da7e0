"""The scripts with compression, in the machine's own shells, with its own tars: nothing torn is ever whole."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

from asynccp.archive.compression import CODECS, GZIP, ZSTD, Unpacker
from asynccp.archive.layout import ArchiveLayout, Blocks
from asynccp.local.pack import Packing
from asynccp.local.scan import scan
from asynccp.options import RECORD_SIZE
from asynccp.remote.commands import PullRequest, PushRequest, pull_command, push_command
from asynccp.remote.dialogue import verdict
from asynccp.remote.messages import Received
from asynccp.status import ExitStatus

from .. import trees
from . import boxes
from .boxes import TOKEN, Process

CODEC_OF = {"dash-gnu": GZIP, "bash-gnu": GZIP, "dash-bsdtar": GZIP, "busybox": GZIP, "dash-gnu-zstd": ZSTD}
boxes.reap_nothing()
BoxOf = Callable[[str], Path]
TRAILER = f"asynccp {TOKEN} done rc=0 hidden=\n".encode()
IN_PLACE = {"rc": "0", "settled": "yes", "handed": "yes", "barred": "0", "overwritten": "0"}


@pytest.fixture(scope="module")
def box_of() -> Iterator[BoxOf]:
    place = Path(tempfile.mkdtemp(prefix="asynccp-boxes-"))
    made = {kind: boxes.make(place, kind) for kind in {*boxes.WITH_TAR, *CODEC_OF}}

    def get(kind: str) -> Path:
        found = made[kind]
        return found if found is not None else pytest.skip(f"this machine can't be {kind}")

    yield get
    shutil.rmtree(place)


@pytest.fixture(params=CODEC_OF)
def box(request: pytest.FixtureRequest, box_of: BoxOf) -> Path:
    return box_of(request.param)


class Packed:
    """A push as it is sent; `borders`: where its parts begin."""

    def __init__(self, source: str, codec: str) -> None:
        layout = ArchiveLayout(scan([source])[0], TOKEN)
        packing = Packing(layout, codec)
        self.blocks, self.sent = layout.blocks, layout.sent
        self.parts = [bytes(packing.read(index).data) for index in range(packing.parts)]
        self.bytes = b"".join(self.parts)
        self.borders = [sum(map(len, self.parts[:index])) for index in range(len(self.parts))]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with everything, and with random bytes and text, so that parts are packed and raw."""
    tree = trees.build(tmp_path_factory.mktemp("packed") / "tree")
    (tree / "a-random").write_bytes(os.urandom(2_500_000))
    (tree / "b-text").write_bytes(b"a line of text\n" * 150_000)
    return tree


@pytest.fixture
def packed(box: Path, tree: Path) -> Packed:
    found = Packed(f"{tree}/", CODEC_OF[box.name])
    assert found.blocks.second > 0, "links in directories take a second archive"
    assert {part[:1] for part in found.parts} == {b"z", b"r"}
    return found


def push(box: Path, here: Path, blocks: Blocks) -> Process:
    return Process(box, push_command(PushRequest(token=TOKEN, directory="to", blocks=blocks, codecs=CODECS)), here)


def test_a_packed_push_is_complete_on_every_shell_and_tar(
    box: Path, tree: Path, packed: Packed, tmp_path: Path
) -> None:
    with push(box, tmp_path, packed.blocks) as pod:
        assert pod.line("hello").facts["z"] == CODEC_OF[box.name]
        # Our lines, sent before they are due, are no part of the archive.
        pod.stdin.write(packed.bytes + b"go\nok\n")
        entries, size = packed.sent.split("-")
        received = {"rc": "0", "sentinel": "yes", "entries": entries, "bytes": size}
        assert pod.line("received").facts == received, pod.said()
        assert pod.line("done").facts == IN_PLACE, pod.said()
        assert pod.exit_code() == 0
    assert trees.describe(tmp_path / "to") == trees.describe(tree)


@pytest.mark.parametrize("kind", ["toybox", "no-dd"])
def test_a_container_without_dd_says_that_the_archive_must_come_as_it_is(
    box_of: BoxOf, kind: str, tmp_path: Path
) -> None:
    with push(box_of(kind), tmp_path, Blocks(65536, 1, 0)) as pod:
        assert pod.line("hello").facts["z"] == ""


def test_a_packed_push_that_comes_in_dribbles_is_whole(box: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text\n" * 2000)
    packed = Packed(str(tmp_path / "a"), CODEC_OF[box.name])
    with push(box, tmp_path, packed.blocks) as pod:
        pod.line("hello")
        for byte in packed.bytes:
            pod.stdin.write(bytes((byte,)))
        assert pod.put_in_place().facts == IN_PLACE, pod.said()


def test_a_packed_push_that_is_cut_anywhere_is_not_complete(box: Path, packed: Packed, tmp_path: Path) -> None:
    size = len(packed.bytes)
    places = {*packed.borders, *(at + 1 for at in packed.borders), *range(1, size, size // 9), size - 1, size - 9}
    for at in sorted(places):
        with push(box, tmp_path, packed.blocks) as pod:
            pod.line("hello")
            pod.stdin.write(packed.bytes[:at])
            pod.stdin.close()
            received = pod.line("received")
            assert (received.facts["rc"], received.facts["sentinel"]) != ("0", "yes"), at
            assert verdict(Received.read(received.facts), ExitStatus(pod.exit_code()), pod.said()) is not None, at


def test_a_packed_part_that_is_not_what_was_sent_is_told_by_its_check_sum(box: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text\n" * 200_000)
    packed = Packed(str(tmp_path / "a"), CODEC_OF[box.name])
    assert packed.parts[-1][:1] == b"z"
    torn = bytearray(packed.bytes)
    torn[-2 if CODEC_OF[box.name] == ZSTD else -6] ^= 1  # in the last part's check sum
    with push(box, tmp_path, packed.blocks) as pod:
        pod.line("hello")
        pod.stdin.write(torn)
        received = pod.line("received").facts
        if CODEC_OF[box.name] == GZIP:
            assert (received["rc"], received["sentinel"]) == ("1", "yes"), "tar has everything by then"
        assert received["rc"] != "0"
        said = pod.said().lower()
        assert "crc" in said or "checksum" in said


@pytest.mark.parametrize("line", [b"x 3\nabc", b"z\n", b"r 0\n", b"z -1 +\n", b"$(touch oops) 1\n"])
def test_what_is_no_part_ends_the_push(box: Path, line: bytes, tmp_path: Path) -> None:
    with push(box, tmp_path, Blocks(65536, 1, 0)) as pod:
        pod.line("hello")
        pod.stdin.write(line)
        assert pod.line("received").facts["sentinel"] == "no"
    assert not (tmp_path / "oops").exists()


def test_a_tar_that_fails_early_says_so_while_more_is_sent(box_of: BoxOf, tmp_path: Path) -> None:
    box = tmp_path / "box"
    shutil.copytree(box_of("dash-gnu"), box, symlinks=True)
    (box / "tar").unlink()
    (box / "tar").write_text("#!/bin/sh\necho 'tar: No space left on device' >&2\nexit 2\n")
    (box / "tar").chmod(0o755)
    with push(box, tmp_path, Blocks(65536, 100, 0)) as pod:
        pod.line("hello")
        pod.stdin.write(b"r 300000 +\n" + bytes(300_000))  # more than a pipe takes: dd hears that nobody reads
        assert pod.line("received").facts == {"rc": "2", "sentinel": "no", "entries": "", "bytes": ""}
        assert "No space left" in pod.said()


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    directory = tmp_path / "logs"
    directory.mkdir()
    for number in range(5):
        (directory / f"file-{number}").write_bytes(b"%d: a line of a log\n" % number * 40_000)
    return directory


def pull(box: Path, of: Path, *, records: int = 0, digest: str = "") -> Process:
    request = PullRequest(token=TOKEN, path=f"{of}/", records=records, digest=digest, codecs=CODECS)
    return Process(box, pull_command(request), of)


def unpacked(box: Path, data: bytes) -> bytes:
    return b"".join(Unpacker(CODEC_OF[box.name]).feed(data))


def test_a_packed_pull_is_complete_on_every_shell_and_tar(box: Path, logs: Path) -> None:
    with pull(box, logs) as pod:
        assert pod.line("hello").facts["z"] == CODEC_OF[box.name]
        came = pod.until(TRAILER)
        assert pod.runs, "it waits for us"
        pod.acknowledge()
        assert pod.exit_code() == 0
    assert len(came) < 0.2 * sum(path.stat().st_size for path in logs.iterdir())
    assert trees.describe_archive(unpacked(box, came).removesuffix(TRAILER)) == trees.describe(logs)


def test_a_packed_pull_continues_behind_what_is_here(box: Path, logs: Path) -> None:
    with pull(box, logs) as pod:
        pod.line("hello")
        whole = unpacked(box, pod.until(TRAILER)).removesuffix(TRAILER)
    had = whole[: 7 * RECORD_SIZE]
    with pull(box, logs, records=7, digest=hashlib.sha256(had).hexdigest()) as pod:
        facts = pod.line("hello").facts
        assert (facts["resume"], facts["z"]) == ("7", CODEC_OF[box.name])
        rest = unpacked(box, pod.until(TRAILER)).removesuffix(TRAILER)
    assert had + rest == whole


@pytest.mark.parametrize("kind", ["dash-gnu", "bash-gnu"])  # bsdtar fills up with zeros and ends with 0
def test_a_tar_that_fails_in_a_packed_pull_is_told_with_its_code(box_of: BoxOf, kind: str, logs: Path) -> None:
    with open(logs / "file-9", "wb") as file:
        file.write(os.urandom(4 * 1024 * 1024))
    with pull(box_of(kind), logs) as pod:
        pod.line("hello")
        pod.wait_until_blocked()
        os.truncate(logs / "file-9", 2 * 1024 * 1024)
        for path in logs.glob("file-[0-4]"):
            os.truncate(path, 0)
        came = pod.until(TRAILER.replace(b"rc=0", b"rc=1"))
        assert pod.runs, "it waits for us: what has come may be all but one file"
        pod.acknowledge()
        assert pod.exit_code() == 1
    assert b"asynccp" in came


def test_a_client_that_vanishes_leaves_no_process(box: Path, logs: Path) -> None:
    (logs / "random").write_bytes(os.urandom(4 * 1024 * 1024))
    with pull(box, logs) as pod:
        pod.line("hello")
        pod.stdin.close()  # 4 MiB that don't shrink wait for us: no pipe takes them
        pod.exit_code()


def test_what_the_pod_compresses_is_one_stream_that_its_own_program_unpacks(box: Path, logs: Path) -> None:
    with pull(box, logs) as pod:
        pod.line("hello")
        came = pod.until(TRAILER).removesuffix(TRAILER)
    codec = CODEC_OF[box.name]
    whole = subprocess.run([box / codec, "-dc"], executable=shutil.which(codec), input=came, stdout=PIPE, check=True)
    assert trees.describe_archive(whole.stdout) == trees.describe(logs)


def test_zstd_compresses_with_one_of_the_nodes_cpus(box_of: BoxOf, logs: Path, tmp_path: Path) -> None:
    box = tmp_path / "box"
    shutil.copytree(box_of("dash-gnu"), box, symlinks=True)
    (box / "zstd").write_text('#!/bin/sh\necho "threads: $ZSTD_NBTHREADS" >&2\nexec cat\n')
    (box / "zstd").chmod(0o755)
    with pull(box, logs) as pod:
        assert pod.line("hello").facts["z"] == ZSTD
        pod.until(TRAILER)
        assert "threads: 1" in pod.said().splitlines()

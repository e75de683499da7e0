"""Copies that are compressed: complete as others are, or not at all; and which of them are, when nobody said so."""

import gzip
import sys
from pathlib import Path

import anyio
import pytest

from asynccp.archive.compression import CODECS, GZIP, PIECE_SIZE, ZSTD
from asynccp.engine.pull import pull
from asynccp.engine.push import push
from asynccp.entry import Entry, Kind
from asynccp.options import Compression, Concurrency, Failures, Options
from asynccp.report import Outcome, Result

from ..archive.reference import member
from .scripted import TOKEN, Pod, Recorder, pull_plan, push_plan, puts_in_place, scripted, takes_all, targets

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1024 * 1024
ARCHIVE = member(Entry(b"log", Kind.DIRECTORY, mode=0o755)) + member(Entry(b"log/a", Kind.FILE, 3000)) + bytes(1024)
DONE = f"asynccp {TOKEN} done rc=0\n".encode()


codecs = pytest.mark.parametrize("codec", CODECS)


def asked_for_compression(pod: Pod) -> bool:
    return pod.words["codecs"] == " ".join(CODECS)


def packed(data: bytes, codec: str) -> bytes:
    """Compress as a pod does."""
    if codec == GZIP:
        return gzip.compress(data, 1)
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: 1,
        zstd.CompressionParameter.checksum_flag: 1,
    }
    return zstd.compress(data, options=options)


def unpacked(data: bytes, codec: str) -> bytes:
    return gzip.decompress(data) if codec == GZIP else zstd.decompress(data)


async def pulled(tmp_path: Path, stream: bytes, codec: str, *, line: bytes = DONE, retries: int = 0) -> Result:
    """Pull from one pod that compresses with `codec`, and ends with Success after `stream` and its last line."""

    async def script(pod: Pod) -> None:
        await pod.hello(f"z={codec}")
        if line:
            await pod.note("ended rc=0 entries=2")
        for at in range(0, len(stream + line), 32768):
            await pod.say((stream + line)[at : at + 32768])
        if line:
            await pod.hear_line()
        await pod.end()

    async with scripted(script) as cluster:
        options = Options(failures=Failures(retries=retries), compression=Compression(codec))
        report = await pull(cluster, pull_plan(str(tmp_path), targets(1)), options=options)
    return report.results[0]


@codecs
async def test_a_compressed_pull_is_told_in_archive_bytes_and_bytes_on_the_wire(tmp_path: Path, codec: str) -> None:
    stream = packed(ARCHIVE + bytes(9000), codec)
    result = await pulled(tmp_path, stream, codec)
    assert (result.outcome, result.error, result.entries) == (Outcome.COMPLETE, "", 2)
    assert result.wire_size == len(stream + DONE)
    assert result.archive_size == len(ARCHIVE) + 9000 + len(DONE)
    assert result.compression == codec


@codecs
async def test_a_compressed_pull_that_is_cut_at_any_byte_is_not_complete(tmp_path: Path, codec: str) -> None:
    stream = packed(ARCHIVE, codec)
    assert (await pulled(tmp_path, stream, codec)).outcome is Outcome.COMPLETE
    for at in range(len(stream)):
        for line in (b"", DONE) if at % 8 == 0 else (b"",):
            result = await pulled(tmp_path, stream[:at], codec, line=line)
            assert result.outcome is Outcome.FAILED, (at, line)
            assert result.error


@codecs
async def test_a_compressed_pull_whose_check_sum_differs_is_not_complete(tmp_path: Path, codec: str) -> None:
    stream = bytearray(packed(ARCHIVE, codec))
    stream[-1 if codec == ZSTD else -5] ^= 1
    result = await pulled(tmp_path, bytes(stream), codec)
    assert result.outcome is Outcome.FAILED
    assert "can't be unpacked" in result.error


@codecs
async def test_zeros_without_end_behind_the_archive_are_refused_before_they_fill_the_memory(
    tmp_path: Path, codec: str
) -> None:
    result = await pulled(tmp_path, packed(ARCHIVE + bytes(200 * PIECE_SIZE), codec), codec)
    assert result.outcome is Outcome.FAILED
    assert "does not end" in result.error


async def test_a_window_larger_than_is_asked_for_fails_that_pod_with_one_sentence_and_is_not_tried_again(
    tmp_path: Path,
) -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 21, zstd.CompressionParameter.checksum_flag: 1}
    packer = zstd.ZstdCompressor(options=options)
    result = await pulled(tmp_path, packer.compress(ARCHIVE) + packer.flush(), ZSTD, retries=4)
    assert (result.outcome, result.tries) == (Outcome.FAILED, 1)
    assert result.error.startswith("what the pod compressed can't be unpacked: ")
    assert "too much memory" in result.error


async def test_a_pod_that_compresses_what_it_was_not_asked_to_is_not_believed(tmp_path: Path) -> None:
    async def script(pod: Pod) -> None:
        assert not asked_for_compression(pod)
        await pod.hello("z=gzip")
        await pod.say(gzip.compress(ARCHIVE) + DONE)
        await pod.end()

    async with scripted(script) as cluster:
        options = Options(failures=Failures(retries=0), compression=Compression.NONE)
        report = await pull(cluster, pull_plan(str(tmp_path), targets(1)), options=options)
    assert report.results[0].outcome is Outcome.FAILED


async def test_each_pod_of_a_push_gets_the_form_that_it_takes() -> None:
    async def script(pod: Pod) -> None:
        if pod.target.pod == "web-0":
            await takes_all(pod)  # it has neither
            return
        codec = GZIP if pod.target.pod == "web-1" else ZSTD
        await pod.hello(f"count=dd z={codec}")
        archive, data = b"", b""
        while len(archive) < plan.layout.size:
            data += await pod.hear()
            while b"\n" in data and len(data) >= (end := data.index(b"\n") + 1 + int(data.split()[1])):
                part, data = data[data.index(b"\n") + 1 : end], data[end:]
                archive += unpacked(part, codec)
        assert data == b""
        whole.append(archive)
        await puts_in_place(pod)

    plan, recorder, whole = push_plan(targets(3), 3 * MIB), Recorder(), list[bytes]()
    async with scripted(script) as cluster:
        report = await push(cluster, plan, observer=recorder)
    assert report.ok, [one.error for one in report.results]
    assert [one.compression for one in report.results] == ["", GZIP, ZSTD]
    assert report.results[0].compression_note == "the container has no zstd or gzip, or no dd"
    assert [one.archive_size for one in report.results] == [plan.layout.size] * 3
    assert report.results[2].wire_size < report.results[1].wire_size < 0.1 * plan.layout.size
    assert [len(one) for one in whole] == [plan.layout.size] * 2
    assert set(recorder.advanced_by.values()) == {plan.layout.size}, "bars count archive bytes"


@pytest.mark.parametrize("gap_s", [0.01, 0.0001])
async def test_a_pull_over_a_slow_link_goes_on_compressed_and_later_pods_begin_so(tmp_path: Path, gap_s: float) -> None:
    """32 KiB in 10 ms from each of two pods are 6 MB/s; in 0.1 ms they are 600, faster than any gzip."""
    archive = member(Entry(b"log", Kind.FILE, 16 * MIB)) + bytes(1024)
    asked: list[bool] = []

    async def script(pod: Pod) -> None:
        asked.append(asked_for_compression(pod))
        await pod.hello("z=gzip" if asked[-1] else "z=")
        await pod.note("ended rc=0 entries=1")  # it may come before the archive has
        stream = (gzip.compress(archive, 1) if asked[-1] else archive) + DONE
        for at in range(0, len(stream), 32768):
            await anyio.sleep(gap_s)
            await pod.say(stream[at : at + 32768])
        await pod.hear_line()
        await pod.end()

    async with scripted(script) as cluster:
        options = Options(concurrency=Concurrency(sessions=2))
        report = await pull(cluster, pull_plan(str(tmp_path), targets(4)), options=options)
    assert report.ok, [one.error for one in report.results]
    if gap_s == 0.01:
        assert asked == [False, False, True, True, True, True]
        assert {one.compression for one in report.results} == {"gzip"}
        assert {one.tries for one in report.results} == {1}, "it is no failure"
    else:
        assert asked == [False] * 4
        assert {one.compression for one in report.results} == {""}

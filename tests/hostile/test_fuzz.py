"""Mutations of archives: only our own errors, the same events for any slicing, nothing outside, one reading for all."""

import shutil
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccp.archive.tar import TarDecoder
from asynccp.errors import AsyncCpError
from benchmarks.trust.hostile.fuzz import fuzz, wrong_events
from benchmarks.trust.hostile.mutations import mutation
from benchmarks.trust.hostile.readers import READERS, compare
from tests.archives import archive, file, long_name, pax, record, sparse

MIB = 1024 * 1024


@settings(max_examples=50)
@given(st.integers(0, 2**64))
def test_a_mutation_raises_only_our_errors_however_it_is_sliced(seed: int) -> None:
    assert wrong_events(mutation(seed), seed) == []


def test_mutations_on_the_disk_do_no_harm() -> None:
    findings = fuzz(0, 400)
    assert findings.found == []
    assert findings.accepted > findings.extracted / 20, "most of what is tried is refused at once"


@pytest.mark.skipif(not all(shutil.which(argv[0]) for argv in READERS.values()), reason="takes GNU tar and bsdtar")
def test_other_tars_read_the_same_in_what_we_accept() -> None:
    comparison = compare(range(60))
    assert comparison.found == []
    assert comparison.accepted > 30


NAMES = b"".join(record(b"SCHILY.x%d" % index, b"y" * 1000) for index in range(900))
BOMBS = {
    "long name": long_name(b"x" * (MIB - 10)) + file(b"x"),
    "slashes": long_name(b"/" * (MIB - 10)) + file(b"x"),
    "pax records": pax(NAMES) + file(b"x"),
    "comment for all": pax({b"comment": b"x" * (MIB - 100)}, b"g") + file(b"x"),
    "small records": pax(b"".join(record(b"A.%d" % index, b"") for index in range(90_000))) + file(b"x"),
    "empty pieces": sparse(b"s", 0, b"262000\n" + b"0\n0\n" * 262_000),
    "endless number": sparse(b"s", 9, b"9" * (2 * MIB)) + file(b"x"),
    "2^62 bytes of content": file(b"x", b"y" * MIB, size=2**40),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_less_than_8_mib(name: str) -> None:
    data, decoder = archive(BOMBS[name]), TarDecoder()
    tracemalloc.start()
    try:
        for start in range(0, len(data), 32_768):
            for _ in decoder.feed(data[start : start + 32_768]):
                pass
    except AsyncCpError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8 * MIB

"""When compression pays."""

import os

import pytest

from asynccp.archive.compression import CODECS
from asynccp.engine.compression import LOOK_AFTER_SIZE, Offer, Pulls, pull_pays, push_offer
from asynccp.options import Compression
from asynccp.remote.messages import Hello

MIB = 1024 * 1024
TEXT = b"a line of a log file\n" * 2000


@pytest.mark.parametrize(
    ("compress", "size", "share", "codecs", "reason"),
    [
        ("gzip", 1000, 1.0, ("gzip",), ""),
        ("zstd", 1000, 1.0, ("zstd",), ""),
        ("none", 100 * MIB, 0.1, (), ""),
        ("auto", 100 * MIB, 0.2, CODECS, ""),
        ("auto", 100 * MIB, 0.8, (), "a sample shrinks only to 80%"),
        ("auto", 100 * MIB, 1.01, (), "a sample shrinks only to 101%"),
        ("auto", 64 * 1024, 0.1, (), "64.0 KiB are not worth it"),
    ],
)
def test_a_push(compress: str, size: int, share: float, codecs: tuple[str, ...], reason: str) -> None:
    assert push_offer(Compression(compress), size, share, far=True) == Offer(codecs, reason)


def test_a_push_to_a_server_that_is_near_goes_as_it_is_unless_told() -> None:
    assert push_offer(Compression.AUTO, 100 * MIB, 0.2, far=False) == Offer((), "the API server is near")
    assert push_offer(Compression.GZIP, 100 * MIB, 0.2, far=False) == Offer(("gzip",))


@pytest.mark.parametrize(
    ("rate_per_s", "busy", "share", "pays"),
    [
        (12_500_000, 0.05, 0.2, True),  # 100 Mbit/s, logs
        (12_500_000, 0.05, 0.8, False),  # they don't shrink
        (200_000_000, 0.05, 0.2, False),  # the link is fast
        (20_000_000, 0.8, 0.3, False),  # many small files: it is our disk that is waited for
    ],
)
def test_a_pull(rate_per_s: float, busy: float, share: float, pays: bool) -> None:
    assert pull_pays(rate_per_s, busy, share) is pays


@pytest.mark.parametrize(
    ("facts", "taken"),
    [
        ({"z": "gzip"}, ("gzip", "")),
        ({"z": ""}, ("", "the container has no gzip, or no dd")),
        ({}, ("", "the container has no gzip, or no dd")),
        ({"z": "lzma"}, ("", "the container has no gzip, or no dd")),
        ({"z": "", "busy": "yes"}, ("", "the node is busy")),
    ],
)
def test_only_what_was_offered_counts_as_taken(facts: dict[str, str], taken: tuple[str, str]) -> None:
    assert Offer(("gzip",)).taken(Hello.read(facts)) == taken


def test_a_pod_that_has_none_of_several_is_told_which() -> None:
    assert Offer(CODECS).taken(Hello.read({"z": ""})) == ("", "the container has no zstd or gzip, or no dd")
    assert Offer(CODECS).taken(Hello.read({"z": "gzip"})) == ("gzip", "")


@pytest.mark.parametrize("facts", [{"z": ""}, {}, {"z": "gzip"}, {"z": "zstd"}, {"z": "", "busy": "yes"}])
def test_who_wanted_no_compression_hears_no_reason_for_it(facts: dict[str, str]) -> None:
    assert push_offer(Compression.NONE, 100 * MIB, 0.1, far=True).taken(Hello.read(facts)) == ("", "")
    assert Pulls(Compression.NONE, now=0.0).offer.taken(Hello.read(facts)) == ("", "")


def test_a_run_that_brings_little_goes_on_compressed_and_so_do_pods_that_begin_later() -> None:
    pulls = Pulls(Compression.AUTO, now=100.0)
    assert not pulls.pays(MIB, 0.01, 100.5, TEXT), "too early to tell"
    assert not pulls.offer.codecs
    assert pulls.pays(11 * MIB, 0.02, 101.0, TEXT)
    assert pulls.offer.codecs == CODECS
    assert pulls.pays(MIB, 0.0, 101.1, TEXT), "the next one, too"
    assert not pulls.pays(MIB, 0.0, 101.2, os.urandom(1000)), "but not for what doesn't shrink"


def test_a_fast_run_stays_as_it_is_until_it_is_slow() -> None:
    pulls = Pulls(Compression.AUTO, now=0.0)
    assert not pulls.pays(200 * MIB, 0.1, 1.0, TEXT)
    assert not pulls.pays(200 * MIB, 0.1, 2.0, TEXT)
    assert not pulls.pays(LOOK_AFTER_SIZE, 0.1, 2.5, TEXT)
    assert pulls.pays(10 * MIB, 0.1, 3.5, TEXT)


class SeenLink:
    def __init__(self, *, is_slow: bool) -> None:
        self.is_slow = is_slow
        self.was_found = False

    def found_slow(self) -> None:
        self.was_found = True


def test_a_link_that_is_known_to_be_slow_is_not_looked_at_again() -> None:
    assert Pulls(Compression.AUTO, 0.0, SeenLink(is_slow=True)).offer.codecs == CODECS
    assert Pulls(Compression.NONE, 0.0, SeenLink(is_slow=True)).offer.codecs == ()


@pytest.mark.parametrize("size", [10 * MIB, 200 * MIB])
def test_a_link_hears_that_it_is_slow_when_it_is(size: int) -> None:
    link = SeenLink(is_slow=False)
    pays = Pulls(Compression.AUTO, 0.0, link).pays(size, 0.1, 1.0, TEXT)
    assert link.was_found is pays is (size == 10 * MIB)


@pytest.mark.parametrize("compress", ["none", "gzip", "zstd"])
def test_who_was_told_does_not_look(compress: str) -> None:
    assert not Pulls(Compression(compress), now=0.0).pays(10 * MIB, 0.0, 10.0, TEXT)

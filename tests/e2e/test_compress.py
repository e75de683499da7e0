"""Fewer bytes: what is compressed on its way arrives as it would without, whatever the container unpacks it with."""

import os
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet, asynccp, snapshot
from tests.e2e.test_copy import Web, app, pods_of
from tests.trees import build, describe


def mixed(directory: Path) -> Path:
    """Return a tree of 3 MiB in which text and random bytes take turns, so that parts are packed and raw."""
    tree = build(directory / "mixed")
    (tree / "a-text").write_bytes(b"a line of a log file\n" * 60_000)
    (tree / "b-random").write_bytes(os.urandom(1_500_000))
    (tree / "c-text").write_bytes(b"and one more\n" * 40_000)
    return tree


def with_gzip(web: Web) -> set[str]:
    return {pod for kind in ("busybox", "gnu") for pod in web.get(kind, ())}


def test_a_compressed_push_arrives_identical_and_says_where_it_was_compressed(
    fleet: Fleet, web: Web, tmp_path: Path
) -> None:
    tree = mixed(tmp_path)
    ran = asynccp(fleet, "push", f"{tree}/", "-l", f"{app(web)}:/tmp/packed", "-z", "gzip", "-o", "json")
    assert ran.outcomes == dict.fromkeys(pods_of(web), "complete"), ran.err
    for one in ran.report["pods"]:
        assert snapshot(fleet, one["pod"], "/tmp/packed") == describe(tree), one["pod"]
        if one["pod"] in with_gzip(web):
            assert one["compression"] == "gzip"
            assert one["wire_bytes"] < 0.7 * one["archive_bytes"]
        else:
            assert one["compression"] is None
            assert "no gzip" in one["compression_note"]
            assert one["wire_bytes"] == one["archive_bytes"]


@pytest.mark.parametrize("checksum", [[], ["--checksum"]])
def test_a_compressed_pull_brings_it_back_identical(
    fleet: Fleet, web: Web, tmp_path: Path, checksum: list[str]
) -> None:
    tree = mixed(tmp_path)
    assert asynccp(fleet, "push", f"{tree}/", "-l", f"{app(web)}:/tmp/unpacked").code == 0
    where = ["-l", f"{app(web)}:/tmp/unpacked/", str(tmp_path / "back")]
    ran = asynccp(fleet, "pull", *where, "-z", "gzip", "-o", "json", *checksum)
    assert ran.outcomes == dict.fromkeys(pods_of(web), "complete"), ran.err
    for one in ran.report["pods"]:
        assert describe(tmp_path / "back" / one["pod"]) == describe(tree), one["pod"]
        assert (one["compression"] == "gzip") is (one["pod"] in with_gzip(web))
        assert (one["wire_bytes"] < 0.7 * one["archive_bytes"]) is (one["pod"] in with_gzip(web))

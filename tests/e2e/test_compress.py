"""Fewer bytes: what is compressed on its way arrives as it would without, whatever the container unpacks it with."""

import os
from pathlib import Path

import pytest

from asynccp.archive.compression import CODECS
from tests.e2e.fleet import Fleet, asynccp, sh, snapshot
from tests.e2e.test_copy import Web, app, pods_of
from tests.trees import build, describe


def mixed(directory: Path) -> Path:
    """Return a tree of 3 MiB in which text and random bytes take turns, so that parts are packed and raw."""
    tree = build(directory / "mixed")
    (tree / "a-text").write_bytes(b"a line of a log file\n" * 60_000)
    (tree / "b-random").write_bytes(os.urandom(1_500_000))
    (tree / "c-text").write_bytes(b"and one more\n" * 40_000)
    return tree


def with_codec(fleet: Fleet, web: Web, codec: str) -> set[str]:
    """Return the pods that have the codec's program, and a dd."""
    pods = {pod for kind in ("busybox", "gnu") for pod in web.get(kind, ())}
    return {pod for pod in pods if sh(fleet, pod, "sh", "-c", f"command -v {codec} || :")}


@pytest.mark.parametrize("codec", CODECS)
def test_a_compressed_push_arrives_identical_and_says_where_it_was_compressed(
    fleet: Fleet, web: Web, tmp_path: Path, codec: str
) -> None:
    tree, compressing = mixed(tmp_path), with_codec(fleet, web, codec)
    ran = asynccp(fleet, "push", f"{tree}/", "-l", f"{app(web)}:/tmp/{codec}", "-z", codec, "-o", "json")
    assert ran.outcomes == dict.fromkeys(pods_of(web), "complete"), ran.err
    for one in ran.report["pods"]:
        assert snapshot(fleet, one["pod"], f"/tmp/{codec}") == describe(tree), one["pod"]
        if one["pod"] in compressing:
            assert one["compression"] == codec
            assert one["wire_bytes"] < 0.7 * one["archive_bytes"]
        else:
            assert one["compression"] is None
            assert f"no {codec}" in one["compression_note"]
            assert 0 <= one["wire_bytes"] - one["archive_bytes"] < 200, "the answer to what is there"


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("checksum", [[], ["--checksum"]])
def test_a_compressed_pull_brings_it_back_identical(
    fleet: Fleet, web: Web, tmp_path: Path, codec: str, checksum: list[str]
) -> None:
    tree, compressing = mixed(tmp_path), with_codec(fleet, web, codec)
    there = f"/tmp/unpacked-{codec}{len(checksum)}"
    assert asynccp(fleet, "push", f"{tree}/", "-l", f"{app(web)}:{there}").code == 0
    where = ["-l", f"{app(web)}:{there}/", str(tmp_path / "back")]
    ran = asynccp(fleet, "pull", *where, "--preserve-modes", "-z", codec, "-o", "json", *checksum)
    assert ran.outcomes == dict.fromkeys(pods_of(web), "complete"), ran.err
    for one in ran.report["pods"]:
        assert describe(tmp_path / "back" / one["pod"]) == describe(tree), one["pod"]
        assert (one["compression"] == codec) is (one["pod"] in compressing)
        assert (one["wire_bytes"] < 0.7 * one["archive_bytes"]) is (one["pod"] in compressing)

"""--checksum compares each name of each file, and the report has its digest: hard links too."""

import hashlib
import os
from pathlib import Path

import pytest

from tests.e2e.fleet import WITH_TAR, Fleet, asynccp, labels_for, sh

MAKE = 'mkdir -p "$1/d" && cd "$1" && echo one >a && ln a b && ln a d/c && echo two >z && ln -s a link'
DIGESTS = {
    **dict.fromkeys(("a", "b", "d/c"), hashlib.sha256(b"one\n").hexdigest()),
    "z": hashlib.sha256(b"two\n").hexdigest(),
}


@pytest.fixture(params=WITH_TAR)
def pod(request: pytest.FixtureRequest, fleet: Fleet) -> str:
    if request.param not in fleet.kinds(request.param):
        pytest.skip(f"there is no {request.param} here")
    return fleet.add(request.param, f"digests-{request.param}", labels_for("digests"))


def test_a_pull_tells_the_digest_of_every_name_of_a_file(fleet: Fleet, pod: str, tmp_path: Path) -> None:
    sh(fleet, pod, "sh", "-c", MAKE, "sh", "/tmp/linked")
    ran = asynccp(fleet, "pull", f"{pod}:/tmp/linked/", tmp_path, "--checksum", "-o", "json")
    (one,) = ran.report["pods"]
    assert (ran.code, one["outcome"], one["error"]) == (0, "complete", None)
    assert one["digests"] == DIGESTS


def test_a_push_tells_the_digest_of_every_name_of_a_file(fleet: Fleet, pod: str, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "a").write_text("one\n")
    (tmp_path / "z").write_text("two\n")
    os.link(tmp_path / "a", tmp_path / "b")
    os.link(tmp_path / "a", tmp_path / "d/c")
    (tmp_path / "link").symlink_to("a")
    ran = asynccp(fleet, "push", f"{tmp_path}/", f"{pod}:/tmp/pushed", "--checksum", "-o", "json")
    (one,) = ran.report["pods"]
    assert (ran.code, one["outcome"], one["error"]) == (0, "complete", None)
    assert one["digests"] == DIGESTS

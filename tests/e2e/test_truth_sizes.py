"""Files whose size is a lie: what the kernel makes up when it is read has no size before, or one that is not true. No
tar can copy it, so no copy of it is complete.
"""

from pathlib import Path

import pytest

from tests.e2e.fleet import WITH_TAR, asynccp, labels_for, sh
from tests.e2e.real import RealFleet

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

LINKS = """
mkdir -p /tmp/made; cd /tmp/made; echo x >file
ln -s /proc/cpuinfo cpuinfo; ln -s /proc/self/mounts mtab; ln -s /sys/kernel/mm/transparent_hugepage/enabled huge
ln -s /proc proc
"""


@pytest.fixture(scope="module")
def pods(fleet: object) -> dict[str, str]:
    """One pod of each kind that has a tar, in which a file of /proc is mounted at /tmp/made/version as well."""
    if not isinstance(fleet, RealFleet):
        pytest.skip("for the real cluster")
    made = {}
    for kind in WITH_TAR:
        spec = fleet.spec(kind)
        spec["volumes"] = [{"name": "version", "hostPath": {"path": "/proc/version", "type": "File"}}]
        spec["containers"][0]["volumeMounts"] = [{"name": "version", "mountPath": "/tmp/made/version"}]
        made[kind] = fleet.run(f"sizes-{kind}", labels_for("sizes"), spec)
        sh(fleet, made[kind], "sh", "-c", LINKS)
    return made


@pytest.fixture(params=WITH_TAR)
def pod(request: pytest.FixtureRequest, pods: dict[str, str]) -> str:
    return pods[request.param]


@pytest.mark.parametrize("path", ["/proc/cpuinfo", "/proc/", "/proc", "/proc/self/status", "/sys/kernel/"])
@pytest.mark.parametrize("flags", [[], ["--checksum"]], ids=lambda one: "".join(one) or "plain")
def test_what_is_made_up_when_it_is_read_is_refused_with_the_way_to_read_it(
    real_fleet: RealFleet, pod: str, tmp_path: Path, path: str, flags: list[str]
) -> None:
    ran = asynccp(real_fleet, "pull", f"{pod}:{path}", tmp_path, "-o", "json", *flags)
    (one,) = ran.report["pods"]
    assert (ran.code, one["outcome"], one["tries"]) == (1, "failed", 1)
    assert f"{path} is on a file system of type " in one["error"]
    assert f"cat {path}" in one["hint"]
    assert not list((tmp_path / pod).rglob("*"))


@pytest.mark.parametrize("name", ["cpuinfo", "mtab", "huge", "proc", "version"])
def test_a_link_to_it_or_a_mount_of_it_makes_it_no_better(
    real_fleet: RealFleet, pod: str, tmp_path: Path, name: str
) -> None:
    ran = asynccp(real_fleet, "pull", f"{pod}:/tmp/made/{name}", tmp_path, "-o", "json")
    assert (ran.code, ran.outcomes) == (1, {pod: "failed"})
    said = f"/tmp/made/{name} has content, but" if name == "mtab" else f"/tmp/made/{name} is on a file system of type "
    assert ran.errors[pod].startswith(said), "whose /proc/self it is only its own process knows"


@pytest.mark.parametrize("flags", [[], ["--checksum"]], ids=lambda one: "".join(one) or "plain")
def test_a_tree_with_such_a_file_in_it_is_partial_and_names_it(
    real_fleet: RealFleet, pod: str, tmp_path: Path, flags: list[str]
) -> None:
    for again in (False, True):  # the second time the pod lists what it has
        ran = asynccp(real_fleet, "pull", f"{pod}:/tmp/made", tmp_path, "-o", "json", *flags)
        (one,) = ran.report["pods"]
        assert (ran.code, one["outcome"], one["tries"]) == (23, "partial", 1), one["error"]
        reasons = {entry["path"]: entry["reason"] for entry in one["left_out"]}
        assert reasons["made/version"].startswith("it is of type proc: "), again
        assert "left out made/version: it is of type proc" in ran.err
        assert (tmp_path / pod / "made" / "file").read_text() == "x\n"


def test_all_of_a_container_is_never_complete(real_fleet: RealFleet, pod: str, tmp_path: Path) -> None:
    """All tars but GNU's end at some file in /proc or /sys, and are not tried a third time."""
    ran = asynccp(real_fleet, "pull", f"{pod}:/", tmp_path, "-o", "json")
    (one,) = ran.report["pods"]
    assert one["outcome"] in ("partial", "failed")
    assert one["tries"] <= 2
    assert {"proc", "sys"} <= {entry["path"] for entry in one["left_out"]}


@pytest.mark.parametrize("kind", ["gnu", "bsdtar"])
def test_holes_are_not_sent_and_take_no_room_here(
    real_fleet: RealFleet, pods: dict[str, str], kind: str, tmp_path: Path
) -> None:
    """The tars of BusyBox and toybox write them as zeros."""
    make = (
        "cd /tmp; mkdir holes; echo end >holes/small; dd if=holes/small of=holes/file bs=1 seek=3000000000 2>/dev/null"
    )
    sh(real_fleet, pods[kind], "sh", "-c", make)
    ran = asynccp(real_fleet, "pull", f"{pods[kind]}:/tmp/holes", tmp_path, "-z", "none", "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.report["pods"][0]["wire_bytes"] < 100_000
    again = asynccp(real_fleet, "pull", f"{pods[kind]}:/tmp/holes", tmp_path, "-o", "json")
    assert again.report["pods"][0]["tally"]["same"] == 3
    copy = tmp_path / pods[kind] / "holes/file"
    assert copy.stat().st_size == 3_000_000_004
    assert copy.stat().st_blocks * 512 < 1_000_000
    with copy.open("rb") as file:
        file.seek(2_999_999_998)
        assert file.read() == b"\0\0end\n"

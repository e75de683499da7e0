"""What of a tree a copy takes, by the real command: filters, links, one file system; and what it says when it can't."""

from pathlib import Path

import pytest

from tests.e2e.fleet import SHELLLESS, TARLESS, WITH_TAR, Fleet, add_any, any_kind, asynccp, labels_for, sh, snapshot
from tests.e2e.real import RealFleet

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module", params=["busybox", TARLESS, SHELLLESS])
def pod(fleet: Fleet, request: pytest.FixtureRequest) -> str:
    if request.param not in any_kind(fleet):
        pytest.skip(f"there is no {request.param}")
    return add_any(fleet, request.param, f"filters-{request.param}", labels_for("filters"))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for name in (
        "index.html",
        "index.html.bak",
        "css/main.css",
        "css/main.less",
        "drafts/new.html",
        "drafts/main.less",
    ):
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "site/.asynccpignore").write_text("drafts/\n")
    (tmp_path / "less").write_text("# sources\n*.less\n")
    (tmp_path / "site/latest").symlink_to("index.html")
    return tmp_path / "site"


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (["--exclude", "*.bak"], "css css/main.css css/main.less index.html latest"),
        (["--exclude-from", "less", "--exclude", "*.bak"], "css css/main.css index.html latest"),
        (["--include", "*.css", "--exclude", "*"], "css css/main.css"),
        (["--exclude", "*", "--include", "*.css", "--include", "latest"], ""),
        (["--include", "drafts/*.html", "--exclude", "css", "--exclude", "index*"], "drafts drafts/new.html latest"),
        (["--exclude", "index*", "--exclude", "*.less"], "css css/main.css latest"),
        (["-L", "--include", "/latest", "--exclude", "*"], "latest"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_push_takes_what_filters_leave(
    fleet: Fleet, pod: str, site: Path, request: pytest.FixtureRequest, flags: list[str], found: str
) -> None:
    there = f"/tmp/{abs(hash(request.node.name))}"
    ran = asynccp(fleet, "push", "site/", f"{pod}:{there}", *flags, cwd=site.parent)
    if not found:
        assert (ran.code, ran.err) == (1, "asynccp: the filters leave nothing to push of site/\n")
        return
    assert ran.code == 0, ran.err
    here = snapshot(fleet, pod, there)
    assert sorted(path.decode() for path in here) == found.split()
    if "-L" in flags:
        assert here[b"latest"].kind == "file"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--exclude", "["], "the pattern [ can't match anything: its [ has no ]"),
        (["--exclude", "!x"], "a pattern that begins with ! takes back what a file says, and this is none: !x"),
        (["--exclude-from", "gone"], "the file of patterns gone does not exist"),
    ],
)
def test_what_means_nothing_is_told_and_nothing_is_copied(
    fleet: Fleet, pod: str, site: Path, flags: list[str], told: str
) -> None:
    ran = asynccp(fleet, "push", "site", f"{pod}:/tmp/untouched", *flags, cwd=site.parent)
    assert (ran.code, ran.err.splitlines()[0]) == (2, f"asynccp: {told}")
    assert b"untouched" not in snapshot(fleet, pod, "/tmp")


def test_links_that_lead_nowhere_are_named(fleet: Fleet, pod: str, site: Path) -> None:
    (site / "gone").symlink_to("nowhere")
    (site / "up").symlink_to(".")
    ran = asynccp(fleet, "push", "-L", "site", f"{pod}:/tmp/links", "-o", "json", cwd=site.parent)
    assert ran.code == 23
    assert {one["path"]: one["reason"] for one in ran.report["left_out"]} == {
        "site/gone": "a symbolic link that leads nowhere (to nowhere)",
        "site/up": "a symbolic link leads back to a directory above it",
    }
    assert b"site/latest" in snapshot(fleet, pod, "/tmp/links")


LINKED = """
mkdir -p "$1/logs/sub" "$1/far/deep"; echo one >"$1/far/one.log"; echo two >"$1/far/deep/two.log"
cd "$1/logs"; ln -s ../far/one.log a.log; ln -s "$1/far/deep" deep; ln -s .. sub/up; ln -s nowhere gone; ln -s self self
ln -s /proc/self pseudo; ln -s /proc/cpuinfo cpu
"""


@pytest.mark.cluster
@pytest.mark.parametrize("kind", WITH_TAR)
def test_a_pull_copies_what_links_lead_to(real_fleet: RealFleet, kind: str, tmp_path: Path) -> None:
    """And again what has changed, though the links have not."""
    there = "/tmp/linked"
    pod = real_fleet.add(kind, f"linked-{kind}", labels_for("linked"))
    sh(real_fleet, pod, "sh", "-c", LINKED, "sh", there)
    for new, told in (("", {"new": 5}), ("", {"same": 5}), ("three\n", {"same": 4, "changed": 1})):
        sh(real_fleet, pod, "sh", "-c", f"printf '{new}' >>{there}/far/deep/two.log")
        ran = asynccp(real_fleet, "pull", "-L", f"{pod}:{there}/logs", tmp_path, "-o", "json")
        assert ran.code == 23
        (one,) = ran.report["pods"]
        assert told.items() <= one["tally"].items()
        reasons = {left["path"].removeprefix("logs/"): left["reason"] for left in one["left_out"]}
        assert reasons.pop("gone") == "a symbolic link that leads nowhere (to nowhere)"
        assert "leads back to" in reasons.pop("sub/up")
        assert "lead" in reasons.pop("self")
        assert reasons.keys() == {"cpu", "pseudo"}
        assert all(why.startswith("it is of type proc") for why in reasons.values())
        logs = tmp_path / pod / "logs"
        assert (logs / "a.log").read_text() == "one\n"
        assert (logs / "deep/two.log").read_text() == f"two\n{new}"
        assert not [path for path in logs.rglob("*") if path.is_symlink()]


def test_a_pull_of_one_link_is_one_of_what_it_leads_to(fleet: Fleet, pod: str, tmp_path: Path) -> None:
    sh(fleet, pod, "sh", "-c", LINKED, "sh", "/tmp/one-link")
    ran = asynccp(fleet, "pull", "-L", "--tail-bytes", "3", f"{pod}:/tmp/one-link/logs/a.log", tmp_path, "-o", "json")
    assert ran.code == 0, ran.err
    assert (tmp_path / pod / "a.log").read_text() == "ne\n"

"""Local places that can't be used, the report's and a pull's, are found out once, and before anything is copied."""

import os
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet, asynccp, sh, snapshot
from tests.e2e.running import Running
from tests.schema import conforming

Web = dict[str, list[str]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "app.toml").write_text("x = 1\n")
    return tmp_path / "config"


def test_a_report_that_can_not_be_written_is_found_out_before_the_copy(fleet: Fleet, web: Web, config: Path) -> None:
    sh(fleet, web["gnu"][0], "mkdir", "-p", "/tmp/unreported")
    missing = config / "missing" / "r.json"
    ran = asynccp(fleet, "push", config, f"{web['gnu'][0]}:/tmp/unreported", "--report", missing)
    assert ran.code == 1
    first, hint = ran.err.splitlines()
    assert first == f"asynccp: the report can't be written to {missing}: there is no such directory"
    assert "nothing was copied" in hint
    assert snapshot(fleet, web["gnu"][0], "/tmp/unreported") == {}


def test_a_run_that_does_not_start_leaves_yesterdays_report(fleet: Fleet, web: Web, config: Path) -> None:
    report = config / "r.json"
    report.write_text("yesterday's")
    assert asynccp(fleet, "push", config, "-l", "app=nobody:/tmp", "--report", report).code == 3
    assert report.read_text() == "yesterday's"
    assert asynccp(fleet, "push", config, f"{web['gnu'][0]}:/tmp/reported", "--report", report).code == 0
    assert conforming(report.read_text())["exit_code"] == 0
    assert sorted(os.listdir(config)) == ["app.toml", "r.json"]


def test_a_copy_is_not_called_nothing_because_its_report_could_not_be_written(
    fleet: Fleet, web: Web, config: Path
) -> None:
    (config / "big").write_bytes(os.urandom(1024 * 1024))
    (config.parent / "reports").mkdir()
    report = config.parent / "reports" / "r.json"
    slowly = ("--bwlimit", "1M", "-z", "none")
    with Running(fleet, "push", config, f"{web['gnu'][0]}:/tmp/late", "--report", report, *slowly) as running:
        running.wait_for("started")
        (config.parent / "reports").rmdir()
        ran = running.finish()
    assert ran.code == 23
    assert set(ran.outcomes.values()) == {"complete"}
    assert ran.err.splitlines()[-1].startswith(f"asynccp: the report can't be written to {report}: ")


def test_a_report_may_go_to_stderr(fleet: Fleet, web: Web, config: Path) -> None:
    ran = asynccp(fleet, "push", config, f"{web['gnu'][0]}:/tmp/said", "-q", "--report", "/dev/stderr")
    assert (ran.code, ran.out) == (0, "")
    assert conforming(ran.err)["exit_code"] == 0


@pytest.mark.parametrize(
    ("destination", "said"),
    [("./afile", "./afile is a file;"), ("afile/of/logs", "afile is a file, so afile/of/logs can't be made;")],
)
def test_a_pull_into_a_file_is_one_error(fleet: Fleet, web: Web, tmp_path: Path, destination: str, said: str) -> None:
    (tmp_path / "afile").write_text("kept")
    for more in ((), ("--dry-run",)):
        ran = asynccp(fleet, "pull", "-l", f"{web['labels'][0]}:/etc/hostname", destination, *more, cwd=tmp_path)
        assert ran.code == 1
        assert ran.err.splitlines()[0] == f"asynccp: {said} a pull goes to a directory"
        assert ran.out == ""
    assert (tmp_path / "afile").read_text() == "kept"


def test_a_dry_run_of_a_pull_makes_nothing(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    ran = asynccp(fleet, "pull", "-l", f"{web['labels'][0]}:/etc/hostname", tmp_path / "new" / "place", "--dry-run")
    assert ran.code == 0
    assert os.listdir(tmp_path) == []

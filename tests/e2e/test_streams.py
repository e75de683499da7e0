"""Our own stdout and stderr may be full, or have nobody who reads: a copy goes on, and what was lost is told."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet, command, environment, labels_for, sh
from tests.schema import conforming

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full"),
]

Broken = Callable[[], AbstractContextManager[int]]
FULL = "No space left on device"
GONE = "Broken pipe"


@contextmanager
def full() -> Iterator[int]:
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def without_a_reader() -> Iterator[int]:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)


@pytest.fixture(scope="module")
def pod(fleet: Fleet) -> str:
    return fleet.add("gnu", "streams", labels_for("streams"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_text("content\n")
    return tmp_path / "source"


@dataclass
class Said:
    code: int
    out: str
    err: str


def run(fleet: Fleet, *arguments: str | Path, out: int | None = None, err: int | None = None, close: str = "") -> Said:
    """Run the real command with a stdout or stderr of the test's; close: the shell's words that close others."""
    argv = command(*arguments)
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {close}', "sh", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if out is None else out,
        stderr=subprocess.PIPE if err is None else err,
        env=environment(fleet),
        text=True,
        timeout=100,
        check=False,
    )
    assert "Traceback" not in (done.stderr or "")
    assert "defect" not in (done.stderr or "")
    return Said(done.returncode, done.stdout or "", done.stderr or "")


def assert_arrived(fleet: Fleet, pod: str, directory: str) -> None:
    assert sh(fleet, pod, "cat", f"{directory}/source/file") == b"content\n"


@pytest.mark.parametrize(("broken", "why"), [(full, FULL), (without_a_reader, GONE)], ids=["full", "no-reader"])
def test_a_complete_copy_whose_report_is_lost_says_so_and_is_23(
    fleet: Fleet, pod: str, source: Path, broken: Broken, why: str
) -> None:
    with broken() as out:
        said = run(fleet, "push", source, f"{pod}:/tmp/out-{why[:2]}", out=out)
    assert said.code == 23
    assert said.err.endswith(f"\nasynccp: stdout could not be written: {why}\n")
    assert "  complete  " in said.err
    assert_arrived(fleet, pod, f"/tmp/out-{why[:2]}")


@pytest.mark.parametrize(("broken", "why"), [(full, FULL), (without_a_reader, GONE)], ids=["full", "no-reader"])
def test_a_complete_copy_that_nobody_watches_is_0_and_its_report_says_what_was_lost(
    fleet: Fleet, pod: str, source: Path, broken: Broken, why: str
) -> None:
    with broken() as err:
        said = run(fleet, "push", source, f"{pod}:/tmp/err-{why[:2]}", err=err)
        data = run(fleet, "push", source, f"{pod}:/tmp/err-{why[:2]}", "-o", "json", err=err)
    assert said.code == 0
    assert said.out.startswith("pushed to 1 of 1 pod; 2 entries")
    assert said.out.endswith(f"\nasynccp: stderr could not be written: {why}\n")
    assert_arrived(fleet, pod, f"/tmp/err-{why[:2]}")
    assert data.code == 0
    assert conforming(data.out)["exit_code"] == 0, "a program reads it: nothing else stands there"


def test_a_copy_is_made_also_where_nothing_can_be_said(fleet: Fleet, pod: str, source: Path) -> None:
    with full() as nowhere:
        assert run(fleet, "push", source, f"{pod}:/tmp/nowhere", out=nowhere, err=nowhere).code == 23
    assert_arrived(fleet, pod, "/tmp/nowhere")


@pytest.mark.parametrize("close", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_stream_that_was_closed_from_the_start_is_one_that_nobody_reads(
    fleet: Fleet, pod: str, source: Path, tmp_path: Path, close: str
) -> None:
    there = f"/tmp/closed-{sum(map(ord, close))}"
    assert run(fleet, "push", source, f"{pod}:{there}", close=close).code == 0
    assert_arrived(fleet, pod, there)
    assert run(fleet, "pull", f"{pod}:{there}/source", tmp_path, close=close).code == 0
    assert (tmp_path / pod / "source" / "file").read_text() == "content\n", "no word of ours went into it"


def test_a_failed_copy_keeps_its_own_code_and_its_error_is_said_where_it_can_be(
    fleet: Fleet, pod: str, source: Path
) -> None:
    with full() as broken:
        lost_out = run(fleet, "pull", f"{pod}:/nowhere", source, out=broken)
        lost_err = run(fleet, "push", source / "nothing", f"{pod}:/tmp", err=broken)
        usage = run(fleet, "cp", source, err=broken)
    assert lost_out.code == 1
    assert "/nowhere" in lost_out.err
    assert lost_err.code == 1
    assert lost_err.out.startswith(f"asynccp: {source}/nothing does not exist\n")
    assert usage.code == 2
    assert usage.out.startswith("asynccp: cp takes a source and a destination\n")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["pull", "POD:/tmp", "to", "--dry-run"]], ids=lambda those: those[0]
)
def test_what_was_only_to_be_shown_and_could_not_be_is_told(fleet: Fleet, pod: str, arguments: list[str]) -> None:
    with full() as out:
        said = run(fleet, *(one.replace("POD", pod) for one in arguments), out=out)
    assert (said.code, said.err) == (23, f"asynccp: stdout could not be written: {FULL}\n")


def test_cp_and_its_three_ways(fleet: Fleet, pod: str, source: Path, tmp_path: Path) -> None:
    with full() as out:
        to = run(fleet, "cp", "-v", source / "file", f"{pod}:/tmp/cp-file", out=out)
        back = run(fleet, "cp", "-v", f"{pod}:/tmp/cp-file", tmp_path / "back", out=out)
        along = run(fleet, "cp", "-v", f"{pod}:/tmp/cp-file", f"{pod}:/tmp/cp-again", out=out)
        quiet = run(fleet, "cp", source / "file", f"{pod}:/tmp/cp-quiet", out=out)
    assert [one.code for one in (to, back, along)] == [23] * 3
    assert all(FULL in one.err for one in (to, back, along))
    assert (tmp_path / "back").read_text() == "content\n"
    assert sh(fleet, pod, "cat", "/tmp/cp-again") == b"content\n"
    assert (quiet.code, quiet.err) == (0, ""), "nothing was to be said, so nothing was lost"

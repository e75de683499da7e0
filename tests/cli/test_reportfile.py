"""The report's file: found unfit before the copy, never half written, and whatever else its name may stand for."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from asynccp.cli.reportfile import try_report, write_report
from asynccp.errors import AsyncCpError, PlanError
from asynccp.text import printable
from tests.powerless import bound_by_permissions

TEXT = '{"exit_code": 0}\n'


def nothing() -> None:
    pass


def a_file() -> None:
    Path("report").write_text("yesterday's\n")
    Path("report").chmod(0o600)


def a_protected_file() -> None:
    Path("report").write_text("kept")
    Path("report").chmod(0o400)


def a_closed_directory() -> None:
    Path("closed").mkdir(mode=0o555)


def a_directory() -> None:
    Path("report").mkdir()


def a_link_into_nowhere() -> None:
    Path("report").symlink_to("missing/report")


UNFIT: list[tuple[str, Callable[[], None], str]] = [
    ("missing/report", nothing, "there is no such directory"),
    ("report", a_link_into_nowhere, "there is no such directory"),
    ("report/json", a_file, "what should be its directory is a file"),
    ("report", a_directory, "it is a directory"),
    ("report", a_protected_file, "it may not be written"),
    ("closed/report", a_closed_directory, "Permission denied"),
    ("\x1b" + "n" * 300, nothing, "File name too long"),
]


def state() -> dict[str, bytes | None]:
    """Return everything below the working directory; content, for files."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in Path().rglob("*")}


@pytest.mark.parametrize(("name", "make", "said"), UNFIT)
def test_a_report_that_can_not_be_written_is_found_out_beforehand(
    tmp_path: Path, name: str, make: Callable[[], None], said: str
) -> None:
    with bound_by_permissions(tmp_path):
        make()
        with pytest.raises(PlanError) as caught:
            try_report(Path(name))
    assert str(caught.value) == f"the report can't be written to {printable(name)}: {said}"


def a_link_to_a_new_file() -> None:
    Path("elsewhere").mkdir()
    Path("report").symlink_to("elsewhere/report")


def a_link_to_a_file() -> None:
    a_link_to_a_new_file()
    Path("elsewhere/report").write_text("yesterday's\n")


def a_second_name() -> None:
    a_file()
    Path("second").hardlink_to("report")


def a_file_in_a_closed_directory() -> None:
    a_file()
    Path().chmod(0o555)


FIT = [nothing, a_file, a_link_to_a_new_file, a_link_to_a_file, a_second_name, a_file_in_a_closed_directory]


@pytest.mark.parametrize("make", FIT)
def test_a_report_is_written_where_its_name_leads(tmp_path: Path, make: Callable[[], None]) -> None:
    with bound_by_permissions(tmp_path):
        make()
        before, links = state(), [path for path in Path().rglob("*") if path.is_symlink()]
        try_report(Path("report"))
        assert state() == before
        write_report(Path("report"), TEXT)
        assert Path("report").read_text() == TEXT
        assert set(state()) == {"report", *before, *(["elsewhere/report"] if links else [])}
        assert [path for path in Path().rglob("*") if path.is_symlink()] == links
        if make is a_second_name:
            assert Path("second").read_text() == TEXT


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_a_file_keeps_its_mode_and_a_new_one_gets_the_usual_one(tmp_path: Path, mode: int) -> None:
    (tmp_path / "old").touch()
    (tmp_path / "old").chmod(mode)
    (tmp_path / "usual").touch()
    for name in ("old", "new"):
        write_report(tmp_path / name, TEXT)
    assert (tmp_path / "old").stat().st_mode & 0o777 == mode
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_full_disk_costs_no_report_of_yesterday(tmp_path: Path) -> None:
    """A limit of file sizes is a disk that is full for one process."""
    (tmp_path / "report").write_text("yesterday's\n")
    program = """
import resource, signal, sys
from pathlib import Path
from asynccp.cli.reportfile import write_report
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
write_report(Path(sys.argv[1]), "x" * 100_000)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "report"], capture_output=True, text=True, check=False
    )
    assert f"AsyncCpError: the report can't be written to {tmp_path}/report: File too large" in done.stderr
    assert (tmp_path / "report").read_text() == "yesterday's\n"
    assert os.listdir(tmp_path) == ["report"]


def test_a_pipe_is_not_opened_before_there_is_a_report(tmp_path: Path) -> None:
    """Opened and closed, it would have ended for its reader."""
    os.mkfifo(tmp_path / "report")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "report").read_text()), daemon=True)
    reader.start()
    try_report(tmp_path / "report")
    write_report(tmp_path / "report", TEXT)
    reader.join(10)
    assert read == [TEXT]
    assert os.listdir(tmp_path) == ["report"]


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_stream_of_ours_gets_it_behind_what_was_said(tmp_path: Path, stream: str) -> None:
    """Opened anew by its name, a file behind it would be cut, or written over from its beginning."""
    program = f"""
import sys
from pathlib import Path
from asynccp.cli.reportfile import try_report, write_report
print("before", file=sys.{stream})
try_report(Path("/dev/{stream}"))
write_report(Path("/dev/{stream}"), {TEXT!r})
print("after", file=sys.{stream})
"""
    argv = [sys.executable, "-c", program]
    with open(tmp_path / "file", "wb") as file:
        assert subprocess.run(argv, **{stream: file}, check=False).returncode == 0  # type: ignore[call-overload]
    assert (tmp_path / "file").read_text() == f"before\n{TEXT}after\n"
    piped = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert piped.stdout + piped.stderr == f"before\n{TEXT}after\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_report_that_a_stream_of_ours_could_not_take_is_an_error(stream: str) -> None:
    program = f"""
from pathlib import Path
from asynccp.cli import streams
from asynccp.cli.reportfile import write_report
from asynccp.errors import AsyncCpError
streams.keep()
try:
    write_report(Path("/dev/full"), {TEXT!r})
except AsyncCpError as exc:
    raise SystemExit(0 if str(exc) == "the report can't be written to /dev/full: No space left on device" else 2)
raise SystemExit(1)
"""
    with open("/dev/full", "wb") as full:
        ended = subprocess.run([sys.executable, "-c", program], **{stream: full}, check=False)  # type: ignore[call-overload]
    assert ended.returncode == 0


def test_a_descriptor_that_a_shell_opened_gets_it() -> None:
    """`--report >(jq .)` is /dev/fd/63, a pipe."""
    reading, writing = os.pipe()
    try:
        try_report(Path(f"/dev/fd/{writing}"))
        write_report(Path(f"/dev/fd/{writing}"), TEXT)
        assert os.read(reading, 100).decode() == TEXT
    finally:
        os.close(reading)
        os.close(writing)


def test_nothing_is_left_where_a_report_goes_nowhere() -> None:
    before = os.stat("/dev/null")
    try_report(Path("/dev/null"))
    write_report(Path("/dev/null"), TEXT)
    assert os.stat("/dev/null").st_rdev == before.st_rdev


def test_what_went_wrong_since_it_was_tried_is_said(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    try_report(tmp_path / "reports" / "today")
    (tmp_path / "reports").rmdir()
    with pytest.raises(AsyncCpError, match=r"the report can't be written to .*/reports/today: there is no such dir"):
        write_report(tmp_path / "reports" / "today", TEXT)

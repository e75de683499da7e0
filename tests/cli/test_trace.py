"""`-vv` and ASYNCCP_LOG: who asks for a trace gets it whole, others get none, and no copy waits for who reads it."""

import logging
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from anyio import to_thread

from asynccp.cli.trace import VARIABLE, traced, verbosity
from asynccp.errors import UsageError
from asynccp.testing.server import FakeCluster

LOG = logging.getLogger("asynccp.net")
LINE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z asynccp[.a-z]* [ -~→]+")


@pytest.fixture(autouse=True)
def _quiet_again() -> object:
    yield
    logging.getLogger("asynccp").setLevel(logging.NOTSET)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "trace"))
    return tmp_path / "trace"


def test_a_file_is_for_its_owner_alone_and_keeps_what_it_had(file: Path) -> None:
    old = os.umask(0)
    try:
        for number in range(2):
            with traced(0):
                LOG.debug("run %d", number)
    finally:
        os.umask(old)
    lines = file.read_text().splitlines()
    assert file.stat().st_mode & 0o777 == 0o600
    assert [line.partition("net ")[2] for line in lines if "net" in line] == ["run 0", "run 1"]
    assert all(map(LINE.fullmatch, lines))


def test_what_a_line_holds_is_one_line_and_safe_to_show(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("asynccp"), "propagate", False)  # pytest's own log takes no such characters
    with traced(0):
        LOG.debug("%s", "\x1b[2J\nforged \u202e\udcff" + 10_000 * "x")
    _, line = file.read_text().splitlines()
    assert "\\x1b[2J\\nforged \\u202e\\udcff" in line
    assert len(line) < 3000


@pytest.mark.parametrize(("verbose", "log", "told"), [(0, "", False), (1, "", False), (2, "", True), (0, "-", True)])
def test_stderr_has_a_trace_for_vv_and_for_a_dash(
    verbose: int, log: str, told: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, log)
    with traced(verbose):
        LOG.debug("connected")
    LOG.debug("after it")
    said = capfd.readouterr().err
    assert ("asynccp.net connected\n" in said) is told
    assert (verbosity(verbose) > 1) is told, "then there are no bars"
    assert "after it" not in said


def test_a_file_that_can_not_be_made_is_said_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none" / "trace"))
    with (
        pytest.raises(UsageError, match=r"ASYNCCP_LOG: the trace can't be written to .*none/trace: No such file"),
        traced(0),
    ):
        pytest.fail("the work has begun")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
def test_a_disk_that_is_full_is_told_once_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "/dev/full")
    with traced(2):
        LOG.debug("one")
        LOG.debug("two")
    said = capfd.readouterr().err
    assert said.count("asynccp: the trace could not be written to /dev/full: No space left on device") == 1
    assert said.count("asynccp.net") == 2, "stderr has all of it"


def test_a_reader_that_does_not_read_is_not_waited_for_and_is_told_what_it_has_missed() -> None:
    script = (
        "import logging, sys; from asynccp.cli.trace import traced\n"
        "log = logging.getLogger('asynccp.net')\n"
        "with traced(2):\n"
        "    for number in range(30_000): log.debug('line %d', number)\n"
        "    print('done', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], text=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "done\n", "while nobody has read stderr"
        _, said = process.communicate(timeout=50)
    assert process.returncode == 0
    lost = [int(number) for number in re.findall(r"(?m)^([0-9]+) lines are lost, since nobody has read$", said)]
    assert lost
    assert said.count("asynccp.net line ") + sum(lost) == 30_000


def test_a_process_ends_though_nobody_reads_its_trace() -> None:
    script = "import logging; from asynccp.cli.trace import traced\nwith traced(2):\n"
    script += "    for number in range(5_000): logging.getLogger('asynccp').debug('line %d', number)\n"
    reading, writing = os.pipe()
    begun_s = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], stderr=writing, timeout=50, check=False)
    os.close(writing)
    os.close(reading)
    assert done.returncode == 0
    assert time.monotonic() - begun_s < 20


async def test_a_command_traces_its_way_to_the_server_and_its_sessions(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    async with FakeCluster(tmp_path / "pods") as cluster:
        await cluster.add_pod("web-1", labels={"app": "web"})
        await cluster.write_kubeconfig(path)
        argv = [sys.executable, "-m", "asynccp", "push", str(path), "web-1:/tmp", "--kubeconfig", str(path)]

        def run(*more: str, **environment: str) -> subprocess.CompletedProcess[str]:
            given = {**os.environ, **environment}
            return subprocess.run([*argv, *more], capture_output=True, text=True, env=given, timeout=50, check=False)

        loud = await to_thread.run_sync(lambda: run("-vv"))
        silent = await to_thread.run_sync(lambda: run("-q", ASYNCCP_LOG=str(tmp_path / "trace")))
    assert (loud.returncode, silent.returncode) == (0, 0), loud.stderr + silent.stderr
    assert (silent.stdout, silent.stderr) == ("", "")
    for text in (loud.stderr, (tmp_path / "trace").read_text()):
        for said in (
            "asynccp.auth context ",
            "asynccp.net connected to ",
            "asynccp.kube GET ",
            "asynccp.kube exec in ",
        ):
            assert said in text
    assert "complete" in loud.stderr, "the lines of -v are there as well"

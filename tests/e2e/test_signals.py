"""One signal ends the program as documented, two end it at once: whatever it is at, and however close together."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import Fleet, command, environment, labels_for, sh
from tests.e2e.pairs import SEED, pairs
from tests.e2e.processes import assert_all_ended
from tests.e2e.running import Running, eventually
from tests.kube.gateways import kubeconfig
from tests.schema import conforming

MIB = 1024 * 1024
PAIRS = 16
ENDS_WITHIN_S = 5.0  # one session may take 3 s to be closed
SLOWLY = ("--bwlimit", "1M", "-z", "none")  # it would take minutes


@pytest.fixture(scope="module", autouse=True)
def _heeded() -> Iterator[None]:
    """Commands heed every signal, also where these tests run under nohup, or as a script's `&`: that is inherited."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    ignored = [number for number, handler in before.items() if handler is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="module")
def pod(fleet: Fleet) -> str:
    """A pod with a large file, /tmp/there/big."""
    name = fleet.add("gnu", "signalled", labels_for("signalled"))
    script = 'mkdir -p "$1" && head -c "$2" /dev/urandom >"$1/big"'
    sh(fleet, name, "sh", "-c", script, "sh", "/tmp/there", str(64 * MIB))
    return name


@pytest.fixture
def big(tmp_path: Path) -> Path:
    (tmp_path / "big").write_bytes(os.urandom(64 * MIB))
    return tmp_path / "big"


def a_copy(direction: str, pod: str, big: Path) -> list[str]:
    if direction == "push":
        return ["push", str(big), f"{pod}:/tmp/here", *SLOWLY]
    return ["pull", f"{pod}:/tmp/there", str(big.parent / "back"), *SLOWLY]


def assert_nothing_runs(fleet: Fleet, pod: str) -> None:
    if isinstance(fleet, FakeFleet):  # its pods see this machine's processes
        eventually("nothing runs in the pods", lambda: not fleet.cluster.running_processes(), 10)
    else:
        assert_all_ended(fleet, pod)


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_two_signals_end_a_copy_at_any_distance(fleet: Fleet, pod: str, big: Path, direction: str) -> None:
    for pair in pairs(PAIRS):
        with Running(fleet, *a_copy(direction, pod, big)) as running:
            running.wait_for("started")
            pair.send(running.send_signal)
            ran = running.finish(ENDS_WITHIN_S)
        assert ran.code == 130, f"{pair}: {ran.err}"
        # Either the report, or a word that there is none.
        said = "interrupted again, ended at once" in ran.err or set(ran.outcomes.values()) == {"interrupted"}
        assert said, f"{pair}: {ran.err}"
    assert_nothing_runs(fleet, pod)


def test_two_signals_end_a_start_at_any_moment(fleet: Fleet, pod: str, big: Path) -> None:
    """Before the program's own first lines a signal does what it does to every Python program."""
    chance = random.Random(SEED)
    for pair in pairs(PAIRS):
        argv = command(*a_copy("push", pod, big))
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(fleet)) as process:
            time.sleep(chance.random() * 0.4)  # any moment is right
            pair.send(process.send_signal)
            _, err = process.communicate(timeout=ENDS_WITHIN_S)
        if not any(words in err for words in (b"Fatal Python error: init_", b"Could not import runpy")):
            # Not SIGINT while Python itself starts.
            assert process.returncode in (130, -pair.first, -pair.second), f"{pair}: {err!r}"
            # Of Python's own end by SIGINT the other signal may cut the last words short.
            struck = process.returncode == -signal.SIGINT or (process.returncode < 0 and b"KeyboardInterrupt" in err)
            assert b"Traceback" not in err or (struck and b"perform" not in err), err


@pytest.mark.skipif(shutil.which("timeout") is None, reason="there is no timeout")
def test_timeout_ends_a_copy(fleet: Fleet, pod: str, big: Path) -> None:
    """It signals its child, and then its own process group, which the child is in."""
    argv = ["timeout", "-k", "20", "-s", "INT", "1", *command(*a_copy("push", pod, big))]
    begun = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, env=environment(fleet), timeout=60, check=False)
    assert done.returncode == 124
    assert time.monotonic() - begun < 1 + ENDS_WITHIN_S
    assert "Traceback" not in done.stderr
    assert "interrupted" in done.stderr


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[socket.socket]:
    """An API server that takes connections and never answers; `kubeconfig` leads to it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        config = kubeconfig({"server": f"http://127.0.0.1:{server.getsockname()[1]}"}, {})
        (tmp_path / "kubeconfig").write_text(config)
        yield server


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_planning(silent: socket.socket, tmp_path: Path, number: signal.Signals) -> None:
    argv = command("push", tmp_path / "kubeconfig", "web-0:/tmp", "--kubeconfig", tmp_path / "kubeconfig")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process, silent.accept()[0]:
        process.send_signal(number)
        out, err = process.communicate(timeout=ENDS_WITHIN_S)
    assert (process.returncode, out, err) == (130, b"", b"asynccp: interrupted\n")


def test_one_signal_ends_a_credential_plugin_that_is_waited_for(tmp_path: Path) -> None:
    """Such as one that waits for a person in a browser."""
    (tmp_path / "plugin").write_text(
        f'#!/bin/sh\necho $$ >"{tmp_path}/new" && mv "{tmp_path}/new" "$1" && exec sleep 600\n'
    )
    (tmp_path / "plugin").chmod(0o755)
    pid = tmp_path / "pid"
    run = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": str(tmp_path / "plugin"),
        "args": [str(pid)],
        "interactiveMode": "Never",
    }
    (tmp_path / "kubeconfig").write_text(kubeconfig({"server": "http://127.0.0.1:1"}, {"exec": run}))
    argv = command("push", tmp_path / "kubeconfig", "web-0:/tmp", "--kubeconfig", tmp_path / "kubeconfig")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        eventually("the plugin runs", pid.exists)
        process.send_signal(signal.SIGTERM)  # not the terminal's ^C, which would reach the plugin as well
        out, err = process.communicate(timeout=ENDS_WITHIN_S)
    assert (process.returncode, out, err) == (130, b"", b"asynccp: interrupted\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_one_signal_ends_a_report_that_nobody_reads(fleet: Fleet, pod: str, tmp_path: Path) -> None:
    """The file has it by then."""
    (tmp_path / "file").write_text("content")
    report = tmp_path / "report.json"
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while True:
        try:
            os.write(writing, bytes(4096))
        except BlockingIOError:
            break
    os.set_blocking(writing, True)
    argv = command("push", tmp_path / "file", f"{pod}:/tmp/said", "-o", "json", "--report", report)
    with subprocess.Popen(argv, stdout=writing, stderr=subprocess.PIPE, env=environment(fleet)) as process:
        eventually("the report is in its file", report.exists)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=ENDS_WITHIN_S)
    os.close(reading)
    os.close(writing)
    assert process.returncode == 130
    assert err.endswith(b"asynccp: interrupted\n")
    assert conforming(report.read_text())["exit_code"] == 0
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".asynccp")]


@pytest.mark.skipif(shutil.which("nohup") is None, reason="there is no nohup")
def test_a_copy_under_nohup_outlives_its_terminal(fleet: Fleet, pod: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(MIB))
    argv = ["nohup", *command("push", tmp_path / "file", f"{pod}:/tmp/nohup", "-v", "--bwlimit", "1M", "-z", "none")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(fleet)) as process:
        assert process.stderr is not None
        assert any(b"started" in line for line in process.stderr)
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


def test_one_signal_ends_the_demo(tmp_path: Path) -> None:
    argv = command("demo", "--serve", "--pods", "1", tmp_path / "demo")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert any(b"^C ends it" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=ENDS_WITHIN_S)
    assert (process.returncode, err) == (0, b"")


def test_a_library_takes_no_signal_from_its_user() -> None:
    script = """
import signal
import asynccp, asynccp.cli.app, asynccp.cli.run, asynccp.engine.push, asynccp.engine.pull
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
"""
    subprocess.run([sys.executable, "-c", script], check=True)

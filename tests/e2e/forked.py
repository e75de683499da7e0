"""Processes of the real command, forked from one that has already imported it: half of what a short copy costs is that.

Each is a process of its own in all else: its arguments, environment, directory, umask, streams, exit code, and the
end of its interpreter. Where a test needs signals, a terminal or the memory taken, it starts one in full.
"""

import atexit
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

Done = subprocess.CompletedProcess[bytes]

_LOADED = (
    "asynccp.cli.app",
    "asynccp.cli.run",
    "asynccp.engine.push",
    "asynccp.engine.pull",
    "anyio._backends._asyncio",
)
"""What a copy loads. Nothing that only some commands load: where one forgets to, it should fail."""
_READ_ONCE = ("PYTHON", "LC_", "LANG", "TZ", "MALLOC", "LD_")
"""Beginnings of variables that a process reads when it starts, and not again."""


def run(arguments: Sequence[str], env: Mapping[str, str], cwd: Path | None, timeout_s: float) -> Done:
    """Run `python -m asynccp` to its end, as `subprocess.run`. TimeoutError: it took longer, and was killed."""
    argv = [sys.executable, "-m", "asynccp", *arguments]
    if _read_once(env) != _read_once(os.environ):
        return subprocess.run(argv, capture_output=True, cwd=cwd, env=dict(env), timeout=timeout_s, check=False)
    os.umask(mask := os.umask(0))
    wanted = {"arguments": list(arguments), "env": dict(env), "cwd": str(cwd or Path.cwd()), "umask": mask}
    ours, theirs = socket.socketpair()
    with ours, tempfile.TemporaryFile() as request, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        request.write(json.dumps(wanted).encode())
        request.seek(0)
        with theirs:
            socket.send_fds(_server(), [b"!"], [one.fileno() for one in (theirs, request, out, err)])
        code = _code(ours, timeout_s)
        out.seek(0)
        err.seek(0)
        return Done(argv, code, out.read(), err.read())


def _read_once(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_READ_ONCE)}


def _code(answers: socket.socket, timeout_s: float) -> int:
    answers.settimeout(timeout_s)
    pid = int(answers.recv(20))
    try:
        return int(answers.recv(20))
    except TimeoutError:
        os.kill(pid, signal.SIGKILL)
        raise


@cache
def _server() -> socket.socket:
    """Start the process that others are forked from. It ends with its requests: with this process, at the latest."""
    ours, theirs = socket.socketpair()
    with theirs:
        argv = [sys.executable, "-m", "tests.e2e.forked", str(theirs.fileno())]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


def _serve(requests: socket.socket) -> None:
    """Fork a process for each request, and return in it. Ends this one at the end of the requests."""
    for name in _LOADED:
        import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    while received := socket.recv_fds(requests, 1, 4)[1]:
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            requests.close()
            return _follow(*received)
        for one in received:
            os.close(one)
    os._exit(0)


def _follow(answers: int, request: int, out: int, err: int) -> None:
    """Fork a process that becomes the command, and return in it; say its number, and how it ended."""
    if pid := os.fork():
        os.write(answers, b"%-20d" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(answers, b"%-20d" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    with open(request, "rb") as file:
        wanted = json.load(file)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.closerange(3, max(answers, request, out, err) + 1)
    os.chdir(wanted["cwd"])
    os.umask(wanted["umask"])
    os.environ.clear()
    os.environ.update(wanted["env"])
    sys.argv[1:] = wanted["arguments"]


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module("asynccp", run_name="__main__", alter_sys=True)

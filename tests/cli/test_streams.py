"""A write to our own stdout or stderr fails for nobody, and what was lost is known."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

START = "import os, sys; from asynccp.cli import streams; streams.keep(); "
SIZE = 300_000  # bytes, more than a pipe holds


def run(script: str, **streams: int) -> subprocess.CompletedProcess[bytes]:
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run([sys.executable, "-c", START + script], timeout=50, check=False, **given)  # type: ignore[call-overload,no-any-return]


def test_a_reader_that_does_not_keep_up_with_a_pipe_that_does_not_block_gets_all_of_it() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    found = bytearray()

    def read() -> None:
        while data := os.read(reading, 65536):
            found.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    done = run(f"print('x' * {SIZE}); sys.exit(streams.end(0))", stdout=writing)
    os.close(writing)
    reader.join()
    os.close(reading)
    assert (done.returncode, len(found)) == (0, SIZE + 1), done.stderr


def test_after_a_failure_nothing_more_is_written_so_that_no_text_has_a_hole(tmp_path: Path) -> None:
    limited = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, -1)); print('a' * 1500, flush=True); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1)); print('b', flush=True); sys.exit(streams.end(0))"
    )
    with open(tmp_path / "out", "wb") as out:
        done = run(limited, stdout=out.fileno())
    assert (tmp_path / "out").read_bytes() == b"a" * 1000
    assert (done.returncode, done.stderr) == (23, b"asynccp: stdout could not be written: File too large\n")


@pytest.mark.parametrize("number", [0, 1, 2])
def test_no_file_gets_the_number_of_a_stream_that_was_closed(number: int) -> None:
    script = "print(os.open('/dev/null', os.O_RDONLY) > 2, file=sys.stderr if sys.argv[1] == '1' else sys.stdout)"
    argv = [sys.executable, "-c", START + script, str(number)]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {number}>&-', "sh", *argv], capture_output=True, timeout=50, check=False
    )
    assert (done.stdout + done.stderr).strip() == b"True"


def test_what_the_encoding_of_the_terminal_lacks_is_escaped() -> None:
    script = "print('→ 日本'); print('→', file=sys.stderr); sys.exit(streams.end(0))"
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONPATH": "."}
    done = subprocess.run([sys.executable, "-c", START + script], capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\\u2192 \\u65e5\\u672c\n", b"\\u2192\n")

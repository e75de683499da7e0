"""The umask is asked without being changed, so that no other thread makes a file under another one meanwhile."""

import os
import sys
import threading
from pathlib import Path

import pytest

from asynccp.local.umask import umask


@pytest.mark.parametrize("given", [0, 0o002, 0o022, 0o027, 0o077, 0o777])
def test_it_is_what_the_process_has(given: int) -> None:
    old = os.umask(given)
    try:
        assert umask() == given
        assert os.umask(given) == given, "it was changed"
    finally:
        os.umask(old)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it can only be asked by a change")
def test_nobody_notices_that_it_is_asked(tmp_path: Path) -> None:
    old = os.umask(0)
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            umask()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for number in range(2000):
            os.close(os.open(tmp_path / f"{number}", os.O_CREAT, 0o666))
    finally:
        over.set()
        asking.join()
        os.umask(old)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o666}

"""--chmod means what it means to rsync."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from asynccp.errors import UsageError
from asynccp.modes import mode_after, parse_chmod

TABLE = [  # CHANGES, mode, of a directory, of a file
    ("D755,F644", 0o700, 0o755, 0o644),
    ("644", 0o755, 0o644, 0o644),
    ("D2775,F664", 0o700, 0o2775, 0o664),
    ("Dg+s,ug+w,Fo-w,+X", 0o644, 0o2775, 0o664),
    ("u=rwx,go=rX", 0o640, 0o755, 0o744),
    ("go-rwx", 0o755, 0o700, 0o700),
    ("a+x", 0o600, 0o711, 0o711),
    ("+x", 0o600, 0o711, 0o711),
    ("+w", 0o444, 0o644, 0o644),
    ("a+X", 0o600, 0o711, 0o600),
    ("o+X", 0o700, 0o701, 0o701),
    ("u+s", 0o755, 0o4755, 0o4755),
    ("g+s", 0o755, 0o2755, 0o2755),
    ("ug+s", 0o755, 0o6755, 0o6755),
    ("+t", 0o777, 0o1777, 0o1777),
    ("g-s", 0o2755, 0o755, 0o755),
    ("g=", 0o775, 0o705, 0o705),
    ("u=rw,Da+x", 0o000, 0o711, 0o600),
    ("Fu+x,F-x", 0o600, 0o600, 0o600),
]


@pytest.mark.parametrize(("text", "mode", "directory", "file"), TABLE)
def test_a_mode_is_changed_as_rsync_does(text: str, mode: int, directory: int, file: int) -> None:
    assert oct(mode_after(mode, [text], is_directory=True)) == oct(directory)
    assert oct(mode_after(mode, [text], is_directory=False)) == oct(file)


@pytest.mark.skipif(not shutil.which("rsync"), reason="there is no rsync on this machine")
@pytest.mark.parametrize(("text", "mode", "directory", "file"), TABLE)
def test_rsync_itself_does_so(tmp_path: Path, text: str, mode: int, directory: int, file: int) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").touch()
    os.chmod(source / "file", mode)
    os.chmod(source, mode)
    subprocess.run(
        ["rsync", "-rp", f"--chmod={text}", f"{source}/", f"{tmp_path}/to"], check=True, umask=0o022, timeout=30
    )
    assert oct(stat.S_IMODE((tmp_path / "to").stat().st_mode)) == oct(directory)
    assert oct(stat.S_IMODE((tmp_path / "to" / "file").stat().st_mode)) == oct(file)


def test_changes_come_one_after_the_other() -> None:
    assert mode_after(0o777, ["o-rwx", "u-w,o+r"], is_directory=False) == 0o574


@pytest.mark.parametrize(
    "text", ["", "x", "u", "755,", "D", "u+q", "g=u", "888", "D:755", "u+x-w", "\x1b", "99999", "10000"]
)
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_chmod(text)
    assert "\x1b" not in str(caught.value)

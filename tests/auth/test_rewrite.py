"""Rewriting a kubeconfig: whole or not at all, whoever owns it, and never while kubectl does."""

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from asynccp.auth.rewrite import Locked, rewrite
from tests.auth.mounts import mounted_over_itself, small_disk
from tests.powerless import NOBODY

OLD, NEW = b"old " * 50, b"new " * 1000


@contextmanager
def powerless() -> Iterator[None]:
    """Be nobody meanwhile, if we are root."""
    root = os.geteuid() == 0
    if root:
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
            os.setegid(0)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that others may look into; pytest's are closed."""
    with TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield Path(directory)
        os.chmod(directory, 0o755)


def written(path: Path, *, even_if_locked: bool = False) -> None:
    rewrite(str(path), lambda old: NEW if old == OLD else b"something else was there", even_if_locked=even_if_locked)


def test_a_file_is_replaced_with_its_mode_and_no_reader_meets_a_half(place: Path) -> None:
    path = place / "config"
    path.write_bytes(OLD)
    path.chmod(0o640)
    with path.open("rb") as reader:
        written(path)
        assert reader.read() == OLD
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (NEW, 0o640)
    assert os.listdir(place) == ["config"]


def test_a_link_stays_and_its_own_name_is_locked(place: Path) -> None:
    """client-go locks the name that it was given."""
    (place / "real").write_bytes(OLD)
    (place / "config").symlink_to("real")
    (place / "real.lock").touch()
    written(place / "config")
    assert (place / "config").is_symlink()
    assert (place / "real").read_bytes() == NEW
    (place / "config.lock").touch()
    with pytest.raises(Locked) as caught:
        written(place / "config")
    assert caught.value.filename == str(place / "config.lock")


def test_a_file_in_a_directory_that_is_closed_to_us_is_written_as_it_stands(place: Path) -> None:
    path = place / "config"
    path.write_bytes(OLD)
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    path.chmod(0o600)
    place.chmod(0o555)
    with powerless():
        written(path)
    assert path.read_bytes() == NEW


def test_a_file_of_another_owner_keeps_its_owner(place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make one")
    path = place / "config"
    path.write_bytes(OLD)
    os.chown(path, 0, NOBODY)
    os.chown(place, NOBODY, NOBODY)
    path.chmod(0o660)
    with powerless():
        written(path)
    there = path.stat()
    assert (path.read_bytes(), there.st_uid, there.st_gid, stat.S_IMODE(there.st_mode)) == (NEW, 0, NOBODY, 0o660)
    assert os.listdir(place) == ["config"]


def test_a_mount_point_is_written_as_it_stands_shorter_or_longer(place: Path) -> None:
    path = place / "config"
    path.write_bytes(OLD)
    with mounted_over_itself(path):
        written(path)
        assert path.read_bytes() == NEW
        rewrite(str(path), lambda _: OLD)
        assert path.read_bytes() == OLD
    assert os.listdir(place) == ["config"]


def test_a_file_that_nobody_may_write_is_left_alone(place: Path) -> None:
    path = place / "config"
    path.write_bytes(OLD)
    path.chmod(0o444)
    place.chmod(0o555)
    with powerless(), pytest.raises(PermissionError):
        written(path)
    assert path.read_bytes() == OLD


def test_a_full_disk_costs_nothing_of_what_was_there(place: Path) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    with small_disk(place, 2 * page):
        path = place / "config"
        path.write_bytes(OLD)
        (place / "rest").write_bytes(bytes(page))
        with pytest.raises(OSError, match="No space left"):
            rewrite(str(path), lambda _: NEW * 10)
        assert path.read_bytes() == OLD
        assert sorted(os.listdir(place)) == ["config", "rest"]


def test_what_is_wrong_with_the_change_leaves_the_file_and_no_lock(place: Path) -> None:
    (place / "config").write_bytes(OLD)
    with pytest.raises(ZeroDivisionError):
        rewrite(str(place / "config"), lambda _: bytes(1 // 0))
    assert (place / "config").read_bytes() == OLD
    assert os.listdir(place) == ["config"]


def test_a_lock_of_another_program_stays(place: Path) -> None:
    (place / "config").write_bytes(OLD)
    (place / "config.lock").touch()
    with pytest.raises(Locked, match=r"locked by config\.lock"):
        written(place / "config")
    assert (place / "config").read_bytes() == OLD
    written(place / "config", even_if_locked=True)
    assert sorted(os.listdir(place)) == ["config", "config.lock"]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")
def test_what_kubectl_writes_meanwhile_is_not_lost(place: Path) -> None:
    """It holds our lock out, and ours it."""
    path = place / "config"
    path.write_text("{}")

    def kubectl(word: str) -> subprocess.Popen[bytes]:
        command = ["kubectl", "config", "set-context", word, "--kubeconfig", str(path)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def seen() -> list[str]:
        command = ["kubectl", "config", "view", "-o", "json", "--kubeconfig", str(path)]
        shown = subprocess.run(command, check=True, capture_output=True)
        return [one["name"] for one in json.loads(shown.stdout)["contexts"] or ()]

    kept, tries = list[str](), 0
    for number in range(50):
        running = kubectl(f"c{number}")
        while running.poll() is None:
            with suppress(Locked, subprocess.TimeoutExpired):
                rewrite(str(path), lambda old: old)
                tries += 1
                running.wait(0.005)  # we hold the lock most of the time otherwise
        kept += [f"c{number}"] if running.returncode == 0 else []  # else it met our lock, and says so
        if len(kept) == 3:
            break
    assert (len(kept), set(kept) <= set(seen())) == (3, True)
    assert tries > 0

    def refuse(old: bytes) -> bytes:
        assert kubectl("refused").wait() != 0
        return old

    rewrite(str(path), refuse)
    assert "refused" not in seen()

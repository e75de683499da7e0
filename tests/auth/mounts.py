"""Mounts that a test makes, where it may."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted_over_itself(path: Path) -> Iterator[None]:
    """Make a mount point of a file or directory, with what is in it."""
    with _mounted(path, "--bind", str(path)):
        yield


@contextmanager
def small_disk(path: Path, size: int) -> Iterator[None]:
    """Have a disk of so many bytes at a directory."""
    with _mounted(path, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        yield


@contextmanager
def _mounted(path: Path, *words: str) -> Iterator[None]:
    try:
        subprocess.run(["mount", *words, str(path)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)

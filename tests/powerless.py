"""Powerless: what a user sees whom permissions bind, also where the tests run as root."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def bound_by_permissions(directory: Path) -> Iterator[None]:
    """Give up root's rights meanwhile, if we have them. Only paths relative to `directory` can be reached then."""
    before = os.getcwd()
    os.chdir(directory)
    root = os.getuid() == 0
    if root:
        os.chown(directory, NOBODY, -1)
        os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        if root:
            os.setresuid(0, 0, 0)
        os.chdir(before)

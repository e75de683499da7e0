"""What is pushed to the null cluster."""

import os
from pathlib import Path

_PIECE = os.urandom(1024 * 1024)


def file(path: Path, size: int) -> Path:
    """Write one file of random bytes, the same MiB again and again."""
    with path.open("wb") as out:
        for start in range(0, size, len(_PIECE)):
            out.write(_PIECE[: size - start])
    return path


def sparse(path: Path, size: int) -> Path:
    """Make one file of zeros that takes no room."""
    with path.open("wb") as out:
        out.truncate(size)
    return path


def tree(path: Path, count: int, size: int) -> Path:
    """Make `count` files of `size` bytes, 1,000 in a directory."""
    for number in range(count):
        if number % 1000 == 0:
            (folder := path / f"{number // 1000:04}").mkdir(parents=True)
        (folder / f"{number % 1000:03}").write_bytes(_PIECE[:size])
    return path

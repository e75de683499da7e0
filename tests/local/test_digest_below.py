"""Digests of what was pulled: in steps that end soon, with holes as the zeros that they are."""

import hashlib
from pathlib import Path

import pytest

from asynccp.local.digest import digest_below
from asynccp.steps import finished

MIB = 1024 * 1024


@pytest.mark.parametrize("pieces", [[], [(0, 10)], [(3 * MIB, 10)], [(0, 5), (2 * MIB + 7, 3 * MIB)]])
def test_a_file_with_holes_has_the_digest_of_its_zeros(tmp_path: Path, pieces: list[tuple[int, int]]) -> None:
    with open(tmp_path / "f", "wb") as file:
        for at, size in pieces:
            file.seek(at)
            file.write(b"x" * size)
        file.truncate(6 * MIB + 1)
    expected = hashlib.sha256((tmp_path / "f").read_bytes()).hexdigest()
    assert finished(digest_below(str(tmp_path), b"f", "sha256sum", {})) == expected


def test_a_hole_of_terabytes_is_left_after_any_step(tmp_path: Path) -> None:
    with open(tmp_path / "f", "wb") as file:
        file.truncate(4 * 1024**4)
    steps = digest_below(str(tmp_path), b"f", "sha256sum", {})
    assert [next(steps) for _ in range(3)] == [0, 0, 0], "nothing of it came, and no patience comes from it"
    steps.close()


def test_a_file_with_many_names_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * MIB)
    (tmp_path / "g").hardlink_to(tmp_path / "f")
    known: dict[tuple[int, int], str] = {}
    first = finished(digest_below(str(tmp_path), b"f", "sha256sum", known))
    (tmp_path / "f").write_bytes(b"y" * MIB)
    assert finished(digest_below(str(tmp_path), b"g", "sha256sum", known)) == first

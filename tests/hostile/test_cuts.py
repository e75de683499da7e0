"""A damaged archive is never taken for a whole one."""

from pathlib import Path

from benchmarks.trust.hostile.cuts import cuts, flips, is_refused_on_disk, is_reported, real_archive, verdict_of_flip
from benchmarks.trust.hostile.fuzz import events

REAL = real_archive()


def test_the_archive_is_sound_and_about_200_blocks_long() -> None:
    assert events(REAL, len(REAL))[1] == "the archive is whole"
    assert 180 <= len(REAL) // 512 <= 220


def test_every_cut_is_reported() -> None:
    assert [size for size in cuts(REAL) if not is_reported(REAL[:size])] == []


def test_cuts_leave_no_torn_file(tmp_path: Path) -> None:
    sizes = list(cuts(REAL))[::23]
    assert [size for size in sizes if not is_refused_on_disk(REAL[:size], tmp_path / str(size))] == []


def test_every_flipped_byte_of_a_header_is_reported_or_changes_nothing() -> None:
    verdicts = [verdict_of_flip(REAL, *flip) for flip in flips(REAL, bits=1)]
    assert verdicts.count("missed") == 0
    assert verdicts.count("reported") > 0.99 * len(verdicts)

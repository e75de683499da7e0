"""Every hostile archive, however it is sliced: nothing gets out, and what is left and said is what the table says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.trust.hostile.bundles import bundled
from benchmarks.trust.hostile.case import MAX_SIZE_BY_BYTE, STEPS, run, surroundings
from benchmarks.trust.hostile.interpreters import interpreters, verdicts
from benchmarks.trust.hostile.race import race
from benchmarks.trust.hostile.table import CASES


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with surroundings() as place:
        yield place


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_archive_does_no_harm_and_is_named(name: str, place: Path) -> None:
    case = CASES[name]
    large = sum(map(len, case.archives)) > MAX_SIZE_BY_BYTE
    first, *others = [run(case, step, place) for step in STEPS if step > 1 or not large]
    assert first.breaches == ()
    assert (first.verdict, dict(first.left)) == (case.verdict, dict(case.left))
    assert [one for one in others if one != first] == []


@pytest.mark.parametrize("name", CASES)
def test_the_same_archive_is_as_harmless_where_a_shell_has_packed_it(name: str, place: Path) -> None:
    """Whether its files stand in it as a tar has them, or in bundles."""
    case = CASES[name]
    for one, step in ((case, 1 << 30), (bundled(case), 1 << 30), (bundled(case), 509)):
        found = run(one, step, place, by_shell=True)
        assert found.breaches == ()
        assert (found.verdict, dict(found.left)) == (case.verdict, dict(case.left))


def test_most_archives_have_bundles_in_that_form() -> None:
    assert sum(bundled(case) != case for case in CASES.values()) > len(CASES) // 2


def test_directories_that_are_swapped_for_links_lead_nowhere() -> None:  # H10
    outcome = race(1.5)
    assert outcome.escaped == []
    assert outcome.refused > 0, "the attacker was never in time"


def test_every_python_on_this_machine_comes_to_the_same_verdicts() -> None:
    found = interpreters()
    told = {version: verdicts(executable) for version, executable in found.items()}
    expected = {name: (case.verdict, dict(case.left)) for name, case in CASES.items()}
    for version, verdict in told.items():
        assert {name: (one["verdict"], one["left"]) for name, one in verdict.items()} == expected, version
    assert len({str(verdict) for verdict in told.values()}) == 1

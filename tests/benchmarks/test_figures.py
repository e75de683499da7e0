"""The README of the benchmarks is what the figures say, and nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import figures
from benchmarks.figures import Measured
from benchmarks.readme import number, readme
from benchmarks.row import OURS, Curve, Row

ROW = Row(
    "push → 8 pods", "time", 1.0, 2.5, "s", "kubectl cp", 1.9, {"kubectl cp": 1}, {OURS: [1.0], "kubectl cp": [2.5]}
)
CURVE = Curve(
    "Memory of sessions", "sessions", "MiB", {OURS: [[1, 50], [1000, 90]]}, "Memory grows in a straight line."
)
MEASURED = Measured(
    "What is compared.", "nox -s bench -- push", {"date": "2026-06-12", "Python": "3.13"}, [ROW], [CURVE]
)


def test_figures_come_back_as_they_were_kept(tmp_path: Path) -> None:
    figures.replace("push", MEASURED, tmp_path / "figures.json")
    assert figures.load(tmp_path / "figures.json") == {"push": MEASURED}


def test_a_run_replaces_only_what_it_measured(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    other = replace(MEASURED, what="Something else.")
    for name, measured in (("push", MEASURED), ("pull", MEASURED), ("pull", other)):
        figures.replace(name, measured, file)
    assert figures.load(file) == {"push": MEASURED, "pull": other}


def test_the_readme_has_each_figure_its_aim_and_what_it_was_measured_with() -> None:
    text = readme({"push": MEASURED})
    assert "| push → 8 pods | time | 1.00 s | 2.50 s | kubectl cp | 2.50× | ≥ 1.90 | yes |" in text
    assert "| push → 8 pods | kubectl cp | 2.50 | 1 |" in text, "what each side lost is told"
    assert "`nox -s bench -- push`: 2026-06-12, Python 3.13." in text
    assert CURVE.sentence in text


def test_the_readme_says_what_is_not_held() -> None:
    text = readme({"push": replace(MEASURED, rows=[replace(ROW, ours=2.0)])})
    assert "| 1.25× | ≥ 1.90 | **NOT** |" in text


def test_the_readme_is_that_of_the_figures_that_are_kept() -> None:
    assert (figures.FILE.parent / "README.md").read_text() == readme(figures.load())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.01234, "0.0123"),
        (0.999, "0.999"),
        (1.5, "1.50"),
        (12.34, "12.3"),
        (1234.5, "1234"),
        (float("inf"), "∞"),
    ],
)
def test_a_figure_has_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text

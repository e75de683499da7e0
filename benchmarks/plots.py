"""Plots of the figures, as SVG files that are the same when the figures are."""

import statistics
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.figures import Measured
from benchmarks.readme import curve_name, plot_names
from benchmarks.row import OURS, Curve, Row

FOLDER = Path(__file__).parent / "plots"
STYLE: Any = {
    "svg.hashsalt": "asynccp",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "legend.frameon": False,
}


def draw(name: str, measured: Measured, folder: Path = FOLDER) -> None:
    """Draw one scenario's plots, in place of its old ones."""
    folder.mkdir(exist_ok=True)
    for old in (*folder.glob(f"{name}.svg"), *folder.glob(f"{name}-*.svg")):
        old.unlink()
    with mpl.rc_context(STYLE):
        rows = [row for row in measured.rows if any(row.samples.values())]
        if f"{name}.svg" in plot_names(name, measured):
            _save(_strips(rows), folder / f"{name}.svg")
        for curve in measured.curves:
            _save(_curve(curve), folder / curve_name(name, curve))


def _strips(rows: list[Row]) -> Figure:
    """Draw every single figure as a dot, and a bar for the median: a row of the table is a panel."""
    heights = [0.5 + 0.3 * len(row.samples) for row in rows]
    figure, axes = plt.subplots(
        len(rows), 1, figsize=(7.5, sum(heights) + 0.4 * len(rows)), height_ratios=heights, squeeze=False
    )
    for row, panel in zip(rows, axes[:, 0], strict=True):
        _strip(row, panel)
    figure.tight_layout()
    return figure


def _strip(row: Row, panel: Axes) -> None:
    sides = list(row.samples)
    for height, side in enumerate(sides):
        colour, figures = "tab:blue" if side == OURS else "tab:grey", row.samples[side]
        if figures:
            panel.barh(height, statistics.median(figures), color=colour, alpha=0.35)
            panel.plot(figures, [height] * len(figures), "o", color=colour, markersize=3.5)
    panel.set_yticks(range(len(sides)), sides)
    panel.invert_yaxis()
    panel.set_xlim(left=0)
    panel.set_title(f"{row.scenario}: {row.measure}, {row.unit}")


def _curve(curve: Curve) -> Figure:
    figure, panel = plt.subplots(figsize=(7.5, 3.6))
    for label, points in curve.lines.items():
        panel.plot([x for x, _ in points], [y for _, y in points], "o-", label=label, markersize=3.5)
    panel.set_xlabel(curve.x)
    panel.set_ylabel(curve.y)
    panel.set_xlim(left=0)
    panel.set_ylim(bottom=0)
    panel.set_title(curve.title)
    panel.legend()
    figure.tight_layout()
    return figure


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)

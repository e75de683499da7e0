"""python -m benchmarks.plots [NAME…]: draw the figures, one picture for each scenario, into benchmarks/plots/.

Not kept: figures.json is the truth, and the README has it in tables. A row of a table is a panel, and so is a curve.
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import figures
from benchmarks.figures import Measured
from benchmarks.row import OURS, Curve, Row

FOLDER = Path(__file__).parent / "plots"
WIDTH, CURVE_HEIGHT = 7.5, 3.2  # inches
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "legend.frameon": False,
}


def main() -> None:
    known = figures.load()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plots")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*known, []], help=", ".join(known))
    FOLDER.mkdir(exist_ok=True)
    with mpl.rc_context(STYLE):
        for name in parser.parse_args().names or known:
            picture(known[name]).savefig(FOLDER / f"{name}.png", dpi=80)
            print(FOLDER / f"{name}.png")


def picture(measured: Measured) -> Figure:
    """Return all that was measured of one scenario, a panel below the other."""
    rows = [row for row in measured.rows if any(row.samples.values())]
    heights = [0.9 + 0.3 * len(row.samples) for row in rows] + [CURVE_HEIGHT] * len(measured.curves)
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="tight")
    panels = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    for row, panel in zip(rows, panels, strict=False):
        _strip(row, panel)
    for curve, panel in zip(measured.curves, panels[len(rows) :], strict=True):
        _curve(curve, panel)
    return figure


def _strip(row: Row, panel: Axes) -> None:
    """Draw every single figure as a dot, and a bar for the median."""
    sides = list(row.samples)
    for height, side in enumerate(sides):
        colour, samples = "tab:blue" if side == OURS else "tab:grey", row.samples[side]
        if samples:
            panel.barh(height, statistics.median(samples), color=colour, alpha=0.35)
            panel.plot(samples, [height] * len(samples), "o", color=colour, markersize=3.5)
    panel.set_yticks(range(len(sides)), sides)
    panel.invert_yaxis()
    panel.set_xlim(left=0)
    panel.set_title(f"{row.scenario}: {row.measure}, {row.unit}")


def _curve(curve: Curve, panel: Axes) -> None:
    for label, points in curve.lines.items():
        panel.plot([x for x, _ in points], [y for _, y in points], "o-", label=label, markersize=3.5)
    panel.set(title=curve.title, xlabel=curve.x, ylabel=curve.y)
    panel.set_xlim(left=0)
    panel.set_ylim(bottom=0)
    panel.legend()


if __name__ == "__main__":
    main()

"""The text of benchmarks/README.md, made from the figures. Pure."""

import math
import statistics
from collections.abc import Mapping

from benchmarks.figures import Measured
from benchmarks.row import Row

HEAD = """\
# How fast asynccp is, and against what

    nox -s bench                                 # everything, on the cluster that $KUBECONFIG names
    nox -s bench -- config start --runs 3        # some scenarios
    nox -s bench -- config --scale 0.1           # a rehearsal: less of everything, printed and not kept
    nox -s plots                                 # pictures of the figures, in benchmarks/plots/

Each scenario copies the same files with asynccp and with what people use instead, in the same run and in turn
(A B C A B C …), every one by its own command line, from a cold start. The figures are medians; a ratio says how many
times better asynccp is, so more than 1 is better, and **each figure of a side is compared to the best of the others**.
Client CPU is that of all processes that a side starts. After each copy, and outside of the time taken, the SHA-256 of
every file is compared at both ends: a copy that is short or failed is counted, and is not a time.

Absolute times belong to the machine that is named; ratios carry further. This file is made from
[figures.json](figures.json), which has every single figure.
"""

TABLE = """\
| what is copied | measure | asynccp | the best other | who that is | ratio | aim | held |
|---|---|---|---|---|---|---|---|
"""


def readme(figures: Mapping[str, Measured]) -> str:
    rows = [row for _, one in sorted(figures.items()) for row in one.rows]
    parts = [HEAD, TABLE + "".join(map(table_line, rows))]
    parts += [_section(name, one) for name, one in sorted(figures.items())]
    return "\n".join(parts)


def table_line(row: Row) -> str:
    aim = "–" if row.wanted is None else f"≥ {number(row.wanted)}"
    held = "–" if row.held and row.wanted is None else "yes" if row.held else "**NOT**"
    if math.isinf(row.theirs):
        held = "no other was whole"  # so there is nothing to be faster than
    ours, theirs = f"{number(row.ours)} {row.unit}", f"{number(row.theirs)} {row.unit}"
    cells = [row.scenario, row.measure, ours, theirs, row.against, f"{number(row.ratio)}×", aim, held]
    return f"| {' | '.join(cells)} |\n"


def number(value: float) -> str:
    """Return a figure with three digits that count."""
    if not math.isfinite(value):
        return "none" if math.isnan(value) else "∞"
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.{2 - math.floor(math.log10(abs(value)))}f}"


def _section(name: str, one: Measured) -> str:
    lines = [f"## {name}", one.what.strip(), f"`{one.command}`: " + _facts(one.facts) + "."]
    if any(any(row.samples.values()) for row in one.rows):
        lines.append(_sides(one))
    lines += [curve.sentence for curve in one.curves]
    return "\n\n".join(lines) + "\n"


def _facts(facts: Mapping[str, str]) -> str:
    return ", ".join(
        value if name in ("date", "machine", "kernel") else f"{name} {value}" for name, value in facts.items()
    )


def _sides(one: Measured) -> str:
    """Return a table of every side's medians, and of the copies that it lost."""
    measures = list(dict.fromkeys(f"{row.measure}, {row.unit}" for row in one.rows))
    lines = [f"| what is copied | who | {' | '.join(measures)} | short or failed |", "|---" * (len(measures) + 3) + "|"]
    for scenario in dict.fromkeys(row.scenario for row in one.rows):
        rows = {f"{row.measure}, {row.unit}": row for row in one.rows if row.scenario == scenario}
        sides = dict.fromkeys(side for row in rows.values() for side in (*row.samples, *row.failures))
        for side in sides:
            cells = [_median(rows[measure].samples.get(side, [])) if measure in rows else "" for measure in measures]
            lost = max(row.failures.get(side, 0) for row in rows.values())
            lines.append(f"| {scenario} | {side} | {' | '.join(cells)} | {lost} |")
    return "\n".join(lines)


def _median(figures: list[float]) -> str:
    return number(statistics.median(figures)) if figures else "none"

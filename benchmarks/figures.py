"""Figures: the last rows and curves of every scenario, with what they were measured with, in figures.json."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.row import Curve, Row

FILE = Path(__file__).parent / "figures.json"


@dataclass(frozen=True, slots=True)
class Measured:
    """One scenario's figures. what: its docstring. command: what measures it again. facts: `machine.measured_with`."""

    what: str
    command: str
    facts: Mapping[str, str]
    rows: Sequence[Row] = ()
    curves: Sequence[Curve] = ()


def load(file: Path = FILE) -> dict[str, Measured]:
    if not file.exists():
        return {}
    return {
        name: Measured(
            one["what"],
            one["command"],
            one["facts"],
            [Row.from_json(row) for row in one["rows"]],
            [Curve.from_json(curve) for curve in one["curves"]],
        )
        for name, one in json.loads(file.read_text()).items()
    }


def replace(name: str, measured: Measured, file: Path = FILE) -> None:
    """Replace one scenario's figures; those of others stay as they are."""
    figures = load(file) | {name: measured}
    documents = {
        name: {
            "what": one.what,
            "command": one.command,
            "facts": dict(one.facts),
            "rows": [row.to_json() for row in one.rows],
            "curves": [curve.to_json() for curve in one.curves],
        }
        for name, one in sorted(figures.items())
    }
    file.write_text(json.dumps(documents, indent=1) + "\n")

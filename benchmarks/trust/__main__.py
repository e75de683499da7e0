"""python -m benchmarks.trust [NAME...] [--scale SHARE]: measure promises, and write the table of all of them anew.

Without a name, every promise is measured. Figures of those that are not measured this time stay as they were, with
their date. A promise that isn't held ends the run with 1, after the table was written.
"""

import argparse
import importlib
import json
import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FIGURES = HERE / "figures.json"
TABLE = HERE.parent / "TRUST.md"
NAMES = sorted(path.stem for path in HERE.glob("promises/*.py") if path.stem != "__init__")

HEAD = """\
# What asynccp promises, and how it was held

Every row was measured by the command beside it; `nox -s trust` measures all of them and writes this file. What needs a
real cluster runs on the one that `$KUBECONFIG` names.

| promise | held | figure | kubectl cp, same case | command | measured |
|---|---|---|---|---|---|
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trust")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*NAMES, []], help=", ".join(NAMES))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full number of cases (1)")
    asked = parser.parse_args()
    for name in asked.names or NAMES:
        print(f"trust: {name}", flush=True)
        rows = importlib.import_module(f"benchmarks.trust.promises.{name}").measure(asked.scale)
        scale = f" --scale {asked.scale:g}" if asked.scale != 1 else ""
        figures = known()  # anew: others may have measured meanwhile
        figures[name] = {
            "command": f"nox -s trust -- {name}{scale}",
            "measured": f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}",
            "rows": [asdict(row) for row in rows],
        }
        FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
        TABLE.write_text(table(figures))
    missed = [row["what"] for one in known().values() for row in one["rows"] if not row["held"]]
    if missed:
        sys.exit("not held: " + "; ".join(missed))


def known() -> dict[str, Any]:
    """Return the figures that were found so far."""
    found: dict[str, Any] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    return found


def table(figures: dict[str, Any]) -> str:
    lines = [
        f"| {row['what']} | {'yes' if row['held'] else '**no**'} | {row['figure']} | {row['kubectl'] or '–'} "
        f"| `{one['command']}` | {one['measured']} |\n"
        for _, one in sorted(figures.items())
        for row in one["rows"]
    ]
    return HEAD + "".join(lines)


main()

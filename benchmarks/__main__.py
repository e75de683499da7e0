"""python -m benchmarks [NAME…] [--runs N] [--scale X] [--keep]: measure scenarios, and write the README of all anew.

Without a name, every scenario is measured. Figures of those that are not measured this time stay as they were. A run
at another scale than 1 is a rehearsal: its table is printed, and kept only with --keep.
"""

import argparse
import importlib
import pkgutil
import sys
import traceback
from pathlib import Path

from benchmarks import figures, readme, scenarios
from benchmarks.figures import Measured
from benchmarks.machine import measured_with
from benchmarks.row import Curve, Row
from benchmarks.setting import Setting

NAMES = sorted(module.name for module in pkgutil.iter_modules(scenarios.__path__))
README = Path(__file__).parent / "README.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*NAMES, []], help=", ".join(NAMES))
    parser.add_argument("--runs", type=int, default=5, help="how often each side copies (5)")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes and numbers (1)")
    parser.add_argument("--keep", action="store_true", help="keep the figures of a rehearsal, too")
    asked = parser.parse_args()
    names = asked.names or NAMES
    kept = asked.scale == 1 or asked.keep
    broken = []
    for name in names:
        print(f"\n{name}", flush=True)
        try:
            measured = measure(name, Setting(asked.runs, asked.scale))
        except Exception:  # hours of other scenarios are not lost with this one
            traceback.print_exc()
            broken.append(name)
            continue
        print("\n" + readme.TABLE + "".join(map(readme.table_line, measured.rows)))
        for curve in measured.curves:
            print(f"{curve.title}: {curve.sentence}", flush=True)
        if kept:
            figures.replace(name, measured)
    if kept:
        README.write_text(readme.readme(figures.load()))
    if broken:
        sys.exit(f"not measured: {', '.join(broken)}")


def measure(name: str, setting: Setting) -> Measured:
    module = importlib.import_module(f"benchmarks.scenarios.{name}")
    found: list[Row | Curve] = module.measure(setting)
    scale = f" --scale {setting.scale:g}" if setting.scale != 1 else ""
    return Measured(
        module.__doc__ or "",
        f"nox -s bench -- {name} --runs {setting.runs}{scale}",
        measured_with(),
        [one for one in found if isinstance(one, Row)],
        [one for one in found if isinstance(one, Curve)],
    )


if __name__ == "__main__":
    main()

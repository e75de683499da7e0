"""python -m benchmarks.trust.hostile: run the whole table on this Python, and print every verdict as JSON.

Only the standard library, msgspec and asynccp's lower layers are needed: run it with any Python that asynccp supports.
"""

import json
import sys
import types
from dataclasses import asdict
from pathlib import Path

# asynccp/__init__.py imports the client, and with it aiohttp and others: a bare interpreter has none of them.
package = types.ModuleType("asynccp")
package.__path__ = [str(Path(__file__).parents[3] / "asynccp")]
sys.modules.setdefault("asynccp", package)

from benchmarks.trust.hostile.case import run, surroundings  # noqa: E402 (the package must stand first)
from benchmarks.trust.hostile.table import CASES  # noqa: E402

with surroundings() as place:
    told = {name: asdict(run(case, 4096, place)) for name, case in CASES.items()}
json.dump(told, sys.stdout, sort_keys=True)

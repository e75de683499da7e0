"""python -m benchmarks.null DIRECTORY: run a null cluster; its kubeconfig is written there, and its path printed."""

import sys
from pathlib import Path

from benchmarks.null.server import serve

directory = Path(sys.argv[1])
directory.mkdir(parents=True, exist_ok=True)
serve(directory)

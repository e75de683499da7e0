"""A null cluster in a process of its own, for as long as a block lasts."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def null_cluster(tree: Path = ROOT, environment: Mapping[str, str] | None = None) -> Iterator[Path]:
    """Run a null cluster, of this tree or another; the value is its kubeconfig. environment: None: as here."""
    with tempfile.TemporaryDirectory(prefix="asynccp-null-") as directory:
        argv = [sys.executable, "-m", "benchmarks.null", directory]
        with subprocess.Popen(argv, cwd=tree, env=environment, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout
            try:
                yield Path(server.stdout.readline().strip())
            finally:
                server.kill()

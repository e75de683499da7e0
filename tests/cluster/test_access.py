"""Configuration is loaded in worker threads, several at a time where a program speaks to several clusters."""

import subprocess
import sys

SCRIPT = """
import sys
from concurrent.futures import ThreadPoolExecutor
from asynccp.cluster.access import _kubernetes_asyncio
sys.setswitchinterval(1e-5)
with ThreadPoolExecutor(8) as threads:
    found = list(threads.map(lambda _: _kubernetes_asyncio(), range(8)))
assert len({id(config) for config, _ in found}) == 1
"""


def test_several_connections_may_be_the_first_of_a_program_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr

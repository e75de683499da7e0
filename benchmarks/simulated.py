"""python -m benchmarks.simulated: what copies to and from large fleets would take, by whom, as a table.

No cluster is needed: it is `asynccp.relay.costs`, whose constants the scenario `costs` compares with runs.
"""

from collections.abc import Iterator
from itertools import product

from asynccp.relay.costs import Place, Work, cost
from asynccp.text import human_size

MIB = 2**20
PODS, NODES = (100, 1000, 10_000), (10, 100, 1000)
LINES = {"100 Mbit/s, 20 ms": (100e6 / 8, 0.02), "10 Gbit/s": (10e9 / 8, 0.0)}
WORKS = {
    "push 200 files, 1.5 MB": Work(0, 386, 2 * MIB),
    "pull 64 MiB of logs": Work(0, 10, 64 * MIB, is_pull=True),
}
BY = {"here": {}, "--workers 4": {"workers": 4}, "--relays 8": {"relays": 8}, "--relays 64": {"relays": 64}}
CORES, API_CORES, NODE_CORES = 8, 8, 8


def rows() -> Iterator[list[str]]:
    """Return what each takes: seconds, and CPU-seconds and bytes of the API server, and CPU-seconds of a node."""
    for (what, work), (line, (speed, trip_s)), pods, nodes in product(WORKS.items(), LINES.items(), PODS, NODES):
        if nodes > pods:
            continue
        place = Place(nodes, speed, trip_s, CORES, API_CORES, NODE_CORES)
        for who, how in BY.items():
            told = cost(work._replace(pods=pods), place, **how)
            yield [
                what, line, f"{pods:,}", f"{nodes:,}", who, f"{told.time_s:,.1f}", f"{told.client_cpu_s:,.1f}",
                f"{told.api_cpu_s:,.0f}", human_size(told.api_size), f"{told.node_cpu_s / nodes:,.1f}",
            ]  # fmt: skip


HEAD = [
    "what",
    "line",
    "pods",
    "nodes",
    "by",
    "s",
    "CPU-s here",
    "CPU-s API server",
    "API server sends",
    "CPU-s a node",
]

if __name__ == "__main__":
    for row in [HEAD, ["---"] * len(HEAD), *rows()]:
        print(f"| {' | '.join(row)} |")

"""Costs: what a copy takes, by whoever carries it out. Pure, and never more than an estimate.

A run is as slow as the busiest of those that it passes through: this process, the line to the API server, the API
server, and the busiest node; they work at the same time. What each of them takes for a pod and a byte was measured on
a cluster of one node, where all share two cores (`nox -s bench -- costs`, which compares these sums with runs).
"""

from typing import NamedTuple

GIB = 2**30
SIZE_UNKNOWN = 4 * 2**20
"""Bytes of each pod that a pull brings, before anybody has asked: some logs."""

_START_S = 0.2  # of this process, until it has a plan
_WORKER_S = 0.4  # of one more: its start, and what its events take here
_RELAY_S = 3.0  # until a Job's pod runs, its image being there


class Rate(NamedTuple):
    """What a step takes: CPU-seconds for each pod, each entry of an archive, and each GiB of one."""

    pod_s: float
    entry_s: float
    gib_s: float

    def of(self, pods: float, work: "Work") -> float:
        return pods * (self.pod_s + work.entries * self.entry_s + work.size / GIB * self.gib_s)


class Work(NamedTuple):
    """What is copied to, or from, each of `pods` pods. size: bytes of an archive, as they cross the line."""

    pods: int
    entries: int
    size: int
    is_pull: bool = False


class Place(NamedTuple):
    """Between what it is copied. line_bytes_per_s: to the API server. cores: of each.

    is_one: client, API server and node are one machine, and share its cores.
    """

    nodes: int = 1
    line_bytes_per_s: float = float("inf")
    round_trip_s: float = 0.0
    cores: int = 1
    api_cores: int = 4
    node_cores: int = 4
    is_one: bool = False


class Cost(NamedTuple):
    """What it takes. line_size, api_size: bytes that cross the line, and that the API server sends."""

    time_s: float
    client_cpu_s: float
    api_cpu_s: float
    node_cpu_s: float
    line_size: int
    api_size: int


# By push, and by pull: what is pushed is read once, and what is pulled decoded and written here.
_CLIENT = {False: Rate(0.008, 0.0, 1.3), True: Rate(0.008, 7e-5, 2.7)}
_API = {False: Rate(0.008, 0.0, 2.1), True: Rate(0.008, 0.0, 1.8)}
_NODE = {False: Rate(0.055, 2.6e-4, 17.0), True: Rate(0.055, 1e-4, 9.5)}
"""An exec, the programs that it starts, and kubelet, runtime, tar and disk behind them: a node's share is the most."""


def cost(work: Work, place: Place, *, workers: int = 1, relays: int = 0) -> Cost:
    """Return what a copy takes by so many processes of this machine, or by so many relays."""
    client, api, node = (rates[work.is_pull].of(work.pods, work) for rates in (_CLIENT, _API, _NODE))
    content, line_size = work.pods * work.size, work.pods * work.size
    nodes = max(1, min(place.nodes, work.pods))
    begins_s = _START_S + 2 * place.round_trip_s
    if relays:
        # Each copies its share near the pods; what it needs for that crosses the line once, and goes on from relay to
        # relay. What is pulled goes where relays bring it, and not over the line.
        line_size = 0 if work.is_pull else work.size
        content += relays * line_size
        api += relays * (_API[False].pod_s + line_size / GIB * _API[False].gib_s)
        node += client
        begins_s += _RELAY_S
        here_s = client / min(relays, nodes * place.node_cores)
        client = _START_S
    else:
        client += _START_S + (workers - 1) * _WORKER_S
        here_s = client / min(workers, place.cores)
        begins_s += _WORKER_S if workers > 1 else 0.0
    line_s = line_size / place.line_bytes_per_s
    if place.is_one:
        busiest = (client + api + node) / place.cores
    else:
        busiest = max(api / place.api_cores, node / nodes / place.node_cores)
    return Cost(begins_s + max(here_s, line_s, busiest), client, api, node, line_size, content)


def workers_worth(work: Work, cores: int) -> int:
    """Return by how many processes of this machine a copy is over first, if nothing else is slower.

    The fewest of those that differ by less than a tenth of a second.
    """
    place = Place(nodes=max(1, work.pods), cores=cores, api_cores=64 * cores)
    return min(range(1, cores + 1), key=lambda count: round(cost(work, place, workers=count).time_s, 1))

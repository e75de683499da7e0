"""Shards: one plan as several, and which plans can be divided. Pure.

All transfers of a pod stay together, since whether a path is missing is asked of all its containers. Pods are dealt out
one by one in the plan's order, so that each shard has some of every node.
"""

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from asynccp.options import Dedup, Options, Waves
from asynccp.plan.plan import PullPlan, PushPlan
from asynccp.relay.costs import SIZE_UNKNOWN, Work, workers_worth
from asynccp.target import STANDARD_OUTPUT, Transfer, is_store
from asynccp.text import listed

MOST_WORKERS = 16


def shards_of(plan: PushPlan | PullPlan, count: int) -> list[tuple[Transfer, ...]]:
    """Return the transfers of a plan in so many shards, or in fewer where there are fewer pods."""
    return shards_near(plan, [""] * count)


def shards_near(plan: PushPlan | PullPlan, nodes: Sequence[str]) -> list[tuple[Transfer, ...]]:
    """Return a shard for each of some relays, by the nodes that these are on: of the pods there, as far as all have
    about as many. Fewer where there are fewer pods.
    """
    pods: dict[str, list[Transfer]] = {}
    for one in plan.transfers:
        pods.setdefault(one.target.of_pod, []).append(one)
    dealt: list[list[list[Transfer]]] = [[] for _ in range(min(len(nodes), len(pods)))]
    most, rest = -(-len(pods) // max(1, len(dealt))), list[list[Transfer]]()
    for some in pods.values():
        near = [one for one, node in zip(dealt, nodes, strict=False) if node and node == some[0].target.node]
        least = min(near, key=len, default=None)
        (rest if least is None or len(least) >= most else least).append(some)
    for some in rest:
        min(dealt, key=len).append(some)
    return [tuple(one for some in shard for one in some) for shard in dealt]


def why_not_by_relays(plan: PushPlan | PullPlan, options: Options, namespace: str, *, has_account: bool) -> str:
    """Return why relays can't carry a plan out; empty if they can.

    namespace: theirs. has_account: they have a service account of somebody's, who has seen to what it may do.
    """
    is_stored = isinstance(plan, PullPlan) and is_store(plan.destination) and not plan.is_archive
    sees_here = options.collecting.mirror or options.verification.checksum
    if isinstance(plan, PullPlan) and not is_stored and (sees_here or any(one.onto for one in plan.gathers)):
        return "they don't see what stands on this machine"
    if why := why_whole(plan, options, is_stored=is_stored):
        return why
    elsewhere = {one.target.namespace: None for one in plan.transfers if one.target.namespace != namespace}
    if elsewhere and not has_account:
        return f"their role is for namespace {namespace}, and there are pods in {listed(list(elsewhere), 3)}"
    return ""


def narrowed(plan: PushPlan | PullPlan, transfers: Collection[Transfer]) -> PushPlan | PullPlan:
    """Return the plan of some of its transfers; nothing is skipped or left out in it a second time."""
    wanted = set(transfers)
    if isinstance(plan, PushPlan):
        mine = tuple(one for one in plan.transfers if one in wanted)
        return replace(plan, transfers=mine, skipped=(), left_out=(), not_kept=(), waves=())
    gathers = tuple(one for one in plan.gathers if one.transfer in wanted)
    others = tuple(one for one in plan.gathers if one.transfer not in wanted)  # none of a mirror's to remove
    return replace(plan, gathers=gathers, beside=(*plan.beside, *others), skipped=(), waves=())


def divided(options: Options, count: int) -> Options:
    """Return the options of one of so many processes, which together keep to those of the whole."""
    shared, limits = options.concurrency, options.limits
    return options._replace(
        concurrency=shared._replace(
            sessions=max(1, shared.sessions // count),
            sessions_per_node=max(1, shared.sessions_per_node // count),
            rate_per_s=-(-shared.rate_per_s // count),
        ),
        limits=limits._replace(memory=limits.memory // count),
    )


def why_whole(plan: PushPlan | PullPlan, options: Options, *, is_stored: bool = False) -> str:
    """Return why a plan is carried out by one process, in words for `…, which one process does`; empty if by any.

    is_stored: they pull into an object store, and one of them concludes.
    """
    if isinstance(plan, PullPlan):
        if plan.is_archive or plan.destination == STANDARD_OUTPUT:
            return "all pods go into one archive"
        if is_store(plan.destination) and not is_stored:
            return "all pods share the manifest of an object store"
        if options.collecting.most_total_size:
            return "all pods share what may be taken in all"
        if options.dedup is not Dedup.NONE:
            return "all pods share what they have in common"
    if plan.waves or options.waves != Waves():
        return "pods wait for each other, or fail together"
    return ""


def workers_for(cores: int, plan: PushPlan | PullPlan) -> int:
    """Return how many processes pay: none more on two cores, which the API server, or a pod, may need as well."""
    if cores <= 2:
        return 1
    pods = len({one.target.of_pod for one in plan.transfers})
    if isinstance(plan, PushPlan):
        work = Work(pods, len(plan.layout.entries), plan.layout.size)
    else:
        work = Work(pods, 0, SIZE_UNKNOWN, is_pull=True)
    return workers_worth(work, min(cores - 1, MOST_WORKERS))


def in_order(plan: PushPlan | PullPlan, transfers: Collection[Transfer]) -> Sequence[Transfer]:
    """Return some transfers in the order of their plan."""
    return [one for one in plan.transfers if one in transfers]

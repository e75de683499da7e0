"""How a plan is divided, and which are not, by tables."""

import pytest

from asynccp.archive.layout import ArchiveLayout
from asynccp.entry import Entry, Kind, LeftOut
from asynccp.options import Collecting, Concurrency, Dedup, OnFailure, Options, Share, Verification, Waves
from asynccp.plan.plan import Gather, PullPlan, PushPlan
from asynccp.relay.shards import (
    divided,
    narrowed,
    shards_near,
    shards_of,
    why_not_by_relays,
    why_whole,
    workers_for,
)
from asynccp.target import Skipped, Target, Transfer

TRANSFERS = tuple(
    Transfer(Target("shop", f"web-{pod}", container), path)
    for pod in range(5)
    for container, path in (("main", "/a"), ("main", "/b"), ("side", "/a"))
)
SKIPPED = (Skipped("shop/web-9", "is Pending"),)
PUSH = PushPlan(
    ("config",), ArchiveLayout([Entry(b"a", Kind.FILE, 1)], "0" * 16), TRANSFERS, SKIPPED, (LeftOut(b"x", "a FIFO"),)
)
PULL = PullPlan("out", tuple(Gather(one, "web", "a") for one in TRANSFERS), "0" * 16, SKIPPED)


@pytest.mark.parametrize(("count", "sizes"), [(1, [15]), (2, [9, 6]), (3, [6, 6, 3]), (5, [3] * 5), (9, [3] * 5)])
def test_each_transfer_is_in_one_shard_and_a_pods_are_together(count: int, sizes: list[int]) -> None:
    shards = shards_of(PUSH, count)
    assert list(map(len, shards)) == sizes
    assert {one for shard in shards for one in shard} == set(TRANSFERS)
    pods = [{one.target.pod for one in shard} for shard in shards]
    assert sum(map(len, pods)) == 5


def test_a_shard_tells_nothing_that_the_whole_tells() -> None:
    shard = narrowed(PUSH, TRANSFERS[:3])
    assert (shard.transfers, shard.skipped, shard.left_out, shard.not_kept) == (TRANSFERS[:3], (), (), ())


def test_a_mirror_leaves_alone_what_other_shards_bring() -> None:
    shard = narrowed(PULL, TRANSFERS[:3])
    assert isinstance(shard, PullPlan)
    assert shard.transfers == TRANSFERS[:3]
    assert {one.transfer for one in shard.beside} == set(TRANSFERS[3:])


def test_together_they_keep_to_what_one_would() -> None:
    options = Options(concurrency=Concurrency(64, 10, 1_000_001))
    one = divided(options, 3)
    assert one.concurrency == (21, 3, 333_334)
    assert one.limits.memory == options.limits.memory // 3
    assert divided(Options(concurrency=Concurrency(1, 1, 0)), 3).concurrency == (1, 1, 0)


@pytest.mark.parametrize(
    ("plan", "options", "word"),
    [
        (PUSH, Options(), ""),
        (PULL, Options(), ""),
        (PULL, Options(collecting=Collecting(most_total_size=1)), "in all"),
        (PUSH, Options(waves=Waves(canary=Share(1))), "wait for each other"),
        (PUSH, Options(waves=Waves(settle_s=1)), "wait for each other"),
        (PUSH, Options(waves=Waves(on_failure=OnFailure.ROLLBACK)), "fail together"),
        (PullPlan("-", PULL.gathers, PULL.token), Options(), "archive"),
        (PullPlan("a.tar", PULL.gathers, PULL.token, is_archive=True), Options(), "archive"),
        (PullPlan("s3://bucket/x", PULL.gathers, PULL.token), Options(), "object store"),
    ],
)
def test_what_pods_share_is_for_one_process(plan: PushPlan | PullPlan, options: Options, word: str) -> None:
    assert word in why_whole(plan, options)
    assert bool(word) == bool(why_whole(plan, options))


@pytest.mark.parametrize(
    ("cores", "pods", "count"), [(1, 1000, 1), (2, 1000, 1), (4, 20, 1), (4, 1000, 3), (64, 10_000, 16)]
)
def test_as_many_as_pay(cores: int, pods: int, count: int) -> None:
    transfers = tuple(Transfer(Target("shop", f"web-{number}", "main"), "/a") for number in range(pods))
    assert workers_for(cores, PushPlan(("a",), PUSH.layout, transfers)) == count


def placed(*nodes: str) -> PushPlan:
    """Return the plan of a push to a pod on each of these nodes."""
    found = (Transfer(Target("shop", f"web-{number}", "main", node), "/a") for number, node in enumerate(nodes))
    return PushPlan(("a",), PUSH.layout, tuple(found))


@pytest.mark.parametrize(
    ("pods", "relays", "shards"),
    [
        ("abab", "ab", ["aa", "bb"]),
        ("aaaa", "ab", ["aa", "aa"]),
        ("aabc", "bc", ["ab", "ac"]),
        ("aaaaab", "aab", ["aa", "aa", "ab"]),
        ("ab", "abc", ["a", "b"]),
        ("cccc", "", []),
        ("", "ab", []),
    ],
)
def test_a_relay_gets_the_pods_of_its_node_as_far_as_all_have_as_many(
    pods: str, relays: str, shards: list[str]
) -> None:
    plan = placed(*pods)
    found = shards_near(plan, list(relays)) if relays else []
    assert ["".join(sorted(one.target.node for one in shard)) for shard in found] == shards
    if found:
        assert sorted(one.target.pod for shard in found for one in shard) == sorted(
            one.target.pod for one in plan.transfers
        )


@pytest.mark.parametrize(
    ("plan", "options", "namespace", "has_account", "word"),
    [
        (PUSH, Options(), "shop", False, ""),
        (PUSH, Options(), "relays", False, "there are pods in shop"),
        (PUSH, Options(), "relays", True, ""),
        (PUSH, Options(waves=Waves(canary=Share(1))), "shop", False, "wait for each other"),
        (PULL, Options(), "shop", False, ""),
        (PULL, Options(collecting=Collecting(mirror=True)), "shop", False, "don't see what stands on this machine"),
        (PULL, Options(verification=Verification(checksum=True)), "shop", False, "what stands on this machine"),
        (PULL, Options(dedup=Dedup.LINK), "shop", False, "share what they have in common"),
        (PullPlan("s3://bucket/x", PULL.gathers, PULL.token), Options(), "shop", False, ""),
        (
            PullPlan("a.tar", PULL.gathers, PULL.token, is_archive=True),
            Options(),
            "shop",
            False,
            "one archive",
        ),
    ],
)
def test_what_relays_do_not_do_is_said(
    plan: PushPlan | PullPlan, options: Options, namespace: str, has_account: bool, word: str
) -> None:
    why = why_not_by_relays(plan, options, namespace, has_account=has_account)
    assert word in why
    assert bool(word) == bool(why)

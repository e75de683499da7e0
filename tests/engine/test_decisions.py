"""What is to be done is decided once for pods that have the same, and is never another pod's decision."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.difference import Why
from asynccp.engine.decisions import MOST_KEPT, Decisions
from asynccp.entry import Entry, Kind
from asynccp.options import Attributes, Sync
from asynccp.plan.delta import Rules, compare, effect
from asynccp.plan.manifest import Item, Manifest, manifest_of

PLAIN = (Entry(b"d", Kind.DIRECTORY), Entry(b"d/a", Kind.FILE, size=3), Entry(b"d/l", Kind.SYMLINK, link=b"a"))
LINKED = (*PLAIN, Entry(b"d/b", Kind.HARDLINK, link=b"d/a"))
SAME = manifest_of(PLAIN)

items = st.builds(
    Item,
    st.sampled_from([Kind.DIRECTORY, Kind.FILE, Kind.SYMLINK, None]),
    size=st.sampled_from([0, 3]),
    mtime_ns=st.sampled_from([0, 5_000_000_000]),
    mode=st.sampled_from([0, 0o644]),
    uid=st.sampled_from([0, 7]),
    link=st.sampled_from([b"", b"a"]),
    device=st.sampled_from([1, 2]),
    inode=st.sampled_from([1, 2]),
)
manifests = st.dictionaries(st.sampled_from([b"", b"d", b"d/a", b"d/b", b"d/l", b"other"]), items)
rules = st.builds(
    Rules,
    checksum=st.booleans(),
    protected=st.just(Rules().protected),
    sync=st.builds(Sync, delete=st.booleans(), update=st.booleans()),
    attributes=st.builds(Attributes, dir_perms=st.booleans(), preserve_owner=st.booleans()),
    roots=st.just((b"",)),
    extras=st.booleans(),
    can_set=st.sampled_from([(), (Why.MODE,), (Why.OWNER, Why.MODE, Why.TIME)]),
)


@pytest.mark.anyio
@given(rules, st.sampled_from([PLAIN, LINKED]), st.lists(manifests, max_size=12))
async def test_each_pod_gets_what_a_comparison_of_its_own_would_find(
    rule: Rules, entries: Sequence[Entry], fleet: list[Manifest]
) -> None:
    decisions = Decisions()
    for there in [*fleet, *fleet]:
        delta, comes_to = await decisions.decided(entries, there, rule)
        assert delta == compare(entries, there, rule)
        assert comes_to == effect(delta)


async def test_pods_that_have_the_same_are_compared_once() -> None:
    decisions = Decisions()
    first = await decisions.decided(PLAIN, SAME, Rules())
    later = {path: one._replace(mtime_ns=9) if one.kind is Kind.DIRECTORY else one for path, one in SAME.items()}
    elsewhere = {path: one._replace(device=3, inode=4) for path, one in later.items()}
    assert await decisions.decided(PLAIN, elsewhere, Rules()) is first
    assert await decisions.decided(PLAIN, elsewhere, Rules(), same=lambda _: False) is not first


async def test_other_entries_are_compared_for_themselves() -> None:
    """Owners are the pod's own, where they are asked for by name."""
    decisions, others = Decisions(), tuple(Entry(one.path, one.kind, one.size, uid=5) for one in PLAIN)
    first = await decisions.decided(PLAIN, {}, Rules())
    assert (await decisions.decided(others, {}, Rules())).delta.send == others
    assert (await decisions.decided(PLAIN, {}, Rules())) == first


async def test_few_are_remembered() -> None:
    decisions = Decisions()
    first = await decisions.decided(PLAIN, {}, Rules())
    for size in range(MOST_KEPT):
        await decisions.decided(PLAIN, {b"d/a": Item(Kind.FILE, size)}, Rules())
    assert await decisions.decided(PLAIN, {}, Rules()) is not first

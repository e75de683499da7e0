"""Whose a push's entries are in a pod: the numbers that the pod has told, believed only as far as they are some."""

import pytest

from asynccp.engine.owners import MOST_KNOWN, Owners
from asynccp.entry import Entry, Kind
from asynccp.errors import ProtocolViolation
from asynccp.remote.messages import Hello

ENTRIES = [Entry(b"a", Kind.DIRECTORY, uid=1, gid=2), Entry(b"a/b", Kind.FILE, 3, uid=4, gid=5)]


async def test_pods_that_tell_the_same_numbers_share_the_entries() -> None:
    owners = Owners(ENTRIES)
    first = await owners.entries(Hello(owner=(7, 8)))
    assert [(one.path, one.size, one.uid, one.gid) for one in first] == [(b"a", 0, 7, 8), (b"a/b", 3, 7, 8)]
    assert await owners.entries(Hello(owner=(7, 8))) is first
    assert [one.uid for one in await owners.entries(Hello(owner=(9, 8)))] == [9, 9]


async def test_a_fleet_that_tells_ever_other_numbers_takes_no_memory() -> None:
    owners = Owners(ENTRIES)
    for number in range(10 * MOST_KNOWN):
        assert (await owners.entries(Hello(owner=(number, 0))))[0].uid == number
        assert len(owners._known) <= MOST_KNOWN


async def test_a_pod_that_tells_none_is_not_sent_anything() -> None:
    with pytest.raises(ProtocolViolation, match=r"^the pod did not tell who is to own what comes$"):
        await Owners(ENTRIES).entries(Hello())


@pytest.mark.parametrize(
    ("told", "owner"),
    [
        ("0:0", (0, 0)),
        ("1000:65534", (1000, 65534)),
        ("4294967294:1", (4294967294, 1)),
        ("4294967295:1", None),
        ("1", None),
        ("1:", None),
        (":1", None),
        ("-1:1", None),
        ("1:1:1", None),
        ("app:1", None),
        ("", None),
        ("9" * 30 + ":1", None),
    ],
)
def test_what_is_no_number_of_a_user_is_not_believed(told: str, owner: tuple[int, int] | None) -> None:
    assert Hello.read({"owner": told}).owner == owner

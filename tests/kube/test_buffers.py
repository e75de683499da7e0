"""Hops: what was decrypted into them is what they hold, whatever lay between; no memory is kept that is not used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.kube.buffers import Hop, Hops
from asynccp.kube.exec import STDOUT

SIZE = 64


def read_into(hop: Hop, data: bytes) -> memoryview:
    """Return what of the data fits, as it lies in the room after a read."""
    room = hop.room[: len(data)]
    room[:] = data[: len(room)]
    return room


def payload_of(hop: Hop) -> bytes:
    message = bytes(hop.message)
    assert message[0] == STDOUT
    assert len(message) == len(hop) == hop.capacity - len(hop.room)
    return message[1:]


def test_an_empty_hop_is_a_message_of_stdout_without_payload() -> None:
    hop = Hop(SIZE)
    assert payload_of(hop) == b""
    assert hop.capacity == SIZE


@pytest.mark.parametrize("gap", [0, 1, 4, 14, 40])
def test_a_payload_moves_over_the_header_before_it(gap: int) -> None:
    """By less than its own length, so that source and target overlap."""
    hop, payload = Hop(SIZE), bytes(range(SIZE - 1 - gap))
    assert not hop.add(read_into(hop, bytes(gap) + payload)[gap:])
    assert payload_of(hop) == payload


def test_what_does_not_fit_is_given_back() -> None:
    hop = Hop(4)
    rests = [bytes(hop.add(memoryview(payload))) for payload in (b"ab", b"cdef", b"def")]
    assert rests == [b"", b"def", b"def"]
    assert payload_of(hop) == b"abc"


parts = st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20)), max_size=20)  # a header, a payload


@given(st.lists(parts, max_size=8), st.integers(2, 200))
def test_parts_cut_out_of_the_room_are_the_joined_bytes(reads: list[list[tuple[bytes, bytes]]], size: int) -> None:
    hop, sent, got = Hop(size), b"", b""
    for read in reads:
        if not hop.room:
            got += payload_of(hop)
            hop.clear()
        room, at = read_into(hop, b"".join(head + payload for head, payload in read)), 0
        for head, payload in read:
            part = room[at + len(head) :][: len(payload)]
            at += len(head) + len(payload)
            sent += bytes(part)
            assert not hop.add(part), "what was read into the room fits"
    assert got + payload_of(hop) == sent


# All of them


def test_a_hop_that_was_given_back_is_taken_again_and_empty() -> None:
    hops = Hops(lambda: SIZE)
    hop = hops.take()
    hop.add(memoryview(b"secret"))
    hops.give(hop)
    assert hops.take() is hop
    assert payload_of(hop) == b""
    assert hops.take() is not hop


def test_hops_of_another_size_are_dropped() -> None:
    size = SIZE
    hops = Hops(lambda: size)
    old = [hops.take() for _ in range(3)]
    for hop in old:
        hops.give(hop)
    size = 2 * SIZE
    assert hops.take().capacity == 2 * SIZE
    size = SIZE
    assert all(hops.take() is not hop for hop in old)


def test_the_spare_one_keeps_what_was_read_and_another_takes_its_place() -> None:
    hops = Hops(lambda: SIZE)
    spare = hops.spare
    part = read_into(spare, b"abc")
    assert hops.take_spare() is spare
    assert not spare.add(part)
    assert payload_of(spare) == b"abc"
    assert hops.spare is not spare
    assert len(hops.spare) == 1


def test_a_hop_that_was_given_back_becomes_the_spare_one() -> None:
    hops = Hops(lambda: SIZE)
    hops.give(hop := hops.take())
    hops.take_spare()
    assert hops.spare is hop

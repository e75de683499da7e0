"""Faults strike where they are told to: at a byte, once or always, and nowhere else."""

import aiohttp
import anyio
import pytest

from asynccp.kube.exec import STDIN, STDOUT, V4
from asynccp.status import ExitStatus
from asynccp.testing.faults import (
    LAST_WORD,
    Close,
    Cut,
    Dropped,
    Fault,
    Flip,
    LastWord,
    Place,
    Refuse,
    Silence,
    TextFrame,
    WrongChannel,
    frame,
)
from asynccp.testing.pod import FakePod
from asynccp.testing.server import FakeCluster
from tests.testing.exec_client import Client, listen

PRINT = ("printf", "0123456789")


@pytest.fixture
async def pod(cluster: FakeCluster) -> FakePod:
    return await cluster.add_pod("struck")


@pytest.mark.parametrize("offset", [0, 1, 9])
async def test_a_cut_comes_at_its_byte_and_only_once(client: Client, pod: FakePod, offset: int) -> None:
    client.cluster.strike(pod, Cut(Place(STDOUT, offset)))
    struck = await client.run("struck", *PRINT)
    assert (struck.stdout, struck.status, struck.close_code) == (b"0123456789"[:offset], None, 1006)
    well = await client.run("struck", *PRINT)
    assert (well.stdout, well.status, well.close_code) == (b"0123456789", ExitStatus(0), 1000)


async def test_a_place_behind_the_end_is_never_struck(client: Client, pod: FakePod) -> None:
    client.cluster.strike(pod, Cut(Place(STDOUT, 10)))
    assert (await client.run("struck", *PRINT)).status == ExitStatus(0)


async def test_always_is_until_the_cluster_is_healed_and_other_pods_are_well(client: Client, pod: FakePod) -> None:
    client.cluster.strike(pod, Flip(Place(STDOUT, 3), always=True))
    for _ in range(2):
        assert (await client.run("struck", *PRINT)).stdout == b"0122456789"
    assert (await client.run("web-1", *PRINT)).stdout == b"0123456789"
    client.cluster.heal()
    assert (await client.run("struck", *PRINT)).stdout == b"0123456789"


async def test_a_byte_of_stdin_is_flipped_where_it_was_told_to(client: Client, pod: FakePod) -> None:
    client.cluster.strike(pod, Flip(Place(STDIN, 5)))
    session = await client.open("struck", "head", "-c", "8")
    for part in (b"abcd", b"efgh"):
        await session.send_bytes(b"\0" + part)
    assert (await listen(session)).stdout == b"abcdeggh"


@pytest.mark.parametrize(("text", "said"), [(b"", []), (b"{", [b"\x03{"])], ids=repr)
async def test_the_last_word_is_missing_or_another(
    client: Client, pod: FakePod, text: bytes, said: list[bytes]
) -> None:
    client.cluster.strike(pod, LastWord(text=text))
    heard = await client.run("struck", *PRINT)
    assert heard.messages[1:] == [b"\x010123456789", *said]
    assert heard.close_code == 1000


@pytest.mark.parametrize("says_why", [True, False])
async def test_a_refusal_has_its_code_its_body_and_when_to_come_back(
    client: Client, pod: FakePod, says_why: bool
) -> None:
    client.cluster.strike(pod, Refuse(code=429, says_why=says_why, retry_after="7"))
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await client.open("struck", "true")
    assert caught.value.status == 429
    assert caught.value.headers is not None
    assert caught.value.headers["Retry-After"] == "7"
    client.cluster.strike(pod, Refuse(code=429, says_why=says_why))
    status, body = await client.offer("struck", V4)
    assert (status, '"kind": "Status"' in body) == (429, says_why)


async def test_a_connection_is_dropped_before_the_101(client: Client, pod: FakePod) -> None:
    client.cluster.strike(pod, Dropped(always=True))
    with pytest.raises((aiohttp.ClientError, OSError)):
        await client.open("struck", "true")


@pytest.mark.parametrize(
    ("fault", "code"),
    [(Close(code=1011), 1011), (Close(LAST_WORD, code=1000), 1000), (Cut(in_frame=True), 1006)],
    ids=repr,
)  # fmt: skip
async def test_a_session_ends_by_what_was_told(client: Client, pod: FakePod, fault: Fault, code: int) -> None:
    client.cluster.strike(pod, fault)
    heard = await client.run("struck", *PRINT)
    assert heard.status is None
    assert heard.close_code == code


async def test_messages_that_no_server_sends(client: Client, pod: FakePod) -> None:
    client.cluster.strike(pod, WrongChannel(Place(STDOUT, 4), channel=9))
    assert (await client.run("struck", *PRINT)).messages[1:4] == [b"\x010123", b"\x09astray", b"\x01456789"]
    client.cluster.strike(pod, TextFrame(Place(STDOUT, 0)))
    session = await client.open("struck", *PRINT)
    assert [(await session.receive()).type for _ in range(2)] == [aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT]
    await session.close()


@pytest.mark.parametrize("deaf", [False, True])
async def test_a_silent_session_ends_with_its_client_or_when_the_cluster_is_healed(
    client: Client, pod: FakePod, deaf: bool
) -> None:
    client.cluster.strike(pod, Silence(Place(STDOUT, 0), deaf=deaf))
    session = await client.open("struck", "cat")
    await session.send_bytes(b"\0hello")
    with anyio.fail_after(20):
        assert (await session.receive()).data == b"\x01", "the empty message that comes first"
        if deaf:
            client.cluster.heal(pod)
        else:
            await session.close()
        await client.cluster.wait_idle(pod)
    await session.close()


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_frames_header_says_its_size(size: int) -> None:
    header = frame(2, bytes(size))[: -size or None]
    assert header[0] == 0x82
    expected = {2: header[1], 4: int.from_bytes(header[2:4], "big"), 10: int.from_bytes(header[2:10], "big")}
    assert expected[len(header)] == size

"""The contract of `kube.base.Session`, clause by clause."""

import pytest
from anyio import CancelScope, fail_after

from asynccp.chunk import ROOM_SIZE, Chunk
from asynccp.errors import SessionLost
from asynccp.kube.base import Session
from asynccp.kube.exec import V4, V5, Stderr, Stdout
from asynccp.status import ExitStatus
from tests.contracts.sites import AWAITS_THE_MARK, ECHOES, LEAVES_A_MARK, SAYS, Place

SECONDS = 30


def chunk(data: bytes) -> Chunk:
    return Chunk(0, len(data), memoryview(bytearray(ROOM_SIZE) + bytearray(data)))


async def heard(session: Session) -> tuple[bytes, bytes, list[str], ExitStatus | None]:
    """Receive to the end; return stdout, stderr, which kinds of event came in which order, and the last status."""
    out, err, kinds, status = bytearray(), bytearray(), list[str](), None
    while (event := await session.receive()) is not None:
        kinds.append(type(event).__name__)
        match event:
            case Stdout(data):
                out += data
            case Stderr(data):
                err += data
            case ExitStatus():
                status = event
    return bytes(out), bytes(err), kinds, status


async def heard_first(session: Session) -> bytes:
    event = await session.receive()
    assert isinstance(event, Stdout)
    return bytes(event.data)


@pytest.mark.parametrize("protocol", [V4, V5])
async def test_a_session_speaks_the_protocol_that_it_was_opened_with(session_site: Place, protocol: str) -> None:
    with fail_after(SECONDS):
        async with session_site() as site, site.run(ECHOES, protocol) as session:
            assert session.protocol == protocol


@pytest.mark.parametrize("protocol", [V4, V5])
async def test_all_output_comes_before_the_status_which_is_the_last_and_has_the_exit_code(
    session_site: Place, protocol: str
) -> None:
    with fail_after(SECONDS):
        async with session_site() as site, site.run(SAYS, protocol) as session:
            out, err, kinds, status = await heard(session)
    assert (out, err) == (b"out1out2", b"err")
    assert status is not None
    assert status.code == 3
    assert status.message
    assert kinds.count("ExitStatus") == 1
    assert kinds[-1] == "ExitStatus"


@pytest.mark.parametrize("protocol", [V4, V5])
async def test_none_is_the_end_and_stays_the_end_which_needs_no_words_if_it_is_a_regular_one(
    session_site: Place, protocol: str
) -> None:
    with fail_after(SECONDS):
        async with session_site() as site, site.run(SAYS, protocol) as session:
            await heard(session)
            assert await session.receive() is None
            assert session.ending == ""


async def test_what_is_sent_arrives_whole_and_in_order_be_it_bytes_or_chunks(session_site: Place) -> None:
    with fail_after(SECONDS):
        async with session_site() as site, site.run(ECHOES, V5) as session:
            shared = chunk(b"c" * 1000)
            await session.send(b"a")
            await session.send_chunk(shared)
            assert len(await heard_first(session)) > 0
            await session.send_chunk(shared)  # its bytes are framed by now, once for all
            await session.send(memoryview(b"b"))
            await session.close_stdin()
            rest, err, _, status = await heard(session)
    assert (rest[-1001:], err) == (b"c" * 1000 + b"b", b"")
    assert status == ExitStatus(0)


async def test_to_give_up_receiving_loses_nothing(session_site: Place) -> None:
    with fail_after(SECONDS):
        async with session_site() as site, site.run(ECHOES, V5) as session:
            for said in (b"a", b"b"):
                with CancelScope() as scope:
                    scope.cancel()
                    await session.receive()
                assert scope.cancelled_caught
                await session.send(said)
                assert await heard_first(session) == said


async def test_stdin_is_closed_once_and_to_close_it_again_changes_nothing(session_site: Place) -> None:
    with fail_after(SECONDS):
        async with session_site() as site, site.run(ECHOES, V5) as session:
            await session.send(b"x")
            await session.close_stdin()
            await session.close_stdin()
            out, err, _, status = await heard(session)
    assert (out, err, status) == (b"x", b"", ExitStatus(0))


@pytest.mark.parametrize("protocol", [V4, V5])
async def test_what_is_sent_after_the_end_is_lost_and_said_to_be(session_site: Place, protocol: str) -> None:
    with fail_after(SECONDS):
        async with session_site() as site, site.run(SAYS, protocol) as session:
            await heard(session)
            with pytest.raises(SessionLost):
                await session.send(b"x")
            with pytest.raises(SessionLost):
                await session.send_chunk(chunk(b"x"))
            with pytest.raises(SessionLost):
                await session.close_stdin()


async def test_a_ping_is_nothing_to_the_command_and_is_lost_after_the_end(
    session_site: Place, request: pytest.FixtureRequest
) -> None:
    with fail_after(SECONDS):
        async with session_site() as site, site.run(ECHOES, V5) as session:
            await session.ping()
            await session.send(b"x")
            assert await heard_first(session) == b"x"
            await session.close_stdin()
            assert await heard(session) == (b"", b"", ["ExitStatus"], ExitStatus(0))
            if "of_scripts" in request.node.name:
                pytest.skip("a scripted pod's pings break when its script says so")
            with pytest.raises(SessionLost):
                await session.ping()


@pytest.mark.parametrize("protocol", [V4, V5])
async def test_to_leave_a_session_ends_the_commands_stdin(session_site: Place, protocol: str) -> None:
    with fail_after(SECONDS):
        async with session_site() as site:
            async with site.run(LEAVES_A_MARK, protocol) as session:
                assert await heard_first(session) == b"ready"
            async with site.run(AWAITS_THE_MARK, protocol) as session:
                assert (await heard(session))[-1] == ExitStatus(0)


async def test_a_session_that_is_left_after_an_error_hands_on_that_error(session_site: Place) -> None:
    with fail_after(SECONDS):
        async with session_site() as site:
            with pytest.raises(LookupError):
                async with site.run(ECHOES, V4):
                    raise LookupError

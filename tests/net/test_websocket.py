"""WebSocket frames: every rule of RFC 6455 section 5, however the bytes arrive, and other libraries as judges."""

import sys
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ProtocolError
from websockets.frames import Close as TheirClose
from websockets.frames import Frame as TheirFrame
from websockets.frames import Opcode as TheirOpcode
from websockets.protocol import Protocol as TheirProtocol
from websockets.protocol import Side

from asynccp.errors import ConnectFailed, ProtocolRefused
from asynccp.kube.exec import V4, V5
from asynccp.net.websocket import (
    HEADROOM,
    NOT_TEXT,
    PROTOCOL_ERROR,
    TOO_BIG,
    BadFrame,
    Decoder,
    Opcode,
    accept,
    decode_close,
    encode_close,
    encode_frame,
    handshake,
    make_key,
    masked,
    refused_handshake,
    seal,
)

MAX_SIZE = 1 << 17
SIZES = (0, 1, 125, 126, 127, 65535, 65536, MAX_SIZE)

Whole = tuple[Opcode, bytes]


def frame(opcode: int, payload: bytes = b"", *, last: bool = True, size: bytes | None = None, bits: int = 0) -> bytes:
    """Return a server's frame. size: the length as it stands in the header, where that isn't the payload's."""
    if size is None:
        count = len(payload)
        if count <= 125:
            size = bytes((count,))
        else:
            size = b"\x7e" + count.to_bytes(2, "big") if count < 1 << 16 else b"\x7f" + count.to_bytes(8, "big")
    return bytes((last << 7 | bits | opcode,)) + size + payload


def decoded(pieces: Iterable[bytes], max_size: int = MAX_SIZE) -> list[Whole]:
    decoder = Decoder(max_size)
    return [(opcode, bytes(payload)) for piece in pieces for opcode, payload in decoder.feed(memoryview(piece))]


def each_byte(data: bytes) -> Iterator[bytes]:
    return (data[at : at + 1] for at in range(len(data)))


# A conversation: messages, each in fragments, with control frames between them.

controls = st.tuples(st.sampled_from((Opcode.PING, Opcode.PONG)), st.binary(max_size=5))


@st.composite
def conversations(draw: st.DrawFn, largest: int = 65536) -> tuple[bytes, list[Whole]]:
    sizes = st.sampled_from([size for size in SIZES if size <= largest])
    payloads = st.binary(max_size=20) | sizes.map(lambda size: b"\x01" * size)
    fragments = st.lists(st.tuples(payloads, st.lists(controls, max_size=2)), min_size=1, max_size=4)
    stream, messages = bytearray(), list[Whole]()
    for parts in draw(st.lists(fragments, max_size=3)):
        whole = b"".join(part for part, _ in parts)
        for number, (part, between) in enumerate(parts):
            last = number == len(parts) - 1
            stream += frame(Opcode.CONTINUATION if number else Opcode.BINARY, part, last=last)
            messages += [(Opcode.BINARY, whole)] if last else []
            for opcode, payload in between:
                stream += frame(opcode, payload)
                messages.append((opcode, payload))
    return bytes(stream), messages


@given(conversations(), st.lists(st.integers(0, 1 << 18), max_size=20))
def test_the_same_messages_however_the_bytes_arrive(conversation: tuple[bytes, list[Whole]], cuts: list[int]) -> None:
    stream, messages = conversation
    ends = sorted(min(cut, len(stream)) for cut in cuts)
    slices = [stream[start:end] for start, end in zip([0, *ends], [*ends, len(stream)], strict=True)]
    assert decoded([stream], 1 << 20) == messages
    assert decoded(slices, 1 << 20) == messages


@given(conversations(largest=127))
def test_the_same_messages_byte_by_byte(conversation: tuple[bytes, list[Whole]]) -> None:
    assert decoded(each_byte(conversation[0])) == conversation[1]


@given(conversations())
def test_what_trails_a_message_stays_for_the_next(conversation: tuple[bytes, list[Whole]]) -> None:
    stream, messages = conversation
    trailing = frame(Opcode.TEXT, b"later")
    assert decoded([stream + trailing[:3], trailing[3:]], 1 << 20) == [*messages, (Opcode.TEXT, b"later")]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("opcode", [Opcode.BINARY, Opcode.TEXT])
def test_a_message_of_every_kind_of_length(opcode: Opcode, size: int) -> None:
    payload = b"x" * size
    stream = frame(opcode, payload)
    for pieces in (
        [stream],
        [stream[:1], stream[1:]],
        [stream[:3], stream[3:11], stream[11:]],
        [stream[:-1], stream[-1:]],
    ):
        assert decoded(pieces) == [(opcode, payload)]


@pytest.mark.parametrize("size", [b"\x7e\x00\x03", b"\x7f" + bytes(7) + b"\x03"])
def test_a_length_that_is_longer_than_it_must_be_is_taken(size: bytes) -> None:
    """RFC 6455 wants the shortest; nothing depends on it, and no library that we know refuses the others."""
    assert decoded([frame(2, b"abc", size=size)]) == [(Opcode.BINARY, b"abc")]


def refused(stream: bytes, max_size: int = MAX_SIZE) -> BadFrame:
    """Return how a stream is refused: at once, and also when it comes byte by byte."""
    with pytest.raises(BadFrame) as whole:
        decoded([stream], max_size)
    with pytest.raises(BadFrame) as slowly:
        decoded(each_byte(stream), max_size)
    assert (str(whole.value), whole.value.code) == (str(slowly.value), slowly.value.code)
    return whole.value


BEGUN = frame(2, b"a", last=False)


@pytest.mark.parametrize(
    ("stream", "says"),
    [
        (frame(2, b"a", bits=0x40), "an extension"),
        (frame(2, b"a", bits=0x20), "an extension"),
        (frame(2, b"a", bits=0x10), "an extension"),
        *((frame(opcode), f"the unknown opcode {opcode}") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        (b"\x82\x81abcd\x00", "a masked frame"),
        (encode_frame(Opcode.BINARY, bytes(300)), "a masked frame"),
        *((frame(opcode, b"a", last=False), "a control frame") for opcode in (8, 9, 10)),
        *((frame(opcode, bytes(126)), "a control frame") for opcode in (8, 9, 10)),
        (frame(0, b"a"), "a continuation of nothing"),
        (frame(0, b"a", last=False), "a continuation of nothing"),
        (BEGUN + frame(0, b"b") + frame(0, b"c"), "a continuation of nothing"),
        (BEGUN + frame(2, b"b"), "a message within another"),
        (BEGUN + frame(2, bytes(200)), "a message within another"),
        (BEGUN + frame(9) + frame(1, b"b", last=False), "a message within another"),
    ],
)
def test_what_the_protocol_does_not_allow(stream: bytes, says: str) -> None:
    error = refused(stream)
    assert says in str(error)
    assert error.code == PROTOCOL_ERROR


@pytest.mark.parametrize(
    "stream",
    [
        frame(2, bytes(11)),
        frame(2, size=b"\x7e\x00\x0b"),
        frame(2, size=b"\x7e\xff\xff"),
        frame(2, size=b"\x7f" + bytes(7) + b"\x0b"),
        frame(2, size=b"\x7f\x80" + bytes(7)),
        frame(2, size=b"\x7f" + b"\xff" * 8),
        frame(2, bytes(6), last=False) + frame(0, bytes(5)),
        frame(2, bytes(6), last=False) + frame(0, bytes(4), last=False) + frame(0, b"a", last=False),
    ],
)
def test_a_message_over_the_limit_is_refused_before_it_is_here(stream: bytes) -> None:
    assert refused(stream, 10).code == TOO_BIG


def test_a_ping_within_a_message_does_not_count_against_its_limit() -> None:
    stream = frame(2, bytes(10), last=False) + frame(9, bytes(125)) + frame(0)
    assert decoded([stream], 10) == [(Opcode.PING, bytes(125)), (Opcode.BINARY, bytes(10))]


def test_messages_before_a_bad_frame_are_still_told() -> None:
    messages = Decoder(10).feed(memoryview(frame(2, b"a") + frame(3)))
    assert bytes(next(messages)[1]) == b"a"
    with pytest.raises(BadFrame):
        next(messages)


@pytest.mark.parametrize("text", ["", "κόσμε", "\U0010ffff", "a\x00b"])
def test_a_text_is_utf8_whatever_its_fragments_cut(text: str) -> None:
    data = text.encode()
    for cut in range(len(data) + 1):
        assert decoded([frame(1, data[:cut], last=False) + frame(0, data[cut:])]) == [(Opcode.TEXT, data)]


@pytest.mark.parametrize("data", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"])
def test_a_text_that_is_no_utf8(data: bytes) -> None:
    assert refused(frame(1, data)).code == NOT_TEXT
    assert refused(frame(1, data[:1], last=False) + frame(0, data[1:])).code == NOT_TEXT
    assert decoded([frame(2, data)]) == [(Opcode.BINARY, data)]


# Close


def test_a_close_without_a_code() -> None:
    assert decode_close(b"") == (None, "")


def test_a_closes_code_is_one_that_the_other_library_allows_too() -> None:
    for code in range(1 << 16):
        payload = code.to_bytes(2, "big") + "vorüber".encode()
        try:
            allowed = TheirClose.parse(payload)
        except ProtocolError:
            with pytest.raises(BadFrame):
                decode_close(payload)
        else:
            assert decode_close(payload) == (allowed.code, allowed.reason)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535])
def test_a_close_with_a_code_that_is_never_sent(code: int) -> None:
    with pytest.raises(BadFrame) as caught:
        decode_close(code.to_bytes(2, "big"))
    assert caught.value.code == PROTOCOL_ERROR


def test_a_close_that_is_cut_or_no_utf8() -> None:
    with pytest.raises(BadFrame):
        decode_close(b"\x03")
    with pytest.raises(BadFrame) as caught:
        decode_close(b"\x03\xe8\xff")
    assert caught.value.code == NOT_TEXT


# What we send


def served(data: bytes) -> list[Whole]:
    """Return what the server side of another library makes of our bytes."""
    server = TheirProtocol(Side.SERVER, max_size=None)
    server.receive_data(data)
    assert server.parser_exc is None
    return [(Opcode(one.opcode), bytes(one.data)) for one in server.events_received() if isinstance(one, TheirFrame)]


@given(st.lists(st.tuples(st.sampled_from((Opcode.BINARY, Opcode.PING, Opcode.PONG)), st.binary(max_size=125))))
def test_another_library_reads_our_frames(messages: list[Whole]) -> None:
    assert served(b"".join(encode_frame(opcode, payload) for opcode, payload in messages)) == messages


@pytest.mark.parametrize("size", SIZES)
def test_another_library_reads_a_frame_of_every_kind_of_length(size: int) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    assert served(encode_frame(Opcode.BINARY, payload[:size])) == [(Opcode.BINARY, payload[:size])]
    assert served(sealed(payload[:size])) == [(Opcode.BINARY, payload[:size])]


def theirs(stream: bytes) -> list[Whole] | None:
    """Return what the client side of another library makes of a server's frames; None when it refuses them."""
    client = TheirProtocol(Side.CLIENT, max_size=None)
    client.receive_data(stream)
    if client.parser_exc is not None:
        return None
    found, parts = list[Whole](), list[Whole]()
    for one in client.events_received():
        assert isinstance(one, TheirFrame)
        if one.opcode >= TheirOpcode.CLOSE:
            found.append((Opcode(one.opcode), bytes(one.data)))
            continue
        parts.append((Opcode(one.opcode), bytes(one.data)))
        if one.fin:
            found.append((parts[0][0], b"".join(data for _, data in parts)))
            parts.clear()
    return found


def ours(stream: bytes) -> list[Whole] | None:
    try:
        return decoded([stream], max_size=1 << 30)  # as with theirs, it is the form that counts
    except BadFrame:
        return None


# Mostly what may come, so that long conversations are among them; a Close is the end for the other library.
frames = st.builds(
    frame,
    st.sampled_from((0, 0, 1, 2, 2, 9, 10, 3, 11, 15)),
    st.sampled_from((b"", b"abc", b"x" * 125, b"x" * 126, b"x" * 65536)),
    last=st.booleans(),
    bits=st.sampled_from((0,) * 20 + (0x10, 0x20, 0x40)),
)


@given(st.lists(frames, max_size=8).map(b"".join))
def test_another_library_takes_and_refuses_the_same(stream: bytes) -> None:
    assert ours(stream) == theirs(stream)


@given(conversations())
def test_another_library_reads_the_same_messages(conversation: tuple[bytes, list[Whole]]) -> None:
    assert theirs(conversation[0]) == conversation[1]


@given(
    st.lists(
        st.tuples(st.sampled_from((TheirOpcode.BINARY, TheirOpcode.PING, TheirOpcode.PONG)), st.binary(max_size=125))
    )
)
def test_we_read_another_librarys_frames(messages: list[tuple[TheirOpcode, bytes]]) -> None:
    stream = b"".join(TheirFrame(opcode, payload).serialize(mask=False) for opcode, payload in messages)
    assert decoded([stream]) == [(Opcode(opcode), payload) for opcode, payload in messages]


def sealed(payload: bytes) -> bytes:
    buffer = memoryview(bytearray(HEADROOM + len(payload)))
    buffer[HEADROOM:] = payload
    return bytes(seal(buffer))


def unsealed(frame: bytes | memoryview) -> bytes:
    """Return the message of a masked frame, as the other end has it."""
    view = memoryview(frame)
    more = {126: 2, 127: 8}.get(view[1] & 0x7F, 0)
    return masked(view[6 + more :], bytes(view[2 + more : 6 + more]))


@given(st.binary(max_size=70000))
def test_what_is_sealed_is_unsealed(payload: bytes) -> None:
    assert unsealed(sealed(payload)) == payload
    assert unsealed(memoryview(encode_frame(Opcode.BINARY, payload))) == payload


@pytest.mark.parametrize("size", [1, 4099, 16 * 1024, 128 * 1024, 128 * 1024 + 1, 400_003, 1 << 20])
def test_a_frame_is_the_same_without_the_c_of_another_package(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel of websockets that fits every machine has none; a large push failed there."""
    payload, key = bytes(range(256)) * (size // 256 + 1), b"\x01\x80\xff\x00"
    here = masked(payload[:size], key)
    monkeypatch.setitem(sys.modules, "websockets.speedups", None)
    assert masked(payload[:size], key) == masked(memoryview(payload)[:size], key) == here
    assert unsealed(sealed(payload[:size])) == payload[:size]


def test_every_frame_has_a_key_of_its_own() -> None:
    zeros = bytes(8)  # masked, they show the key twice
    assert len({encode_frame(Opcode.BINARY, zeros)[-4:] for _ in range(100)}) == 100
    assert len({sealed(zeros)[-4:] for _ in range(100)}) == 100


def test_our_close_is_read_by_another_library() -> None:
    ((opcode, payload),) = served(encode_close(1002))
    assert (opcode, TheirClose.parse(payload)) == (Opcode.CLOSE, TheirClose(1002, ""))


# The handshake


def test_the_proof_of_the_rfcs_own_example() -> None:
    assert accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_every_handshake_has_a_key_of_its_own_of_16_bytes() -> None:
    keys = {make_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {24}
    assert dict(handshake("k", V4))["Sec-WebSocket-Key"] == "k"


GOOD = {"sec-websocket-accept": accept("k"), "sec-websocket-protocol": V4}


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({}, None),
        ({"sec-websocket-accept": accept("another")}, ConnectFailed),
        ({"sec-websocket-accept": None}, ConnectFailed),
        ({"sec-websocket-protocol": V5}, ProtocolRefused),
        ({"sec-websocket-protocol": None}, ProtocolRefused),
    ],
)
def test_which_handshakes_are_taken(changed: dict[str, str | None], error: type[Exception] | None) -> None:
    headers = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    assert type(refused_handshake(headers, "k", V4)) is (error or type(None))

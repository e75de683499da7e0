"""A client that sends every message back, made of what a session is made of: our handshake, decoder and frames."""

import asyncio

from asynccp.auth.access import Access
from asynccp.kube.exec import V4
from asynccp.net.http import Upgraded, open_connection
from asynccp.net.websocket import (
    NORMAL,
    BadFrame,
    Decoder,
    Opcode,
    accept,
    decode_close,
    encode_close,
    encode_frame,
    handshake,
    make_key,
)

MAX_SIZE = 16 * 1024 * 1024  # bytes: section 9's largest message


class Echo(asyncio.Protocol):
    """It does what `kube.session` does with a frame, except that a message goes back instead of to a receiver.

    ended: its result is when the connection is gone; texts: what came, for the questions that the suite answers.
    """

    def __init__(self, upgraded: Upgraded) -> None:
        self.texts: list[str] = []
        self.ended = asyncio.get_running_loop().create_future()
        self._decoder = Decoder(MAX_SIZE)
        self._over = False
        self._transport = upgraded.transport
        self._transport.set_protocol(self)
        self.data_received(upgraded.rest)

    def data_received(self, data: bytes) -> None:
        try:
            for opcode, payload in () if self._over else self._decoder.feed(memoryview(data)):
                self._answer(opcode, payload)
                if self._over:
                    return
        except BadFrame as exc:
            self._close(exc.code)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(None)

    def _answer(self, opcode: Opcode, payload: memoryview) -> None:
        match opcode:
            case Opcode.PING:
                self._transport.write(encode_frame(Opcode.PONG, payload))
            case Opcode.CLOSE:
                code, _ = decode_close(payload)
                self._close(NORMAL if code is None else code)
            case Opcode.TEXT | Opcode.BINARY:
                if opcode == Opcode.TEXT and len(payload) < 1024:
                    self.texts.append(str(payload, "utf-8"))
                self._transport.write(encode_frame(opcode, payload))

    def _close(self, code: int) -> None:
        self._over = True
        self._transport.write(encode_close(code))


async def converse(port: int, target: str) -> list[str]:
    """Hold one conversation with the suite's server; return the short texts that came."""
    connection, key = await open_connection(Access(f"http://127.0.0.1:{port}")), make_key()
    upgraded = await connection.upgrade(f"127.0.0.1:{port}", target, handshake(key, V4))
    assert isinstance(upgraded, Upgraded), upgraded
    assert upgraded.headers["sec-websocket-accept"] == accept(key), "it agrees to no subprotocol"
    echo = Echo(upgraded)
    await echo.ended
    return echo.texts

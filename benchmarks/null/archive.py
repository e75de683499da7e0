"""What a pod holds: archives whose content is the same random MiB again and again, framed once, ready to be sent.

A list of buffers, each some WebSocket messages; the same MiB is the same object, so that 8 GiB take no memory.
"""

import functools
import os
import re
import tarfile

MIB = 1024 * 1024
MESSAGE_SIZE = 32 * 1024  # payload of one message: what a container runtime copies at a time
_CONTENT = os.urandom(MIB)  # as bad to compress as anything
_STDOUT = 1
_RECORD = 10240  # tar's own padding


def frame(payload: bytes, opcode: int = 2) -> bytes:
    """Return one WebSocket frame, not masked, as servers send them (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload


def stdout(data: bytes) -> bytes:
    """Return the messages that carry `data`."""
    starts = range(0, len(data), MESSAGE_SIZE)
    return b"".join(frame(bytes((_STDOUT,)) + data[at : at + MESSAGE_SIZE]) for at in starts)


def numbers(name: str) -> tuple[int, int]:
    """Return how many files a directory of this name holds, and the size of each. Raises ValueError."""
    if not (match := re.fullmatch(r"(\d+)x(\d+)", name)):
        raise ValueError(f"{name!r} is not COUNTxSIZE")
    return int(match[1]), int(match[2])


@functools.lru_cache(maxsize=8)
def archive(name: str) -> list[bytes]:
    """Return the messages of the archive of the directory `COUNTxSIZE`. Raises ValueError."""
    count, size = numbers(name)
    ready: list[bytes] = []
    waiting = bytearray(_header(f"./{name}/", tarfile.DIRTYPE, 0))
    for index in range(count):
        waiting += _header(f"./{name}/{index // 1000:04}-{index % 1000:03}", tarfile.REGTYPE, size)
        if size >= MIB:
            ready.append(stdout(bytes(waiting)))
            waiting.clear()
            ready += [_framed_content()] * (size // MIB)
        rest = size % MIB
        waiting += _CONTENT[:rest] + bytes(-rest % 512)
        if len(waiting) >= MIB:
            ready.append(stdout(bytes(waiting[:MIB])))
            del waiting[:MIB]
    waiting += bytes(1024)
    waiting += bytes(-len(waiting) % _RECORD)
    return [*ready, stdout(bytes(waiting))]


@functools.cache
def _framed_content() -> bytes:
    return stdout(_CONTENT)


def _header(name: str, kind: bytes, size: int) -> bytes:
    """Return one header block, of GNU tar's format."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode, info.mtime = kind, size, 0o755 if kind == tarfile.DIRTYPE else 0o644, 1_700_000_000
    return info.tobuf(tarfile.GNU_FORMAT)

"""Parts: so many bytes of one file in a pod, asked for between the hello and the archive.

A pod sends exactly as many as it was asked for: what it can't read comes as zeros (`remote/scripts/part.sh`).
"""

from collections.abc import AsyncIterator

from asynccp.engine.conversation import Conversation
from asynccp.errors import SessionLost
from asynccp.options import SLOWEST_DIGEST_PER_S
from asynccp.remote.digests import AnswerReader, encode_question


async def pieces(
    conversation: Conversation, path: bytes, offset: int, size: int
) -> AsyncIterator[tuple[memoryview, int]]:
    """Yield the bytes as they come, each piece until the next one is asked for, and how many the wire had with it."""
    conversation.extra_stall_s = offset / SLOWEST_DIGEST_PER_S  # some tails read all that is before it
    await conversation.send(encode_question([path], f"part {offset} {size}"))
    answer, after, left = AnswerReader(conversation.token, [], "part"), b"", size
    while left:
        data = await _heard(conversation)
        conversation.extra_stall_s = 0.0
        piece, after = data[:left], bytes(data[left:])
        left -= len(piece)
        yield piece, len(data)
    while not answer.feed(after):
        after = bytes(await _heard(conversation))


async def _heard(conversation: Conversation) -> memoryview:
    data = await conversation.stdout()
    if data is None:
        raise conversation.error() or SessionLost("the session ended in a part of a file")
    return memoryview(data)

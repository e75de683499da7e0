"""Swap: a push whose place is replaced as a whole (`remote/scripts/swap.sh`), as a step.

In the pod the new directory is made of what stands there, and of that what is to go is removed; what came is put in;
the user's command may look at it; and only then it takes its place.
"""

import getpass
import secrets
import socket
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from asynccp.engine.conversation import Conversation
from asynccp.engine.steps import Publish, Step
from asynccp.errors import DestinationError, SessionLost
from asynccp.options import Rollout
from asynccp.remote.commands import Swapping, read_for_rollouts
from asynccp.remote.revisions import about, revision_name
from asynccp.target import Transfer

read_for_rollouts()
COPY, MERGE = b"copy\n", b"merge\n"


class Swap:
    """orders: what is removed from the new directory. before: what is run before it takes its place."""

    def __init__(self, orders: Sequence[Step], before: Sequence[Step]) -> None:
        self._orders = orders
        self._before = before

    async def run(self, conversation: Conversation) -> None:
        """Raises DestinationError: then nothing has changed."""
        conversation.places = True
        if await _asked(conversation, COPY, "copied"):
            why = conversation.stderr_tail
            raise DestinationError(
                "nothing was changed, because the new directory could not be made of what is there"
                + (f": {why}" if why else ""),
                hint="it takes hard links, or room for a copy, and as much room again for a backup",
            )
        for step in self._orders:
            await step.run(conversation)
        if not await _asked(conversation, MERGE, "merged"):  # else the pod's last word tells why
            for step in self._before:
                await step.run(conversation)
        await Publish(half_close=False).run(conversation)


async def _asked(conversation: Conversation, line: bytes, word: str) -> int:
    """Have the pod do something; return with which code it ended."""
    await conversation.send(line)
    code = await conversation.answered(word)
    if code is None:
        raise conversation.error() or SessionLost("the session ended before the pod had its new directory")
    return code


class Origin:
    """Where a job's revisions are from: each pod gets the same name for its own, and another when it is asked again.

    by: the command. digest: of the sources.
    """

    def __init__(self, rollout: Rollout, by: str, digest: str) -> None:
        self._rollout = rollout
        self._now_s, self._chance = time.time(), secrets.token_hex(3)  # a run that goes on has several jobs in a second
        self._about = about(_user(), socket.gethostname(), by, digest) if rollout.backups else ""
        self._asked: Counter[Transfer] = Counter()

    def swapping(self, transfer: Transfer) -> Swapping | None:
        """Return what a request says of it."""
        if not self._rollout.swaps:
            return None
        self._asked[transfer] += 1
        name = revision_name(self._now_s, self._chance, self._asked[transfer])
        return Swapping(self._rollout.swaps, name, self._rollout.backups, self._about)


def _user() -> str:
    with suppress(OSError, KeyError, ImportError):  # a uid without a name
        return getpass.getuser()
    return ""

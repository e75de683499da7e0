"""Steps: what a push has done in a pod between the archive's last byte and the acknowledgement, one after the other."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from asynccp.engine.conversation import Conversation
from asynccp.engine.verify import Comparison, differing, digests_differ
from asynccp.remote.dialogue import GO


class Step(Protocol):
    """One of them. Everything that was sent is in the pod, whole, beside its place; what it says is heard in order."""

    async def run(self, conversation: Conversation) -> None:
        """Do it. Raises what keeps the transfer from being complete: then no step follows, and the pod undoes what it
        can."""


async def take(steps: Iterable[Step], conversation: Conversation) -> None:
    """Take the steps, one after the other; none behind a last word that tells of a failure."""
    for step in steps:
        await step.run(conversation)
        if conversation.last_word and conversation.last_word.code:
            return


class Verify:
    """Compares the files in the pod with those here. sizes: of the files, by their path in the archive."""

    def __init__(self, sizes: Mapping[bytes, int], comparison: Comparison) -> None:
        self._sizes = sizes
        self._comparison = comparison

    async def run(self, conversation: Conversation) -> None:
        """Raises DigestsDiffer with the names of some."""
        if differ := await differing(conversation, self._sizes, self._comparison):
            raise digests_differ(differ)


class Publish:
    """Lets the pod put what it has received in its place.

    half_close: its stdin is closed, which tells it; else it waits for a line.
    """

    def __init__(self, *, half_close: bool) -> None:
        self._half_close = half_close

    async def run(self, conversation: Conversation) -> None:
        conversation.places = True
        if not self._half_close:
            await conversation.tell(GO)
        await conversation.done()

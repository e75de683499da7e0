"""Orders: what a pod is to remove, and which attributes to set, where they stand; a hundred names at a time.

An archive can do neither. They are carried out when all that is sent is in its place, but for what stands in its way.
"""

from collections.abc import Sequence

from asynccp.engine.conversation import Conversation
from asynccp.engine.steps import Step
from asynccp.engine.verify import answer
from asynccp.entry import LeftOut, NotKept
from asynccp.errors import DestinationError
from asynccp.plan.delta import Delta
from asynccp.remote.digests import encode_question, questions
from asynccp.text import counted, listed, printable

_NAMES = 3  # in an error


class Order:
    """One order, as an `engine.steps.Step`. word: as in `remote/scripts/orders.sh`.

    undone: what could not be done. why: the pod's last words about it, empty if they have not come.
    """

    def __init__(self, word: str, paths: Sequence[bytes]) -> None:
        self.undone: list[bytes] = []
        self.why = ""
        self._word = word
        self._paths = paths

    async def run(self, conversation: Conversation) -> None:
        for paths in questions(self._paths):
            await conversation.send(encode_question(paths, self._word))
            told = await answer(conversation, paths, self._word)
            self.undone += [path for path, word in zip(paths, told, strict=True) if word]
        if self.undone:
            self.why = conversation.stderr_tail


class Clearing(Order):
    """The removal of what stands in the way of what was sent."""

    def __init__(self, paths: Sequence[bytes]) -> None:
        super().__init__("remove", paths)

    async def run(self, conversation: Conversation) -> None:
        """Raises DestinationError: then what was sent is not put in its place."""
        await super().run(conversation)
        if self.undone:
            raise DestinationError(
                f"{counted(len(self.undone), 'entry is', 'entries are')} in the way and can't be removed: "
                + listed(self.undone, _NAMES, lambda path: printable(path, 200)),
                hint=conversation.stderr_tail,
            )


class Orders:
    """What follows from a delta besides its archive. before: steps to take before that is put in place; after: then."""

    def __init__(self, delta: Delta) -> None:
        first = set(delta.in_the_way)
        self._removal = Order("remove", [path for path in delta.remove if path not in first])
        self._settings = [
            (one, Order(f"{one.what.value} {one.value}", [delta.names.get(path, path) for path in one.paths]))
            for one in delta.settings
        ]
        self.before: list[Step] = [Clearing(delta.in_the_way)] if first else []
        self.after: list[Step] = [self._removal, *(order for _, order in self._settings)]

    @property
    def left_out(self) -> list[LeftOut]:
        """What could not be removed."""
        removal = self._removal
        return [
            LeftOut(path, _because("it could not be removed from the container", removal)) for path in removal.undone
        ]

    @property
    def not_kept(self) -> list[NotKept]:
        """What could not be set."""
        return [
            NotKept(path, _because(f"its {setting.what.value} could not be set to {setting.value}", order))
            for setting, order in self._settings
            for path in order.undone
        ]


def _because(what: str, order: Order) -> str:
    return f"{what}: {order.why}" if order.why else what

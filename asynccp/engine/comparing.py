"""Comparing: a pod tells what stands at a push's destination, and what is to be done about it is decided.

It is told in the exec that copies (`remote/scripts/push.sh`), before anything there has been touched. What the sources
don't have is not remembered, unless it is asked for: a destination may be a directory of millions.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from asynccp.difference import Why
from asynccp.engine.conversation import Conversation
from asynccp.engine.decisions import Decisions
from asynccp.engine.digests import Digests
from asynccp.engine.sessions import Greeted
from asynccp.engine.state import TransferState
from asynccp.engine.verify import Comparison, differing
from asynccp.errors import CommandMissing, DestinationError, Knob, ProtocolViolation, SessionLost
from asynccp.options import Options
from asynccp.plan.delta import Delta, Effect, Rules, questionable
from asynccp.plan.manifest import Item, Same
from asynccp.plan.plan import PushPlan
from asynccp.remote.dialogue import HEARD
from asynccp.remote.digests import encode_names
from asynccp.remote.listing import ListingReader
from asynccp.remote.messages import Hello
from asynccp.target import Transfer
from asynccp.text import counted

if TYPE_CHECKING:
    from asynccp.engine.owners import Owners
    from asynccp.plan.filters import Filters

MOST_NAMES = 100
"""Names at the top of a destination that are asked for one by one; of more, all that is there is listed."""

Changed = Callable[[Transfer], Collection[bytes]]

_SETTERS = {"chown": Why.OWNER, "chmod": Why.MODE, "touch": Why.TIME}

EXTRA_COST = 400
"""Bytes of memory for an entry that the sources don't have, besides its name. All pods together may have as many as
`Limits.memory` allows."""


class There(Struct, frozen=True):
    """What stands at a destination. mounts: the mount points below it."""

    manifest: Mapping[bytes, Item]
    mounts: tuple[bytes, ...]


class Compared(Struct, frozen=True):
    """What a comparison has found. effect: what the delta comes to. there: what the pod has, by our paths."""

    delta: Delta
    effect: Effect
    there: Mapping[bytes, Item]


class Comparing:
    """Compares the pods of one push with its sources.

    extras: what a pod has more is looked for, too. changed: files that are others than a pod was sent before.
    """

    def __init__(
        self, plan: PushPlan, options: Options, *, extras: bool = False, changed: Changed = lambda _: ()
    ) -> None:
        self._plan = plan
        self._paths = frozenset(entry.path for entry in plan.entries)  # the same for a thousand pods
        self._options = options
        self._extras = extras or options.sync.delete
        self._room = options.limits.memory  # bytes for what pods have more
        self._filters = _filters_of(plan)
        self._changed = changed
        self._owners = owners_of(plan, options)
        self._decisions = Decisions()
        self._questions: dict[str, bytes] = {}  # by the path that a transfer was asked for

    def question(self, transfer: Transfer) -> bytes:
        """Return what a pod is asked, for its stdin: the names at the top of its destination, or everything there.

        An entry that may get a name of its own is asked for by both.
        """
        if (found := self._questions.get(transfer.path)) is None:  # mostly the same for all pods
            found = self._questions[transfer.path] = self._question(transfer)
        return found

    def _question(self, transfer: Transfer) -> bytes:
        plan = self._plan
        names = list(dict.fromkeys(entry.path.partition(b"/")[0] for entry in plan.entries))
        if plan.renames:
            names.append(_last_name(transfer.path) or names[0])
        elif len(names) > MOST_NAMES or (self._extras and b"" in plan.rules):
            names = [b""]
        return encode_names(names)

    async def compared(self, found: Greeted, state: TransferState, digests: Digests) -> Compared:
        """Hear what is there, and decide.

        Raises DestinationError, CommandMissing, and what else keeps the pod from telling.
        """
        async with found.conversation.watched():
            compared = await self._compared(found, state, digests)
        delta, most = compared.delta, self._options.sync.most_deleted
        if most is not None and len(delta.remove) > most:
            raise DestinationError(
                f"{counted(len(delta.remove), 'entry', 'entries')} would be removed, more than {most}; "
                "nothing was changed",
                hint=f"a dry run shows which; {Knob.MOST_DELETED} is the most that may be",
            )
        return compared

    async def _compared(self, found: Greeted, state: TransferState, digests: Digests) -> Compared:
        conversation, entries = found.conversation, self._plan.entries
        if self._owners:
            entries = await self._owners.entries(found.hello)
        aliases = self._aliases(found.hello, state.transfer)
        names = {ours: theirs for theirs, ours in aliases.items()}
        there = await self._there(conversation, state, aliases)
        await conversation.send(HEARD)
        rules = self._rules(there, found.hello)._replace(changed=self._changed(state.transfer))
        same: Same | None = None
        if sizes := questionable(entries, there.manifest, rules):
            comparison = Comparison(state.negotiated.checksum, digests.get, state.digests, names)
            same = partial(_is_outside, set(await differing(conversation, sizes, comparison)))
        delta, effect = await self._decisions.decided(entries, there.manifest, rules, same)
        return Compared(delta._replace(names=names), effect, there.manifest)

    def _aliases(self, hello: Hello, transfer: Transfer) -> dict[bytes, bytes]:
        """Return what the one entry is called, by what the pod calls it."""
        return {_last_name(transfer.path): self._plan.entries[0].path} if hello.is_named else {}

    async def _there(self, conversation: Conversation, state: TransferState, aliases: Mapping[bytes, bytes]) -> There:
        reader, found = ListingReader(conversation.token), dict[bytes, Item]()
        while not reader.ended:
            data = await conversation.stdout()
            if data is None:
                raise conversation.error() or SessionLost("the session ended before the pod had told what is there")
            state.wire_size += len(data)
            for name, item in reader.feed(data):
                path = aliases.get(name, name)
                if path in self._paths or not path:
                    found[path] = item
                elif self._extras:
                    self._take_room(EXTRA_COST + len(path))
                    found[path] = item
        if reader.rest:
            raise ProtocolViolation("the pod said more than what is there")
        if reader.how == "none" and self._options.sync.delete:
            raise CommandMissing(
                "nothing can be removed: the container can't tell what it has, without find and stat",
                hint=f"add them to the image, or push without {Knob.DELETE}",
            )
        return There(found, tuple(reader.mounts))

    def _take_room(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise DestinationError(
                "there is too much in the container that the sources don't have to remember it all",
                hint=f"raise {Knob.MEMORY}, or push into a directory of its own",
            )

    def _rules(self, there: There, hello: Hello) -> Rules:
        kept = {one.path for one in self._plan.left_out} | set(there.mounts)
        below = tuple(path + b"/" for path in there.mounts)

        manifest = there.manifest
        # A second guard, for mount points whose names can't be told.
        devices = {manifest[root].device for root in (b"", *self._plan.rules) if root in manifest}

        def is_protected(path: bytes, is_directory: bool) -> bool:
            is_mounted = path in kept or path.startswith(below) or manifest[path].device not in devices
            return is_mounted or self._is_excluded(path, is_directory)

        return Rules(
            checksum=self._options.verification.checksum,
            sync=self._options.sync,
            attributes=self._options.attributes,
            roots=tuple(self._plan.rules),
            extras=self._extras,
            # What a new directory shares with the one that it is to replace is not set, but sent.
            can_set=[
                why for program, why in _SETTERS.items() if program in hello.sets and not self._options.rollout.swaps
            ],
            protected=is_protected,
        )

    def _is_excluded(self, path: bytes, is_directory: bool) -> bool:
        """Tell whether a filter of the source that a path belongs to leaves it out."""
        if self._options.sync.delete_excluded:
            return False
        return any(
            not one.keeps(path[len(root) :].lstrip(b"/"), is_directory)
            for root, filters in self._filters.items()
            if not root or path.startswith(root + b"/")
            for one in filters
        )


def _is_outside(differ: Collection[bytes], path: bytes) -> bool:
    return path not in differ


def owners_of(plan: PushPlan, options: Options) -> "Owners | None":
    """Return what gives the entries to who was asked for; None where nobody was."""
    if not options.attributes.chown:
        return None
    from asynccp.engine.owners import Owners  # few ask for it

    return Owners(plan.entries)


def _filters_of(plan: PushPlan) -> Mapping[bytes, Sequence["Filters"]]:
    """Return the filters of each source that has some."""
    if not any(map(any, plan.rules.values())):
        return {}
    from asynccp.plan.filters import compiled  # few need it

    return {root: [compiled(one) for one in several if one] for root, several in plan.rules.items()}


def _last_name(path: str) -> bytes:
    return path.rsplit("/", 1)[-1].encode("utf-8", "surrogateescape")

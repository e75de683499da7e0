"""Texts: how small text files in a pod differ from those here, asked for when it is known which ones do.

A file at a time, in the exec that compares: its content comes as it is now, is compared, and only the difference is
kept. Equal ones are kept once, whichever pods they are of.
"""

from anyio import to_thread

from asynccp.difference import Difference, Sign, Text
from asynccp.engine.comparing import Compared
from asynccp.engine.parts import pieces
from asynccp.engine.sessions import Greeted
from asynccp.engine.state import TransferState
from asynccp.engine.turns import limiter
from asynccp.entry import files_of
from asynccp.local.read import read_content
from asynccp.plan.manifest import manifest_of
from asynccp.plan.plan import PushPlan
from asynccp.plan.unified import notes, unified
from asynccp.target import Transfer
from asynccp.text import human_size, printable

MOST_KEPT = 16 * 1024 * 1024
"""Characters of all pods' texts. The report, as text or as JSON, has each some five times over while it is written."""


class Texts:
    """The texts of one comparison. Those of the pods take no more than MOST_KEPT, and 64 KiB for each session."""

    def __init__(self, plan: PushPlan) -> None:
        self._plan = plan
        self._wanted = manifest_of(plan.entries)
        self._files = files_of(plan.entries)
        self._known: dict[Text, Text] = {}
        self._room = MOST_KEPT

    async def added(self, compared: Compared, found: Greeted, state: TransferState) -> tuple[Difference, ...]:
        """Return the differences with the texts of the files among them. Raises SourceChanged, and as a conversation.

        To be called `watched`.
        """
        why_not = notes(compared.delta.differences, self._wanted, compared.there)
        differences = []
        for one in compared.delta.differences:
            if (note := why_not.get(one.path)) is not None:
                text = Text(note=note) if note else await self._text(one, compared, found, state)
                one = one._replace(text=self._kept(text))
            differences.append(one)
        return tuple(differences)

    async def _text(self, one: Difference, compared: Compared, found: Greeted, state: TransferState) -> Text:
        theirs: bytes | None = None
        if one.sign is not Sign.NEW:
            if not found.hello.parts:
                return Text(note="not shown: the container has no head, or no tail")
            size = compared.there[one.path].size
            theirs = await self._theirs(compared.delta.names.get(one.path, one.path), size, found, state)
            if len(theirs) > size:
                return Text(note="not shown: it grew while it was read")
        name = _name(self._plan, state.transfer, one.path, named=found.hello.is_named)
        return await to_thread.run_sync(self._compared, one.path, theirs, name, limiter=limiter())

    async def _theirs(self, path: bytes, size: int, found: Greeted, state: TransferState) -> bytes:
        """Return what the pod has of a file: so many bytes, and one more if there is one.

        Zeros stand for what is not there any more. So the one that is asked for behind the end is no content.
        """
        content = bytearray()
        async for piece, wire_size in pieces(found.conversation, path, 0, size + 1):
            content += piece
            state.wire_size += wire_size
        return bytes(content.removesuffix(b"\0"))

    def _compared(self, path: bytes, theirs: bytes | None, name: str) -> Text:
        entry = self._files.get(path)
        ours = read_content(entry) if entry else None
        return unified(theirs, ours, (name, printable(entry.source) if entry else ""))

    def _kept(self, text: Text) -> Text:
        """Return a text that may be kept until the report."""
        if text not in self._known:
            size = sum(map(len, text.lines))
            if size > self._room:
                text = text._replace(
                    lines=(), note=f"not shown: the pods' texts have more than {human_size(MOST_KEPT)}"
                )
            else:
                self._room -= size
        return self._known.setdefault(text, text)


def _name(plan: PushPlan, transfer: Transfer, path: bytes, *, named: bool) -> str:
    """Return what a file is called in a pod, for people."""
    return plan.landing(transfer.path, named=named) or f"{printable(transfer.path.rstrip('/'))}/{printable(path)}"

"""Rotating: a pod is asked whether its logs still have the names that it told.

Before anything here gets another name, since what a pod has proved it has proved of names; before its tar packs them,
when nothing was written over yet; and behind the archive, before it is taken for what was chosen (`plan/rotation.py`).
"""

from collections.abc import Mapping

from asynccp.engine.conversation import Conversation
from asynccp.engine.verify import objects
from asynccp.errors import SourceRotated
from asynccp.plan.rotation import Named, renamed
from asynccp.text import listed, printable

_NAMED = 3  # in an error


async def check_names(conversation: Conversation, witnesses: Mapping[bytes, Named]) -> None:
    """Raise SourceRotated if files have each other's names by now. witnesses: some that were listed, by path."""
    if paths := renamed(witnesses, await objects(conversation, witnesses)):
        raise SourceRotated(f"logs were rotated while they were pulled: {listed(paths, _NAMED, printable)}")

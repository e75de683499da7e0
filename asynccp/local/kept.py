"""Kept: small sources with what they had when they were looked at. Calls block.

Where something is saved all the time, a file that is read only when the first pod takes it is another by then, as often
as not, and the copy ends with that: with an exec that takes a second, and ten files of which three are saved in it, no
pod ever came to have all. What is kept is one state of the sources, whatever becomes of them.
"""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from asynccp.entry import Entry, Kind
from asynccp.local.read import is_object, read_content

MOST_SIZE = 4 * 1024 * 1024
"""Bytes of all sources together. Of more nothing is kept: who has that much is not at an editor, and each state of it
would be read as a whole."""


def kept(entries: Sequence[Entry], before: Sequence[Entry]) -> Sequence[Entry]:
    """Return entries with their content, as far as there is room. before: of the last time, not read again.

    Raises SourceChanged.
    """
    if sum(one.size for one in _files(entries)) > MOST_SIZE:
        return entries
    known = {one.path: one for one in _files(before)}
    content = {one.path: _content(one, known.get(one.path)) for one in _files(entries)}
    return [replace(one, content=content[one.path]) if one.path in content else one for one in entries]


def _content(entry: Entry, before: Entry | None) -> bytes:
    if before and before.content is not None and (before.size, before.origin) == (entry.size, entry.origin):
        return before.content
    return read_content(entry)


def _files(entries: Sequence[Entry]) -> Iterator[Entry]:
    return (one for one in entries if one.kind is Kind.FILE and one.origin and not is_object(one))

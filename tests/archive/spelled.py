"""Events as the strict decoder alone tells them: what holds for a file must hold however it was read."""

from collections.abc import Iterable, Iterator

from asynccp.archive.plain import Whole
from asynccp.archive.tar import Data, Event, Member, MemberEnd


def spelled(events: Iterable[Event]) -> Iterator[Event]:
    """Yield Member, Data and MemberEnd for each Whole, and all other events as they are."""
    for event in events:
        if not isinstance(event, Whole):
            yield event
            continue
        yield Member(event.entry)
        if event.content:
            yield Data(event.content)
        yield MemberEnd()

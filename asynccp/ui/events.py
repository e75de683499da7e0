"""Event lines: what a run tells while it works, for programs: a line of JSON for each event (`jsonlines`).

It is a printer whose picture is a file: lines that only get more. What has moved of a transfer since the last ones is
one `Advanced`, so that a gigabyte is a few lines, and a reader that is slow is owed no more than one for each transfer.
"""

from typing import TextIO

from asynccp.events import Advanced, Amended, Event, Finished, Standing, WaveBegun, WaveEnded, WaveWaits
from asynccp.jsonlines import dumps
from asynccp.target import Transfer


class EventLines:
    """Writes each event to a stream, those of one transfer in their order."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._events: list[Event] = []
        self._moved: dict[Transfer, int] = {}  # that no event has told yet

    def __call__(self, event: Event) -> None:
        if isinstance(event, Advanced):
            self._moved[event.transfer] = self._moved.get(event.transfer, 0) + event.size
            return
        transfer = _of(event)
        if transfer and (size := self._moved.pop(transfer, 0)):
            self._events.append(Advanced(transfer, size))
        self._events.append(event)

    def frame(self) -> str:
        """Return the lines since the last frame; empty when nothing has happened."""
        events = [*self._events, *(Advanced(transfer, size) for transfer, size in self._moved.items())]
        self._events.clear()
        self._moved.clear()
        return "".join(f"{dumps(one)}\n" for one in events)

    def last_frame(self) -> str:
        """Return what is still to be told."""
        return self.frame()


def _of(event: Event) -> Transfer | None:
    """Return the transfer that an event is of, None if it is of more than one."""
    match event:
        case WaveBegun() | WaveWaits() | WaveEnded() | Standing():
            return None
        case Finished(result) | Amended(result):
            return result.transfer
        case _:
            return event.transfer

"""Room: bytes that all transfers of a pull may still take, whichever threads decide what they take."""

from threading import Lock

from asynccp.plan.collect import Room


class SharedRoom(Room):
    """The room of one run, for any thread."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._lock = Lock()

    def take(self, size: int) -> bool:
        with self._lock:
            return super().take(size)

    def give_back(self, size: int) -> None:
        with self._lock:
            super().give_back(size)

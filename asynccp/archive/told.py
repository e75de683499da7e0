"""Told: the first of what may be very many, and how many more there are. Pure."""

from collections.abc import Callable
from typing import Generic, TypeVar

MOST_TOLD = 500  # of one pod: who reads more of them asks a program, and then the pod
MOST_TOLD_SIZE = 128 * 1024  # bytes of their names and words, which are kept until the pod's session has ended

Thing = TypeVar("Thing")


class Told(Generic[Thing]):
    """named: the first. more: how many came after them. has_room: tells whether there is memory for one more."""

    def __init__(self, has_room: Callable[[], bool] = lambda: True) -> None:
        self.named: list[Thing] = []
        self.more = 0
        self._size = 0
        self._has_room = has_room

    def add(self, thing: Thing, size: int) -> bool:
        """Name a thing, whose name and words have so many bytes, or count it; tell which."""
        self._size += size
        if self.more or len(self.named) >= MOST_TOLD or self._size > MOST_TOLD_SIZE or not self._has_room():
            self.more += 1
            return False
        self.named.append(thing)
        return True

"""Told: the first of what may be very many, and how many more there are. Pure."""

from collections.abc import Callable
from typing import Generic, TypeVar

MOST_TOLD = 500  # of one pod: who reads more of them asks a program, and then the pod

Thing = TypeVar("Thing")


class Told(Generic[Thing]):
    """named: the first. more: how many came after them. has_room: tells whether there is memory for one more."""

    def __init__(self, has_room: Callable[[], bool] = lambda: True) -> None:
        self.named: list[Thing] = []
        self.more = 0
        self._has_room = has_room

    def add(self, thing: Thing) -> bool:
        """Name a thing, or count it; tell which."""
        if self.more or len(self.named) >= MOST_TOLD or not self._has_room():
            self.more += 1
            return False
        self.named.append(thing)
        return True

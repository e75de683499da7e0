"""Steps: work that blocks, in pieces of some milliseconds. Each step yields how many bytes it has dealt with.

Whoever has it done looks between two steps at who else waits, and whether it is still wanted.
"""

from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")


def finished(steps: Generator[int, None, Result]) -> Result:
    """Do all the steps at once, and return what they return."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result

"""Row: one promise, the figure that was held when it was last measured, and the command that measures it again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """what: the promise in words. figure: what was found. held: whether it is what was promised.

    kubectl: what `kubectl cp` does on the same case, where it can be run; empty where it can't.
    """

    what: str
    figure: str
    held: bool
    kubectl: str = ""

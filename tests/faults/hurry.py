"""A clock that hurries: what is left of a deadline passes soon, once nothing but waiting for it is under way.

Unlike the one of `tests/engine/clock.py` it keeps the time of the world till then: programs and sockets take some.
"""

import asyncio

from asynccp import Listener
from asynccp.report import Result

_STEP_S = 0.2  # no message in whole seconds shows it
_TAKES_S = 0.01


class HurryingLoop(asyncio.SelectorEventLoop):
    """An event loop with such a clock."""

    _ahead_s = 0.0
    _hurries = False

    def time(self) -> float:
        return super().time() + self._ahead_s

    def hurry(self) -> None:
        """Let time pass twenty times as fast from now on."""
        self._hurries = True
        self.call_later(_TAKES_S, self._step)

    def calm(self) -> None:
        """Let it pass as it does."""
        self._hurries = False

    def _step(self) -> None:
        if self._hurries:
            self._ahead_s += _STEP_S - _TAKES_S
            self.call_later(_TAKES_S, self._step)


class Hurries(Listener):
    """Has the running clock hurry as soon as all but the last `left` of `count` transfers are over."""

    def __init__(self, count: int, left: int) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, HurryingLoop)
        self.loop = loop
        self._others = count - left

    def finished(self, result: Result) -> None:
        self._others -= 1
        if self._others == 0:
            self.loop.hurry()

import inspect
from typing import Any

import pytest

from .clock import JumpingLoop, running_clock


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": JumpingLoop}


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> JumpingLoop:
    """The clock of the test's loop."""
    return running_clock(monkeypatch)


@pytest.fixture(autouse=True)
def _clock_that_knows_threads(request: pytest.FixtureRequest) -> None:
    """Give every asynchronous test the clock above, also one that doesn't look at it."""
    if inspect.iscoroutinefunction(request.function):
        request.getfixturevalue("clock")

import asyncio
import inspect
from typing import Any

import pytest
from anyio import to_thread

from .clock import JumpingLoop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": JumpingLoop}


@pytest.fixture
async def clock() -> JumpingLoop:
    """The clock of the test's loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, JumpingLoop)
    threads = to_thread.current_default_thread_limiter()
    loop.threads_work = lambda: threads.borrowed_tokens > 0
    return loop


@pytest.fixture(autouse=True)
def _clock_that_knows_threads(request: pytest.FixtureRequest) -> None:
    """Give every asynchronous test the clock above, also one that doesn't look at it."""
    if inspect.iscoroutinefunction(request.function):
        request.getfixturevalue("clock")

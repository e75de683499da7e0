"""What all tests share: the event loop is asyncio's, and a call of ours that blocks it is a failure."""

import gc
import os
from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import settings

os.environ["XDG_CONFIG_HOME"] = "/nonexistent"  # whoever runs the tests may have settings of their own

settings.register_profile("asynccp", deadline=None)  # how long an example takes says what else the machine does
settings.load_profile("asynccp")

STARTS_MUCH = ("tests/e2e/", "tests/test_readme.py", "tests/faults/", "tests/hostile/", "tests/remote/")
"""What takes longest. It comes first: of workers side by side, none should be left alone with one of these."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda one: not one.nodeid.startswith(STARTS_MUCH))


def pytest_collection_finish() -> None:
    """Leave what was collected, twelve thousand tests, out of each collection of garbage: that is 9 % of their time."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True, scope="session")
def _no_blocking_call() -> Iterator[None]:
    with blockbuster_ctx("asynccp"):
        yield

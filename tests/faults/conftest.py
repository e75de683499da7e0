"""What the tests of faults share."""

import pytest


@pytest.fixture(autouse=True)
def _no_blocking_call() -> None:
    """A kubeconfig is read by a loop in a worker thread, which may block; the engine's tests look for such calls."""

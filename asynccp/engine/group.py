"""single_error: a task group's many exceptions, as the one that the caller of the function expects.

let_go: an exception that ends here.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from asynccp.errors import SessionLost, Stalled, TransferError


@contextmanager
def single_error() -> Iterator[None]:
    """Turn the ExceptionGroup of a task group into the one error that tells most.

    Tasks of one transfer fail together when its session does: what the command or the disk says outranks the broken
    connection that it caused. Anything that is no TransferError is a defect of ours, and leaves as it is.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        errors = list(_leaves(group))
        ours = [error for error in errors if not isinstance(error, TransferError)]
        if ours:
            raise ours[0] from None
        raise min(errors, key=lambda error: isinstance(error, SessionLost | Stalled)) from None


def let_go(error: TransferError) -> None:
    """Take from an error what it came from; its words stay.

    It holds frames by its traceback, and some of them hold it, or the group that it was in: so what else they have, a
    session or what unpacks an archive, would stay until the collector finds the cycle.
    """
    error.__traceback__ = error.__context__ = error.__cause__ = None


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error

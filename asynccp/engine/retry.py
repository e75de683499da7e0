"""Retry: which failures are worth another attempt, after how long, and when enough is enough. Pure but for the dice.

Only failures of the connection are retried (`TransferError.retryable`), and only while the pod is still the one that
was matched: a new pod of the same name is not the target. An attempt starts over: a push extracts the same archive
again, a pull renames whole files over whole files, so that repeating is always safe.
"""

from msgspec import Struct

from asynccp.errors import TransferError

FIRST_DELAY_S = 1.0
MOST_DELAY_S = 30.0
FREE_RETRIES = 100  # in one run, whatever its size: an outage hits every pod of a small fleet, more than once
RETRY_SHARE = 0.2  # of its transfers, beyond these: a cluster in trouble is not hammered by a thousand pods' retries


def delay_s(attempt: int, *, chance: float, after_s: float = 0.0) -> float:
    """Return the seconds to wait after attempt 1, 2, …: doubled each time, spread over half of it by `chance` (0 to 1).

    after_s: what the server asked for with Retry-After (RFC 9110 section 10.2.3); never less than that.
    """
    longest = min(MOST_DELAY_S, FIRST_DELAY_S * 2.0 ** (attempt - 1))
    return max(after_s, longest * (0.5 + chance / 2))


class Budget(Struct):
    """The retries that one run may make: `retries` for a transfer, and a share of all transfers together."""

    retries: int
    left: float = FREE_RETRIES

    def grow(self, transfers: int) -> None:
        """There are so many transfers more."""
        self.left += transfers * RETRY_SHARE

    def allows(self, error: TransferError, attempt: int) -> bool:
        """Tell whether attempt `attempt`, which ended with `error`, may be followed by another; count it if so."""
        if not error.retryable or attempt > self.retries or self.left < 1:
            return False
        self.left -= 1
        return True

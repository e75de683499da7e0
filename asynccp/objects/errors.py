"""StoreError: what an object store, or the way to it, does not allow; one sentence, and what to do."""

from asynccp.errors import PlanError


class StoreError(PlanError):
    """A store can't be used. While nothing has moved it is a plan's error; a sink makes a transfer's of it."""

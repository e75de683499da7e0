"""Place: where the scripts of a transfer run, and how they are made: in the target itself, or from beside it."""

from collections.abc import Callable

from msgspec import Struct

from asynccp.kube.base import Session
from asynccp.remote.agent import RemoteAgent
from asynccp.target import Target


class Place(Struct, frozen=True):
    """target: the container whose shell runs them. speaks: for a session in which nobody there does."""

    target: Target
    agent: RemoteAgent
    speaks: Callable[[Session], Session] | None = None

"""Place: where the scripts of a transfer run, and how they are made: in the target itself, or from beside it."""

from typing import NamedTuple

from asynccp.remote.agent import RemoteAgent
from asynccp.target import Target


class Place(NamedTuple):
    """target: the container whose shell runs them."""

    target: Target
    agent: RemoteAgent

"""Place: where the scripts of a transfer run, and how they are made: in the target itself, or from beside it."""

from typing import NamedTuple

from asynccp.remote.agent import RemoteAgent
from asynccp.target import Target


class Place(NamedTuple):
    """target: the container whose shell runs them. way: how the target's files are reached, as the report tells it."""

    target: Target
    agent: RemoteAgent
    way: str = "tar"

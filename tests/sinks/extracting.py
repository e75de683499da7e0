"""An ingest into a directory, as a pull makes one."""

import os
from typing import Any

from asynccp.sinks.directory import DirectorySink
from asynccp.sinks.ingest import Ingest


def extracting(
    root: str | os.PathLike[str],
    requested: bytes,
    *,
    name: bytes | None = None,
    base: str | None = None,
    preserve_owner: bool = False,
    preserve_modes: bool = False,
    **more: Any,
) -> Ingest:
    """Return what takes an archive in and writes it under `root`. more: as of `Ingest`."""
    sink = DirectorySink(
        root,
        requested if name is None else name,
        base=base,
        preserve_owner=preserve_owner,
        preserve_modes=preserve_modes,
    )
    return Ingest(sink, requested, **more)

"""An ingest into a directory, as a pull makes one."""

import os
from typing import Any

from asynccp.options import Attributes
from asynccp.sinks.directory import DirectorySink
from asynccp.sinks.ingest import Ingest

DEFAULTS = Attributes()


def extracting(
    root: str | os.PathLike[str],
    requested: bytes,
    *,
    name: bytes | None = None,
    base: str | None = None,
    attributes: Attributes = DEFAULTS,
    **more: Any,
) -> Ingest:
    """Return what takes an archive in and writes it under `root`. more: as of `Ingest`."""
    sink = DirectorySink(
        root,
        requested if name is None else name,
        attributes,
        base=base,
    )
    return Ingest(sink, requested, **more)

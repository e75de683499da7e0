"""Links: which contexts were seen to lie behind a slow way, for as long as that may be believed.

    $XDG_CACHE_HOME/asynccp/slow-links/DIGEST      an empty file; it was found slow when that was changed last

DIGEST is of the context's name, so that a name needs no escaping, and tells nobody which clusters there are. What is
remembered is a hint that costs nothing when it is wrong: pods compress what need not be. So it is believed for a day,
which a run that begins with it does not prolong: nothing is measured then.
"""

import hashlib
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from asynccp.cli.configured import own_directory

BELIEVED_S = 24 * 3600.0


class RememberedLink:
    """As `engine.compression.Link`. Reads when it is made, writes in `keep`: neither in an event loop."""

    def __init__(self, context: str | None, variables: Mapping[str, str]) -> None:
        digest = hashlib.sha256((context or "").encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._path = Path(own_directory(variables, "XDG_CACHE_HOME", "~/.cache"), "slow-links", digest)
        self._is_found = False
        self.is_slow = False
        with suppress(OSError):
            self.is_slow = 0 <= time.time() - self._path.stat().st_mtime < BELIEVED_S

    def found_slow(self) -> None:
        self._is_found = True

    def keep(self) -> None:
        """Remember what was found; where nothing can be written, nothing is."""
        if self._is_found:
            with suppress(OSError):
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._path.touch()

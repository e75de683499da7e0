"""The umask: which permission bits the user of this machine gives to nobody.

Whatever mode a pod claims, a pull sets none of them, and neither do a user's `tar` and `kubectl cp`: else a pod would
decide who else on this machine may change what was pulled.
"""

import os
import re

_TOLD = re.compile(rb"^Umask:\s*([0-7]+)$", re.MULTILINE)


def umask() -> int:
    """Return this process's umask, so that no file of another thread is made under another one meanwhile."""
    try:
        with open("/proc/self/status", "rb") as status:
            if found := _TOLD.search(status.read()):
                return int(found[1], 8)
    except OSError:  # no Linux, or /proc is not mounted
        pass
    now = os.umask(0o077)  # the only way to ask elsewhere; what is made in this moment is too private, never too open
    os.umask(now)
    return now

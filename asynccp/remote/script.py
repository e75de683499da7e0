"""A script as it travels: its parts joined, without comments and indentation, over stdin behind a constant command.

The command's argv stays short and the same for all pods: proxies allow 8 KiB for a URL, and the API server's audit log
keeps it for each exec. The bootstrap reads the script with one `dd`; where there is no dd that takes `iflag=fullblock`
(toybox), with `read`, which takes byte by byte what is its own. Either way what stands behind the script is left where
it is, and `b` says whether there is such a dd. To the first word of the script, 5.9 KiB, median of 12: dash 60 ms with
dd, 64 with `read`, 54 from argv; BusyBox 50, 57, 53.

Before that goes what of the container's environment would change it in bash: TMOUT, for how long it reads; functions;
and SHELLOPTS, by which it may take all NAME=VALUE words for a command's variables, or end after one line.

A script is one brace group: what was cut off in the middle is a syntax error, and nothing of it is run.
"""

import functools
from pathlib import Path
from typing import NamedTuple

BOOTSTRAP = """\
unset TMOUT;unset -f command dd read;command set +kt 2>/dev/null
b=dd;s=$(dd bs=$2 count=1 iflag=fullblock 2>/dev/null)||b= s=
[ "$b" ]||while IFS= read -r l&&[ "$l" != "#$1" ];do s="$s$l
";done
eval "$s"\
"""
_SCRIPTS = Path(__file__).parent / "scripts"  # importlib.resources takes 3 ms of a start
SHELL, ABSOLUTE_SHELL = "sh", "/bin/sh"


class Command(NamedTuple):
    """What runs in a pod. argv: of the exec. script: the first bytes of its stdin."""

    argv: tuple[str, ...]
    script: bytes


@functools.cache
def load(*parts: str) -> bytes:
    """Return the joined text of some parts, as it travels. Reads files of this package, once."""
    return b"{\n%b}\n" % b"".join(map(_part, parts))


@functools.cache  # most are of several texts
def _part(name: str) -> bytes:
    return stripped((_SCRIPTS / f"{name}.sh").read_text()).encode()


def command(token: str, text: bytes, values: tuple[str, ...], *, shell: str = SHELL) -> Command:
    """Return the command that runs a loaded text with `values` as its positional parameters from $3 on."""
    script = b"%b#%b\n" % (text, token.encode())
    return Command((shell, "-c", BOOTSTRAP, shell, token, str(len(script)), *values), script)


def stripped(text: str) -> str:
    """Return a script without indentation, empty lines, and comments that have a line of their own."""
    lines = (line.lstrip(" \t") for line in text.split("\n"))
    return "".join(f"{line}\n" for line in lines if line and line[0] != "#")

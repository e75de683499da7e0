"""The program's first lines: signals are heard before anything that takes time is loaded, and no stream fails."""

import gc
import sys

from asynccp import ONLY_POSIX

if sys.platform == "win32":
    sys.exit(ONLY_POSIX)

from asynccp.cli import interrupt


def main() -> None:
    gc.disable()  # until the work begins (`cli._to_its_end`): nothing of what is loaded is ever garbage
    interrupt.listen()
    from asynccp.cli import streams

    streams.keep()
    from asynccp.cli import app as cli

    cli.main()


if __name__ == "__main__":
    main()

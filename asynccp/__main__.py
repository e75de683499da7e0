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
    if sys.argv[1:2] == ["__complete"]:  # asked by a shell, in which somebody waits
        interrupt.end_after(interrupt.patience_s())
        from asynccp.cli import complete

        complete.main(sys.argv[2:])
    from asynccp.cli import streams

    streams.keep()
    from asynccp.cli import app as cli

    cli.main()


if __name__ == "__main__":
    main()

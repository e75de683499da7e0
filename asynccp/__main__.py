"""The program's first lines: signals are heard before anything that takes time is loaded, and no stream fails."""

from asynccp import interrupt


def main() -> None:
    interrupt.listen()
    from asynccp import streams

    streams.keep()
    from asynccp import cli

    cli.main()


if __name__ == "__main__":
    main()

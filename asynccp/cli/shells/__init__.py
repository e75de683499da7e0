"""Shells: what makes one complete the words of a command line, by asking `asynccp __complete` (`cli.complete`)."""

from pathlib import Path

from asynccp.errors import UsageError
from asynccp.text import printable

SHELLS = ("bash", "zsh", "fish")


def script(shell: str) -> str:
    """Return the script of a shell. Raises UsageError."""
    if shell not in SHELLS:
        raise UsageError(f"completion is for {', '.join(SHELLS)}, not for {printable(shell, 100)}")
    return (Path(__file__).parent / f"asynccp.{shell}").read_text()

"""ExitStatus: how a remote command ended, as the API server says it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """The command's exit code, or None when it never ran, or its end isn't known.

    message: the server's own text, escaped.
    """

    code: int | None
    message: str = ""

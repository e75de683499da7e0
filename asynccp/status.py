"""ExitStatus: how a remote command ended, as the API server says it."""

from msgspec import Struct


class ExitStatus(Struct, frozen=True):
    """The command's exit code, or None when it never ran, or its end isn't known.

    message: the server's own text, escaped.
    """

    code: int | None
    message: str = ""

"""Words: what the words of flags mean, where the field that a flag sets can't tell. Pure."""

import re

from asynccp.errors import UsageError
from asynccp.options import Share, WaveBy
from asynccp.text import printable
from asynccp.times import parse_span

_MOST_COMMAND = 16 * 1024  # characters


def whole(word: str) -> int:
    """Return a whole number. Raises UsageError."""
    try:
        return int(word)
    except ValueError:
        raise UsageError(f"a whole number was expected, not '{printable(word)}'") from None


def lasting(word: str) -> int:
    """Return the seconds of a span of time, or of a number of them. Raises UsageError."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else parse_span(word)


def shell_command(word: str) -> str:
    """Return a command for a container's shell. Raises UsageError."""
    if not word.strip() or "\0" in word or len(word) > _MOST_COMMAND:
        raise UsageError(f"a command has from 1 to {_MOST_COMMAND} characters", hint="put more into a script")
    return word


def signal(word: str) -> str:
    """Return NAME, or NAME:PROCESS. Raises UsageError."""
    if not re.fullmatch(r"(SIG)?[A-Z][A-Z0-9]{1,9}(:[\w.+-]+)?", word, re.ASCII):
        raise UsageError(f"'{printable(word)}' is no signal", hint="write HUP, or HUP:nginx")
    return word.removeprefix("SIG")


def workers(word: str) -> int:
    """Return a number of processes; 0 for as many as pay. Raises UsageError."""
    if word == "auto":
        return 0
    if not (word.isascii() and word.isdigit() and 0 < int(word[:4]) <= 256 and len(word) < 4):
        raise UsageError(f"'{printable(word)}' is no number of processes", hint="write 1 to 256, or auto")
    return int(word)


def relays(word: str) -> int:
    """Return a number of relays. Raises UsageError."""
    if not (word.isascii() and word.isdigit() and 0 < int(word[:4]) <= 256 and len(word) < 4):
        raise UsageError(f"'{printable(word)}' is no number of relays", hint="write 1 to 256")
    return int(word)


def image(word: str) -> str:
    """Return the name of an image; what no node can read would stay in a pod for ever. Raises UsageError."""
    if not re.fullmatch(r"[a-z0-9][a-zA-Z0-9._/:@-]{0,510}", word):
        raise UsageError(f"'{printable(word)}' is no image", hint="write it as in a pod: busybox:1.36")
    return word


def share(word: str) -> Share:
    """Return how many pods, or percent of them: at least one. Raises UsageError."""
    found = tolerated(word)
    if not found.number:
        raise UsageError("a wave has at least one pod", hint="write a number, or a share of all as 10%")
    return found


def tolerated(word: str) -> Share:
    """Return how many pods, or percent of them; perhaps none. Raises UsageError."""
    digits = word.removesuffix("%")
    is_percent = digits != word
    if not (digits.isascii() and digits.isdigit() and len(digits) < 8 and not (is_percent and int(digits) > 100)):
        raise UsageError(f"'{printable(word)}' is no number of pods", hint="write a number, or a share of all as 10%")
    return Share(int(digits), is_percent)


def wave_by(word: str) -> WaveBy:
    """Return what pods of a wave have in common. Raises UsageError."""
    try:
        return WaveBy(word)
    except ValueError:
        raise UsageError(f"--wave-by is one of {', '.join(WaveBy)}, not '{printable(word)}'") from None


def changes(word: str) -> str:
    """Return what --chmod says, as it is. Raises UsageError."""
    from asynccp.modes import parse_chmod  # here: few ask for it

    parse_chmod(word)
    return word


_OWNER_HINT = "write USER, USER:GROUP or :GROUP"


def owner(word: str) -> str:
    """Return who is to own files, as USER:GROUP; numbers without zeros before them. Raises UsageError."""
    user, _, group = word.partition(":")
    for one in (user, group):
        is_number = one.isascii() and one.isdigit()
        if not (int(one) < 2**32 - 1 if is_number else re.fullmatch(r"([A-Za-z_][A-Za-z0-9_.-]{0,63}\$?)?", one)):
            raise UsageError(f"'{printable(word, 100)}' is no owner", hint=_OWNER_HINT)
    if not (user or group):
        raise UsageError("':' is no owner", hint=_OWNER_HINT)
    return ":".join(str(int(one)) if one.isdigit() else one for one in (user, group))

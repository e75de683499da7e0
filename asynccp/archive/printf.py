"""Bytes as printf's `%b` reads them (POSIX printf: `\\0` and three octal digits), on their way to a shell. Pure."""


def for_printf(text: bytes, plain: frozenset[int]) -> bytes:
    """Return bytes so written, but for those that may stay as they are. plain: none of them a backslash."""
    if plain.issuperset(text):
        return text
    return b"".join(b"%c" % byte if byte in plain else b"\\0%03o" % byte for byte in text)

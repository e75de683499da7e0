"""Parts: how an archive travels whose parts are compressed one by one, or whose size is not known beforehand. Pure."""

PACKED, RAW = b"z", b"r"


def part_line(form: bytes, size: int, *, last: bool) -> bytes:
    """Return the line before a part: PACKED or RAW, how many bytes follow, and `+` if more parts come."""
    return b"%s %d%s\n" % (form, size, b"" if last else b" +")

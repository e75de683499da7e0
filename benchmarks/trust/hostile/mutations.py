"""Mutations of sound archives, one for each seed: members rearranged, fields replaced, checksums mended.

Random bytes never pass a checksum, so what is changed is the structure. Plain `random`, not Hypothesis: a hundred
thousand in minutes, and any finding comes back with its seed: `python -m benchmarks.trust.hostile.fuzz SEED`.
"""

import random
from collections.abc import Callable

from tests import archives
from tests.archives import (
    BLOCK,
    END,
    block,
    directory,
    file,
    hard_link,
    long_name,
    mended,
    padded,
    pax,
    record,
    sparse,
    symlink,
)

# Words that matter to a tar reader, and what some reader somewhere has stumbled over.
NAMES = [b"a", b"./a", b"b", b"d/f", b"d", b"d/", b"./d/e/", b"l", b"l/x", b"x" * 100, b".", b"./", b"", b"..", b"../x"]
NAMES += [b"/x", b"a/../b", b"a//b", b"./.", b"a/.", b"\xff", b"\x1b[2J", b"a\0b", b"outside", b"d/l", b"h", b"A"]
TARGETS = [b"a", b"../a", b"..", b"d", b"d/f", b"/etc", b"../../outside", b"l", b"", b".", b"x" * 100, b"./a", b"d/.."]
NUMBERS = [b"", b" ", b"0", b"7", b"00000000777", b"-1", b"9", b"\x80" + bytes(11), b"\xff" * 12]
NUMBERS += [b"\x80" + b"\xff" * 11, *(b"%011o\0" % size for size in (0, 1, 511, 512, 513, 1024, 1 << 20, 8**11 - 1))]
KEYS = [b"path", b"linkpath", b"size", b"mtime", b"uid", b"gid", b"uname", b"comment", b"hdrcharset", b"charset", b"x"]
KEYS += [b"GNU.sparse." + key for key in (b"major", b"minor", b"name", b"realsize", b"map", b"size", b"numblocks")]
KEYS += [b"SCHILY.xattr.user.x", b"LIBARCHIVE.creationtime", b"SCHILY.realsize", b"LIBARCHIVE.symlinktype", b"atime"]
VALUES = [b"", b"0", b"1", b"5", b"512", b"-1", b"1.5", b"nan", b"9" * 19, b"a", b"d/f", b"../x", b"\xff", b"\0"]
VALUES += [b"UTF-8", b"BINARY"]
TYPEFLAGS = b"0000012255567LKxgSDMNVX\0A"
FIELDS = [(0, 100), (100, 8), (108, 8), (116, 8), (124, 12), (136, 12), (148, 8), (156, 1), (157, 100), (257, 8)]
FIELDS += [(265, 32), (297, 32), (329, 16), (345, 155), (500, 12)]

Part = bytes
"""A header block with the content that follows it: members, and extensions of members."""


def mutation(seed: int) -> bytes:
    """Return an archive, mostly a sound one with a few changes."""
    chance = random.Random(seed)
    parts = [_member(chance) for _ in range(chance.randint(1, 6))]
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        chance.choice(CHANGES)(chance, parts)
    data = b"".join(parts) + END[: chance.choice((BLOCK, 2 * BLOCK, 2 * BLOCK, 2 * BLOCK, 2 * BLOCK, 0))]
    if chance.random() < 0.03:
        data = data[: chance.randrange(len(data) + 1)]
    return data


def generated(seed: int) -> bytes:
    """Return a sound archive: members of all kinds, in all forms, with names that may clash or climb."""
    chance = random.Random(seed)
    return b"".join(_member(chance) for _ in range(chance.randint(1, 8))) + END


def _member(chance: random.Random) -> bytes:
    """Return a member as one of the tars writes it, its extensions included."""
    folders = [chance.choice((b"a", b"d", b"\xc3\xa9")) for _ in range(chance.randint(0, 2))]
    name = chance.choice((b"", b"./")) + b"/".join([*folders, b"e%d" % chance.randrange(50)])
    content = bytes(chance.randrange(256) for _ in range(chance.choice((0, 1, 9, 511, 512, 513))))
    magic = chance.choice((archives.GNU, archives.POSIX))
    mode, mtime = chance.choice((0o644, 0o755, 0o4755, 0o400)), chance.choice((0, 1_700_000_000, -1, 2**34))
    match chance.randrange(11):
        case 0:
            return directory(name + b"/")
        case 1:
            return symlink(name, chance.choice(TARGETS[:8]))
        case 2:
            return hard_link(name, chance.choice((b"a", b"./a", b"d/a", name)))
        case 3:
            long = name + b"/" + b"n" * chance.choice((90, 100, 101, 200))
            return long_name(long) + file(long[:100], content)
        case 4:
            long = b"t" * chance.choice((100, 150))
            return long_name(long, b"K") + symlink(name, long[:100])
        case 5:
            records = {b"path": name, b"mtime": b"1.5"} | (
                {b"size": b"%d" % len(content)} if chance.random() < 0.5 else {}
            )
            return pax(records) + file(b"short", content, magic=archives.POSIX)
        case 6:
            size = len(content[:500])
            map_ = b"3\n1000\n512\n3000\n%d\n4000\n0\n" % size
            return sparse(name, 4000, map_, b"h" * 512 + content[:size])
        case 7:
            return block(name, typeflag=b"6", magic=magic)
        case 8:
            return file(name, content, magic=archives.POSIX, prefix=chance.choice((b"p", b"./p", b"p/q")))
        case _:
            return file(name, content, magic=magic, mode=mode, mtime=mtime, uid=chance.choice((0, 1000, 2**22)))


def _replace_field(chance: random.Random, parts: list[Part]) -> None:
    """Put something else into one field of one header."""
    index, at = _header(chance, parts)
    offset, width = chance.choice(FIELDS)
    value = {100: chance.choice(NAMES + TARGETS), 12: chance.choice(NUMBERS), 8: chance.choice(NUMBERS)[:8]}.get(width)
    if offset == 156:
        value = bytes((chance.choice(TYPEFLAGS),))
    if value is None:
        value = chance.choice(NAMES + VALUES)
    part = parts[index]
    header = bytearray(part[at : at + BLOCK])
    header[offset : offset + width] = value[:width].ljust(width, chance.choice((b"\0", b"\0", b" ")))
    parts[index] = part[:at] + mended(bytes(header)) + part[at + BLOCK :]


def _flip_byte(chance: random.Random, parts: list[Part]) -> None:
    """Change one byte of a header, and mend its checksum."""
    index, at = _header(chance, parts)
    header = bytearray(parts[index][at : at + BLOCK])
    header[chance.randrange(BLOCK)] = chance.randrange(256)
    parts[index] = parts[index][:at] + mended(bytes(header)) + parts[index][at + BLOCK :]


def _flip_content(chance: random.Random, parts: list[Part]) -> None:
    """Change one byte anywhere, with no checksum mended: in content, pax records, names and maps."""
    index = chance.randrange(len(parts))
    part = bytearray(parts[index])
    part[chance.randrange(len(part))] = chance.choice(b"0123456789 =\n\0/.\xffapx")
    parts[index] = bytes(part)


def _extension(chance: random.Random, parts: list[Part]) -> None:
    """Put an extension somewhere."""
    name, keys = chance.choice(NAMES + TARGETS), chance.sample(KEYS, chance.randint(1, 4))
    records = b"".join(record(key, chance.choice(VALUES + NAMES)) for key in keys)
    made = chance.choice((long_name(name), long_name(name, b"K", b""), pax(records), pax(records), pax(records, b"g")))
    parts.insert(chance.randint(0, len(parts)), made)


def _repeat(chance: random.Random, parts: list[Part]) -> None:
    parts.insert(chance.randint(0, len(parts)), chance.choice(parts))


def _swap(chance: random.Random, parts: list[Part]) -> None:
    chance.shuffle(parts)


def _splice_block(chance: random.Random, parts: list[Part]) -> None:
    """Insert or remove a block in the middle of a member."""
    index = chance.randrange(len(parts))
    part, at = parts[index], BLOCK * chance.randint(0, len(parts[index]) // BLOCK)
    parts[index] = (
        part[:at]
        + chance.choice((b"", bytes(BLOCK), block(chance.choice(NAMES))))
        + part[at + chance.choice((0, BLOCK)) :]
    )
    parts[index] = parts[index] or bytes(BLOCK)


def _map(chance: random.Random, parts: list[Part]) -> None:
    """Add a sparse file with a map of nonsense."""
    numbers = [chance.choice((0, 1, 5, 9, 100, 512, 2**62, 2**63, -1)) for _ in range(chance.randint(0, 7))]
    text = b"".join(b"%d\n" % number for number in [len(numbers) // 2, *numbers])
    parts.append(
        sparse(chance.choice(NAMES), chance.choice((0, 9, 4000, 2**62)), text, bytes(chance.choice((0, 5, 600))))
    )


def _smuggle(chance: random.Random, parts: list[Part]) -> None:
    """Hide a member in the content of another, with sizes that may not agree (CVE-2025-62518)."""
    inner = file(b"smuggled", b"x") + END
    size = chance.choice((0, 512, len(inner)))
    outer = block(b"outer", size=chance.choice((0, size, len(inner))), magic=archives.POSIX)
    parts.append(pax({b"size": b"%d" % size}) + outer + padded(inner))


CHANGES: list[Callable[[random.Random, list[Part]], None]] = [
    *(_replace_field, _replace_field, _replace_field, _flip_byte, _flip_content, _extension, _extension, _repeat),
    *(_swap, _splice_block, _map, _smuggle),
]


def _header(chance: random.Random, parts: list[Part]) -> tuple[int, int]:
    """Return the part, and in it the position, of some header."""
    index = chance.randrange(len(parts))
    found = [at for at in range(0, len(parts[index]), BLOCK) if parts[index][at + 257 :][:5] == b"ustar"]
    return index, chance.choice(found or [0])

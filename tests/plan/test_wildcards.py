"""Patterns of names, as git's wildmatch reads them. That git itself says so is in test_filters."""

import time

import pytest

from asynccp.plan.wildcards import Malformed, components, expression

ALL = bytes(range(1, 256)).replace(b"/", b"")


def matches(pattern: bytes, path: bytes) -> bool:
    return expression(components(pattern)).fullmatch(path) is not None


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (b"a.log", [b"a.log"], [b"a-log", b"a.log2", b"b/a.log", b"a.log\n"]),
        (b"*.log", [b".log", b"a.log", b"\xff\n.log"], [b"a/b.log", b"a.logs"]),
        (b"a*b*c", [b"abc", b"axbxc", b"abcbc"], [b"ab", b"acb", b"ab/c"]),
        (b"?", [b"a", b"\n", b"\xff"], [b"", b"ab", b"/", "é".encode()]),
        (b"[a-c]", [b"a", b"b", b"c"], [b"d", b"-"]),
        (b"[c-a]", [b"c"], [b"a", b"b", b"-"]),
        (b"[a-]", [b"a", b"-"], [b"b"]),
        (b"[-a]", [b"a", b"-"], [b"b"]),
        (b"[]a]", [b"]", b"a"], [b"b"]),
        (b"[!]a]", [b"b"], [b"]", b"a", b"/"]),
        (b"[^a]", [b"b", b"^"], [b"a", b"/"]),
        (b"[a^!]", [b"a", b"^", b"!"], [b"b"]),
        (b"[/a]", [b"a"], [b"/"]),
        (b"[\\]]", [b"]"], [b"\\"]),
        (b"[a\\-c]", [b"a", b"-", b"c"], [b"b"]),
        (b"[[:digit:]x-]", [b"0", b"9", b"x", b"-"], [b"a", b":", b"["]),
        (b"[[:upper:][:space:]]", [b"A", b" ", b"\t"], [b"a"]),
        (b"[[:a]", [b"[", b":", b"a"], [b"b"]),
        (b"\\*\\?\\[\\a", [b"*?[a"], [b"xx[a"]),
        (b"a/b", [b"a/b"], [b"a", b"x/a/b", b"a/b/c"]),
        (b"a/*/c", [b"a/b/c"], [b"a/c", b"a/b/b/c"]),
        (b"**/c", [b"c", b"a/c", b"a/b/c"], [b"xc", b"a/xc"]),
        (b"a/**/c", [b"a/c", b"a/b/c", b"a/b/b/c"], [b"a/bc", b"ac", b"x/a/c"]),
        (b"a/**", [b"a/b", b"a/b/c"], [b"a", b"b/a/c"]),
        (b"**", [b"a", b"a/b"], [b""]),
        (b"a/***/c", [b"a/c", b"a/b/b/c"], [b"a/bc"]),
        (b"a**c", [b"ac", b"abc"], [b"a/c"]),
        (b"**/a/b/**/c", [b"a/b/c", b"x/a/b/x/y/c", b"a/x/a/b/c"], [b"a/c", b"a/x/b/c"]),
    ],
)
def test_a_pattern_matches_whole_paths(pattern: bytes, yes: list[bytes], no: list[bytes]) -> None:
    assert [path for path in yes + no if matches(pattern, path)] == yes


def test_every_byte_stands_for_itself_behind_a_backslash_and_in_brackets() -> None:
    for byte in (bytes([one]) for one in ALL):
        for pattern in (b"\\" + byte, b"[\\" + byte + b"]"):
            wanted = expression(components(pattern))
            assert [one for one in ALL if wanted.fullmatch(bytes([one]))] == [byte[0]]


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (b"[", "its [ has no ]"),
        (b"a[]", "its [ has no ]"),
        (b"[a\\", "its [ has no ]"),
        (b"[a-", "its [ has no ]"),
        (b"a\\", "nothing follows the backslash at its end"),
        (b"[[:number:]]", "it has no class [:number:]"),
    ],
)
def test_a_pattern_that_nothing_can_match_is_refused(pattern: bytes, why: str) -> None:
    with pytest.raises(Malformed) as caught:
        components(pattern)
    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("pattern", "path"),
    [(b"*-" * 30 + b"x", b"-" * 255), (b"**/a/" * 8 + b"x", b"a/" * 2000 + b"y"), (b"*a" * 100, b"a" * 99 + b"b")],
)
def test_no_name_takes_long(pattern: bytes, path: bytes) -> None:
    before = time.process_time()
    assert not matches(pattern, path)
    assert time.process_time() - before < 1

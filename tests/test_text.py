"""What others say must not be able to rewrite a terminal or make one name look like another."""

import os
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.text import exact, inexact, printable

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
LINE_ENDS = "\u2028\u2029"


def is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in BIDI + "\ufeff"


@pytest.mark.parametrize("character", [*CONTROLS, *BIDI, *LINE_ENDS, "\ufeff", *map(chr, (0xD800, 0xDCFF))], ids=ascii)
def test_no_control_or_direction_mark_survives(character: str) -> None:
    shown = printable(f"a{character}b")
    assert character not in shown
    assert shown.isascii()
    assert shown.startswith("a\\")
    assert shown.endswith("b")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, ünïcödé 日本 🎉", "plain text, ünïcödé 日本 🎉"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("\x1b[2J\x07\0", "\\x1b[2J\\x07\\x00"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("ad\xadmin", "ad\\xadmin"),
        ("ad\u200bmin\u2060", "ad\\u200bmin\\u2060"),
        ("a\U000e0041", "a\\U000e0041"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        (b"caf\xc3\xa9", "café"),
        (b"caf\xe9", "caf\\xe9"),
        (b"\xff\xfe\x1b", "\\xff\\xfe\\x1b"),
        (b"\xc2\x9b31m", "\\x9b31m"),  # a C1 control, well-formed as UTF-8
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),  # a surrogate, which UTF-8 must not have
        ("not-utf8-\udcff", "not-utf8-\\udcff"),
        ("", ""),
        (b"", ""),
    ],
)
def test_escaped_text(text: str | bytes, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "abc…"),
        (b"abcd", 3, "abc…"),
        ("é" * 4, 3, "ééé…"),
        ("é".encode() * 4, 3, "ééé…"),
        ("🎉" * 3, 3, "🎉🎉🎉"),
        (("🎉" * 3).encode(), 3, "🎉🎉🎉"),
        ("🎉" * 4, 3, "🎉🎉🎉…"),
        (("🎉" * 4).encode(), 3, "🎉🎉🎉…"),
        (("a" + "🎉" * 3).encode(), 3, "a🎉🎉…"),
    ],
)
def test_what_is_too_long_is_cut_and_says_so(text: str | bytes, limit: int, shown: str) -> None:
    assert printable(text, limit) == shown


@given(st.text() | st.binary(), st.integers(1, 50))
def test_whatever_comes_is_one_safe_line_with_a_bound(text: str | bytes, limit: int) -> None:
    shown = printable(text, limit)
    assert not any(map(is_unsafe, shown))
    assert len(shown.splitlines()) <= 1
    assert len(shown) <= 6 * limit + 1  # an escape takes six characters at most
    shown.encode()  # can be printed, whatever it was


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cn", "Cs", "Zl", "Zp"))))
def test_harmless_text_is_left_alone(text: str) -> None:
    assert printable(text, len(text)) == text


def test_a_flood_is_cut_before_it_is_decoded() -> None:
    assert len(printable(b"\xff" * 10_000_000, 10)) < 100


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"etc/app.conf", "etc/app.conf"),
        ("dir/日本 🎉 é".encode(), "dir/日本 🎉 é"),
        (b"a\x1b", "a\\x1b"),
        (b"a\\x1b", "a\\\\x1b"),
        (b"a\nb\rc\td", "a\\nb\\rc\\td"),
        (b"a\\nb", "a\\\\nb"),
        (b"\x9b", "\\x9b"),
        (b"\xc2\x9b", "\\u009b"),
        ("a\udc9b", "a\\x9b"),
        ("\u202e".encode(), "\\u202e"),
        ("\U000e0041".encode(), "\\U000e0041"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
        (b"x" * 5000, "x" * 5000),
    ],
)
def test_a_path_in_the_report_is_exact(path: str | bytes, shown: str) -> None:
    assert exact(path) == shown


def undone(shown: str) -> bytes:
    """Return the bytes of a path of the report, by the README's rule and nothing else."""

    def one(match: re.Match[str]) -> bytes:
        escape, digits = match[0][1], match[0][2:]
        if escape == "x":
            return bytes.fromhex(digits)
        return {"\\": b"\\", "n": b"\n", "r": b"\r", "t": b"\t"}.get(escape) or chr(int(digits, 16)).encode()

    found, at = b"", 0
    for match in re.finditer(r"\\(?:[\\nrt]|x..|u.{4}|U.{8})", shown):
        found, at = found + shown[at : match.start()].encode() + one(match), match.end()
    return found + shown[at:].encode()


PATHS = (
    st.binary()
    | st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.text("\\x1bnut0\x1b\n\x85\xad").map(str.encode)
)


@given(PATHS)
def test_every_path_can_be_told_from_the_report_to_the_byte(path: bytes) -> None:
    shown = exact(path)
    assert undone(shown) == path
    assert undone(exact(os.fsdecode(path))) == path
    assert not any(map(is_unsafe, shown))
    assert len(shown.splitlines()) <= 1


@given(st.text() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_a_path_that_was_shown_whole_can_be_had_back(path: str) -> None:
    assert inexact(exact(path)) == path

"""URLs of stores, and keys that an object can have."""

import pytest

from asynccp.errors import UsageError
from asynccp.objects.url import parse_url, unfit


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("s3://bucket", ("s3", "bucket", "")),
        ("s3://bucket/", ("s3", "bucket", "")),
        ("s3://bucket/run-1/", ("s3", "bucket", "run-1")),
        ("gs://my.bucket//a//b", ("gs", "my.bucket", "a/b")),
        ("az://container/a b/ü", ("az", "container", "a b/ü")),
    ],
)
def test_a_url_is_a_store_and_the_beginning_of_keys(text: str, parts: tuple[str, str, str]) -> None:
    assert parse_url(text) == parts


@pytest.mark.parametrize(
    "text", ["s3://", "s3:///x", "http://bucket/x", "s3://b ucket", "s3://bucket/../x", "s3://b\n/x"]
)
def test_what_names_no_bucket_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_url(text)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("web-0/log/a b%c*?", ""),
        ("ü" * 512, ""),
        ("ü" * 513, "1026 bytes"),
        ("a\nb", "control characters"),
        ("a\x85b", "control characters"),
        ("a\udcff", "no UTF-8"),
        ("a\\b", "a backslash"),
        ("a/../b", "has . or .."),
    ],
)
def test_what_can_be_no_key_is_known_before_the_store_says_so(key: str, why: str) -> None:
    assert why in unfit(key)
    assert bool(why) == bool(unfit(key))

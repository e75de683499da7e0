"""Selectors. The verdicts, and the words of the refusals, were compared with a real 1.34 API server."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.testing.selector import BadSelector, matches, parse_fields, parse_labels

LABELS = {"app": "web", "tier": "", "n": "7", "k8s.io/part-of": "a"}
FIELDS = frozenset(("metadata.name", "status.phase"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app", True),
        ("!app", False),
        ("other", False),
        ("!other", True),
        ("app=web", True),
        ("app==web", True),
        ("app!=web", False),
        ("other!=web", True),
        ("other=web", False),
        ("tier=", True),
        ("tier", True),
        ("other=", False),
        ("app in (db, web)", True),
        ("app in (db)", False),
        ("app notin (db)", True),
        ("other notin (db)", True),
        ("tier in ()", True),
        ("tier in (,a)", True),
        ("app in (a,,b)", False),
        ("n>6", True),
        ("n>7", False),
        ("n<8", True),
        ("app>6", False),
        ("other<6", False),
        ("k8s.io/part-of=a", True),
        (" app = web , !x ", True),
        ("app=web,tier!=x,n", True),
        ("app=web,n=8", False),
        ("in in (in)", False),
        ("notin", False),
    ],
)
def test_labels(text: str, expected: bool) -> None:
    assert matches(parse_labels(text), LABELS) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("app in", "unable to parse requirement: found '' expected: '('"),
        ("app in web", "unable to parse requirement: found 'web' expected: '('"),
        ("app in (a b)", "unable to parse requirement: found 'b', expected: ',' or ')'"),
        ("app in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
        ("app in (a", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("app web", "unable to parse requirement: found 'web', expected: in, notin, =, ==, !=, gt, lt"),
        ("app=a=b", "found '=', expected: ',' or 'end of string'"),
        ("!app=web", "found '=', expected: ',' or 'end of string'"),
        ("app,", "found '', expected: identifier after ','"),
        ("app,,b", "found ',', expected: identifier after ','"),
        ("=web", "found '=', expected: !, identifier, or 'end of string'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("app==-", 'unable to parse requirement: values[0][app]: Invalid value: "-": a valid label must be'),
        ("app='web'", "unable to parse requirement: values[0][app]: Invalid value: \"'web'\": a valid label"),
        ("-a", 'unable to parse requirement: <nil>: Invalid value: "-a": name part must consist of'),
        (
            "n>x",
            "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must",
        ),
    ],
)
def test_labels_that_can_not_be_read(text: str, message: str) -> None:
    with pytest.raises(BadSelector) as caught:
        parse_labels(text)
    assert str(caught.value).startswith(message)


@given(st.text(alphabet="ab=!(), in<>.-/", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BadSelector):
        matches(parse_labels(text), LABELS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("metadata.name=web-1", True),
        ("metadata.name==web-1", True),
        ("metadata.name!=web-1", False),
        ("status.phase=Running,metadata.name!=x", True),
        ("status.phase=,metadata.name=web-1", False),
        (",status.phase=Running,", True),
        ("status.phase=a\\,b", False),
    ],
)
def test_fields(text: str, expected: bool) -> None:
    assert matches(parse_fields(text, FIELDS), {"metadata.name": "web-1", "status.phase": "Running"}) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spec.foo=1", "field label not supported: spec.foo"),
        ("spec.foo", "invalid selector: 'spec.foo'; can't understand 'spec.foo'"),
        ("metadata.name=a=b", "invalid field selector: unescaped character in value: 61"),
    ],
)
def test_fields_that_can_not_be_read(text: str, message: str) -> None:
    with pytest.raises(BadSelector, match="^" + message.replace("(", "\\(")):
        parse_fields(text, FIELDS)

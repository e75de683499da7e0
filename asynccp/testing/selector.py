"""Label and field selectors, as the API server reads them. Pure.

The same questions, in the same order, with the same words of refusal as apimachinery's `labels.Parse` and
`fields.ParseSelector` (v0.37.2): what a test sees of a bad selector here is what a user sees of a cluster.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

_TOKEN = re.compile(r"==|!=|[=!(),<>]|[^ \t\r\n=!(),<>]+")
_SYMBOLS = frozenset(("==", "!=", "=", "!", "(", ")", ",", "<", ">"))
_OPERATORS = {"=": "in", "==": "in", "in": "in", "!=": "notin", "notin": "notin", ">": ">", "<": "<"}

_PART = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_PART}")
_VALUE = re.compile(rf"({_PART})?")
_BAD_KEY = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_BAD_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)

Strings = Mapping[str, str]


class BadSelector(ValueError):
    """The selector can't be read; the text is the API server's own."""


class Requirement(Struct, frozen=True):
    """One term of a selector. operator: in, notin, exists, !, < or >; a field selector has the first two only."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Strings) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "in":
                return value in self.values
            case "notin":
                return value not in self.values
            case "exists" | "!":
                return (value is None) == (self.operator == "!")
        if value is None or not _is_integer(value):
            return False
        bound = int(self.values[0])
        return int(value) > bound if self.operator == ">" else int(value) < bound


class _Tokens:
    """The tokens of a selector, and a place in them. The end reads as an empty token, for ever."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._place = 0

    def next(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def take(self) -> str:
        token = self.next()
        self._place += 1
        return token


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Return the terms of a label selector; an empty one has none, and matches everything. Raises BadSelector."""
    return tuple(_requirements(_Tokens(text)))


def matches(requirements: Iterable[Requirement], values: Strings) -> bool:
    """Tell whether every term holds for an object's labels, or its fields."""
    return all(requirement.matches(values) for requirement in requirements)


def _requirements(tokens: _Tokens) -> Iterator[Requirement]:
    while (word := tokens.next()) != "":
        if word in _SYMBOLS and word != "!":
            raise BadSelector(f"found '{word}', expected: !, identifier, or 'end of string'")
        try:
            yield _requirement(tokens)
        except BadSelector as exc:
            raise BadSelector(f"unable to parse requirement: {exc}") from None
        match tokens.take():
            case "":
                return
            case ",":
                if (word := tokens.next()) == "" or (word in _SYMBOLS and word != "!"):
                    raise BadSelector(f"found '{word}', expected: identifier after ','")
            case word:
                raise BadSelector(f"found '{word}', expected: ',' or 'end of string'")


def _requirement(tokens: _Tokens) -> Requirement:
    negated = tokens.next() == "!"
    if negated:
        tokens.take()
    key = tokens.take()
    if key == "" or key in _SYMBOLS:
        raise BadSelector(f"found '{key}', expected: identifier")
    if not _KEY.fullmatch(key):
        raise BadSelector(f"<nil>: Invalid value: {json.dumps(key)}: {_BAD_KEY}")
    if negated or tokens.next() in ("", ","):
        return Requirement(key, "!" if negated else "exists")
    word = tokens.take()
    if word not in _OPERATORS:
        raise BadSelector(f"found '{word}', expected: in, notin, =, ==, !=, gt, lt")
    values = tuple(sorted(_set(tokens) if word in ("in", "notin") else {_value(tokens)}))
    for number, value in enumerate(values):
        if word in ("<", ">") and not _is_integer(value):
            raise BadSelector(
                f"values[{number}]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer"
            )
        if not _VALUE.fullmatch(value):
            raise BadSelector(f"values[{number}][{key}]: Invalid value: {json.dumps(value)}: {_BAD_VALUE}")
    return Requirement(key, _OPERATORS[word], values)


def _value(tokens: _Tokens) -> str:
    if tokens.next() in ("", ","):
        return ""
    if (word := tokens.take()) in _SYMBOLS:
        raise BadSelector(f"found '{word}', expected: identifier")
    return word


def _set(tokens: _Tokens) -> set[str]:
    """Read `(a,b)`. An absent value is the empty string: `()`, `(,a)` and `(a,,b)` are allowed."""
    if (opening := tokens.take()) != "(":
        raise BadSelector(f"found '{opening}' expected: '('")
    values = set()
    while True:
        value = "" if tokens.next() in (",", ")") else tokens.take()
        if value in _SYMBOLS or (value == "" and tokens.next() == ""):
            raise BadSelector(f"found '{value}', expected: ',', ')' or identifier")
        values.add(value)
        match tokens.take():
            case ")":
                return values
            case word if word != ",":
                raise BadSelector(f"found '{word}', expected: ',' or ')'")


def _is_integer(text: str) -> bool:
    return re.fullmatch(r"[-+]?[0-9]{1,18}", text) is not None


def parse_fields(text: str, known: frozenset[str]) -> tuple[Requirement, ...]:
    """Return the terms of a field selector. Raises BadSelector.

    known: the fields that the resource has; a real server knows about ten of a pod.
    """
    parts = sorted(re.findall(r"(?:\\.|[^,\\])+", text))
    terms = tuple(_field_term(text, part) for part in parts)
    for term in terms:
        if term.key not in known:
            raise BadSelector(f"field label not supported: {term.key}")
    return terms


def _field_term(text: str, part: str) -> Requirement:
    found = re.fullmatch(r"(.*?)(!=|==|=)(.*)", part)
    if found is None:
        raise BadSelector(f"invalid selector: '{text}'; can't understand '{part}'")
    name, operator, value = found.groups()
    if unescaped := re.search(r"(?<!\\)[=,]", value):
        raise BadSelector(f"invalid field selector: unescaped character in value: {ord(unescaped[0])}")
    return Requirement(name, _OPERATORS[operator], (re.sub(r"\\([\\,=])", r"\1", value),))

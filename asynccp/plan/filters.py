"""Filters: rules → which paths below a directory are copied. Pure.

The first rule that matches a path, or a directory above it, decides; what none matches is copied. So an include wins
over every later exclude, below directories too that the later one matches: a directory that is left out itself is
copied for what is kept below it, and only for that. Paths are those below the directory that was named; of a file that
was named, its name.

A rule has patterns as gitignore(5) has them, read as git does (`plan.wildcards`; `git check-ignore` is the judge in
tests): a pattern without a slash, but for one at its end, is a name at any depth; with a slash it is a path from the
top; with one at its end it matches directories alone. Of several patterns in a rule the last that matches decides, and
nothing brings back what is below a directory that is left out. Otherwise than git, a pattern that can't match anything,
such as `[`, is refused: it was meant to leave something out.

The order is rsync's (rsync(1), FILTER RULES), and rsync is the judge of it. It differs in four things:

    descending  rsync doesn't look below a directory that it leaves out. `--include '*.log' --exclude '*'` finds no log
                in a subdirectory there; here it finds all, and copies no directory that has none
    includes    an included directory brings what is below it; rsync judges each name below it anew
    slashes     `a/b` matches from the top alone, as for git; for rsync at the end of any path
    `**`        only between slashes more than `*`, as for git, and there it may be no directory at all
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from asynccp.entry import Entry, Kind
from asynccp.errors import Knob, UsageError
from asynccp.options import Rule
from asynccp.plan.manifest import Item, Manifest
from asynccp.plan.wildcards import DEEP, Malformed, components, expression
from asynccp.text import printable

FILE_SIZE = 1024 * 1024
"""Bytes of a file of patterns, at most."""

_REMEMBERED = 100_000  # directories; a hostile listing may have more
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def including(pattern: str) -> Rule:
    """Return the rule of one pattern that is to be kept. Raises UsageError."""
    return _checked(Rule(True, (_alone(pattern),)))


def excluding(pattern: str) -> Rule:
    """Return the rule of one pattern that is to be left out. Raises UsageError."""
    return _checked(Rule(False, (_alone(pattern),)))


def excluding_lines(text: bytes) -> Rule:
    """Return the rule of a file as gitignore(5) has it: a pattern on each line, but for blank ones and comments.

    Raises UsageError for a line that can't match anything.
    """
    lines = (line.removesuffix(b"\r") for line in text.removeprefix(_BYTE_ORDER_MARK).split(b"\n"))
    patterns = (_without_blanks(line) for line in lines if not line.startswith(b"#"))
    return _checked(Rule(False, tuple(one.decode("utf-8", "surrogateescape") for one in patterns if one)))


class Filters:
    """Rules that can be asked, by one thread; `compiled` makes them."""

    def __init__(self, rules: Sequence["_Rule"]) -> None:
        self._rules = rules
        self._known = {b"": len(rules)}  # directories → the index of the rule that decides about all that is below

    def keeps(self, path: bytes, is_directory: bool) -> bool:
        """Tell whether a path is copied for its own sake. The empty one, which was named, is."""
        return self._keeps(self._deciding(path, is_directory))

    def may_keep_below(self, directory: bytes) -> bool:
        """Tell whether something below a directory may be kept: False only if nothing can be."""
        deciding = self._deciding(directory, True)
        return self._keeps(deciding) or any(
            rule.keeps and rule.may_match_below(directory) for rule in self._rules[:deciding]
        )

    def _keeps(self, deciding: int) -> bool:
        return deciding == len(self._rules) or self._rules[deciding].keeps

    def _deciding(self, path: bytes, is_directory: bool) -> int:
        """Return the index of the first rule that matches a path or a directory above it; behind the last, if none."""
        if not path:
            return len(self._rules)
        above, _, name = path.rpartition(b"/")
        limit = self._known.get(above)
        if limit is None:
            limit = self._descend(above)
        hits = (index for index, rule in enumerate(self._rules[:limit]) if rule.matches(path, name, is_directory))
        return next(hits, limit)

    def _descend(self, directory: bytes) -> int:
        """Decide about a directory after those above it, in no recursion: they may be very many."""
        if len(self._known) > _REMEMBERED:
            self._known = {b"": len(self._rules)}
        for one in (*_directories_above(directory), directory):
            if one not in self._known:
                self._known[one] = self._deciding(one, True)
        return self._known[directory]


def compiled(rules: Iterable[Rule]) -> Filters:
    """Return the filters of rules, in their order. Raises UsageError for a pattern that can't match anything."""
    return Filters([_Rule(rule) for rule in rules])


def kept_of(manifest: Manifest, filters: Filters) -> dict[bytes, Item]:
    """Return what of a manifest is kept, with the directories that it is in, in the same order."""
    kept = _kept(((path, item.kind is Kind.DIRECTORY) for path, item in manifest.items()), filters)
    return {path: item for path, item in manifest.items() if path in kept}


def kept_entries(entries: Sequence[Entry], filters: Filters) -> list[Entry]:
    """Return what of entries is kept, likewise. The first hard link that is kept of a file that isn't is the file."""
    kept = _kept(((entry.path, entry.kind is Kind.DIRECTORY) for entry in entries), filters)
    files = {entry.path: entry for entry in entries if entry.kind is Kind.FILE and entry.path not in kept}
    found = []
    for entry in entries:
        if entry.path in kept:
            if entry.kind is Kind.HARDLINK and (file := files.get(entry.link)):
                if file.path == entry.link:
                    file = files[entry.link] = replace(file, path=entry.path)
                entry = file if file.path == entry.path else replace(entry, link=file.path)
            found.append(entry)
    return found


class _Rule:
    def __init__(self, rule: Rule) -> None:
        self.keeps = rule.keeps
        self._last_first = [_Pattern(text) for text in reversed(rule.patterns)]

    def matches(self, path: bytes, name: bytes, is_directory: bool) -> bool:
        """Tell whether it matches a path itself, whose last component is `name`."""
        hits = (one for one in self._last_first if one.matches(path, name, is_directory))
        last = next(hits, None)
        return last is not None and not last.negates

    def may_match_below(self, directory: bytes) -> bool:
        return any(not one.negates and one.may_match_below(directory) for one in self._last_first)


class _Pattern:
    """One line of gitignore(5)."""

    def __init__(self, text: str) -> None:
        self.negates = text.startswith("!")
        pattern = text.removeprefix("!")
        self._for_directories = pattern.endswith("/")
        pattern = pattern.removesuffix("/")
        self._for_names = "/" not in pattern
        try:
            names = components(pattern.removeprefix("/").encode("utf-8", "surrogateescape"))
        except (Malformed, UnicodeEncodeError) as exc:
            why = str(exc) if isinstance(exc, Malformed) else "it is no text"
            raise UsageError(f"the pattern {printable(text)} can't match anything: {why}") from None
        self._expression = expression(names)
        self._names = [name if name is DEEP else re.compile(name, re.DOTALL) for name in names]

    def matches(self, path: bytes, name: bytes, is_directory: bool) -> bool:
        if self._for_directories and not is_directory:
            return False
        return self._expression.fullmatch(name if self._for_names else path) is not None

    def may_match_below(self, directory: bytes) -> bool:
        above = directory.split(b"/")
        for name, one in zip(self._names, above, strict=False):
            if self._for_names or name is DEEP:
                return True
            if not name.fullmatch(one):
                return False
        return len(self._names) > len(above)


def _checked(rule: Rule) -> Rule:
    compiled([rule])
    return rule


def _alone(pattern: str) -> str:
    if pattern.startswith("!"):
        raise UsageError(
            f"a pattern that begins with ! takes back what a file says, and this is none: {printable(pattern)}",
            hint=f"say what to keep with {Knob.INCLUDE}; \\! is the character itself",
        )
    if not pattern.strip("/"):
        raise UsageError(f"a pattern must name something, not '{printable(pattern)}'")
    return pattern


def _without_blanks(line: bytes) -> bytes:
    """Return a line of gitignore without the spaces at its end, but for one that has a backslash before it."""
    bare = line.rstrip(b" ")
    escapes = len(bare) - len(bare.rstrip(b"\\"))
    return bare + b" " if escapes % 2 and len(bare) < len(line) else bare


def _kept(paths: Iterable[tuple[bytes, bool]], filters: Filters) -> set[bytes]:
    kept = {b""}
    for path, is_directory in paths:
        if filters.keeps(path, is_directory):
            while path not in kept:
                kept.add(path)
                path = path.rpartition(b"/")[0]
    return kept


def _directories_above(path: bytes) -> Iterator[bytes]:
    """Yield the directories that a path is in, from the top."""
    at = path.find(b"/")
    while at >= 0:
        yield path[:at]
        at = path.find(b"/", at + 1)

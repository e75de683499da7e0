"""Which paths rules keep: by tables, and with git and rsync as judges."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from asynccp.entry import Entry, Kind
from asynccp.errors import Knob, UsageError
from asynccp.options import Filtering, Rule
from asynccp.plan.filters import (
    Filters,
    compiled,
    excluding,
    excluding_lines,
    including,
    kept_entries,
    kept_of,
)
from asynccp.plan.manifest import Item

TREE = (
    "a.log",
    "b.txt",
    "build/",
    "build/keep.txt",
    "build/out/",
    "build/out/x.log",
    "empty/",
    "logs/",
    "logs/a.log",
    "logs/old/",
    "logs/old/c.log",
    "logs/old/c.txt",
)


def rules(words: str) -> list[Rule]:
    """Return the rules of `-a +b`: exclude a, include b."""
    return [(including if word[0] == "+" else excluding)(word[1:]) for word in words.split()]


def kept(filters: Filters, tree: Iterable[str] = TREE) -> list[str]:
    """Return what is kept of a tree, as paths with a slash behind a directory."""
    manifest = {os.fsencode(path.rstrip("/")): Item(_kind(path)) for path in tree}
    names = {os.fsencode(path.rstrip("/")): path for path in tree}
    return [names[path] for path in kept_of(manifest, filters)]


def _kind(path: str) -> Kind:
    return Kind.DIRECTORY if path.endswith("/") else Kind.FILE


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("", " ".join(TREE)),
        ("-*.log", "b.txt build/ build/keep.txt build/out/ empty/ logs/ logs/old/ logs/old/c.txt"),
        ("-*", ""),
        ("-* +*.log", ""),
        ("+*.log -*", "a.log build/ build/out/ build/out/x.log logs/ logs/a.log logs/old/ logs/old/c.log"),
        ("+/*.log -*", "a.log"),
        ("+logs -*", "logs/ logs/a.log logs/old/ logs/old/c.log logs/old/c.txt"),
        ("+logs/*.log -*", "logs/ logs/a.log"),
        ("+logs/**/*.txt -*", "logs/ logs/old/ logs/old/c.txt"),
        ("-old +logs -*", "logs/ logs/a.log"),
        ("-logs -build +build/keep.txt", "a.log b.txt empty/"),
        ("-logs +build/keep.txt -build", "a.log b.txt build/ build/keep.txt empty/"),
        ("+empty/ -*", "empty/"),
        ("+a.log/ -*", ""),
        ("-*/", "a.log b.txt"),
        ("-/logs/* -build", "a.log b.txt empty/ logs/"),
        ("-logs/** -build", "a.log b.txt empty/ logs/"),
    ],
)
def test_the_first_rule_that_matches_a_path_or_a_directory_above_it_decides(words: str, left: str) -> None:
    assert kept(compiled(rules(words))) == left.split()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (b"*.log\n!a.log\n", ["a.log", "logs/a.log"]),
        (b"!a.log\n*.log\n", []),
        (b"logs/\n!logs/a.log\n", ["a.log", "build/out/x.log"]),
        (b"logs/*\n!logs/a.log\n", ["a.log", "build/out/x.log", "logs/a.log"]),
        (b"# *.log\n\n   \n\\#\n", ["a.log", "build/out/x.log", "logs/a.log", "logs/old/c.log"]),
        (b"\xef\xbb\xbf*.log\r\n!a.log  \r\n", ["a.log", "logs/a.log"]),
    ],
)
def test_a_file_is_one_rule_in_which_the_last_pattern_decides(text: bytes, left: list[str]) -> None:
    assert [path for path in kept(compiled([excluding_lines(text)])) if path.endswith(".log")] == left


def test_what_a_file_takes_back_a_later_rule_may_still_leave_out() -> None:
    taken_back = excluding_lines(b"*.txt\n!c.txt\n")
    assert "logs/old/c.txt" in kept(compiled([taken_back]))
    assert "logs/old/c.txt" not in kept(compiled([taken_back, excluding("c.*")]))
    assert "b.txt" in kept(compiled([including("b.txt"), taken_back]))


@pytest.mark.parametrize(
    ("words", "directory", "may"),
    [
        ("", "logs", True),
        ("-logs", "logs", False),
        ("-logs", "logs/old", False),
        ("-logs", "build", True),
        ("-logs/", "logs", False),
        ("+*.log -*", "logs", True),
        ("+/*.log -*", "logs", False),
        ("+logs/*.log -*", "logs", True),
        ("+logs/*.log -*", "logs/old", False),
        ("+logs/*.log -*", "build", False),
        ("+l*s/**/x -*", "logs/old/older", True),
        ("+l*s/**/x -*", "build/old", False),
        ("+logs -*", "logs/old", True),
        ("-* +*.log", "logs", False),
    ],
)
def test_a_walk_need_not_go_where_nothing_can_be_kept(words: str, directory: str, may: bool) -> None:
    assert compiled(rules(words)).may_keep_below(directory.encode()) is may


def test_the_directory_that_was_named_is_no_matter_of_rules() -> None:
    filters = compiled(rules("-*"))
    assert filters.keeps(b"", is_directory=True)
    assert filters.may_keep_below(b"")


def test_a_deep_tree_is_judged_from_its_deepest_path() -> None:
    deep = b"a/" * 2000 + b"x.log"
    assert compiled(rules("+x.log -*")).keeps(deep, is_directory=False)
    assert not compiled(rules("-a")).keeps(deep, is_directory=False)


def test_names_that_are_no_text_are_matched_by_their_bytes() -> None:
    pattern = os.fsdecode(b"caf\xe9*")
    assert not compiled([excluding(pattern)]).keeps(b"caf\xe9.txt", is_directory=False)
    assert not compiled([excluding_lines(b"caf\xe9*\n")]).keeps(b"caf\xe9.txt", is_directory=False)
    assert compiled([excluding(pattern)]).keeps("café.txt".encode(), is_directory=False)


def test_rules_survive_json() -> None:
    filtering = Filtering(rules=(including(os.fsdecode(b"\xff")), excluding_lines(b"a\n!b\xff\n")), copy_links=True)
    rules, *others = json.loads(json.dumps(filtering))
    assert Filtering(tuple(Rule(keeps, tuple(patterns)) for keeps, patterns in rules), *others) == filtering


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("!x", "a pattern that begins with ! takes back what a file says, and this is none: !x"),
        ("", "a pattern must name something, not ''"),
        ("/", "a pattern must name something, not '/'"),
        ("[", "the pattern [ can't match anything: its [ has no ]"),
        ("\x1b[2J", r"the pattern \x1b[2J can't match anything: its [ has no ]"),
        ("\ud800", r"the pattern \ud800 can't match anything: it is no text"),
    ],
)
def test_a_pattern_that_means_nothing_is_refused(pattern: str, says: str) -> None:
    for rule in (including, excluding):
        with pytest.raises(UsageError) as caught:
            compiled([rule(pattern)])
        assert str(caught.value) == says
        assert (Knob.INCLUDE in caught.value.hint) == pattern.startswith("!")


def test_of_entries_the_first_hard_link_stands_in_for_a_file_that_is_left_out() -> None:
    entries = [
        Entry(b"d", Kind.DIRECTORY),
        Entry(b"d/a", Kind.FILE, 5),
        Entry(b"d/b", Kind.HARDLINK, link=b"d/a"),
        Entry(b"d/c", Kind.HARDLINK, link=b"d/a"),
        Entry(b"d/e", Kind.HARDLINK, link=b"d/a"),
    ]
    assert kept_entries(entries, compiled(rules("-a -b"))) == [
        Entry(b"d", Kind.DIRECTORY),
        Entry(b"d/c", Kind.FILE, 5),
        Entry(b"d/e", Kind.HARDLINK, link=b"d/c"),
    ]
    assert kept_entries(entries, compiled(rules("-b"))) == [entries[0], entries[1], *entries[3:]]
    assert kept_entries(entries, compiled(rules("-?"))) == []


NAMES = ["a", "ab", "a.log", "foo bar", "[a]", "!x", "#h", "a*", "\\", "é", "A", "b ", "new\nline"]
PIECES = [
    *["a", "b", "foo", "*", "?", "[ab]", "[!a]", "[a-c]", "[]a]", "[^b]", "[[:alpha:]]", "[c-a]", "[/]", "[!]a-]"],
    *["\\*", "\\[", "]", " ", "#", ".", "é", "[é]", "\\ ", "[a\\]]", "[[:a]", "***", "[--0]", "log"],
]
TREES = st.recursive(
    st.none(), lambda below: st.dictionaries(st.sampled_from(NAMES), below, min_size=1, max_size=4), max_leaves=20
)
NAME = st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map("".join)
PATTERN = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/", "**/"]),
    st.lists(NAME | st.just("**"), min_size=1, max_size=3).map("/".join),
    st.sampled_from(["", "", "/**"]),
    st.sampled_from(["", "", "/"]),
)
Node = Mapping[str, "Node"] | None


def paths(tree: Node, above: str = "") -> Iterator[str]:
    for name, below in (tree or {}).items():
        path = f"{above}{name}{'' if below is None else '/'}"
        yield path
        yield from paths(below, path)


def build(top: Path, tree: Iterable[str]) -> None:
    for path in tree:
        (top / path).mkdir() if path.endswith("/") else (top / path).touch()


def emptied(top: Path) -> Path:
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir()
    return top


needs_git = pytest.mark.skipif(not shutil.which("git"), reason="git is the judge")
needs_rsync = pytest.mark.skipif(not shutil.which("rsync"), reason="rsync is the judge")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    subprocess.run(["git", "init", "-q", tmp_path / "git"], check=True)
    subprocess.run(["git", "-C", tmp_path / "git", "config", "core.ignorecase", "false"], check=True)
    return tmp_path


def ignored_by_git(repository: Path, tree: list[str], text: bytes) -> set[str]:
    work = emptied(repository / "work")
    build(work, tree)
    (repository / "git/.git/info/exclude").write_bytes(text)
    where = [f"--git-dir={repository}/git/.git", f"--work-tree={work}"]
    argv = ["git", *where, "check-ignore", "--no-index", "-z", "--stdin"]
    asked = b"".join(path.rstrip("/").encode() + b"\0" for path in tree)
    run = subprocess.run(argv, input=asked, capture_output=True, cwd=work)
    assert run.returncode in (0, 1), run.stderr
    told = set(run.stdout.decode().split("\0"))
    return {path for path in tree if path.rstrip("/") in told}


def judged_alike(repository: Path, tree: list[str], text: bytes) -> None:
    try:
        filters = compiled([excluding_lines(text)])
    except UsageError:
        return
    ours = {path for path in tree if not filters.keeps(path.rstrip("/").encode(), path.endswith("/"))}
    assert ours == ignored_by_git(repository, tree, text)


@needs_git
@pytest.mark.parametrize(
    "text",
    [
        b"*.log\n",
        b"*.log\n!a.log\n",
        b"logs\n!logs/a.log\n",
        b"logs/*\n!logs/a.log\n",
        b"/a.log\n",
        b"logs/a.log\n",
        b"old/c.log\n",
        b"**/old/c.log\n",
        b"logs/**\n!logs/**/\n!*.txt\n",
        b"*/\n",
        b"**\n!logs\n!a.log\n",
        b"/*\n!/logs\n",
        b"/\n!\n//\n/**/\n",
        b"a.log \nb.txt\\ \nbuild\\  \n",
        b"build\t\n",
        b"\xef\xbb\xbfa.log\n\xef\xbb\xbfb.txt\n",
        b"a.log\r\nb.txt\r\r\n",
        b"\\!x\n\\#h\n#h\n",
        b"*.log",
    ],
)
def test_git_ignores_the_same_by_the_same_lines(repository: Path, text: bytes) -> None:
    judged_alike(repository, [*TREE, "!x", "#h", "b.txt ", "build ", "b.txt\r"], text)


@needs_git
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TREES, st.lists(PATTERN, min_size=1, max_size=4))
def test_git_ignores_the_same_by_any_lines(repository: Path, tree: Node, lines: list[str]) -> None:
    found = list(paths(tree))
    if found:
        judged_alike(repository, found, "\n".join(lines).encode() + b"\n")


@needs_git
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NAME, min_size=1, max_size=2).map("/".join))
def test_git_finds_nothing_by_a_pattern_that_is_refused(repository: Path, pattern: str) -> None:
    tree = ["a", "[a]", "b/", "b/["]
    for one in (f"{pattern}[", f"[[:{pattern}:]]", f"{pattern}\\"):
        try:
            compiled([Rule(False, (one,))])
        except UsageError:
            assert ignored_by_git(repository, tree, one.encode()) == set()


@settings(max_examples=300)
@given(TREES, st.lists(st.tuples(st.booleans(), st.lists(PATTERN, min_size=1, max_size=2)), max_size=4))
@example({"a": {"b ": {"A": None}}}, [(True, ["a/**/A"]), (False, ["*"])])
def test_what_is_kept_is_found_by_a_walk_that_goes_only_where_something_may_be(
    tree: Node, drawn: list[tuple[bool, list[str]]]
) -> None:
    try:
        filters = compiled([Rule(keeps, tuple(patterns)) for keeps, patterns in drawn])
    except UsageError:
        return
    found = list(paths(tree))
    for path in found:
        directory = os.path.dirname(path.rstrip("/"))
        if filters.keeps(os.fsencode(path.rstrip("/")), path.endswith("/")):
            above = [directory[:at] for at, one in enumerate(f"{directory}/") if one == "/"]
            assert all(filters.may_keep_below(os.fsencode(one)) for one in above), path


def taken_by_rsync(tmp_path: Path, tree: Iterable[str], words: Iterable[str]) -> set[str]:
    source = emptied(tmp_path / "source")
    build(source, tree)
    flags = [f"--{'include' if word[0] == '+' else 'exclude'}={word[1:]}" for word in words]
    argv = ["rsync", "-rn", "--out-format=%n", *flags, f"{source}/", f"{tmp_path}/none/"]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return {*shown.splitlines()} & {*tree}


PLAIN = ["a.log", "b.txt", "D/", "D/a.log", "D/c.log", "D/E/", "D/E/b.txt", "D/E/d.log", "F/", "F/a.log"]
EXCLUDES = "* *.log *.txt a.log /a.log D D/ /D /D/a.log E/ /D/** **/E /D/**/d.log ? [!a]* a.log/"
ONLY_FILES = "* *.log *.txt a.log /a.log /D/a.log /D/*.log **/b.txt [ab].* ?.txt"


@needs_rsync
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(EXCLUDES.split()), max_size=4))
def test_rsync_takes_the_same_where_there_are_only_excludes(tmp_path: Path, patterns: list[str]) -> None:
    words = [f"-{one}" for one in patterns]
    ours = {*kept(compiled(rules(" ".join(words))), PLAIN)}
    assert ours == taken_by_rsync(tmp_path, PLAIN, words)


@needs_rsync
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.builds("{}{}".format, st.sampled_from("+-"), st.sampled_from(ONLY_FILES.split())), max_size=5))
def test_rsync_takes_the_same_files_in_the_same_order_of_rules_if_it_looks_everywhere(
    tmp_path: Path, words: list[str]
) -> None:
    ours = kept(compiled(rules(" ".join(words))), PLAIN)
    theirs = taken_by_rsync(tmp_path, PLAIN, ["+*/", *words])
    assert {one for one in ours if one[-1] != "/"} == {one for one in theirs if one[-1] != "/"}


@needs_rsync
@pytest.mark.parametrize(
    ("words", "ours_alone", "theirs_alone"),
    [
        ("+*.log -*", {"D/", "D/a.log", "D/c.log", "D/E/", "D/E/d.log", "F/", "F/a.log"}, set()),
        ("+*/ +*.log -*", {"D/E/b.txt"}, set()),
        ("+D -*", {"D/a.log", "D/c.log", "D/E/", "D/E/b.txt", "D/E/d.log"}, set()),
        ("-E/d.log", {"D/E/d.log"}, set()),
        ("-D**.log", {"D/a.log", "D/c.log", "D/E/d.log"}, set()),
        ("-D/***", {"D/"}, set()),
        ("-/D/**/a.log", set(), {"D/a.log"}),
    ],
)
def test_where_rsync_differs(tmp_path: Path, words: str, ours_alone: set[str], theirs_alone: set[str]) -> None:
    ours, theirs = {*kept(compiled(rules(words)), PLAIN)}, taken_by_rsync(tmp_path, PLAIN, words.split())
    assert (ours - theirs, theirs - ours) == (ours_alone, theirs_alone)

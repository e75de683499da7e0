"""Remote paths that stand for several: what is listed, and which of it is meant."""

import glob
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccp.errors import UsageError
from asynccp.plan.globs import MOST_CHOICES, _choices, glob_of


@pytest.mark.parametrize(
    ("path", "directory", "depth", "yes", "no"),
    [
        ("/var/log/*.log", "/var/log", 1, ["a.log", ".log"], ["a.txt", "old/a.log"]),
        ("/var/*/*.log", "/var", 2, ["log/a.log", ".x/a.log"], ["a.log", "log/old/a.log"]),
        ("/var/log/**/*.log", "/var/log", None, ["a.log", "old/a.log", "old/older/a.log"], ["a.txt"]),
        ("/var/log/**", "/var/log", None, ["a", "a/b"], []),
        ("/var/log/a?[0-9]", "/var/log", 1, ["ab1", "a-9"], ["a1", "ab/1"]),
        ("/var/log/*.{log,gz}", "/var/log", 1, ["a.log", "a.gz"], ["a.", "a.{log,gz}"]),
        ("/var/{log/*.log,tmp}/x", "/var", 3, ["log/a.log/x", "tmp/x"], ["log/x"]),
        ("/var/log{,2}/a*", "/var", 2, ["log/a1", "log2/a1"], ["log1/a1"]),
        ("/srv/a\\*b", "/srv", 1, ["a*b"], ["a\\*b", "axb"]),
        ("/srv/[*]", "/srv", 1, ["*"], ["a"]),
        ("/srv/[{]a,b}", "/srv", 1, ["{a,b}"], ["a", "b"]),
        ("/srv/\\{a,b}*", "/srv", 1, ["{a,b}", "{a,b}c"], ["a", "b"]),
        ("/srv/{a}*", "/srv", 1, ["{a}", "{a}b"], ["a"]),
        ("/*.log", "/", 1, ["a.log"], []),
        ("*.log", ".", 1, ["a.log"], []),
        ("logs/*.log", "logs", 1, ["a.log"], []),
        ("~/*.log", "~", 1, ["a.log"], []),
        ("/var//./*/.//x*", "/var//.", 2, ["log/x1"], ["x1"]),
        ("/var/log/*/", "/var/log", 1, ["old"], ["old/a"]),
        (os.fsdecode(b"/var/caf\xe9*/"), "/var", 1, [os.fsdecode(b"caf\xe9"), os.fsdecode(b"caf\xe9\n1")], ["café"]),
    ],
)
def test_a_path_with_wildcards_is_a_directory_and_what_matches_in_it(
    path: str, directory: str, depth: int | None, yes: list[str], no: list[str]
) -> None:
    found = glob_of(path)
    assert found
    assert (found.directory, found.depth, found.contents) == (directory, depth, path.endswith("/"))
    assert [one for one in yes + no if found.matches(os.fsencode(one))] == yes


@pytest.mark.parametrize("path", ["/var/log", "/", ".", "logs/", "/srv/{a}", "/srv/{}", "/srv/a}b,c{d", "/srv/a,b]"])
def test_a_path_without_wildcards_is_no_glob(path: str) -> None:
    assert glob_of(path) is None


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/var/[", "the pattern /var/[ can't match anything: its [ has no ]"),
        ("/var/{a,[}", "the pattern /var/{a,[} can't match anything: its [ has no ]"),
        ("/var/*\\", "the pattern /var/*\\ can't match anything: nothing follows the backslash at its end"),
        ("/var/*/../x", "the pattern /var/*/../x can't match anything: no listing has a .."),
        ("/var/{,*}", "the pattern /var/{,*} can't match anything: one of its choices names nothing"),
        ("/var/" + "{a,b}" * 10, f"the braces of {'{a,b}' * 10} make more than {MOST_CHOICES} patterns"),
        ("/\x1b[", r"the pattern /\x1b[ can't match anything: its [ has no ]"),
    ],
)
def test_a_pattern_that_can_match_nothing_or_too_much_is_refused(path: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        glob_of(path)
    assert str(caught.value) == says


def test_what_is_below_a_path_that_is_meant_is_no_path_of_its_own() -> None:
    found = glob_of("/x/**/*a*")
    assert found
    paths = [b"a", b"a/a", b"a.b", b"b", b"b/a", b"b/a/b/a", b"c/b"]
    assert found.found(paths) == [b"a", b"a.b", b"b/a"]


@pytest.mark.parametrize(
    "pattern",
    ["*", "*/*", "**/*.log", "a*", "*/", "[ab]*/*", "**/old/*", "?", "d/**/*.log", ".*", "**/", "b/{old,c.log}*"],
)
def test_python_finds_the_same(tmp_path: Path, pattern: str) -> None:
    for name in ("a.log", ".hidden", "b/c.log", "b/old/d.log", "d/old/older/e.log", "d/f", "d/.g/h.log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = glob_of(f"{tmp_path}/{pattern}")
    assert found
    listed = [path for path in Path(found.directory).rglob("*") if path.is_dir() or not found.contents]
    ours = {str(path) for path in listed if found.matches(os.fsencode(path.relative_to(found.directory)))}
    choices = [one.decode() for one in _choices(pattern.encode())]  # Python has no braces
    theirs = {
        one for choice in choices for one in glob.glob(f"{tmp_path}/{choice}", recursive=True, include_hidden=True)
    }
    assert ours == {one.rstrip("/") for one in theirs} - {str(tmp_path)}


BRACED = st.recursive(
    st.sampled_from(["", "a", "b/c", "\\{", "\\,", "\\}", "*"]),
    lambda inner: (
        st.lists(inner, max_size=3).map("".join)
        | st.lists(inner, min_size=2, max_size=3).map(lambda choices: "{" + ",".join(choices) + "}")
        | inner.map(lambda one: "{" + one + "}")
    ),
    max_leaves=10,
)


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is the judge")
@settings(max_examples=100)
@given(BRACED)
def test_bash_makes_the_same_patterns_of_braces(pattern: str) -> None:
    ours = [one.decode() for one in _choices(pattern.encode())]
    script = f"set -f; printf '%s\\n' {pattern}_"  # it takes backslashes away, and words that are empty
    theirs = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
    assert [one.replace("\\", "") + "_" for one in ours] == theirs

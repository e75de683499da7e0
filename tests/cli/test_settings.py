"""Where a setting comes from: what is written before the environment, that before files, in order."""

import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from asynccp.cli.config import lines, rows, unknown_variables
from asynccp.cli.configured import Configured
from asynccp.cli.flag import Flag
from asynccp.cli.flags import FLAGS, flags_of, request_of
from asynccp.cli.settings import Layer, Setting, environment, joined, profile_of, with_arguments
from asynccp.errors import UsageError

BY_PARAMETER = {flag.parameter: flag for flag in FLAGS}
# One of them means something to each flag.
WORDS = (
    "3", "5M", "90s", "2026-11-29T10:00:00Z", "gzip", "json", "node", "rollback", "busybox:1.36", "app:0",
    "Dg+s", "HUP", "*.bak", "copy",
)  # fmt: skip


def layer(origin: str, **words: Any) -> Layer:
    return {name: Setting(BY_PARAMETER[name], word, origin) for name, word in words.items()}


def word_for(flag: Flag, tmp_path: Path) -> str:
    """Return a word that means something to a flag, and something else than its default."""
    (tmp_path / "file").write_text("*.log\n")
    if not flag.metavar:
        return "1"
    for word in (str(tmp_path / "file"),) if flag.metavar == "FILE" else WORDS:
        with suppress(UsageError):
            if flag.value([word] if flag.kind is tuple else word) != flag.default:
                return word
    raise AssertionError(f"no word is known that {flag.long} takes")


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.long)
def test_every_flag_has_a_variable_that_sets_what_the_flag_does(flag: Flag, tmp_path: Path) -> None:
    word = word_for(flag, tmp_path)
    command = flag.commands[0]
    found = environment(command, {flag.variable: word})
    written: Any = [word] if flag.kind is tuple else True if not flag.metavar else word
    assert request_of(command, {}, (), found) == request_of(command, {flag.parameter: written})
    assert request_of(command, {}, (), found) != request_of(command, {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b", ["a", "b"]),
        ("'app in (a, b):/x'  tier=c", ["app in (a, b):/x", "tier=c"]),
        ('"a b"', ["a b"]),
        (r"\!a #b", [r"\!a", "#b"]),
        ("a\nb", ["a", "b"]),
    ],
)
def test_a_variable_has_several_words_at_blanks(text: str, words: list[str]) -> None:
    assert environment("push", {"ASYNCCP_SELECTOR": text})["selector"].word == words


def test_a_quote_without_an_end_is_told() -> None:
    with pytest.raises(UsageError, match=r"^ASYNCCP_SELECTOR has a quote that does not end$"):
        environment("push", {"ASYNCCP_SELECTOR": "'a"})


@pytest.mark.parametrize(
    ("written", "layers", "expected"),
    [
        ((), [{"timeout": "1"}, {"timeout": "2"}, {"timeout": "3"}, {"timeout": "4"}], {"timeout": "1"}),
        ((), [{}, {"timeout": "2"}, {"timeout": "3"}, {"retries": "4"}], {"timeout": "2", "retries": "4"}),
        (("timeout",), [{"timeout": "1"}, {"timeout": "2"}, {"retries": "4"}], {"retries": "4"}),
        (("all_namespaces",), [{"namespace": ["a"]}], {}),
        ((), [{"namespace": ["a"]}, {"all_namespaces": True}], {"namespace": ["a"]}),
        ((), [{"namespace": ["a"], "all_namespaces": True}], {"namespace": ["a"], "all_namespaces": True}),
        (("since_time",), [{"since": "2h"}], {}),
        ((), [{"verbose": 1}, {"quiet": True}], {"verbose": 1}),
        ((), [{"selector": ["a"]}, {"selector": ["b"]}], {"selector": ["a"]}),
    ],
)
def test_what_is_nearer_counts(
    written: tuple[str, ...], layers: list[dict[str, Any]], expected: Mapping[str, Any]
) -> None:
    found = joined("pull", written, [layer("x", **one) for one in layers])
    assert {name: one.word for name, one in found.items()} == expected


def test_a_second_try_takes_from_files_only_how_it_is_shown() -> None:
    """What was asked for stands in the report, the cluster first of all."""
    variables = {"ASYNCCP_TIMEOUT": "9"}
    filed = layer("file", context="other", retries="2", quiet=True, report="run.json")
    assert joined("retry", (), [environment("retry", variables), filed]).keys() == {"timeout", "quiet"}


def test_a_word_that_means_nothing_is_told_with_its_place() -> None:
    with pytest.raises(UsageError, match=r"^ASYNCCP_CONCURRENCY: --concurrency is at least 1$"):
        request_of("push", {}, (), environment("push", {"ASYNCCP_CONCURRENCY": "0"}))


@pytest.mark.parametrize(("arguments", "name"), [([], ""), (["a", "@web", ":/x"], "web"), (["./@a", "x@y"], "")])
def test_a_profile_is_an_argument(arguments: list[str], name: str) -> None:
    assert profile_of(arguments) == name


@pytest.mark.parametrize("arguments", [["@a", "@b"], ["@"]])
def test_there_is_one_profile_and_it_has_a_name(arguments: list[str]) -> None:
    with pytest.raises(UsageError, match="profile"):
        profile_of(arguments)


def test_the_arguments_of_a_profile_take_its_place() -> None:
    assert with_arguments(["a", "@web", "d"], ["b", "c"]) == ["a", "b", "c", "d"]


def test_a_variable_that_is_none_of_ours_is_told() -> None:
    ours = [*(flag.variable for flag in FLAGS), "ASYNCCP_LOG", "ASYNCCP_PODS", "ASYNCCP_TEST_KUBECONFIG", "HOME"]
    assert unknown_variables(["ASYNCCP_CONCURENCY", *ours]) == ["ASYNCCP_CONCURENCY"]


def test_settings_are_shown_with_their_place_and_once_for_all_commands() -> None:
    both, push = layer("a:1", retries="2"), layer("b:7", checksum=True, exclude=["x", "y\x1b"])
    found = {"push": Configured({**both, **push}, ()), "cp": Configured(both, ())}
    assert lines(rows(found)) == [
        r"checksum  true      b:7",
        r"exclude   x, y\x1b  b:7",
        r"retries   2         a:1",
    ]
    found["pull"] = Configured({}, ())
    assert lines(rows(found))[2] == r"retries   2         a:1  for push, cp"


@pytest.mark.parametrize("command", ["push", "pull", "cp", "check"])
def test_the_command_line_itself_gives_none_for_what_is_not_written(command: str, tmp_path: Path) -> None:
    """Or nothing else would ever count."""
    script = (
        "import asynccp.cli.command as c\n"
        "c.configured = lambda name, arguments, written, variables: exit(','.join(written))\n"
        "import sys; from asynccp.cli import app; app.main()"
    )
    argv = [sys.executable, "-c", script, command, "a", "b:/c", "--retries", "1"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.stderr.strip() == ("retries" if command != "check" else done.stderr.strip())
    assert {flag.parameter for flag in flags_of(command)}

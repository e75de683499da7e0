"""A flag is one line of a table; what people type, set in the environment and read in --help follows from it."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import typer

from asynccp import Compression, Rule, Selection, Share, UsageError, WaveBy
from asynccp.cli import run
from asynccp.cli.app import program
from asynccp.cli.flag import Flag
from asynccp.cli.flags import FLAGS, PANELS, flags_of, request_of
from asynccp.cli.request import Output, Request, Since
from asynccp.plan.filters import FILE_SIZE

COMMANDS = ("push", "diff", "pull", "cp", "check", "rollback", "history", "retry", "report", "config", "relay")


@pytest.mark.parametrize(
    ("path", "parameter", "word", "value"),
    [
        ("options.concurrency.sessions", "concurrency", "8", 8),
        ("options.concurrency.rate_per_s", "bwlimit", "10M", 10 * 1024**2),
        ("options.deadlines.stall_after_s", "timeout", "0.5", 0.5),
        ("options.compression", "compress", "zstd", Compression.ZSTD),
        ("options.attributes.follow", "no_follow", True, False),
        ("options.attributes.follow", "no_follow", "0", True),
        ("options.failures.strict", "strict", "yes", True),
        ("options.limits.size", "max_size", "4T", 4 * 1024**4),
        ("options.sync.always", "force", True, True),
        ("options.waves.size", "wave", "10%", Share(10, is_percent=True)),
        ("options.waves.most_failures", "max_failures", "0", Share(0)),
        ("options.waves.by", "wave_by", "zone", WaveBy.ZONE),
        ("options.waves.pause_s", "pause", "2m", 120),
        ("options.ephemeral.image", "ephemeral", "busybox:1.36", "busybox:1.36"),
        ("options.ephemeral.ttl_s", "ephemeral_ttl", "2h", 7200),
        ("options.ephemeral.ttl_s", "ephemeral_ttl", "90", 90),
        ("options.collecting.mirror", "mirror", True, True),
        ("options.collecting.tail_size", "tail_bytes", "50M", 50 * 1024**2),
        ("options.collecting.most_file_size", "max_file_size", "1G", 1024**3),
        ("options.collecting.most_pod_size", "max_pod_size", "1G", 1024**3),
        ("options.collecting.most_total_size", "max_total", "1G", 1024**3),
        ("since.span_s", "since", "2d", 172_800),
        ("since.moment_ns", "since_time", "1970-01-01T00:00:01Z", 1_000_000_000),
        ("since.moment_ns", "since_time", "1969-12-31T23:59:59Z", -1_000_000_000),
        ("labels", "selector", ["app=web:/x", "a=b"], ("app=web:/x", "a=b")),
        ("where.namespaces", "namespace", ["a"], ("a",)),
        ("server.contexts", "context", ["kind"], ("kind",)),
        ("options.attributes.preserve_owner", "numeric_owner", True, True),
        ("showing.output", "output", "json", Output.JSON),
        ("showing.report", "report", "r.json", Path("r.json")),
        ("showing.verbose", "verbose", 2, 2),
        ("showing.verbose", "verbose", "true", 1),
    ],
)
def test_a_word_sets_the_field_that_its_flag_names(path: str, parameter: str, word: Any, value: object) -> None:
    request = request_of("pull", {parameter: word})
    assert reduce(getattr, path.split("."), request) == value


@pytest.mark.parametrize(
    ("parameter", "word", "told"),
    [
        ("concurrency", "0", "--concurrency is at least 1"),
        ("concurrency", "x", "--concurrency is a whole number, not 'x'"),
        ("retries", "-1", "--retries is at least 0"),
        ("timeout", "0", "--timeout is at least 0.001"),
        ("timeout", "nan", "--timeout is at least 0.001"),
        ("timeout", "x", "--timeout is a number, not 'x'"),
        ("bwlimit", "0", "--bwlimit is at least 1"),
        ("tail_bytes", "0", "--tail-bytes is at least 1"),
        ("max_file_size", "0", "--max-file-size is at least 1"),
        ("max_pod_size", "0", "--max-pod-size is at least 1"),
        ("max_total", "0", "--max-total is at least 1"),
        ("since", "0s", "--since is at least 1"),
        ("since", "soon", "'soon' is no span of time"),
        ("since_time", "2h", "'2h' is no date and time of RFC 3339"),
        ("newer_than", "/no/such/file", "/no/such/file does not exist, so nothing can be newer"),
        ("newer_than", "a\0b", "a\\x00b can't be looked at: embedded null byte, so nothing can be newer"),
        ("max_size", "4X", "'4X' is no size"),
        ("max_depth", "0", "--max-depth is at least 1"),
        ("wave", "0%", "a wave has at least one pod"),
        ("wave", "101%", "'101%' is no number of pods"),
        ("max_failures", "-1", "'-1' is no number of pods"),
        ("max_failures", "a\x1b", "'a\\x1b' is no number of pods"),
        ("wave_by", "rack", "--wave-by is one of node, zone, namespace, not 'rack'"),
        ("pause", "0", "--pause is at least 1"),
        ("ephemeral", "Bad Name", "'Bad Name' is no image"),
        ("ephemeral_ttl", "29", "--ephemeral-ttl is at least 30"),
        ("ephemeral_ttl", "soon", "'soon' is no span of time"),
        ("compress", "lz4", "--compress is one of auto, none, gzip, zstd, not 'lz4'"),
        ("strict", "maybe", "ASYNCCP_STRICT is 1 or 0, not 'maybe'"),
    ],
)
def test_a_word_that_means_nothing_is_told_in_one_sentence(parameter: str, word: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        request_of("pull", {parameter: word})
    assert str(caught.value) == told


NOW_NS = 1_700_000_000_000_000_000


@pytest.mark.parametrize(
    ("since", "at_ns", "ago_s"),
    [
        (Since(), 0, 0),
        (Since(span_s=60), NOW_NS - 60_000_000_000, 60),
        (Since(moment_ns=NOW_NS - 1_500_000_000), NOW_NS - 1_500_000_000, 2),
        (Since(file_ns=NOW_NS - 5_000_000_000), NOW_NS - 5_000_000_000, 5),
        (Since(file_ns=NOW_NS + 5), NOW_NS + 5, 1),
    ],
)
def test_files_and_logs_are_taken_since_one_moment(since: Since, at_ns: int, ago_s: int) -> None:
    request = Request(since=since).dated(NOW_NS)
    assert (request.options.collecting.newer_than_ns, request.logs.since_s) == (at_ns, ago_s)
    assert request.selection(["pod/a:/var/log"]).logs == (), "that moment alone asks for no logs"


def test_since_when_is_said_once(tmp_path: Path) -> None:
    words = {"since": "2h", "newer_than": str(tmp_path)}
    with pytest.raises(UsageError, match="since when is said more than once"):
        request_of("pull", words).dated(NOW_NS)


def test_a_file_tells_since_when(tmp_path: Path) -> None:
    (tmp_path / "marker").touch()
    os.utime(tmp_path / "marker", ns=(0, 1_234_567_890))
    assert request_of("pull", {"newer_than": str(tmp_path / "marker")}).since.file_ns == 1_234_567_890


A, B, C = Rule(True, ("a",)), Rule(False, ("b",)), Rule(False, ("*.c", "!d.c"))


@pytest.fixture
def rules_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Rule, ...]]:
    """What becomes of the flags of a push. FILE in them has patterns."""
    heard: list[Request] = []
    file = tmp_path / "patterns"
    file.write_text("# of C\n*.c\n!d.c\n")

    async def push(request: Request, sources: Sequence[str], selection: Selection) -> int:
        heard.append(request)
        return 0

    def parse(*flags: str) -> tuple[Rule, ...]:
        words = [flag.replace("FILE", str(file)) for flag in flags]
        command: Any = typer.main.get_command(program())
        command(["push", str(tmp_path), "web-0:/x", *words], standalone_mode=False)
        return heard[-1].options.filtering.rules

    monkeypatch.setattr(run, "push", push)
    monkeypatch.setenv("ASYNCCP_TRACEBACK", "1")
    return parse


@pytest.mark.parametrize(
    ("flags", "rules"),
    [
        ([], ()),
        (["--include", "a", "--exclude", "b"], (A, B)),
        (["--exclude", "b", "--include", "a"], (B, A)),
        (["--exclude-from=FILE", "--exclude=b", "--include=a", "--exclude=b"], (C, B, A, B)),
        (["--exclude=b", "-q", "--exclude-from", "FILE", "--retries=1", "--include", "a"], (B, C, A)),
    ],
)
def test_the_order_of_filters_is_the_one_that_was_written(
    rules_of: Callable[..., tuple[Rule, ...]], flags: list[str], rules: tuple[Rule, ...]
) -> None:
    assert rules_of(*flags) == rules


def test_filters_of_the_environment_come_behind_those_that_were_written(
    rules_of: Callable[..., tuple[Rule, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASYNCCP_INCLUDE", "a a")
    assert rules_of("--exclude", "b", "--exclude-from", "FILE") == (B, C, A, A)
    assert rules_of("--exclude", "b", "--include", "a") == (B, A)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("gone\x1b", r"^the file of patterns .*gone\\x1b does not exist$"),
        (".", "^the file of patterns .* can't be read: Is a directory$"),
        ("bad", r"^.*bad: the pattern a\[ can't match anything: its \[ has no \]$"),
        ("large", "^.*large is too large to be a file of patterns$"),
    ],
)
def test_a_file_of_patterns_that_cannot_be_read_is_told_in_one_sentence(tmp_path: Path, word: str, told: str) -> None:
    (tmp_path / "bad").write_text("*.log\na[\n")
    (tmp_path / "large").write_bytes(b"a" * (FILE_SIZE + 1))
    with pytest.raises(UsageError, match=told):
        request_of("push", {"exclude_from": [f"{tmp_path}/{word}"]})


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.long)
def test_every_flag_sets_a_field_that_is_there_and_belongs_to_a_command(flag: Flag) -> None:
    assert reduce(getattr, flag.sets.split("."), Request()) is flag.default
    assert set(flag.on.split()) <= {*COMMANDS}


def test_no_command_has_two_flags_of_one_name() -> None:
    for command in COMMANDS:
        names = [name for flag in flags_of(command) for name in flag.names.split()]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_each_flag_in_its_panel_and_fits_a_terminal(command: str) -> None:
    argv = [sys.executable, "-m", "asynccp", command, "--help"]
    shown = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown, "a pipe is no terminal"
    panels = dict(part.split(":\n", 1) for part in shown.split("\n\n") if part.partition("\n")[0].endswith(":"))
    for title, flags in PANELS.items():
        for flag in flags:
            having = {one for other in flags if other.names == flag.names for one in other.commands}
            assert (f"  {', '.join(flag.names.split())}" in panels.get(title, "")) is (command in having)


def test_help_says_what_holds_without_a_flag() -> None:
    assert {flag.long: flag.shown_default() for flag in FLAGS if flag.shown_default()} == {
        "--concurrency": "64",
        "--per-node": "64",
        "--workers": "1",
        "--dedup": "none",
        "--tail": "-1",
        "--exec-timeout": "60",
        "--compress": "auto",
        "--timeout": "120",
        "--retries": "4",
        "--on-failure": "stop",
        "--ephemeral-ttl": "900",
        "--max-entries": "4000000",
        "--max-size": "4T",
        "--max-path": "4096",
        "--max-depth": "256",
        "--max-header": "1M",
        "--max-memory": "64M",
        "--output": "text",
    }

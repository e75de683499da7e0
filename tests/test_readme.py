"""The README tells the truth: its commands work as they stand, its example runs, and it names what there is."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from asynccp.cli.demo import Stage, staged
from asynccp.cli.examples import EXAMPLES
from tests.e2e import forked
from tests.objects.fakes3 import Stored, served

README = (Path(__file__).parent.parent / "README.md").read_text()
COMMANDS = re.findall(r"^\$ asynccp (.+)$", README, re.MULTILINE)
SETTINGS = re.findall(r"^```toml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
QUERIES = re.findall(r"^\$ (jq .+) report.json$", README, re.MULTILINE)

PODS = 4
REPORT = "run.json"  # of the examples that take one


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module", autouse=True)
def _bucket() -> Iterator[None]:
    """The bucket that examples name."""
    with served() as store, pytest.MonkeyPatch.context() as patch:
        store.objects["config/app.toml"] = Stored(b"listen = 1\n")
        for name, value in store.environment.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The demo cluster; the current directory of the commands holds `config`."""
    directory = tmp_path_factory.mktemp("readme")
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(staged(directory, PODS)) as stage:
        yield stage


@pytest.fixture
def fresh_stage(tmp_path: Path) -> Iterator[Stage]:
    """The same, and nobody has pushed anything there."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(staged(tmp_path, PODS)) as stage:
        yield stage


def codes(command: str) -> set[int]:
    """Return the exit codes of a command that works."""
    return {0, 4} if command.startswith("diff") else {0}


@pytest.fixture(autouse=True)
def _settings(stage: Stage) -> None:
    """The file of settings that the README has, in the directory of the commands."""
    (settings,) = SETTINGS
    (stage.config.parent / ".asynccp.toml").write_text(settings)


@pytest.fixture(autouse=True, scope="module")
def _contexts(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A kubeconfig beside the stage's: context `prod-a` is the stage too, `prod-b` another cluster."""
    other = tmp_path_factory.mktemp("other")
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(staged(other, 1)) as second:
        servers = {
            name: json.loads(one.kubeconfig.read_text())["clusters"][0]["cluster"]
            for name, one in (("prod-a", stage), ("prod-b", second))
        }
        document = {
            "clusters": [{"name": name, "cluster": one} for name, one in servers.items()],
            "contexts": [{"name": name, "context": {"cluster": name}} for name in servers],
        }
        contexts_of(stage).write_text(json.dumps(document))
        yield


def contexts_of(stage: Stage) -> Path:
    return stage.config.parent / "contexts"


def run(stage: Stage, argv: list[str]) -> subprocess.CompletedProcess[str]:
    cwd, environment = stage.config.parent, environment_of(stage)
    return subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)


def asynccp(stage: Stage, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = forked.run(arguments, environment_of(stage), stage.config.parent, timeout_s=60)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def environment_of(stage: Stage) -> dict[str, str]:
    return {**os.environ, "KUBECONFIG": os.pathsep.join([str(stage.kubeconfig), str(contexts_of(stage))])}


def run_until_all_have_it(stage: Stage, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a push that goes on, however long it takes until each pod is told to be complete, and end it with ^C."""
    cwd, heard = stage.config.parent, ""
    argv, environment = [sys.executable, "-m", "asynccp", *arguments], environment_of(stage)
    with subprocess.Popen(argv, cwd=cwd, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        while heard.count("  complete  ") < PODS and (line := process.stderr.readline()):
            heard += line
        process.send_signal(signal.SIGINT)
        try:
            heard += process.communicate(timeout=60)[1]
        finally:
            process.kill()  # where SIGINT is ignored, as of what a shell runs in the background, it would not end
    return subprocess.CompletedProcess(argv, process.returncode, "", heard)


def assert_works(stage: Stage, command: str) -> None:
    ends = re.fullmatch(r"(push .*--for )\d+s", command)  # perhaps before the last pod has it, on a slow machine
    words = shlex.split(f"{ends[1]}1h" if ends else command)
    done = (run_until_all_have_it if ends else asynccp)(stage, *words)
    assert done.returncode in codes(command), done.stderr


def keep_something(stage: Stage) -> None:
    """Have each pod keep what a push has replaced."""
    asynccp(stage, *shlex.split("push config/ -l app=web:/etc/app --backup --ignore-times"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_works_as_it_stands(stage: Stage, command: str) -> None:
    if command.startswith("rollback"):
        keep_something(stage)
    assert_works(stage, command)


@pytest.mark.parametrize("line", sorted({line for examples in EXAMPLES.values() for _, line in examples}))
def test_an_example_of_the_help_works_as_it_stands(stage: Stage, line: str) -> None:
    here = stage.config.parent
    shutil.copy(stage.config / "app.toml", here)
    for left in (here / "web-0", stage.logs):
        shutil.rmtree(left, ignore_errors=True)
    if line.split()[1] in ("report", "retry"):
        asynccp(stage, *shlex.split(f"push config -l app=web:/etc/app --report {REPORT}"))
    if line.split()[1] == "rollback":
        keep_something(stage)
    assert_works(stage, line.removeprefix("asynccp "))


def test_the_output_is_the_real_one(fresh_stage: Stage) -> None:
    """Times and the order of pods differ; every other word is as printed."""

    def words(text: str) -> list[str]:
        return sorted(re.sub(r"[\d.]+ s\b|^\[\d", "", line) for line in text.splitlines())

    shown = blocks("console")[0].split("$ asynccp ")[1:]
    assert len(shown) == 2
    for one in shown:
        command, _, output = one.strip().partition("\n")
        done = asynccp(fresh_stage, *shlex.split(command))
        assert words(done.stderr + done.stdout) == words(output)


@pytest.mark.skipif(not shutil.which("jq"), reason="there is no jq on this machine")
@pytest.mark.parametrize("query", QUERIES)
def test_what_jq_is_asked_of_a_report_is_in_it(fresh_stage: Stage, query: str) -> None:
    push = shlex.split("push config -l app=web:/etc/app -q --report report.json")
    assert asynccp(fresh_stage, *push).returncode == 0
    done = run(fresh_stage, [*shlex.split(query), "report.json"])
    told = [line.split("\t") for line in done.stdout.splitlines()]
    assert sorted(told) == [[f"web-{number}", "complete", "0", "0", "0"] for number in range(PODS)], done.stderr


def test_the_python_example_runs(stage: Stage) -> None:
    (example,) = blocks("python")
    done = run(stage, [sys.executable, "-W", "error", "-c", example])
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\n0\n")
    assert done.stdout.count("complete") == PODS


def test_the_first_block_has_two_lines() -> None:
    assert len(blocks("sh")[0].splitlines()) == 2


@pytest.mark.parametrize(
    "command", ["push", "diff", "pull", "rollback", "history", "retry", "report", "config", "demo"]
)
def test_every_option_is_named(command: str) -> None:
    argv = [sys.executable, "-m", "asynccp", command, "--help"]
    shown = subprocess.run(
        argv, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "200"}
    ).stdout
    options = set(re.findall(r"^  (?:-\w, )?(--[a-z][a-z-]+)", shown, re.MULTILINE)) - {"--help"}
    short = {"--selector": "-l", "--namespace": "-n", "--all-namespaces": "-A", "--container": "-c"}
    assert options
    assert not [one for one in sorted(options) if short.get(one, one) not in README]

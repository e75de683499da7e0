"""Problems: each word of a hello that says why a copy can't be, and what a person is told of it."""

import re
from pathlib import Path

import pytest

import asynccp.remote
from asynccp.errors import (
    CommandMissing,
    DestinationError,
    Knob,
    NoSuchPath,
    ProtocolViolation,
    SourceMissing,
    TransferError,
)
from asynccp.remote.messages import Hello
from asynccp.remote.problems import elsewhere, refusal
from asynccp.remote.worker import SHELL


def told(problem: str, path: str = "/var/log", said: str = "", **facts: str) -> TransferError:
    error = refusal(Hello.read({"problem": problem, **facts}), path, said)
    assert error is not None
    return error


@pytest.mark.parametrize(
    ("problem", "kind", "says"),
    [
        ("no-tar", CommandMissing, "there is no tar in the container"),
        ("no-mv", CommandMissing, "there is no mv in the container"),
        ("missing", NoSuchPath, "/var/log does not exist in the container, or its directory may not be entered"),
        ("dangling", SourceMissing, "/var/log is a symbolic link that leads nowhere in the container"),
        ("unreadable", SourceMissing, "/var/log may not be read by the container's user"),
        ("no-contents", SourceMissing, "/var/log is not a directory"),
        ("no-home", DestinationError, "/var/log can't be found: the container has no HOME"),
        ("not-a-directory", DestinationError, "/var/log is not a directory"),
        (
            "glob",
            DestinationError,
            "/var/log looks like a pattern, and nothing in the container has just that name",
        ),
        ("cannot-create", DestinationError, "/var/log can't be created in the container"),
        (
            "not-writable",
            DestinationError,
            "/var/log is not writable for the container's user, or on a read-only file system",
        ),
        ("\x1b[2Jx", ProtocolViolation, "the pod reports a problem that is not known here: \\x1b[2Jx"),
        ("no-\x1b", CommandMissing, "there is no \\x1b in the container"),
        ("", ProtocolViolation, "the pod reports a problem that is not known here: "),
    ],
)
def test_a_hello_with_a_problem_is_an_error_that_names_it(problem: str, kind: type[TransferError], says: str) -> None:
    error = told(problem)
    assert type(error) is kind
    assert str(error) == says


def test_a_pseudo_file_system_is_named_with_a_way_that_works() -> None:
    error = told("pseudo", "/proc/cpuinfo", type="proc")
    assert type(error) is SourceMissing
    assert str(error).startswith("/proc/cpuinfo is on a file system of type proc, ")
    assert error.hint == "read them one by one: kubectl exec POD -- cat /proc/cpuinfo"


@pytest.mark.parametrize(("kind", "shown"), [("\x1b[2J", "\\x1b[2J"), ("x" * 1000, "x" * 20 + "…"), ("PATH", "PATH")])
def test_what_a_pod_says_of_its_file_system_is_escaped_and_short(kind: str, shown: str) -> None:
    assert f"type {shown}," in str(told("pseudo", "/sys/x", type=kind))


@pytest.mark.parametrize("problem", ["missing", "unreadable", "cannot-create", "not-writable"])
def test_the_systems_own_reason_is_told(problem: str) -> None:
    assert str(told(problem, said="mkdir: PATH: Read-only file system")).endswith(
        " (mkdir: PATH: Read-only file system)"
    )


@pytest.mark.parametrize(
    ("problem", "path", "hint"),
    [
        ("dangling", "/a", Knob.NO_FOLLOW),
        ("missing", "/tmp/*.txt", "patterns are not expanded"),
        ("missing", "/tmp/a.txt", ""),
        ("not-writable", "/a", Knob.IN_PLACE),
        ("no-home", "~/a", "instead of ~"),
        ("no-contents", "/a/", "slash"),
        ("no-tar", "/a", Knob.CONTAINER),
    ],
)
def test_what_helps_is_told(problem: str, path: str, hint: str) -> None:
    found = told(problem, path).hint
    assert hint in found
    assert bool(hint) is bool(found)


@pytest.mark.parametrize(
    ("others", "hint"),
    [
        ((), f"name a container that has one with {Knob.CONTAINER}"),
        (("app",), f"name another container with {Knob.CONTAINER} (app runs there too)"),
        (("app", "istio-proxy"), f"name another container with {Knob.CONTAINER} (app, istio-proxy run there too)"),
    ],
)
def test_other_containers_of_the_pod_are_offered(others: tuple[str, ...], hint: str) -> None:
    assert elsewhere(others) == hint
    error = refusal(Hello.read({"problem": "no-tar"}), "/a", "", others)
    assert error is not None
    assert error.hint == f"{hint}, or add tar to the image"


def test_a_container_without_tar_is_told_that_either_would_do() -> None:
    error = refusal(Hello.read({"problem": "no-dd"}), "/a", "", (), SHELL)
    assert error is not None
    assert str(error) == "there is neither tar nor dd in the container"
    assert error.hint.endswith(", or add tar or dd to the image")


@pytest.mark.parametrize("facts", [{}, {"count": "dd"}, {"count": "none", "size": "12"}])
def test_a_hello_without_a_problem_is_none(facts: dict[str, str]) -> None:
    assert refusal(Hello.read(facts), "/etc", "") is None


def test_each_problem_that_a_script_knows_has_its_sentence() -> None:
    scripts = Path(asynccp.remote.__file__).parent / "scripts"
    text = "".join(script.read_text() for script in scripts.glob("*.sh"))
    problems = set(re.findall(r"\b(?:refuse|give_up) \"?([a-z-]+)", text))
    assert {"missing", "glob", "not-writable"} <= problems, "the scripts have another word for it now"
    for problem in problems - {"other-user"}:  # which is always told with the user, and never to people
        assert "not known here" not in str(told(problem)), problem

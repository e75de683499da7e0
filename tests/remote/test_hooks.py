"""What a pod is told to run, to the byte; and what is made of how it says that it ended."""

import subprocess

import pytest

from asynccp.remote.hooks import Ran, hook_line, signal_line
from asynccp.report import HookRun

AFTER, ONE = "the command after", "failed with exit code 1"
LOST = "and what was there before could not be brought back"
NOTHING = "nothing was changed, because the command"


@pytest.mark.parametrize(
    "command",
    [
        "nginx -t",
        "a 'b' \"c\" $d `e` \\n %s",
        "two\nlines\n",
        "\t tabs and  blanks ",
        "-n",
        "é€\udcff",
        "!*?[x]~#&;|<>(){}",
    ],
)
def test_a_command_comes_to_the_shell_as_it_was_written(command: str) -> None:
    line = hook_line("after", command, 60)
    assert line.count(b"\n") == 1
    when, seconds, encoded = line.split(b" ")  # a shell parts it so
    assert (when, seconds) == (b"after", b"60")
    said = subprocess.run(["sh", "-c", 'printf "%b" "$1"', "sh", encoded[:-1]], capture_output=True, check=True).stdout
    assert said == command.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("signal", "line"),
    [
        ("HUP", b"signal HUP\n"),
        ("HUP:nginx", b"signal HUP nginx\n"),
        ("HUP:" + "x" * 40, b"signal HUP " + b"x" * 15 + b"\n"),
    ],
)
def test_a_process_is_known_by_as_much_of_its_name_as_the_system_keeps(signal: str, line: bytes) -> None:
    assert signal_line(signal) == line


@pytest.mark.parametrize(
    ("facts", "code", "back"),
    [
        ({"rc": "0", "back": ""}, 0, None),
        ({"rc": "7", "back": "yes"}, 7, True),
        ({"rc": "7", "back": "no"}, 7, False),
        ({"rc": "7", "back": "\x1b[2J"}, 7, None),
        ({}, 255, None),
        ({"rc": "-1"}, 255, None),
        ({"rc": "9" * 30}, 255, None),
        ({"rc": "256"}, 255, None),
    ],
)
def test_what_is_no_exit_code_is_a_failure(facts: dict[str, str], code: int, *, back: bool | None) -> None:
    assert Ran.read(facts) == Ran(code, back)


@pytest.mark.parametrize(
    ("ran", "run", "keeps", "said"),
    [
        (Ran(1, None), HookRun("before", 1, 0.1, "a\nb"), True, f"{NOTHING} before {ONE}: a / b"),
        (Ran(1, True), HookRun("after", 1, 0.1), True, f"{AFTER} {ONE}; what was there before is there again"),
        (Ran(1, False), HookRun("after", 1, 0.1), True, f"{AFTER} {ONE}; {LOST}"),
        (Ran(124, None), HookRun("after", 124, 61.0), False, f"{AFTER} took longer than 60 s and was ended"),
        (Ran(124, None), HookRun("after", 124, 1.0), False, f"{AFTER} failed with exit code 124"),
        (Ran(1, None), HookRun("signal", 1, 0.1), False, f"the signal {ONE}"),
    ],
)
def test_an_error_says_what_failed_and_what_has_become_of_it(ran: Ran, run: HookRun, said: str, *, keeps: bool) -> None:
    assert str(ran.error(run, 60, keeps=keeps)) == said

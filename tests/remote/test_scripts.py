"""The scripts as text: any shell can read them, whole, and they use what they are told."""

import re
import shutil
import subprocess

import pytest

from asynccp.remote.script import stripped

from .joined import COMMANDS, EVERY, SCRIPTS, joined, travelling, words

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}


def run(shell: str, script: str, *, check_only: bool = True) -> subprocess.CompletedProcess[str]:
    if shutil.which(SHELLS[shell][0]) is None:
        pytest.skip(f"this machine has no {shell}")
    argv = [*SHELLS[shell], *(["-n"] if check_only else [])]
    return subprocess.run(argv, input=script, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_one_that_every_shell_can_read(shell: str, kind: str) -> None:
    for text in (joined(kind), travelling(kind)):
        checked = run(shell, text)
        assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("shell", SHELLS)
def test_of_a_script_that_was_cut_off_nothing_is_run(shell: str, kind: str, share: float) -> None:
    text = travelling(kind)
    body = text[: text.rindex("}")]
    cut = run(shell, body[: int(share * len(body))], check_only=False)
    assert cut.returncode != 0
    assert cut.stdout == ""


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_script_uses_each_word_that_it_is_told(kind: str) -> None:
    text = joined(kind)
    told = words(COMMANDS[kind][1])
    assert told
    assert [word for word in told if not re.search(rf"\$\{{?{word}\b", text)] == []


def test_each_part_is_in_a_script() -> None:
    used = {part for parts, _ in EVERY.values() for part in parts}
    assert {path.stem for path in SCRIPTS.iterdir()} == used


@pytest.mark.parametrize("kind", EVERY)
def test_comments_and_indentation_do_not_travel(kind: str) -> None:
    lines = travelling(kind).splitlines()
    assert [line for line in lines if not line or line.startswith((" ", "\t", "#"))] == []


@pytest.mark.parametrize(
    ("text", "travels"),
    [
        ("a\n", "a\n"),
        ("# c\na\n", "a\n"),
        ("a\n\n\n    # c\n\tb # d\n", "a\nb # d\n"),
        ("  a  \n", "a  \n"),
        ("a=$b#c\n", "a=$b#c\n"),
        ("IFS='\n'\n", "IFS='\n'\n"),
    ],
)
def test_what_travels_of_a_script(text: str, travels: str) -> None:
    assert stripped(text) == travels

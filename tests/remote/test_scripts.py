"""The scripts as text: any shell can read them, whole, and they use what they are told."""

import re
import shutil
import subprocess
from pathlib import Path

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


LOADS = [  # of how many processes for each of how many CPUs at most; whether that is busy
    ("7.99", 2, 4, False), ("8.00", 2, 4, True), ("31.5", 8, 4, False), ("32.1", 8, 4, True), ("0.00", 1, 1, False),
    ("1.00", 0, 1, False),
]  # fmt: skip


@pytest.mark.parametrize(("load", "cpus", "most", "is_busy"), LOADS)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_node_is_busy_by_all_its_cpus_also_without_nproc(
    tmp_path: Path, shell: str, load: str, cpus: int, most: int, is_busy: bool
) -> None:
    (tmp_path / "loadavg").write_text(f"{load} 0.50 0.25 9/500 4711\n")
    each = "".join(f"cpu{number} 226555 7113 189378 1244865\n" for number in range(cpus))
    (tmp_path / "stat").write_text(f"cpu  471313 14088\n{each}intr 45 0 9\ncpux\ncpu7\n")
    script = f"PATH=/nowhere\n{(SCRIPTS / 'load.sh').read_text()}\nis_busy {most} {tmp_path} && echo busy\n:"
    ran = run(shell, script, check_only=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "busy\n" if is_busy else "", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_node_that_tells_no_load_is_not_busy(tmp_path: Path, shell: str) -> None:
    script = f"{(SCRIPTS / 'load.sh').read_text()}\nis_busy 0 {tmp_path} || echo not"
    assert run(shell, script, check_only=False).stdout == "not\n"


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

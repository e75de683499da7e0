"""The scripts of the shells, each run by its shell: what is put on the command line when somebody presses TAB."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from asynccp.cli.shells import SHELLS, script
from asynccp.errors import UsageError

# Stands in for the program: it answers at once, and writes down what it was asked.
PROGRAM = """\
#!/bin/sh
printf '%s\\n' "$@" >"$0.asked"
case $2-$# in
pu-2) echo "push	Copy files"; echo "pull	Copy files" ;;
*) for last; do :; done
    case $last in
    -l) ;;
    app=*:*) echo "app=web:/var/log/	"; echo "app=web:/var/lib/	" ;;
    app=*) echo "app=web	3 pods" ;;
    @*) echo "@web	of a file" ;;
    web-*) echo "web-0:	"; echo "web-1:	" ;;
    ./*) echo ":files	" ;;
    --con*) echo "--context	" ;;
    esac ;;
esac
"""

BASH = """\
source "$1"
compopt() { echo "compopt $*"; } # only a completion that is under way has options
COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:@'
_asynccp_complete asynccp
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def bin_directory(tmp_path: Path) -> Path:
    """A directory with our program in it, and files to complete."""
    program = tmp_path / "bin" / "asynccp"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    (tmp_path / "a file").touch()
    (tmp_path / "a-directory").mkdir()
    for shell in SHELLS:
        (tmp_path / f"script.{shell}").write_text(script(shell))
    return tmp_path


def shell(directory: Path, *argv: str) -> list[str]:
    environment = {**os.environ, "PATH": f"{directory / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(argv, cwd=directory, env=environment, capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


needs = {name: pytest.mark.skipif(not shutil.which(name), reason=f"there is no {name}") for name in SHELLS}


@needs["bash"]
@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("asynccp pu", ["push", "pull"]),
        ("asynccp push -l app=", ["web"]),
        ("asynccp push -l app=web:/v", ["compopt -o nospace", "/var/log/", "/var/lib/"]),
        ("asynccp push @", ["web"]),
        ("asynccp push --con", ["--context"]),
        ("asynccp pull web-", ["compopt -o nospace", "web-0:", "web-1:"]),
        ("asynccp push ./a", ["compopt -o nospace", "./a-directory/", "./a\\ file"]),
        ("asynccp push nothing", [""]),
    ],
)
def test_bash_puts_in_its_place_what_readline_will(bin_directory: Path, line: str, reply: list[str]) -> None:
    found = shell(bin_directory, "bash", "--norc", "-c", BASH, "bash", "script.bash", line)
    assert sorted(found) == sorted(reply)


@needs["bash"]
def test_bash_asks_with_the_words_up_to_the_cursor(bin_directory: Path) -> None:
    shell(bin_directory, "bash", "--norc", "-c", BASH, "bash", "script.bash", "asynccp push -n  team -l ")
    asked = (bin_directory / "bin" / "asynccp.asked").read_text()
    assert asked == "__complete\npush\n-n\nteam\n-l\n\n"


@needs["zsh"]
def test_zsh_hands_on_what_it_is_told(bin_directory: Path) -> None:
    driver = (
        "compadd() { local at=${@[(i)--]}; print -rl -- ${@[at+1,-1]}; }; compdef() { :; }; source ./script.zsh;"
        "words=(asynccp pull web-) CURRENT=3; _asynccp"
    )
    assert shell(bin_directory, "zsh", "-f", "-c", driver) == ["web-0:", "web-1:"]


@needs["fish"]
def test_fish_hands_on_what_it_is_told(bin_directory: Path) -> None:
    driver = "source script.fish; complete -C 'asynccp pull web-'"
    found = shell(bin_directory, "fish", "--no-config", "-c", driver)
    assert [line.partition("\t")[0] for line in found] == ["web-0:", "web-1:"]


@pytest.mark.parametrize("name", SHELLS)
def test_the_program_prints_the_script_of_a_shell(name: str) -> None:
    argv = [sys.executable, "-m", "asynccp", "completion", name]
    assert subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout == script(name)


def test_another_shell_is_told_which_there_are() -> None:
    with pytest.raises(UsageError, match=r"^completion is for bash, zsh, fish, not for tcsh$"):
        script("tcsh")

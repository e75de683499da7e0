"""What a container can do by the programs that it has: a table; and each shell's answer to the question for them."""

import subprocess
from pathlib import Path

import pytest

from asynccp.remote.tools import PROGRAMS, ability, tools_command

ALL = frozenset(PROGRAMS)


@pytest.mark.parametrize(
    ("there", "both_ways", "words"),
    [
        (ALL, True, "by its tar, compares what is there, digests"),
        ({"tar", "mkdir", "mv", "rm"}, True, "by its tar"),
        (ALL - {"mv"}, False, "by its tar, compares what is there, digests, a push lacks mv"),
        (ALL - {"tar"}, True, "by its shell, without tar, compares what is there, digests"),
        (
            ALL - {"tar", "sha256sum", "md5sum", "cksum", "chmod", "touch"},
            True,
            "by its shell, without tar, compares what is there, keeps no modes, keeps no times",
        ),
        (
            ALL - {"tar", "dd", "head"},
            False,
            "by its shell, without tar, compares what is there, digests, a push lacks tar or dd",
        ),
        (ALL - {"tar", "stat"}, False, "by its shell, without tar, digests, a pull lacks tar or stat"),
        (
            set(),
            False,
            (
                "it has no tar, keeps no modes, keeps no times, a push lacks mkdir and mv and rm and tar or dd, "
                "a pull lacks tar or stat and tar or dd"
            ),
        ),
    ],
)
def test_what_a_container_can_do(there: set[str], both_ways: bool, words: str) -> None:
    assert ability(there) == (both_ways, words)


def test_every_shell_names_the_programs_that_there_are(box: Path, tmp_path: Path) -> None:
    asked = tools_command("sh")
    done = subprocess.run(
        asked.argv,
        executable=box / "sh",
        env={"PATH": str(box)},
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    told = set(done.stdout.split())
    assert told == ({one.name for one in box.iterdir()} & ALL) | (told & {"tar"})
    assert (ability(told).both_ways, done.stderr) == (True, "")

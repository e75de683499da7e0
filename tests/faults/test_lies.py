"""Programs of a container that lie or stop early: told within seconds, on each rung, and nothing is torn.

Beside an ephemeral container the target's own programs take no part. One that falls silent before the end of its work
is no lie: only the deadline tells it from a slow disk.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from asynccp.options import CLOSE_GRACE_S, LOOK_EVERY_S, Deadlines, Failures, Options
from asynccp.report import Outcome
from asynccp.testing.kinds import Kind, no_tar
from benchmarks.trust.faults.storm import different
from tests.faults.fleet import Fleet, fleet

LATE_S = 1.0  # by default it is more
ONCE = Options(failures=Failures(retries=0), deadlines=Deadlines(late_after_s=LATE_S))
SOON_S = LATE_S + CLOSE_GRACE_S + 2 * LOOK_EVERY_S
FOR_EVER = "exec sleep 3600"


@dataclass(frozen=True)
class Lie:
    """What a program does in place of its work, in which `real` is the program that it stands for.

    when: a condition, for a program that does other work besides. forges: what it makes of a file's content is that
    file's, for all that anybody can tell.
    """

    program: str
    instead: str
    when: str = ":"
    forges: bool = False

    def kind(self, directory: Path) -> Kind:
        """Return a container with this program. Blocks."""
        programs: Mapping[str, str] = no_tar().programs or {}
        real = programs.get(self.program) or shutil.which(self.program)
        if real is None:
            pytest.skip(f"this machine has no {self.program}")
        script = directory / "programs" / self.program
        script.parent.mkdir()
        script.write_text(f'#!/bin/sh\nif {self.when}; then {self.instead}\nelse exec real "$@"\nfi\n')
        script.chmod(0o755)
        return Kind("lying", {**programs, self.program: str(script), "real": real})


GATHERS = 'case "$*" in *count*) false ;; *bs=65536*) ;; esac'
PACKS, UNPACKS = "[ -e /proc/$$/fd/7 ]", "case $(readlink /proc/$$/cwd) in */new) ;; *) false ;; esac"
PULLS = {
    "tar ends early": Lie("tar", 'real "$@" | head -c 150000'),
    "tar ends early, and is killed": Lie("tar", 'real "$@" | head -c 150000; kill -KILL $$'),
    "tar is killed in mid-archive": Lie("tar", 'real "$@" | head -c 150000; exit 137'),
    "tar says nothing": Lie("tar", ":"),
    "tar does not end behind its end": Lie("tar", f'real "$@"; {FOR_EVER}', "[ $1 = cf ]"),
    "tar goes on behind its end": Lie("tar", 'real "$@"; real "$@"'),
    "tar has half of it, whole": Lie("tar", 'real "$@" --exclude=large'),
    "dd sends less than it says": Lie("dd", 'real "$@" | head -c -10', PACKS, forges=True),
    "dd sends more than it says": Lie("dd", 'real "$@"; echo more', PACKS),
    "dd sends nothing": Lie("dd", 'real "$@" >/dev/null', PACKS),
    "dd is killed": Lie("dd", "kill -KILL $$", PACKS),
    "what gathers does not end behind its end": Lie("dd", f'real "$@"; {FOR_EVER}', GATHERS),
    "dd says nothing": Lie("dd", 'real "$@" 2>/dev/null', PACKS),
    "what gathers ends early": Lie("dd", "head -c 150000", GATHERS),
    "stat says nothing": Lie("stat", "exit 1", PACKS),
    "stat says what is no number": Lie("stat", 'real "$@" | while read -r m s l; do echo "$m x$s $l"; done', PACKS),
    "stat says other sizes": Lie("stat", 'real "$@" | while read -r m s l; do echo "$m $((s + 7)) $l"; done', PACKS),
    "stat says other names": Lie("stat", 'real "$@" | while read -r l; do echo "${l%//*}//./../../evil"; done', PACKS),
}
PUSHES = {
    "tar ends early": Lie("tar", 'head -c 150000 | real "$@" 2>/dev/null; :'),
    "tar takes nothing": Lie("tar", ":"),
    "tar is killed": Lie("tar", "kill -KILL $$"),
    "tar leaves something out": Lie("tar", 'real "$@" --exclude=large'),
    "dd drops what it took": Lie("dd", 'real "$@" | head -c -10', UNPACKS),
    "dd writes more than it took": Lie("dd", 'real "$@"; echo more', UNPACKS),
    "dd takes nothing": Lie("dd", ":", UNPACKS),
    "dd is killed": Lie("dd", "kill -KILL $$", UNPACKS),
    "mv moves nothing": Lie("mv", ":"),
    "mkdir makes nothing": Lie("mkdir", ":", UNPACKS),
    "ln links nothing": Lie("ln", ":", UNPACKS),
}


async def told(direction: str, lie: Lie, directory: Path) -> None:
    async with fleet(directory, kinds=[lie.kind(directory)]) as ours:
        report = await (ours.push if direction == "push" else ours.pull)(ONCE)
        await ours.cluster.wait_idle()
        (result,) = report.results
        assert result.outcome in (Outcome.FAILED, Outcome.CHANGED), result
        assert result.error.isprintable()
        assert lie.program == "tar" or not any(f"tar {word}" in result.error for word in ("ended", "failed", "stopped"))
        assert result.seconds < SOON_S
        assert_nothing_is_left(directory)
        if result.outcome is Outcome.FAILED and not lie.forges:  # what has changed is there, and named
            assert_nothing_is_torn(direction, ours)


def assert_nothing_is_left(directory: Path) -> None:
    assert not (directory / "evil").exists()
    assert not list(directory.rglob(".asynccp-*"))


def assert_nothing_is_torn(direction: str, ours: Fleet) -> None:
    there = ours.pods[0].root() / "tmp" if direction == "push" else ours.directory / "back" / "web-0"
    assert direction == "pull" or not list(there.iterdir()), "nothing was put in its place"
    for one in ("one", "two/large") if there.exists() else ():
        found = there / "tree" / one
        assert not found.exists() or found.read_bytes() == (ours.directory / "tree" / one).read_bytes()


@pytest.mark.parametrize("name", PULLS)
async def test_what_a_program_of_the_pod_does_to_a_pull_is_told_soon(name: str, tmp_path: Path) -> None:
    await told("pull", PULLS[name], tmp_path)


@pytest.mark.parametrize("name", PUSHES)
async def test_what_a_program_of_the_pod_does_to_a_push_is_told_soon(name: str, tmp_path: Path) -> None:
    await told("push", PUSHES[name], tmp_path)


async def test_a_program_that_does_its_work_does_no_harm(tmp_path: Path) -> None:
    async with fleet(tmp_path, kinds=[Lie("dd", 'real "$@"', PACKS).kind(tmp_path)]) as ours:
        assert (await ours.pull(ONCE)).ok
        assert different(tmp_path / "tree", tmp_path / "back" / "web-0" / "tree") == ""

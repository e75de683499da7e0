"""What a container brings, and what is there already: neither changes what is copied, nor is it changed."""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from asynccp.archive.layout import Blocks
from asynccp.remote.commands import PullRequest, PushRequest, pull_command, push_command

from .. import trees
from . import boxes
from .boxes import TOKEN, Process
from .joined import COMMANDS, joined
from .test_commands import Archive, BoxOf, take
from .variables import VARIABLES

WORDS = {word for kind in COMMANDS for word in re.findall(r"\b[a-z_]+\b", joined(kind))}
"""Of the scripts: all names of their variables are among them."""
THEIRS = [name for name in VARIABLES if not name.islower()]
"""Names that other programs heed, tried one by one, since two could undo each other. Those of ours the scripts alone
heed: one that they would use before they set it is seen with all of them at once."""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    for name in (".git/HEAD", "x.tmp", "keep", "a e/i.o", ".hidden"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    (tree / "link").symlink_to("keep")
    return tree


def assert_same_both_ways(box: Path, small: Path, tmp_path: Path, environment: Mapping[str, str]) -> None:
    """Push a tree, and pull it, in a container that has these variables."""
    archive = Archive(f"{small}/")
    request = PushRequest(token=TOKEN, directory="to/", blocks=archive.blocks)
    with Process(box, push_command(request), tmp_path, environment=environment) as pod:
        pod.line("hello")
        pod.stdin.write(archive.bytes)
        assert pod.put_in_place().facts["rc"] == "0", pod.said()
        pod.acknowledge()
        assert pod.exit_code() == 0
    assert trees.describe(tmp_path / "to") == trees.describe(small)
    with Process(box, pull_command(PullRequest(token=TOKEN, path=f"{small}/")), small, environment=environment) as pod:
        pod.line("hello")
        assert trees.describe_archive(take(pod)) == trees.describe(small)


@pytest.mark.parametrize("name", [*THEIRS, "all"])
def test_no_variable_changes_what_is_copied(box: Path, small: Path, tmp_path: Path, name: str) -> None:
    assert_same_both_ways(box, small, tmp_path, VARIABLES if name == "all" else {name: VARIABLES[name]})


@pytest.mark.parametrize("value", ["x", "yes", "/", "9", "none", ""])
def test_no_variable_with_a_name_of_ours_changes_what_is_copied(
    box: Path, small: Path, tmp_path: Path, value: str
) -> None:
    assert_same_both_ways(box, small, tmp_path, dict.fromkeys(WORDS, value))


def test_a_script_may_come_later_than_the_container_lets_a_shell_read(box_of: BoxOf, place: Path, small: Path) -> None:
    """Without dd it is bash that reads it."""
    box = without(box_of("bash-gnu"), place, "dd")
    command = pull_command(PullRequest(token=TOKEN, path=f"{small}/"))
    with Process(box, command._replace(script=b""), small, environment={"TMOUT": "0.001"}) as pod:
        pod.hear_for(0.2)
        pod.stdin.write(command.script)
        pod.line("hello")
        assert trees.describe_archive(take(pod)) == trees.describe(small)


def test_what_ls_heeds_changes_no_count(small: Path, tmp_path: Path) -> None:
    """Without find it is ls that tells how many bytes have come."""
    box = boxes.make(tmp_path, "dash-gnu-ls")
    assert box
    (box / "find").unlink()
    (small / "big").write_bytes(bytes(100_000))
    assert_same_both_ways(box, small, tmp_path, VARIABLES)


def wrapped(box: Path, place: Path, script: str, program: str = "tar") -> Path:
    """Return a box like another, in which a program is a wrapper around the real one."""
    new = Path(place, f"wrapped-{box.name}-{abs(hash(script))}")
    new.mkdir(exist_ok=True)
    for one in box.iterdir():
        if one.name != program and not (new / one.name).exists():
            (new / one.name).symlink_to(os.readlink(one))
    real = os.readlink(box / program)
    how = f"{real} {program}" if "busybox" in real or "toybox" in real else real
    (new / program).write_text(f"#!{os.readlink(box / 'sh')}\n{script.replace('REAL', how)}\n")
    (new / program).chmod(0o755)
    return new


@pytest.mark.parametrize("kind", ["dash-gnu", "bash-gnu", "dash-bsdtar"])
def test_a_tar_that_skips_what_it_receives_is_found_out(
    box_of: BoxOf,
    kind: str,
    place: Path,
    small: Path,
    tmp_path: Path,
) -> None:
    box = wrapped(box_of(kind), place, 'exec REAL "$@" --exclude=keep')
    archive = Archive(f"{small}/")
    with Process(box, push_command(PushRequest(token=TOKEN, directory="to/", blocks=archive.blocks)), tmp_path) as pod:
        pod.line("hello")
        pod.stdin.write(archive.bytes)
        received = pod.line("received").facts
        assert (received["rc"], received["sentinel"]) == ("0", "no")
        assert int(received["entries"]) < len(archive.layout.entries)
        pod.acknowledge()
        pod.exit_code()
    assert not (tmp_path / "to").exists()


def test_directories_that_are_there_keep_what_they_have(box: Path, tmp_path: Path) -> None:
    source = tmp_path / "rootfs"
    for name in ("tmp/one", "root/.ssh/key", "shared/new/file"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    there = {"tmp": 0o1777, "root": 0o700, "root/.ssh": 0o700, "shared": 0o2775}
    for dir_perms in (False, True):
        to = tmp_path / f"to-{dir_perms}"
        for name, mode in there.items():
            (to / name).mkdir(parents=True, exist_ok=True)
            (to / name).chmod(mode)
        archive = Archive(f"{source}/")
        request = PushRequest(token=TOKEN, directory=str(to), blocks=archive.blocks, dir_perms=dir_perms)
        with Process(box, push_command(request), tmp_path) as pod:
            pod.line("hello")
            pod.stdin.write(archive.bytes)
            assert pod.put_in_place().facts["rc"] == "0", pod.said()
            pod.acknowledge()
            assert pod.exit_code() == 0
        found = {name: stat.S_IMODE((to / name).stat().st_mode) for name in there}
        wanted = {name: stat.S_IMODE((source / name).stat().st_mode) for name in there} if dir_perms else there
        assert found == wanted
        assert (to / "shared/new/file").read_text() == "shared/new/file"


def test_what_is_new_in_a_directory_with_the_set_group_id_bit_gets_its_group(
    box: Path,
    tmp_path: Path,
) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a directory to a group of its choice")
    if not (box / "chown").exists() or not (box / "find").exists():
        pytest.skip("told instead")
    source = tmp_path / "tree"
    (source / "new/deeper").mkdir(parents=True)
    (source / "new/deeper/file").write_text("x")
    (source / "plain").write_text("x")
    to = tmp_path / "to"
    to.mkdir()
    os.chown(to, 0, 4321)
    to.chmod(0o2775)
    archive = Archive(f"{source}/")
    with Process(
        box, push_command(PushRequest(token=TOKEN, directory=str(to), blocks=archive.blocks)), tmp_path
    ) as pod:
        pod.line("hello")
        pod.stdin.write(archive.bytes)
        assert pod.put_in_place().facts["handed"] == "yes", pod.said()
        pod.acknowledge()
        assert pod.exit_code() == 0
    for path in to.rglob("*"):
        assert path.lstat().st_gid == 4321, path
        assert not path.is_dir() or path.stat().st_mode & stat.S_ISGID, path


def test_a_group_that_can_not_be_handed_down_is_told(box_of: BoxOf, place: Path, tmp_path: Path) -> None:
    """For want of chown; and of a program with set-id bits, which chown would take away."""
    if os.getuid() != 0:
        pytest.skip("only root can give a directory to a group of its choice")
    for tools, mode, handed in ((["chown"], 0o755, "no"), ([], 0o4755, "no"), ([], 0o755, "yes")):
        source, to = tmp_path / f"from-{mode}-{handed}", tmp_path / f"to-{mode}-{handed}"
        for one in (source, to):
            (one / "sub").mkdir(parents=True)
        (source / "sub/program").touch()
        (source / "sub/program").chmod(mode)
        os.chown(to / "sub", 0, 4321)
        (to / "sub").chmod(0o2775)
        archive = Archive(f"{source}/")
        command = push_command(PushRequest(token=TOKEN, directory=str(to), blocks=archive.blocks))
        with Process(without(box_of("dash-bsdtar"), place, *tools), command, tmp_path) as pod:
            pod.line("hello")
            pod.stdin.write(archive.bytes)
            facts = pod.put_in_place().facts
            assert (facts["rc"], facts["handed"]) == ("0", handed), pod.said()
        assert stat.S_IMODE((to / "sub/program").stat().st_mode) == mode


TOOLS = ["sleep", "rmdir", "chmod", "touch", "stat", "cat", "dd", "head", "find", "chown", "sha256sum", "gzip"]


def without(box: Path, place: Path, *tools: str) -> Path:
    new = Path(place, f"{box.name}-without-{'-'.join(tools)}")
    new.mkdir(exist_ok=True)
    for program in box.iterdir():
        if program.name not in tools and not (new / program.name).exists():
            (new / program.name).symlink_to(os.readlink(program))
    return new


@pytest.mark.parametrize("tool", [*TOOLS, "all"])
@pytest.mark.parametrize("kind", ["dash-gnu", "bash-gnu", "dash-bsdtar"])  # BusyBox's shell has its own of each
def test_no_helper_is_needed(
    box_of: BoxOf,
    kind: str,
    tool: str,
    place: Path,
    small: Path,
    tmp_path: Path,
) -> None:
    box = without(box_of(kind), place, *(TOOLS if tool == "all" else [tool]))
    archive = Archive(f"{small}/")
    with Process(box, push_command(PushRequest(token=TOKEN, directory="to/", blocks=archive.blocks)), tmp_path) as pod:
        counted = pod.line("hello").facts["count"] != "none"
        pod.stdin.write(archive.bytes)
        if counted:
            assert pod.put_in_place().facts["rc"] == "0", pod.said()
            pod.acknowledge()
        else:
            pod.stdin.close()
            assert pod.line("received").facts["sentinel"] == "yes"
            assert pod.line("done").facts["rc"] == "0"
        assert pod.exit_code() == 0
    assert trees.describe(tmp_path / "to") == trees.describe(small)
    with Process(box, pull_command(PullRequest(token=TOKEN, path=f"{small}/")), small) as pod:
        pod.line("hello")
        assert trees.describe_archive(take(pod)) == trees.describe(small)


@pytest.mark.parametrize("tool", ["mkdir", "mv", "rm"])
def test_what_is_needed_is_told_before_a_byte_moves(box_of: BoxOf, tool: str, place: Path, tmp_path: Path) -> None:
    box = without(box_of("dash-gnu"), place, tool)
    with Process(box, push_command(PushRequest(TOKEN, "new/", Blocks(512, 1, 0))), tmp_path) as pod:
        assert pod.line("hello").facts == {"problem": f"no-{tool}"}
        pod.acknowledge()
        assert pod.exit_code() == 1
    assert not (tmp_path / "new").exists()

"""Who may write where a push goes, and acts in the very moment that would do most harm: nothing elsewhere is changed.

A stranger here is a wrapper around a program that a push runs. On a real cluster: `tests.e2e.test_pod_strangers`.
"""

import hashlib
import os
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from . import boxes
from .boxes import NOBODY
from .joined import SCRIPTS
from .test_commands import Archive, BoxOf, ask, assert_refused, push, pushed
from .test_container import without, wrapped

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")


@pytest.fixture
def here(place: Path) -> Path:
    """A directory that every user can enter."""
    here = Path(tempfile.mkdtemp(dir=place))
    here.chmod(0o755)
    (here / "to").mkdir()
    return here


def box_here(here: Path, kind: str) -> Path:
    return boxes.make(here, kind) or pytest.skip(f"this machine can't be {kind}")


def archive_of(here: Path, *names: str) -> Archive:
    for name in names:
        (here / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "source" / name).write_text(name)
    return Archive(f"{here / 'source'}/")


# --- links out of the destination

Change = Callable[[Path], object]


def _give_away(path: Path) -> None:
    os.chown(path, NOBODY, NOBODY)


def _make_sticky(path: Path) -> None:
    path.chmod(0o1777)


REPLACEABLE: dict[str, Change] = {
    "its directory is open to all": lambda to: to.chmod(0o777),
    "its directory is open to a group": lambda to: to.chmod(0o775),
    "its directory is a stranger's": _give_away,
    "its directory is a stranger's, and sticky": lambda to: [change(to) for change in (_give_away, _make_sticky)],
    "it is a stranger's": lambda to: os.chown(to / "link", NOBODY, NOBODY, follow_symlinks=False),
}
SAFE: dict[str, Change] = {
    "its directory is closed": lambda to: to.chmod(0o755),
    "its directory is sticky": _make_sticky,
    "its directory is a group's, and sticky": lambda to: to.chmod(0o1775),
}


def push_through(box: Path, here: Path, change: Change) -> dict[str, str]:
    (here / "elsewhere").mkdir()
    (here / "to/sub").mkdir()
    (here / "to/sub/link").symlink_to(here / "elsewhere")
    change(here / "to/sub")
    return pushed(box, archive_of(here, "sub/link/file"), here)[0]


@pytest.mark.parametrize("how", REPLACEABLE)
@pytest.mark.parametrize("kind", ["dash-gnu-ls", "dash-gnu", "busybox", "toybox"])
def test_a_link_that_somebody_else_can_replace_is_not_followed(kind: str, how: str, here: Path) -> None:
    facts = push_through(box_here(here, kind), here, REPLACEABLE[how])
    assert (facts["rc"], facts["barred"]) == ("1", "1")
    assert list((here / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("how", SAFE)
@pytest.mark.parametrize("kind", ["dash-gnu-ls", "dash-gnu", "busybox", "toybox"])
def test_a_link_that_nobody_else_can_replace_is_followed(kind: str, how: str, here: Path) -> None:
    assert push_through(box_here(here, kind), here, SAFE[how])["rc"] == "0"
    assert (here / "elsewhere/file").read_text() == "sub/link/file"


# --- names that are swapped

PATH_OF = 'path_of() { readlink "/proc/self/fd/$1"; }'  # as place.sh has it, which does more than that


@pytest.mark.parametrize("kind", ["dash-gnu-readlink", "bash-gnu-readlink", "busybox"])
def test_a_file_that_is_written_in_place_is_not_made_where_a_link_leads(kind: str, here: Path) -> None:
    """A stranger puts it there after the push has seen a file; the one step that is left is run alone."""
    (here / "to/file").symlink_to(here / "made")
    (here / "new").mkdir()
    (here / "new/file").write_text("new")
    known = f"held={here} at={here}/to p=file; note() {{ :; }}; {PATH_OF}"
    script = f'. {SCRIPTS}/publish.sh; {known}; cd "$at" && overwrite file'
    box = box_here(here, kind)
    ran = subprocess.run(
        ["sh", "-c", script], executable=box / "sh", env={"PATH": str(box)}, capture_output=True, timeout=20
    )
    assert ran.returncode != 0
    assert not (here / "made").exists()
    (here / "to/file").unlink()
    (here / "to/file").write_text("older, and longer")
    subprocess.run(["sh", "-c", script], executable=box / "sh", env={"PATH": str(box)}, check=True, timeout=20)
    assert (here / "to/file").read_text() == "new"


@pytest.mark.parametrize("kind", ["dash-gnu", "bash-gnu", "dash-bsdtar"])
def test_a_directory_gets_its_mode_though_another_has_its_name_by_then(
    box_of: BoxOf, kind: str, place: Path, here: Path
) -> None:
    """One that its owner may not write is put in place writable, and closed there."""
    to = here / "to"
    stranger = f"""
        REAL "$@" || exit
        case $* in */closed*) REAL {to}/closed {to}/moved && REAL {to}/other {to}/closed ;; esac"""
    (to / "other").mkdir()
    (to / "other").chmod(0o755)
    for path in (to, to / "other"):
        os.chown(path, NOBODY, NOBODY)
    archive_of(here, "closed/file")
    (here / "source/closed").chmod(0o555)
    archive = Archive(f"{here / 'source'}/")
    pushed(wrapped(box_of(kind), place, stranger, "mv"), archive, here, powerless=True)
    assert (to / "moved/file").read_text() == "closed/file", "the stranger was there"
    assert stat.S_IMODE((to / "closed").stat().st_mode) == 0o755
    assert stat.S_IMODE((to / "moved").stat().st_mode) == 0o555


@pytest.mark.parametrize("precious", ["", "/precious"], ids=["a file", "a directory"])
@pytest.mark.parametrize("tool", ["rmdir", "rm"])
@pytest.mark.parametrize("kind", ["dash-gnu", "bash-gnu", "dash-bsdtar"])
def test_what_has_the_name_of_an_emptied_directory_of_ours_is_not_removed(
    box_of: BoxOf, kind: str, tool: str, precious: str, place: Path, here: Path
) -> None:
    """Where there is no rmdir, too."""
    stranger = f"""
        for last; do :; done
        last=${{last%/}}
        case $last in
        ./.asynccp-*)
            [ -e aside ] || mv "$last" aside && if [ "{precious}" ]; then mkdir "$last"; fi && : >"$last{precious}" ;;
        esac
        exec REAL "$@" """
    box = box_of(kind) if tool == "rmdir" else without(box_of(kind), place, "rmdir")
    assert pushed(wrapped(box, place, stranger, tool), archive_of(here, "file"), here)[0]["rc"] == "0"
    (kept,) = (here / "to").glob(".asynccp-*")
    assert Path(f"{kept}{precious}").is_file()


@pytest.mark.parametrize("kind", ["dash-gnu", "bash-gnu", "dash-bsdtar"])
def test_a_destination_that_can_not_be_made_makes_none_elsewhere(
    box_of: BoxOf, kind: str, place: Path, here: Path
) -> None:
    """A link that led nowhere leads somewhere when the system is asked why nothing can be made below it."""
    (here / "elsewhere").mkdir()
    (here / "link").symlink_to("nowhere")
    box = wrapped(box_of(kind), place, f'mv {here}/elsewhere {here}/nowhere; exec REAL "$@"', "mkdir")
    with push(box, str(here / "link/below"), here) as pod:
        assert_refused(pod, "cannot-create")
        assert pod.said()
    assert list((here / "nowhere").iterdir()) == []


@pytest.mark.parametrize("kind", ["dash-gnu", "bash-gnu", "dash-bsdtar"])
def test_what_was_received_is_asked_about_though_another_directory_has_its_name_by_then(
    box_of: BoxOf, kind: str, place: Path, here: Path
) -> None:
    (here / "elsewhere").mkdir()
    (here / "elsewhere/file").write_text("of somebody else")
    stranger = f"""
        REAL "$@" || exit
        d=$(pwd -P); mv "$d" "$d.aside"; mkdir "$d"; /bin/ln -s {here}/elsewhere "$d/new" """
    archive = archive_of(here, "file")
    with push(wrapped(box_of(kind), place, stranger), str(here / "to"), here, archive.blocks) as pod:
        pod.line("hello")
        pod.stdin.write(archive.bytes)
        pod.line("received")
        assert ask(pod, [b"file"], "sha256sum") == [hashlib.sha256(b"file").hexdigest()]
        pod.stdin.write(b"go\n")
        assert pod.line("done").facts["rc"] == "0"
    assert (here / "to/file").read_text() == "file"
    assert [path.name for path in (here / "elsewhere").iterdir()] == ["file"]

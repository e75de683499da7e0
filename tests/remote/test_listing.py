"""Listings: what is below a directory, as each kind of container tells it, and as hostile input."""

import contextlib
import os
import random
import shutil
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from asynccp.entry import Kind
from asynccp.plan.manifest import Item
from asynccp.remote.commands import ListRequest, list_command
from asynccp.remote.listing import ListingReader

from .. import trees
from . import boxes
from .boxes import TOKEN, Process
from .test_commands import BoxOf, ask, assert_refused
from .test_container import without, wrapped
from .variables import VARIABLES

WAYS = {
    "dash-gnu": "printf",
    "bash-gnu": "printf",
    "no-stat": "printf",
    "busybox": "xargs",
    "toybox": "walk",
    "no-find": "walk",
    "bash-gnu without find": "walk",
    "toybox without find": "walk",
    "busybox with sh=dash": "xargs",
    "busybox with sh=bash": "xargs",
    "dash-gnu-xargs with find=busybox": "xargs",
    "toybox without stat": "none",
    "toybox without cat": "none",
}
ABLE = [kind for kind, how in WAYS.items() if how != "none"]


@pytest.fixture
def lister_of(box_of: BoxOf, place: Path) -> BoxOf:
    def get_box(kind: str) -> Path:
        if kind in boxes.ALL:
            return box_of(kind)
        return place / kind if (place / kind).exists() else boxes.make(place, kind) or pytest.skip(f"no {kind} here")

    def get(kind: str) -> Path:
        kind, _, other = kind.partition(" with ")
        kind, _, tool = kind.partition(" without ")
        box = without(get_box(kind), place, tool) if tool else get_box(kind)
        return mixed(box, place, *other.split("=")) if other else box

    return get


def mixed(box: Path, place: Path, tool: str, program: str) -> Path:
    """Return a box like another, that has a program of another kind."""
    path = shutil.which(program) or pytest.skip(f"this machine has no {program}")
    new = Path(place, f"{box.name}-with-{tool}-{program}")
    if not new.exists():
        shutil.copytree(box, new, symlinks=True)
        (new / tool).unlink()
        (new / tool).symlink_to(path)
    return new


@pytest.fixture(params=ABLE)
def lister(request: pytest.FixtureRequest, lister_of: BoxOf) -> Path:
    """A box that can list, of each kind."""
    return lister_of(request.param)


def listing(
    box: Path,
    path: Path | str,
    here: Path,
    names: Sequence[bytes] = (),
    *,
    powerless: bool = False,
    follow: bool = True,
    one_file_system: bool = False,
) -> Process:
    request = ListRequest(token=TOKEN, path=str(path), names=names, follow=follow, one_file_system=one_file_system)
    return Process(box, list_command(request), here, powerless=powerless)


def read(pod: Process, names: Sequence[bytes] = ()) -> tuple[dict[bytes, Item], ListingReader]:
    """Return what the pod lists, each path once, and the reader that has come to its end."""
    assert "problem" not in pod.line("hello").facts
    reader, found = ListingReader(TOKEN, names), {}
    while not reader.ended:
        data = pod.read(65536)
        assert data, f"it ended before its listing did: {pod.said()}"
        for path, item in reader.feed(data):
            assert path not in found
            found[path] = item
    assert reader.rest == b""
    return found, reader


def listed(
    box: Path, path: Path | str, here: Path, names: Sequence[bytes] = (), **how: bool
) -> tuple[dict[bytes, Item], ListingReader]:
    """The same, and the pod has ended well."""
    with listing(box, path, here, names, **how) as pod:
        found = read(pod, names)
        pod.acknowledge()
        assert pod.exit_code() == 0
        assert pod.said() == ""
    return found


def truth(top: Path) -> dict[bytes, Item]:
    """Return what is there."""
    found = {b"": item(top)}
    for directory, directories, files in os.walk(os.fsencode(top)):
        for name in directories + files:
            path = os.path.join(directory, name)
            found[os.path.relpath(path, os.fsencode(top))] = item(path)
    return found


KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFLNK: Kind.SYMLINK}


def item(path: bytes | Path) -> Item:
    at = os.lstat(path)
    kind = KINDS.get(stat.S_IFMT(at.st_mode))
    return Item(
        kind,
        at.st_size if kind is Kind.FILE else 0,
        at.st_mtime_ns,
        stat.S_IMODE(at.st_mode),
        at.st_uid,
        at.st_gid,
        os.readlink(os.fsencode(path)) if kind is Kind.SYMLINK else b"",
        at.st_dev,
        at.st_ino,
        at.st_nlink,
    )


RECORD = "//81a4 1 2026-01-01 00:00:00.000000000 +0000 0 0 1 2 1 ./injected//./injected\n"
ODD = [
    b"\n",
    b"a\n",
    b"\na",
    b" -> ",
    b"x -> y",
    b"' -> '",
    b"%s%n\\n\\0",
    b"\\",
    b"*",
    b"?",
    b"[a-z]",
    b".a",
    b"..a",
    b"...",
    b"'",
    b'"',
    b"~",
    b"\r",
    b"\x01\x7f\x80\xff",
    b"asynccp 0123456789abcdef listed rc=0\n",
]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of what is seldom met."""
    top = trees.build(tmp_path_factory.mktemp("listing") / "tree")
    for name in ODD:
        (directory := top / "odd" / os.fsdecode(name)).mkdir(parents=True)
        for other in ODD[:6]:
            (directory / os.fsdecode(other)).touch()
        (directory / "link").symlink_to(os.fsdecode(name))
    for number, text in enumerate(["a\n", "\n", "' -> '", "//", f"x\n{RECORD}", "'\n//", "x" * 4000, " ", "/proc"]):
        (top / f"to {number}\n").symlink_to(text)
    for number in range(45):  # more than go to one program, or one pattern, at a time
        (top / "many" / str(number) / "below").mkdir(parents=True)
        (top / "many" / str(number) / "below" / ".file").touch()
    for number in range(450):
        (top / "many" / f"file {number}").touch()
    os.mkfifo(top / "fifo", 0o4711)
    (top / "set-ids").touch()
    (top / "set-ids").chmod(0o6755)
    (top / "sticky").mkdir()
    (top / "sticky").chmod(0o1777)
    with open(top / "large", "wb") as file:
        file.truncate(5 * 1024**3)
    for number, time_ns in enumerate(
        (5, 0, -1, -1_000_000_000, -86_400_500_000_000, 15_032_385_535 * 10**9, 7 * 10**16)
    ):
        (top / f"time {number}").touch()
        os.utime(top / f"time {number}", ns=(0, time_ns))
    if os.getuid() == 0:
        os.chown(top / "large", 4_000_000_000, 1234)
    return top


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of which no pipe can hold the listing."""
    top = tmp_path_factory.mktemp("crowd")
    for number in range(3000):
        if number % 100 == 0:
            (top / str(number // 100)).mkdir()
        (top / str(number // 100) / f"{number:0200}").touch()
    return top


# --- what a pod tells


@pytest.mark.parametrize(("kind", "how"), WAYS.items())
def test_the_first_way_that_works_is_taken(lister_of: BoxOf, kind: str, how: str, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    found, reader = listed(lister_of(kind), f"{tmp_path}/", tmp_path)
    assert (reader.how, reader.code) == (how, 1 if how == "none" else 0)
    assert found == ({} if how == "none" else truth(tmp_path))


def test_all_that_is_there_is_told_to_the_byte(lister: Path, odd: Path) -> None:
    found, reader = listed(lister, f"{odd}/", odd)
    assert found == truth(odd)
    assert (reader.code, reader.unlisted, reader.mounts) == (0, [], set())


def test_a_single_file_has_its_name(lister: Path, odd: Path) -> None:
    for name in ("plain", "back\\slash", "new\nline", "-rf", "fifo"):
        assert listed(lister, odd / name, odd)[0] == {os.fsencode(name): item(odd / name)}


def test_a_link_that_was_named_is_followed_or_is_what_is_told(lister: Path, odd: Path) -> None:
    link = odd / "links/parent"
    assert listed(lister, link, odd)[0] == truth(odd)
    assert listed(lister, link, odd, follow=False)[0] == {b"parent": item(link)}
    dangling = odd / "dangling"
    assert listed(lister, dangling, odd, follow=False)[0] == {b"dangling": item(dangling)}


def test_names_are_told_that_were_asked_for(lister: Path, odd: Path) -> None:
    names = [b"plain", b"odd/a\n", b"links", b"not there", b"odd/not/there", b"fifo", b"odd/*", b"back\\slash"]
    below = {
        path: item
        for path, item in truth(odd).items()
        if any(path == name or path.startswith(name + b"/") for name in names)
    }
    found, reader = listed(lister, odd, odd, names)
    assert found == below
    assert reader.code == 0


def test_more_names_than_a_command_line_takes(lister: Path, tmp_path: Path) -> None:
    names = [b"%0200d" % number for number in range(1000)]
    for name in names:
        (tmp_path / os.fsdecode(name)).touch()
    assert set(listed(lister, tmp_path, tmp_path, names[::2])[0]) == set(names[::2])


def test_a_directory_that_may_not_be_read_is_told_and_all_else_is_there(lister: Path, place: Path) -> None:
    top = Path(tempfile.mkdtemp(dir=place))
    top.chmod(0o755)
    closed = {"no\nread\n": 0o311, "no enter": 0o644, "neither": 0o000}
    for name, mode in closed.items():
        (top / "open" / name).mkdir(parents=True)
        (top / "open" / name / "file").touch()
        (top / "open" / name).chmod(mode)
    (top / "open/file").touch()
    found, reader = listed(lister, f"{top}/", place, powerless=True)
    hidden = {b"open/" + name.encode() for name in closed}
    assert reader.code == 1
    assert (set(reader.unlisted), reader.unlisted_count) == (hidden, 3)
    seen = {path: item for path, item in truth(top).items() if os.path.dirname(path) not in hidden}
    assert {path: found[path] for path in seen} == seen
    assert found.keys() - seen.keys() <= {b"open/no enter/file"}


@pytest.mark.parametrize(("path", "problem"), [("no", "missing"), ("file/", "no-contents"), ("dangling", "dangling")])
def test_what_is_not_there_is_told_before(lister: Path, path: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    with listing(lister, f"{tmp_path}/{path}", tmp_path) as pod:
        assert_refused(pod, problem)


def test_names_below_what_is_no_directory(lister: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with listing(lister, tmp_path / "file", tmp_path, [b"a"]) as pod:
        assert_refused(pod, "no-contents")


def test_mount_points_are_told_and_left_out_where_one_file_system_is_asked_for(lister: Path) -> None:
    """/dev has others mounted in it on every Linux."""
    mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    below = {os.fsencode(mount).removeprefix(b"/dev/") for mount in mounts if mount.startswith("/dev/")}
    if not below:
        pytest.skip("nothing is mounted below /dev")
    found, reader = listed(lister, "/dev/", Path("/"))
    assert reader.mounts == below
    (device,) = {found[b""].device}
    one, reader = listed(lister, "/dev/", Path("/"), one_file_system=True)
    assert reader.mounts == below
    assert {item.device for path, item in one.items() if path not in below} == {device}
    assert {path for path in found if found[path].device == device} <= one.keys()


def test_links_whose_size_tells_nothing(lister: Path) -> None:
    name = b"proc/%d/ns" % os.getpid()
    found, reader = listed(lister, "/", Path("/"), [name])
    assert found[name + b"/mnt"].link == os.fsencode(os.readlink("/proc/self/ns/mnt"))
    assert b"proc" in reader.mounts


def test_questions_are_answered_after_a_listing(lister: Path, odd: Path) -> None:
    if not (lister / "sha256sum").exists():
        pytest.skip("nothing that makes a digest")
    with listing(lister, f"{odd}/", odd) as pod:
        read(pod)
        assert ask(pod, [b"plain", b"new\nline", b"not there"], "sha256sum")[2] is None
        assert None not in ask(pod, [b"every byte"], "sha256sum")
        pod.acknowledge()
        assert pod.exit_code() == 0


@pytest.mark.parametrize("kind", ["dash-gnu", "bash-gnu", "no-find", "bash-gnu without find", "toybox", "busybox"])
def test_what_a_container_brings_along_changes_no_listing(lister_of: BoxOf, kind: str, odd: Path) -> None:
    command = list_command(ListRequest(token=TOKEN, path=f"{odd}/"))
    with Process(lister_of(kind), command, odd, environment=VARIABLES) as pod:
        assert read(pod)[0] == truth(odd)
        pod.acknowledge()
        assert pod.exit_code() == 0


@pytest.mark.parametrize("kind", ["dash-gnu-xargs with find=busybox", "no-find"])
def test_files_that_go_meanwhile_do_no_harm(lister_of: BoxOf, kind: str, place: Path, tmp_path: Path) -> None:
    """They go between the moment when their names are known and that when stat looks at them."""
    for number in range(500):
        (tmp_path / f"{number:03}").write_text("x" * number)
    box = wrapped(lister_of(kind), place, f'[ $# = 3 ] || rm -f {tmp_path}/1??\nexec REAL "$@"', "stat")
    before = truth(tmp_path)
    found, _ = listed(box, f"{tmp_path}/", tmp_path)
    assert found.keys() == {path for path in before if not path.startswith(b"1")}
    del found[b""]
    assert found == {path: before[path] for path in found}


@pytest.mark.parametrize(
    ("kind", "program", "script"),
    [
        (
            "dash-gnu",
            "find",
            'case "$*" in *unlisted*) REAL "$@" | head -c 2000; kill -KILL $$ ;; esac; exec REAL "$@"',
        ),
        ("dash-gnu-xargs with find=busybox", "find", 'REAL "$@"; case "$*" in *-prune*) ;; *) kill -KILL $$ ;; esac'),
        ("no-find", "stat", '[ $# = 3 ] || { REAL "$@" | head -c 2000; kill -KILL $$; }; exec REAL "$@"'),
        (
            "dash-gnu-xargs with find=busybox",
            "stat",
            '[ $# = 3 ] || { REAL "$@" | head -c 2000; kill -KILL $$; }; exec REAL "$@"',
        ),
        ("dash-gnu-xargs with find=busybox", "xargs", '[ "$2" = -n ] && exec REAL "$@"; REAL "$@"; kill -KILL $$'),
        ("dash-gnu", "cat", '[ $# = 0 ] || exec REAL "$@"; head -c 2000; kill -KILL $$'),
    ],
)
def test_a_listing_of_which_a_program_was_killed_has_no_end(
    lister_of: BoxOf, kind: str, program: str, script: str, place: Path, odd: Path
) -> None:
    box = wrapped(lister_of(kind), place, script, program)
    with listing(box, f"{odd}/", odd) as pod:
        assert pod.line("hello").facts["directory"] == "yes"
        assert b"//asynccp" not in pod.rest()
        assert pod.exit_code() == 137


# --- what is left


def test_a_listing_whose_client_vanishes_leaves_no_process(lister: Path, crowd: Path) -> None:
    """It fills the pipe, and nobody reads any more."""
    with listing(lister, f"{crowd}/", crowd) as pod:
        pod.line("hello")
        pod.wait_until_blocked()
        pod.stdin.close()
        assert pod.exit_code() != 0
        assert b"//asynccp" not in pod.rest()


def test_nothing_is_left_at_whatever_moment_a_client_of_a_listing_vanishes(lister: Path, crowd: Path) -> None:
    chance = random.Random(1)
    for _ in range(20):
        with listing(lister, f"{crowd}/", crowd, powerless=chance.random() < 0.3) as pod:
            pod.hear_for(chance.random() * 0.06)
            pod.stdin.close()
            pod.exit_code()


def test_a_listing_that_nobody_hears_ends_itself(lister_of: BoxOf, crowd: Path) -> None:
    asked = list_command(ListRequest(token=TOKEN, path=f"{crowd}/"))
    with contextlib.ExitStack() as stack:
        pods = [stack.enter_context(Process(lister_of(kind), asked, crowd, life_s=2)) for kind in ABLE]
        for pod in pods:
            pod.line("hello")
            pod.wait_until_blocked()
        for pod in pods:
            pod.exit_code()

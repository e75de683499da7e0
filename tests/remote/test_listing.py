"""Listings: what is below a directory, as each kind of container tells it, and as hostile input."""

import contextlib
import datetime
import os
import random
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.entry import Kind
from asynccp.errors import ProtocolViolation
from asynccp.plan.links import Ways, followed
from asynccp.plan.manifest import Item
from asynccp.remote.agent import TarAgent
from asynccp.remote.commands import ListRequest, list_command
from asynccp.remote.listing import MAX_UNLISTED, ListingReader

from .. import trees
from . import boxes
from .boxes import TOKEN, Process
from .test_commands import BoxOf, ask, assert_refused
from .test_container import WORDS, without, wrapped
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
    if sys.platform != "linux":
        pytest.skip("this machine's find and stat are those of no container")

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
    copy_links: bool = False,
) -> Process:
    request = ListRequest(TOKEN, str(path), names, follow, one_file_system, copy_links)
    return Process(box, list_command(request), here, powerless=powerless)


def read(
    pod: Process, names: Sequence[bytes] = (), *, may_repeat: bool = False
) -> tuple[dict[bytes, Item], ListingReader]:
    """Return what the pod lists, each path once, and the reader that has come to its end."""
    assert "problem" not in pod.line("hello").facts
    reader, found = ListingReader(TOKEN, names), {}
    while not reader.ended:
        data = pod.read(65536)
        assert data, f"it ended before its listing did: {pod.said()}"
        for path, item in reader.feed(data):
            assert may_repeat or path not in found
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


def item(path: bytes | Path, *, follow: bool = False) -> Item:
    at = os.stat(path, follow_symlinks=follow)
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


# --- how it is asked


@pytest.mark.parametrize(
    ("path", "names", "directory", "name", "lines"),
    [
        ("/var/log/", (), "/var/log", ".", b"./\n\n"),
        ("/var/log", (), "/var", "./log", b"./\n\n"),
        ("/var/log", (b"a b", b"c/\xff"), "/var/log", ".", b"./a b\n./c/\\0377\n\n"),
        ("~/x", (b"-rf",), "./x", ".", b"./-rf\n\n"),
        ("-rf", (), ".", "./-rf", b"./\n\n"),
    ],
)
def test_the_command_of_a_listing(path: str, names: tuple[bytes, ...], directory: str, name: str, lines: bytes) -> None:
    asked = TarAgent().command(ListRequest(token=TOKEN, path=path, names=names), shell="sh")
    empty = list_command(ListRequest(token=TOKEN, path="/")).script.removesuffix(b"./\n\n")
    assert asked.script == empty + lines, "the script is fixed text, the names stand behind it"
    assert asked.argv[3:8] == ("sh", TOKEN, str(len(empty)), directory, name)


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


def test_what_is_on_another_disk_is_told_too(lister: Path, tmp_path: Path) -> None:
    """Also where nothing below it is a pseudo file system."""
    disk = tmp_path / "dir/disk"
    disk.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "none", disk], capture_output=True).returncode:
        pytest.skip("only root may mount")
    try:
        (disk / "below").mkdir()
        (disk / "below/file").touch()
        everything = {b"", b"dir", b"dir/disk", b"dir/disk/below", b"dir/disk/below/file"}
        found, reader = listed(lister, f"{tmp_path}/", Path("/"))
        assert (set(found), reader.mounts) == (everything, {b"dir/disk"})
        one, _ = listed(lister, f"{tmp_path}/", Path("/"), one_file_system=True)
        assert one.keys() == {b"", b"dir", b"dir/disk"}
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_links_are_told_as_what_they_lead_to_where_that_is_asked_for(lister: Path, tmp_path: Path) -> None:
    elsewhere, top = tmp_path / "elsewhere", tmp_path / "top"
    for directory in (elsewhere / "deep", top / "real"):
        directory.mkdir(parents=True)
    for file in (elsewhere / "deep/log", elsewhere / "one.log", top / "real/file"):
        file.write_text(str(file))
    links = {"dir": elsewhere, "file": Path("real/file"), "f\nr": elsewhere / "one.log", "real/up": elsewhere / "deep"}
    for name, target in links.items():
        (top / name).symlink_to(target)
    (top / "dangling").symlink_to("nowhere")
    (elsewhere / "deep/dangling").symlink_to("no\nwhere")
    found, reader = listed(lister, f"{top}/", top, copy_links=True)
    walked = {os.path.join(one, name) for one, *some in os.walk(top, followlinks=True) for name in (*some[0], *some[1])}
    paths = {b"", *(os.fsencode(os.path.relpath(path, top)) for path in walked)}
    dangling = {b"dangling": b"nowhere", b"dir/deep/dangling": b"no\nwhere", b"real/up/dangling": b"no\nwhere"}
    leads = {path: item(top / os.fsdecode(path), follow=path not in dangling) for path in paths}
    assert found == leads
    assert {path: one.link for path, one in found.items() if one.kind is Kind.SYMLINK} == dangling
    assert os.stat("/proc").st_dev in reader.pseudo
    assert reader.pseudo[os.stat("/proc").st_dev] == "proc"


def test_a_link_that_leads_back_is_an_end(lister: Path, tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "a/b").mkdir(parents=True)
    (top / "a/file").touch()
    (top / "a/b/back").symlink_to("..")
    (top / "down").symlink_to(".")
    (top / "itself").symlink_to("itself")
    found, reader = listed(lister, f"{top}/", top, copy_links=True)
    manifest, reasons = followed(found, Ways(reader.pseudo, reader.hollow.keys(), reader.links))
    assert {path for path, one in manifest.items() if one.kind} == {b"", b"a", b"a/b", b"a/file"}
    assert set(reasons) == {b"a/b/back", b"down", b"itself"}


def test_a_loop_of_two_links_ends_too(lister: Path, tmp_path: Path) -> None:
    top, far = tmp_path / "top", tmp_path / "far"
    for directory in (top, far):
        directory.mkdir()
        (directory / "file").touch()
    (top / "to").symlink_to(far)
    (far / "fro").symlink_to(top)
    with listing(lister, f"{top}/", top, copy_links=True) as pod:
        found, reader = read(pod, may_repeat=True)
        pod.acknowledge()
        assert pod.exit_code() == 0
    manifest, reasons = followed(found, Ways(reader.pseudo, reader.hollow.keys(), reader.links))
    assert {path for path, one in manifest.items() if one.kind} == {b"", b"file", b"to", b"to/file"}
    assert set(reasons) <= {b"to/fro"}  # GNU find alone complains and tells no path, since the link is not below


def test_links_whose_size_tells_nothing(lister: Path) -> None:
    name = b"proc/%d/ns" % os.getpid()
    found, reader = listed(lister, "/", Path("/"), [name])
    assert found[name + b"/mnt"].link == os.fsencode(os.readlink("/proc/self/ns/mnt"))
    assert b"proc" in reader.mounts


def test_a_pseudo_file_system_is_not_looked_into(lister: Path) -> None:
    """There a link may tell any size, and its text is another."""
    found, reader = listed(lister, "/", Path("/"), [b"proc", b"etc/hostname"])
    assert {b"proc", b"etc/hostname"} == found.keys()
    assert b"proc" in reader.mounts
    assert reader.hollow[b"proc"] == "proc"


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
    for variables in (VARIABLES, dict.fromkeys(WORDS, "x"), dict.fromkeys(WORDS, "yes")):
        with Process(lister_of(kind), command, odd, environment=variables) as pod:
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


@pytest.mark.parametrize("kind", ["dash-gnu", "dash-gnu-xargs with find=busybox"])
@pytest.mark.parametrize(
    ("complaint", "code"),
    [
        ("find: ./gone: No such file or directory", 0),
        ("find: './gone': No such file or directory\nfind: './a b': No such file or directory", 0),
        ("find: ./bad: Input/output error", 1),
        ("find: ./gone: No such file or directory\nfind: ./bad: Input/output error", 1),
        ("", 1),
    ],
)
def test_what_find_saw_go_is_nothing_that_could_not_be_listed(
    lister_of: BoxOf, kind: str, place: Path, tmp_path: Path, complaint: str, code: int
) -> None:
    """It is no other than one that went before."""
    (tmp_path / "a").touch()
    script = f"""
    case "$*" in *unlisted* | *"-o -print0") REAL "$@"; printf %s {shlex.quote(complaint)} >&2; exit 1 ;; esac
    exec REAL "$@"
    """
    found, reader = listed(wrapped(lister_of(kind), place, script, "find"), f"{tmp_path}/", tmp_path)
    assert (found, reader.code) == (truth(tmp_path), code)


@pytest.mark.parametrize(
    ("kind", "program", "script"),
    [
        (
            "dash-gnu",
            "find",
            'case "$*" in *unlisted*) REAL "$@" | head -c 2000; kill -KILL $$ ;; esac; exec REAL "$@"',
        ),
        (
            "dash-gnu-xargs with find=busybox",
            "find",
            'REAL "$@" || exit; case "$*" in *"-o -print0") kill -KILL $$ ;; esac',
        ),
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


# --- what a reader makes of what it is told

END = b"//asynccp 0123456789abcdef listed rc=0\n"


def begin(how: str) -> bytes:
    return f"asynccp {TOKEN} listing how={how}\n".encode()


def day(seconds: int) -> bytes:
    """Return a time as every stat prints it."""
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S").encode()


LETTERS = {Kind.FILE: b"f", Kind.DIRECTORY: b"d", Kind.SYMLINK: b"l", None: b"p"}
TYPES = {Kind.FILE: stat.S_IFREG, Kind.DIRECTORY: stat.S_IFDIR, Kind.SYMLINK: stat.S_IFLNK, None: stat.S_IFIFO}


def said_path(path: bytes) -> bytes:
    return b"./" + path if path else b"."


def by_find(path: bytes, item: Item) -> bytes:
    seconds, fraction = divmod(item.mtime_ns, 10**9)
    size = len(item.link) or item.size
    numbers = (item.uid, item.gid, item.device, item.inode, item.names)
    head = b"%b%o %d %d.%09d0 %d %d %d %d %d " % (LETTERS[item.kind], item.mode, size, seconds, fraction, *numbers)
    return head + said_path(path) + b"\0" + item.link + b"\0"


def by_stat(path: bytes, item: Item, link: bytes, other: bytes) -> bytes:
    seconds, fraction = divmod(item.mtime_ns, 10**9)
    size = len(item.link) or item.size
    numbers = (item.uid, item.gid, item.device, item.inode, item.names)
    mode = item.mode | TYPES[item.kind]
    head = b"//%x %d %b.%09d +0000 %d %d %d %d %d " % (mode, size, day(seconds), fraction, *numbers)
    said = said_path(path)
    quoted = link.replace(b"TEXT", item.link) if item.kind is Kind.SYMLINK else other
    return head + said + b"//" + quoted.replace(b"NAME", said) + b"\n"


PRINTERS: dict[str, tuple[str, Callable[[bytes, Item], bytes]]] = {
    "GNU find": ("printf", by_find),
    "GNU": ("walk", lambda path, item: by_stat(path, item, b"NAME -> TEXT", b"NAME")),
    "BusyBox": ("xargs", lambda path, item: by_stat(path, item, b"'NAME' -> 'TEXT'", b"NAME")),
    "toybox": ("walk", lambda path, item: by_stat(path, item, b"NAME -> 'TEXT'", b"NAME")),
    "older": ("xargs", lambda path, item: by_stat(path, item, b"'NAME' -> 'TEXT'", b"'NAME'")),
}
components = st.one_of(
    st.sampled_from([b"\n", b"a\n", b"' -> '", b" -> ", b"'", b"\\", b"...", b"81a4 1"]),
    st.binary(min_size=1, max_size=12),
).map(lambda name: name.replace(b"\0", b"x").replace(b"/", b"x") + (b"x" if name in (b".", b"..") else b""))
paths = st.lists(components, max_size=4).map(b"/".join)
texts = st.one_of(
    st.binary(min_size=1, max_size=30), st.sampled_from([b"//", b"'\n//", b"\n//", b"\n" + END, RECORD.encode()])
).map(lambda text: text.replace(b"\0", b"x"))
whole = st.integers(0, 2**64 - 1)
times = st.integers(-(10**9) * 10**9, 9 * 10**18)


def some(kinds: st.SearchStrategy[Kind | None], sizes: st.SearchStrategy[int], links: st.SearchStrategy[bytes]):  # type: ignore[no-untyped-def]
    return st.builds(Item, kinds, sizes, times, st.integers(0, 0o7777), whole, whole, links, whole, whole, whole)


items = st.one_of(
    some(st.just(Kind.FILE), whole, st.just(b"")),
    some(st.sampled_from([Kind.DIRECTORY, None]), st.just(0), st.just(b"")),
    some(st.just(Kind.SYMLINK), st.just(0), texts),
)


def pieces(stream: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    for size in sizes:
        yield stream[:size]
        stream = stream[size:]
    yield stream


@pytest.mark.parametrize("printer", PRINTERS)
@given(st.lists(st.tuples(paths, items), max_size=12), st.lists(st.integers(1, 200), max_size=40), st.booleans())
def test_what_is_told_is_read_to_the_byte_however_it_is_cut(
    printer: str, told: list[tuple[bytes, Item]], sizes: list[int], more: bool
) -> None:
    how, printed = PRINTERS[printer]
    follows = b"asynccp 0123456789abcdef summed\n" * 20 if more else b""
    stream = begin(how) + b"".join(printed(path, item) for path, item in told) + END + follows
    reader = ListingReader(TOKEN)
    assert [one for piece in pieces(stream, sizes) for one in reader.feed(piece)] == told
    assert (reader.how, reader.code, reader.rest) == (how, 0, follows)


@pytest.mark.parametrize("printer", PRINTERS)
@given(st.data())
def test_whatever_is_told_a_path_is_one_below_what_was_asked_for(printer: str, data: st.DataObject) -> None:
    how, printed = PRINTERS[printer]
    told = data.draw(st.lists(st.tuples(paths, items), min_size=1, max_size=5))
    stream = bytearray(
        begin(how) + b"".join(printed(b"a/" + path if path else b"a", item) for path, item in told) + END
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(len(begin(how)), len(stream)))
        size = data.draw(st.integers(0, 3))
        stream[at : at + size] = data.draw(
            st.one_of(
                st.sampled_from([b"../", b"/..", b"/./", b"//", b"\n", b"\0", b"./", b"/", b"-", b"9"]), st.binary()
            )
        )
    reader = ListingReader(TOKEN, [b"a"])
    with contextlib.suppress(ProtocolViolation):
        for piece in pieces(bytes(stream), data.draw(st.lists(st.integers(1, 100), max_size=20))):
            for path, item in reader.feed(piece):
                assert path.split(b"/")[0] == b"a"
                assert not {b"", b".", b".."} & set(path.split(b"/"))
                assert b"\0" not in path
                assert item.mode <= 0o7777


FILE = b"//81a4 1 2026-01-01 00:00:00.000000000 +0000 0 0 1 2 1 "
FOUND = b"f644 1 1.0000000000 0 0 1 2 1 "


def by_name(path: bytes) -> bytes:
    return FILE + path + b"//" + path + b"\n"


@pytest.mark.parametrize(
    "path",
    [
        b"..",
        b"./..",
        b"./../etc/passwd",
        b"./a/../../b",
        b"./a/..",
        b"./.",
        b"./a/.",
        b"./",
        b"./a/",
        b"/etc/passwd",
        b"a",
        b"-rf",
        b"\x1b[2J",
        b"./" + b"x" * 5000,
        b"./a/./b",
    ],
)
def test_a_path_that_leads_elsewhere_is_a_violation(path: bytes) -> None:
    for how, said in (("printf", FOUND + path + b"\0\0"), ("walk", by_name(path))):
        for word in (said, b"mount " + path + b"\0\0" if how == "printf" else b"//mount " + path + b"\n"):
            with pytest.raises(ProtocolViolation) as caught:
                list(ListingReader(TOKEN).feed(begin(how) + word + END))
            assert "\x1b" not in str(caught.value)
            assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("printf", b"f644 1 1.0000000000 0 0 1 2 ./a\0\0"),
        ("printf", b"f644 -1 1.0000000000 0 0 1 2 1 ./a\0\0"),
        ("printf", b"f648 1 1.0000000000 0 0 1 2 1 ./a\0\0"),
        ("printf", b"f644 1 1 0 0 1 2 1 ./a\0\0"),
        ("printf", b"f644 1 1.5 0 0 1 2 1 ./a\0\0"),
        ("printf", b"f644 " + b"9" * 21 + b" 1.0000000000 0 0 1 2 1 ./a\0\0"),
        ("printf", "f644 \u0663 1.0000000000 0 0 1 2 1 ./a\0\0".encode()),
        ("printf", b"l777 1 1.0000000000 0 0 1 2 1 ./a\0" + b"x" * 4097 + b"\0"),
        ("printf", b"\0\0"),
        ("printf", b"x" * 20_000),
        ("printf", b"hidden ./a\0\0"),
        ("printf", b"hollow ./a\0\0"),
        ("printf", b"pseudo ./a\0\0"),
        ("printf", b"pseudo 0:99999999999 proc\0\0"),
        ("walk", b"//pseudo 0:5 a;b\n"),
        ("printf", b"hollow \x1b[2J ./a\0\0"),
        ("walk", FILE + b"./a\0b//./a\0b\n"),
        ("walk", FILE + b"./a//./b\n"),
        ("walk", FILE + b"./a"),
        ("walk", FILE.replace(b"81a4", b"g1a4") + b"./a//./a\n"),
        ("walk", FILE.replace(b"-01-01", b"-13-01") + b"./a//./a\n"),
        ("walk", FILE.replace(b"-01-01", b"-02-30") + b"./a//./a\n"),
        ("walk", FILE.replace(b"+0000", b"+0100") + b"./a//./a\n"),
        ("walk", FILE.replace(b"81a4", b"a1ff").replace(b" 1 2026", b" 5000 2026") + b"./a//./a -> x\n"),
        ("walk", FILE.replace(b"81a4", b"a1ff").replace(b" 1 2026", b" 2 2026") + b"./a//./a -> x\n"),
        ("walk", b"x" * 20_000),
        ("walk", b"//x" * 200),
        ("none", by_name(b"./a") * 200),
        ("elsewise", b""),
        ("", b""),
    ],
)
def test_what_is_no_item_is_a_violation(how: str, said: bytes) -> None:
    reader = ListingReader(TOKEN)
    with pytest.raises(ProtocolViolation):
        list(reader.feed(begin(how) + said + END + b"x" * 20_000))


@pytest.mark.parametrize("path", [b"b", b"ab", b"a b", b"a\n", b""])
def test_what_was_not_asked_for_is_a_violation(path: bytes) -> None:
    told = b"".join(by_find(one, Item(Kind.FILE)) for one in (b"a", b"a/b", b"c/d", b"c/d/e"))
    reader = ListingReader(TOKEN, [b"a", b"c/d"])
    assert [path for path, _ in reader.feed(begin("printf") + told)] == [b"a", b"a/b", b"c/d", b"c/d/e"]
    with pytest.raises(ProtocolViolation, match="not asked for"):
        list(reader.feed(by_find(path, Item(Kind.FILE))))


def test_a_link_whose_text_could_not_be_read_has_none() -> None:
    link = FILE.replace(b"81a4", b"a1ff") + b"./a//"
    for said in (b"./a\n", b"'./a'\n", b"\n"):
        (told,) = ListingReader(TOKEN).feed(begin("walk") + link + said + END)
        assert (told[0], told[1].kind, told[1].link) == (b"a", Kind.SYMLINK, b"")


def test_nothing_stands_before_a_listing() -> None:
    with pytest.raises(ProtocolViolation, match="where its listing belongs"):
        list(ListingReader(TOKEN).feed(b"Welcome!\n" + begin("printf")))


@pytest.mark.parametrize(("how", "form"), [("printf", b"%b ./%b\0\0"), ("xargs", b"//%b ./%b\n")])
def test_mount_points_and_what_could_not_be_seen_are_apart(how: str, form: bytes) -> None:
    names = [b"%d\n" % number for number in range(MAX_UNLISTED + 5)]
    words = b"".join(form % (b"unlisted", name) for name in names)
    reader = ListingReader(TOKEN)
    hollow = form % (b"hollow proc", b"c d") + form % (b"hollow cgroup2", b"e\nf")
    told = reader.feed(begin(how) + form % (b"mount", b"a b") + hollow + words + END.replace(b"rc=0", b"rc=1"))
    assert list(told) == []
    assert reader.mounts == {b"a b", b"c d", b"e\nf"}
    assert reader.hollow == {b"c d": "proc", b"e\nf": "cgroup2"}
    assert (reader.unlisted, reader.unlisted_count) == (names[:MAX_UNLISTED], len(names))
    assert reader.code == 1


def test_mount_points_have_a_bound() -> None:
    with pytest.raises(ProtocolViolation, match="mount points"):
        list(ListingReader(TOKEN).feed(begin("walk") + b"".join(b"//mount ./%d\n" % n for n in range(10_002)) + END))


@pytest.mark.parametrize("printer", PRINTERS)
def test_however_long_a_listing_is_it_takes_no_memory(printer: str) -> None:
    """Linear in time, too: what has been read is not looked at again."""
    how, printed = PRINTERS[printer]
    reader, count = ListingReader(TOKEN), 0
    list(reader.feed(begin(how)))
    batch = b"".join(printed(b"%d" % number, Item(Kind.FILE, 1)) for number in range(200))
    list(reader.feed(batch))
    tracemalloc.start()
    for _ in range(100):
        for _ in reader.feed(batch):
            count += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 3 * len(batch) + 100_000

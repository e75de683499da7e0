"""What of this machine's files a push would send, read from real trees."""

import os
import shutil
import socket
import stat
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asynccp.entry import Entry, Kind, Origin
from asynccp.errors import Knob, PlanError, UsageError
from asynccp.local.scan import Scanned, scan
from asynccp.options import Filtering, Rule
from asynccp.plan.filters import FILE_SIZE

NOBODY = 65534


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with `config/a`, `config/sub/b` and `other/a` in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("config/a", "config/sub/b", "other/a"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def paths(*sources: str) -> list[bytes]:
    return [entry.path for entry in scan(sources)[0]]


def one(*sources: str) -> Entry:
    """Return the only entry of the sources."""
    scanned = scan(sources)
    assert scanned.left_out == []
    (entry,) = scanned.entries
    return entry


@contextmanager
def as_user_whom_permissions_bind(directory: Path) -> Iterator[None]:
    """Give up root's rights, if we have them. Only paths relative to the working directory can be reached then."""
    if os.getuid() != 0:
        yield
        return
    os.chown(directory, NOBODY, -1)
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


TREE = [b"config", b"config/a", b"config/sub", b"config/sub/b"]
CONTENTS = [b"a", b"sub", b"sub/b"]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("config", TREE),
        ("./config", TREE),
        ("config/", CONTENTS),
        ("config//", CONTENTS),
        ("config/.", CONTENTS),
        ("config/sub/..", CONTENTS),
        ("config/sub", [b"sub", b"sub/b"]),
        ("config/sub/", [b"b"]),
        ("config/a", [b"a"]),
        ("./config/sub/../a", [b"a"]),
    ],
)
def test_a_slash_at_the_end_means_the_contents(here: Path, source: str, found: list[bytes]) -> None:
    assert paths(source) == found
    assert paths(f"{here}/{source}") == found


@pytest.mark.parametrize(("directory", "source", "found"), [("config", ".", CONTENTS), ("config/sub", "..", CONTENTS)])
def test_dots_mean_the_contents(
    here: Path, monkeypatch: pytest.MonkeyPatch, directory: str, source: str, found: list[bytes]
) -> None:
    monkeypatch.chdir(here / directory)
    assert paths(source) == found


def test_names_are_in_byte_order_and_parents_come_first(here: Path) -> None:
    for name in ("B", "b", "a.b/z", "a/z", "a-b/z", "é", "10", "9"):
        path = here / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    ordered = ["10", "9", "B", "a", "a/z", "a-b", "a-b/z", "a.b", "a.b/z", "b", "é"]
    assert paths("tree/") == sorted((name.encode() for name in ordered), key=lambda name: name.split(b"/"))
    assert set(paths("tree/")) == {name.encode() for name in ordered}
    assert paths("other/a", "config/sub") == [b"a", b"sub", b"sub/b"]  # sources stay in the order they were given


def test_an_entry_says_all_that_the_copy_keeps(here: Path) -> None:
    path = here / "config/a"
    path.chmod(0o4751)
    os.utime(path, ns=(1, 1_600_000_000_123_456_789))
    status = path.stat()
    origin = Origin(b"config", b"a", status.st_dev, status.st_ino, status.st_ctime_ns, status.st_mtime_ns)
    assert one("config/a") == Entry(
        b"a", Kind.FILE, 8, 0o4751, 1_600_000_000_123_456_789, status.st_uid, status.st_gid, b"", origin
    )


def test_a_directory_without_anything_in_it_is_an_entry(here: Path) -> None:
    (here / "empty").mkdir(mode=0o700)
    entry = one("empty")
    assert (entry.path, entry.kind, entry.size, entry.mode) == (b"empty", Kind.DIRECTORY, 0, 0o700)
    assert scan(["empty/"]) == Scanned([], [], [], 0, {b"": ((),)})


def test_symbolic_links_are_copied_as_links(here: Path) -> None:
    (here / "links").mkdir()
    for name, target in (
        ("dangling", "nowhere"),
        ("directory", "../config"),
        ("file", "../config/a"),
        ("loop", "loop"),
    ):
        (here / "links" / name).symlink_to(target)
    entries, left_out, *_ = scan(["links/"])
    assert [(entry.path, entry.kind, entry.link) for entry in entries] == [
        (b"dangling", Kind.SYMLINK, b"nowhere"),
        (b"directory", Kind.SYMLINK, b"../config"),
        (b"file", Kind.SYMLINK, b"../config/a"),
        (b"loop", Kind.SYMLINK, b"loop"),
    ]
    assert [entry.size for entry in entries] == [0] * 4
    assert left_out == []


LINKS = {"current": "config", "a.conf": "config/a", "again": "current", "up": "../config", "sub/file": "../config/a"}


@pytest.fixture
def links(here: Path) -> None:
    """Links to a directory, to files, to another link, and one that leads nowhere."""
    (here / "sub").mkdir()
    for name, target in LINKS.items():
        (here / name).symlink_to(target)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("current", [b"current", b"current/a", b"current/sub", b"current/sub/b"]),
        ("./current", [b"current", b"current/a", b"current/sub", b"current/sub/b"]),
        ("again", [b"again", b"again/a", b"again/sub", b"again/sub/b"]),
        ("current/", CONTENTS),
        ("current/.", CONTENTS),
        ("current/sub", [b"sub", b"sub/b"]),
        ("a.conf", [b"a.conf"]),
        ("sub/file", [b"file"]),
    ],
)
def test_a_named_link_is_what_it_leads_to_under_its_own_name(
    here: Path, links: None, source: str, found: list[bytes]
) -> None:
    for name in (source, f"{here}/{source}"):
        scanned = scan([name])
        assert [entry.path for entry in scanned.entries] == found
        assert Kind.SYMLINK not in {entry.kind for entry in scanned.entries}
        assert scanned.left_out == []
        assert all(os.path.samestat(os.lstat(entry.source), os.stat(entry.source)) for entry in scanned.entries)


def test_a_named_link_to_a_file_has_what_the_file_has(here: Path, links: None) -> None:
    path = here / "config/a"
    path.chmod(0o640)
    entry = one("a.conf")
    assert (entry.path, entry.kind, entry.size, entry.mode) == (b"a.conf", Kind.FILE, 8, 0o640)
    assert entry.mtime_ns == path.stat().st_mtime_ns
    assert Path(os.fsdecode(entry.source)).read_text() == "config/a"


def test_a_link_that_is_turned_round_after_the_scan_mixes_nothing(here: Path, links: None) -> None:
    scanned = scan(["current"])
    (here / "current").unlink()
    (here / "current").symlink_to("other")
    sources = {entry.path: Path(os.fsdecode(entry.source)) for entry in scanned.entries}
    assert sources[b"current/a"].read_text() == "config/a"


@pytest.mark.parametrize("name", ["current", "a.conf", "again", "up"])
def test_without_following_a_named_link_is_copied_as_the_link(here: Path, links: None, name: str) -> None:
    (entry,) = scan([name], follow=False).entries
    assert (entry.path, entry.kind, entry.link) == (name.encode(), Kind.SYMLINK, LINKS[name].encode())


def test_without_following_a_slash_still_means_the_contents(here: Path, links: None) -> None:
    assert [entry.path for entry in scan(["current/"], follow=False).entries] == CONTENTS


def test_links_below_a_named_link_are_copied_as_links(here: Path, links: None) -> None:
    (here / "config/inner").symlink_to("a")
    kinds = {entry.path: entry.kind for entry in scan(["current"]).entries}
    assert kinds[b"current/inner"] is Kind.SYMLINK


@pytest.mark.parametrize(
    ("target", "says"),
    [("nowhere", "nowhere"), ("loop", "loop"), ("config/a/b", "config/a/b"), ("x\x1b[2J", r"x\\x1b\[2J")],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_named_link_that_leads_nowhere_ends_the_plan(here: Path, target: str, says: str, slash: str) -> None:
    (here / "loop").symlink_to(target)
    with pytest.raises(
        PlanError, match=rf"^loop{slash} is a symbolic link that leads nowhere \(to {says}\)$"
    ) as caught:
        scan([f"loop{slash}"])
    assert (Knob.NO_FOLLOW in caught.value.hint) == (not slash)


def test_without_following_a_link_that_leads_nowhere_is_copied(here: Path) -> None:
    (here / "loop").symlink_to("loop")
    (entry,) = scan(["loop"], follow=False).entries
    assert (entry.kind, entry.link) == (Kind.SYMLINK, b"loop")
    with pytest.raises(PlanError, match=r"^loop/ is a symbolic link that leads nowhere"):
        scan(["loop/"], follow=False)


def test_a_named_link_to_what_is_never_copied_is_left_out_by_its_name(here: Path) -> None:
    os.mkfifo("pipe")
    (here / "link").symlink_to("pipe")
    entries, left_out, *_ = scan(["link"])
    assert (entries, list(map(str, left_out))) == ([], ["link: a FIFO, which is never copied"])


def test_what_a_shell_hands_in_as_a_file_is_left_out_as_a_pipe(here: Path) -> None:
    reader, writer = os.pipe()
    try:
        entries, left_out, *_ = scan([f"/dev/fd/{reader}"])  # as `<(command)` does
    finally:
        os.close(reader)
        os.close(writer)
    assert (entries, list(map(str, left_out))) == ([], [f"{reader}: a FIFO, which is never copied"])


def test_a_link_and_what_it_leads_to_on_one_name_are_refused(here: Path) -> None:
    (here / "sub").mkdir()
    (here / "sub/a").symlink_to("../config/a")
    with pytest.raises(UsageError, match=r"two sources land on one name: a$"):
        scan(["config/a", "sub/a"])


def test_names_of_one_file_become_hard_links_to_the_first(here: Path) -> None:
    (here / "config/sub/same").hardlink_to(here / "config/a")
    (here / "other/same").hardlink_to(here / "config/a")
    entries = {entry.path: entry for entry in scan(["config", "other"])[0]}
    assert (entries[b"config/a"].kind, entries[b"config/a"].size) == (Kind.FILE, 8)
    for path in (b"config/sub/same", b"other/same"):
        assert (entries[path].kind, entries[path].link, entries[path].size) == (Kind.HARDLINK, b"config/a", 0)


def test_a_file_whose_other_names_are_not_pushed_is_a_file(here: Path) -> None:
    (here / "elsewhere").hardlink_to(here / "config/a")
    assert one("config/a").kind is Kind.FILE


@pytest.mark.parametrize("kind", ["FIFO", "socket", "device"])
def test_special_files_are_left_out_and_named(here: Path, kind: str) -> None:
    match kind:
        case "FIFO":
            os.mkfifo("config/special")
        case "socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind("config/special")
        case "device":
            try:
                os.mknod("config/special", stat.S_IFCHR | 0o600, os.makedev(1, 3))
            except PermissionError:
                pytest.skip("only root makes devices")
    entries, left_out, *_ = scan(["config"])
    assert [entry.path for entry in entries] == TREE
    assert [str(found) for found in left_out] == [f"config/special: a {kind}, which is never copied"]


def test_a_special_file_alone_is_nothing_to_push(here: Path) -> None:
    os.mkfifo("pipe")
    entries, left_out, *_ = scan(["pipe"])
    assert entries == []
    assert [found.path for found in left_out] == [b"pipe"]


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        (["gone"], "^gone does not exist$"),
        (["gone/"], "^gone/ does not exist$"),
        (["config", "config/gone"], "^config/gone does not exist$"),
        (["config/a/"], "^config/a/ can't be read: Not a directory$"),
        (["config/a/b"], "^config/a/b can't be read: Not a directory$"),
        (["n" * 300], "^n+ can't be read: File name too long$"),
        (["gone\x1b[2J"], r"^gone\\x1b\[2J does not exist$"),
    ],
)
def test_a_source_that_cannot_be_read_ends_the_plan(here: Path, sources: list[str], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        scan(sources)


def test_a_file_that_may_not_be_read_ends_the_plan_before_a_byte_has_moved(here: Path) -> None:
    (here / "config").chmod(0o755)
    (here / "config/a").chmod(0)
    with (
        as_user_whom_permissions_bind(here),
        pytest.raises(PlanError, match=r"^config/a can't be read: Permission den"),
    ):
        scan(["config"])


def test_a_directory_that_may_not_be_listed_ends_the_plan(here: Path) -> None:
    (here / "config/sub").chmod(0o311)
    try:
        with as_user_whom_permissions_bind(here), pytest.raises(PlanError, match=r"^config/sub can't be read: Perm"):
            scan(["config"])
    finally:
        (here / "config/sub").chmod(0o755)


@pytest.mark.parametrize(
    ("sources", "name"),
    [
        (["config/a", "other/a"], "a"),
        (["config/a", "config/a"], "a"),
        (["config/", "other/"], "a"),
        (["config/a", "a/"], "a"),
        (["config/sub", "sub"], "sub"),
    ],
)
def test_two_sources_on_one_name_are_refused(here: Path, sources: list[str], name: str) -> None:
    (here / "a/a").mkdir(parents=True)
    (here / "sub").touch()
    with pytest.raises(UsageError, match=f"two sources land on one name: {name}$") as caught:
        scan(sources)
    assert "one after the other" in caught.value.hint


def test_two_directories_of_one_name_are_merged(here: Path) -> None:
    (here / "more/config/sub").mkdir(parents=True)
    (here / "more/config/sub/c").touch()
    assert paths("config", "more/config") == [*TREE, b"config/sub/c"]


def test_names_that_are_no_text_keep_their_bytes(here: Path) -> None:
    for name in (b"\xff\xfe", b"new\nline", b"caf\xe9", b"-rf", b" "):
        Path(os.fsdecode(b"odd/" + name)).parent.mkdir(exist_ok=True)
        Path(os.fsdecode(b"odd/" + name)).write_bytes(name)
    entries = scan(["odd/"]).entries
    assert [entry.path for entry in entries] == [b" ", b"-rf", b"caf\xe9", b"new\nline", b"\xff\xfe"]
    assert [entry.source for entry in entries] == [b"odd/" + entry.path for entry in entries]


def test_a_source_whose_name_is_no_text(here: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    Path(name).mkdir()
    (Path(name) / "x").touch()
    assert paths(name) == [b"caf\xe9", b"caf\xe9/x"]
    with pytest.raises(PlanError, match=r"gone-\\udcff does not exist|gone-\\xff does not exist"):
        scan([os.fsdecode(b"gone-\xff")])


@contextmanager
def deep_tree(name: str, levels: int) -> Iterator[None]:
    """Make `deep/NAME/NAME/…/leaf` in the working directory; remove it, which shutil can't."""
    directory = os.open(".", os.O_RDONLY)
    try:
        for step in ("deep", *[name] * levels):
            os.mkdir(step, dir_fd=directory)
            deeper = os.open(step, os.O_RDONLY, dir_fd=directory)
            os.close(directory)
            directory = deeper
        os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=directory))
        yield
    finally:
        os.close(directory)
        subprocess.run(["rm", "-rf", "deep"], check=True)


def test_a_tree_that_is_two_thousand_levels_deep(here: Path) -> None:
    with deep_tree("d", 2000):
        found = paths("deep")
    assert len(found) == 2002
    assert found[-1] == b"deep/" + b"d/" * 2000 + b"leaf"


def test_a_tree_that_is_too_deep_for_the_system_is_refused_not_cut(here: Path) -> None:
    with (
        deep_tree("dir-10char", 500),
        pytest.raises(PlanError, match=r"^deep/dir-10char/.* can't be read: File name too"),
    ):
        scan(["deep"])


needs_attributes = pytest.mark.skipif(not hasattr(os, "listxattr"), reason="Python has no listxattr on macOS")


def give_attribute(path: Path, name: str, value: bytes = b"1") -> None:
    try:
        os.setxattr(path, name, value)
    except OSError as exc:
        pytest.skip(f"{name} can't be set here: {exc.strerror}")


# Version 2: one entry for the user, one for user 1000, the group, the mask, others.
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, rights, number)
    for tag, rights, number in [
        (1, 6, -1 % 2**32),
        (2, 4, 1000),
        (4, 4, -1 % 2**32),
        (16, 4, -1 % 2**32),
        (32, 4, -1 % 2**32),
    ]
)
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)  # cap_net_raw, effective and permitted


@needs_attributes
@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("user.mime_type", b"x", "extended attributes"),
        ("trusted.x", b"x", "extended attributes"),
        ("security.capability", CAPABILITY, "capabilities"),
        ("system.posix_acl_access", ACL, "ACL"),
    ],
)
def test_what_no_archive_carries_is_told(here: Path, name: str, value: bytes, what: str) -> None:
    give_attribute(here / "config/a", name, value)
    scanned = scan(["config"])
    assert [entry.path for entry in scanned.entries] == TREE
    assert list(map(str, scanned.not_kept)) == [f"config/a: {what}"]
    assert scan(["other"]).not_kept == []


@needs_attributes
def test_a_directorys_default_acl_is_told_once_with_its_own(here: Path) -> None:
    give_attribute(here / "config", "system.posix_acl_default", ACL)
    give_attribute(here / "config", "system.posix_acl_access", ACL)
    give_attribute(here / "config", "user.x")
    assert sorted(map(str, scan(["config"]).not_kept)) == ["config: ACL", "config: extended attributes"]
    assert scan(["config/"]).not_kept == [], "the directory itself is not copied"


@needs_attributes
def test_attributes_of_a_followed_link_and_of_a_second_name_are_told_once(here: Path) -> None:
    give_attribute(here / "config/a", "user.x")
    (here / "a").symlink_to("config/a")
    (here / "config/same").hardlink_to(here / "config/a")
    assert list(map(str, scan(["a"]).not_kept)) == ["a: extended attributes"]
    assert list(map(str, scan(["config"]).not_kept)) == ["config/a: extended attributes"]


@needs_attributes
def test_no_more_losses_are_named_than_the_bound(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asynccp.local.scan.MAX_NOT_KEPT", 2)
    for path in (here / "config", here / "config/a", here / "config/sub", here / "config/sub/b"):
        give_attribute(path, "user.x")
    told = list(map(str, scan(["config"]).not_kept))
    assert told == [
        "config: extended attributes",
        "config/a: extended attributes",
        ".: 2 more such losses in it, not named",
    ]


def test_where_attributes_are_unknown_nothing_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "listxattr", raising=False)  # macOS
    assert scan(["config"]).not_kept == []


def including(pattern: str) -> Rule:
    return Rule(True, (pattern,))


def excluding(*patterns: str) -> Rule:
    return Rule(False, patterns)


def kept(*sources: str, rules: tuple[Rule, ...] = (), **more: bool) -> list[bytes]:
    return [entry.path for entry in scan(sources, filtering=Filtering(rules=rules, **more)).entries]


LOGS = (including("*.log"), excluding("*"))


@pytest.fixture
def logs(here: Path) -> None:
    """A tree `logs` with logs at two depths, and what isn't one."""
    for name in ("logs/a.log", "logs/a.txt", "logs/old/b.log", "logs/old/b.txt", "logs/none/c.txt"):
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("source", "rules", "found"),
    [
        ("logs", LOGS, [b"logs", b"logs/a.log", b"logs/old", b"logs/old/b.log"]),
        ("logs/", LOGS, [b"a.log", b"old", b"old/b.log"]),
        ("logs/", (excluding("/old"),), [b"a.log", b"a.txt", b"none", b"none/c.txt"]),
        ("logs", (excluding("/old"),), [b"logs", b"logs/a.log", b"logs/a.txt", b"logs/none", b"logs/none/c.txt"]),
        ("config", (excluding("config"),), TREE),
        ("logs", (excluding("*.txt"),), [b"logs", b"logs/a.log", b"logs/none", b"logs/old", b"logs/old/b.log"]),
        ("logs/a.log", LOGS, [b"a.log"]),
    ],
)  # fmt: skip
def test_filters_are_asked_about_what_is_below_a_source(
    here: Path, logs: None, source: str, rules: tuple[Rule, ...], found: list[bytes]
) -> None:
    assert kept(source, rules=rules) == found


@pytest.mark.parametrize("sources", [["logs"], ["logs/"], ["logs/a.txt"], ["logs/none", "config"]])
def test_filters_that_leave_nothing_end_the_plan(here: Path, logs: None, sources: list[str]) -> None:
    with pytest.raises(PlanError, match=f"^the filters leave nothing to push of {' '.join(sources)}$"):
        kept(*sources, rules=(including("*.nothing"), excluding("*")))


def test_how_much_filters_leave_out_is_counted(here: Path, logs: None) -> None:
    def excluded(*rules: Rule) -> int:
        return scan(["logs"], filtering=Filtering(rules=rules)).excluded

    assert excluded() == 0
    assert excluded(excluding("/old")) == 1
    assert excluded(*LOGS) == 4  # the three files, and a directory with nothing else in it


def test_a_directory_that_two_sources_have_is_kept_for_what_one_of_them_has(here: Path, logs: None) -> None:
    (here / "more/none").mkdir(parents=True)
    (here / "more/none/d.log").touch()
    assert kept("logs/", "more/", rules=LOGS) == [b"a.log", b"none", b"old", b"old/b.log", b"none/d.log"]


def test_a_directory_that_one_source_keeps_is_kept(here: Path, logs: None) -> None:
    (here / "logs/.asynccpignore").write_text("none/\n")
    (here / "more/none").mkdir(parents=True)
    for sources in (("logs/", "more/"), ("more/", "logs/")):
        assert b"none" in kept(*sources, rules=(including("*.log"),))


def test_what_is_left_out_by_filters_need_not_be_readable_nor_a_file(here: Path, logs: None) -> None:
    (here / "logs/a.txt").chmod(0)
    os.mkfifo("logs/pipe.txt")
    (here / "logs/none").chmod(0)
    try:
        with as_user_whom_permissions_bind(here):
            scanned = scan(["logs"], filtering=Filtering(rules=(excluding("none"), excluding("*.txt"))))
            with pytest.raises(PlanError, match=r"^logs/none can't be read"):  # there may be a log in it
                kept("logs", rules=LOGS)
    finally:
        (here / "logs/none").chmod(0o755)
    assert [entry.path for entry in scanned.entries] == [b"logs", b"logs/a.log", b"logs/old", b"logs/old/b.log"]
    assert scanned.left_out == []


def test_a_file_whose_first_name_is_left_out_is_a_file_by_its_second(here: Path, logs: None) -> None:
    (here / "logs/old/same.log").hardlink_to(here / "logs/a.txt")
    (here / "logs/old/same.txt").hardlink_to(here / "logs/a.txt")
    kinds = {entry.path: entry.kind for entry in scan(["logs/"], filtering=Filtering(rules=LOGS)).entries}
    assert kinds[b"old/same.log"] is Kind.FILE


def test_what_is_not_kept_of_a_directory_is_told_only_if_it_is_copied(here: Path, logs: None) -> None:
    try:
        for name in ("logs/old", "logs/none"):
            os.setxattr(name, "user.note", b"x")
    except (AttributeError, OSError):
        pytest.skip("no extended attributes here")
    assert [one.path for one in scan(["logs/"], filtering=Filtering(rules=LOGS)).not_kept] == [b"old"]


@pytest.mark.parametrize("source", ["logs", "logs/", "logs/.", "current", "current/"])
def test_a_directory_says_itself_what_is_left_out(here: Path, logs: None, source: str) -> None:
    (here / "current").symlink_to("logs")
    (here / "logs/.asynccpignore").write_text("# not these\n*.txt\n!b.txt\nnone/\n")
    (here / "logs/old/.asynccpignore").write_text("*\n")  # only the top's counts
    found = [path.removeprefix(source.encode() + b"/") for path in kept(source)]
    assert [path for path in found if path.decode() != source] == [
        b"a.log", b"old", b"old/.asynccpignore", b"old/b.log", b"old/b.txt"
    ]  # fmt: skip


def test_rules_of_the_user_come_before_those_of_a_directory(here: Path, logs: None) -> None:
    (here / "logs/.asynccpignore").write_text("*.log\n!.asynccpignore\n")
    assert kept("logs/", rules=(including("a.log"), excluding("*.txt"))) == [
        b".asynccpignore",
        b"a.log",
        b"none",
        b"old",
    ]
    (here / "logs/.asynccpignore").write_text("*.log\n")
    assert kept("logs/", rules=(including(".asynccpignore"),))[0] == b".asynccpignore"


def test_a_directory_is_not_asked_for_rules_if_that_is_not_wanted(here: Path, logs: None) -> None:
    (here / "logs/.asynccpignore").mkdir()
    assert b"logs/.asynccpignore" in kept("logs", ignore_files=False)


def test_each_source_has_its_own_rules(here: Path, logs: None) -> None:
    (here / "logs/.asynccpignore").write_text("*\n")
    assert kept("logs", "config") == [b"logs", *TREE]
    with pytest.raises(PlanError, match=r"^the filters leave nothing"):
        kept("logs")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.symlink_to("a.txt"), "can't be read: Too many levels of symbolic links"),
        (lambda path: path.mkdir(), "is no file"),
        (os.mkfifo, "is no file"),
        (lambda path: path.write_bytes(b"x" * (FILE_SIZE + 1)), "is too large to be a file of patterns"),
        (lambda path: path.write_text("a\n[\n"), r"the pattern \[ can't match anything: its \[ has no \]"),
    ],
)
@pytest.mark.parametrize("source", ["logs", "logs/"])
def test_what_is_no_file_of_patterns_ends_the_plan(
    here: Path, logs: None, source: str, make: Callable[[Path], None], says: str
) -> None:
    make(here / "logs/.asynccpignore")
    with pytest.raises(PlanError, match=rf"^logs/\.asynccpignore:? {says}$"):
        kept(source)


@pytest.fixture
def mounted(here: Path, logs: None) -> Iterator[Path]:
    """Another file system, on `logs/old`, with a file and a directory in it."""
    place = here / "logs/old"
    made = subprocess.run(["mount", "-t", "tmpfs", "none", place], capture_output=True)
    if made.returncode:
        pytest.skip("only root may mount")
    try:
        (place / "x.log").touch()
        (place / "below").mkdir()
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_a_directory_on_another_file_system_is_kept_empty_as_rsync_does(mounted: Path) -> None:
    everything = kept("logs/")
    assert b"old/x.log" in everything
    found = kept("logs/", one_file_system=True)
    assert found == [path for path in everything if not path.startswith(b"old/")]
    assert kept("logs/old", one_file_system=True) == [b"old", b"old/below", b"old/x.log"]
    assert kept("logs/", rules=LOGS, one_file_system=True) == [b"a.log"]
    if shutil.which("rsync"):
        argv = ["rsync", "-rxn", "--out-format=%n", "logs/", "there"]
        taken = subprocess.run(argv, capture_output=True, check=True).stdout.split()
        assert {path.rstrip(b"/") for path in taken} - {b"."} == {*found}


@pytest.mark.parametrize("source", ["links", "links/"])
def test_links_are_copied_as_what_they_lead_to_if_that_is_asked_for(here: Path, source: str) -> None:
    (here / "links/sub").mkdir(parents=True)
    for name, target in (("tree", "../config"), ("file", "../config/a"), ("sub/up", "../../other"), ("two", "tree")):
        (here / "links" / name).symlink_to(target)
    scanned = scan([source], filtering=Filtering(copy_links=True))
    top = "" if source.endswith("/") else "links/"
    trees = [f"{above}{name}" for above in ("tree", "two") for name in ("", "/a", "/sub", "/sub/b")]
    names = ["file", "sub", "sub/up", "sub/up/a", *trees]
    assert [entry.path for entry in scanned.entries if entry.path != b"links"] == [
        f"{top}{one}".encode() for one in names
    ]
    assert {entry.kind for entry in scanned.entries} == {Kind.FILE, Kind.DIRECTORY}
    assert scanned.left_out == []
    contents = {entry.path: Path(os.fsdecode(entry.source)) for entry in scanned.entries if entry.kind is Kind.FILE}
    assert contents[f"{top}two/sub/b".encode()].read_text() == "config/sub/b"
    assert contents[f"{top}file".encode()].read_text() == "config/a"


@pytest.mark.parametrize("source", ["loops", "loops/"])
def test_where_links_lead_in_circles_it_ends_and_says_so(here: Path, source: str) -> None:
    for name in ("loops/a", "loops/b"):
        (here / name).mkdir(parents=True)
    for name, target in (("a/to_b", "../b"), ("b/to_a", "../a"), ("self", "."), ("up", "..")):
        (here / "loops" / name).symlink_to(target)
    scanned = scan([source], filtering=Filtering(copy_links=True))
    assert len(scanned.entries) < 30
    left = {one.path.decode().removeprefix("loops/") for one in scanned.left_out}
    assert {"self", "a/to_b/to_a", "b/to_a/to_b", "up/loops"} <= left
    assert {one.reason for one in scanned.left_out} == {"a symbolic link leads back to a directory above it"}


def test_links_that_lead_nowhere_are_left_out_and_named(here: Path) -> None:
    for name, target in (("gone", "nowhere\x1b"), ("loop", "loop"), ("below", "a/b"), ("dropped", "nowhere")):
        (here / "config" / name).symlink_to(target)
    filtering = Filtering(copy_links=True, rules=(excluding("dropped"),))
    scanned = scan(["config"], filtering=filtering)
    assert [entry.path for entry in scanned.entries] == TREE
    assert [str(one) for one in scanned.left_out] == [
        "config/below: a symbolic link that leads nowhere (to a/b)",
        r"config/gone: a symbolic link that leads nowhere (to nowhere\x1b)",
        "config/loop: a symbolic link that leads nowhere (to loop)",
    ]


def test_of_a_link_to_what_is_never_copied_that_is_told(here: Path) -> None:
    os.mkfifo("pipe")
    (here / "config/link").symlink_to("../pipe")
    scanned = scan(["config"], filtering=Filtering(copy_links=True))
    assert list(map(str, scanned.left_out)) == ["config/link: a FIFO, which is never copied"]


def test_a_link_to_a_directory_is_filtered_as_one(here: Path) -> None:
    (here / "links").mkdir()
    (here / "links/tree").symlink_to("../config")
    assert kept("links/", rules=(excluding("tree/"),)) == [b"tree"]
    assert kept("links/", rules=(excluding("sub/"),), copy_links=True) == [b"tree", b"tree/a"]
    with pytest.raises(PlanError, match=r"^the filters leave nothing"):
        kept("links/", rules=(excluding("tree/"),), copy_links=True)


def test_every_link_is_followed_even_the_one_that_was_named(here: Path) -> None:
    (here / "current").symlink_to("config")
    scanned = scan(["current"], follow=False, filtering=Filtering(copy_links=True))
    assert [entry.path for entry in scanned.entries] == [b"current", b"current/a", b"current/sub", b"current/sub/b"]
    (here / "gone").symlink_to("nowhere")
    with pytest.raises(PlanError, match=r"^gone is a symbolic link that leads nowhere \(to nowhere\)$"):
        scan(["gone"], follow=False, filtering=Filtering(copy_links=True))

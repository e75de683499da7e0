"""Push and pull of everything that a file system holds, with the real command, to every kind of container at once."""

import os
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.e2e import names
from tests.e2e.fleet import TARLESS, Fleet, asynccp, labels_for, selector, sh, snapshot
from tests.trees import Facts, build, describe

Web = dict[str, list[str]]


@pytest.fixture
def web(everybody: Web) -> Web:
    return everybody


def pods_of(web: Web, *without: str) -> list[str]:
    """Return the pods' names, but for those of some kinds."""
    return sorted(pod for kind, pods in web.items() if kind not in ("labels", *without) for pod in pods)


def app(web: Web, *without: str) -> str:
    return web["labels"][0] + "".join(f",tar!={kind}" for kind in without)


def test_a_push_arrives_identical_in_every_pod(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    tree = build(tmp_path / "tree")
    ran = asynccp(fleet, "push", tree, "-l", f"{app(web)}:/tmp/pushed", "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.outcomes == dict.fromkeys(pods_of(web), "complete")
    for pod in pods_of(web):
        there = snapshot(fleet, pod, "/tmp/pushed")
        assert there.pop(b"tree").kind == "directory"
        assert there == {b"tree/" + path: _under(facts, b"tree/") for path, facts in describe(tree).items()}, pod


def test_a_pull_brings_it_back_identical_from_every_pod(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    tree = build(tmp_path / "tree")
    assert asynccp(fleet, "push", f"{tree}/", "-l", f"{app(web)}:/tmp/there-and-back").code == 0
    where = ["-l", f"{app(web)}:/tmp/there-and-back/", str(tmp_path / "back")]
    ran = asynccp(fleet, "pull", *where, "--preserve-modes", "-o", "json")
    assert ran.code == 0, ran.err
    assert sorted(os.listdir(tmp_path / "back")) == pods_of(web)
    for pod in pods_of(web):
        assert describe(tmp_path / "back" / pod) == describe(tree), pod


@pytest.mark.parametrize("flags", [[], ["--dir-perms"]], ids=" ".join)
def test_a_second_push_over_the_first_gives_the_same(fleet: Fleet, web: Web, tmp_path: Path, flags: list[str]) -> None:
    """But for the times of directories: they are theirs, and change when something comes into them."""
    tree, there = build(tmp_path / "tree"), f"/tmp/twice{len(flags)}"
    for _ in range(2):
        assert asynccp(fleet, "push", f"{tree}/", "-l", f"{app(web)}:{there}", *flags).code == 0
    for pods in (pods for kind, pods in web.items() if kind != "labels"):
        found, wanted = snapshot(fleet, pods[0], there), describe(tree)
        if not flags:
            found, wanted = _without_times_of_directories(found), _without_times_of_directories(wanted)
        assert found == wanted, pods[0]


def test_a_second_pull_over_the_first_gives_the_same(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    tree = build(tmp_path / "tree")
    pod = pods_of(web)[0]
    assert asynccp(fleet, "push", tree, f"{pod}:/tmp/again").code == 0
    for _ in range(2):
        assert asynccp(fleet, "pull", "--preserve-modes", f"{pod}:/tmp/again/tree", tmp_path / "back").code == 0
    assert describe(tmp_path / "back" / pod / "tree") == describe(tree)


@pytest.mark.parametrize(("source", "lands"), [("config", b"config/app.toml"), ("config/", b"app.toml")])
def test_the_slash_of_the_source_decides_where_a_push_lands(
    fleet: Fleet, web: Web, tmp_path: Path, source: str, lands: bytes
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "app.toml").write_text("x")
    destination = f"/tmp/nesting-{len(lands)}"
    for _ in range(2):  # whether the destination exists or not
        assert asynccp(fleet, "push", source, "-l", f"{app(web)}:{destination}", cwd=tmp_path).code == 0
        for pod in pods_of(web):
            assert lands in snapshot(fleet, pod, destination)


@pytest.mark.parametrize(("path", "lands"), [("/tmp/nest/config", "config/a"), ("/tmp/nest/config/", "a")])
def test_the_slash_of_the_path_decides_where_a_pull_lands(
    fleet: Fleet, web: Web, tmp_path: Path, path: str, lands: str
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "a").write_text("x")
    assert asynccp(fleet, "push", tmp_path / "config", "-l", f"{app(web)}:/tmp/nest").code == 0
    assert asynccp(fleet, "pull", "-l", f"{app(web)}:{path}", tmp_path / "back").code == 0
    for pod in pods_of(web):
        assert (tmp_path / "back" / pod / lands).read_text() == "x"


def test_one_file_goes_both_ways(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    (tmp_path / "a:b").write_bytes(b"\x00\xff" * 1000)
    assert asynccp(fleet, "push", "./a:b", "-l", app(web), ":/tmp/one/", cwd=tmp_path).code == 0
    assert asynccp(fleet, "pull", "-l", f"{app(web)}:/tmp/one/a:b", "back", cwd=tmp_path).code == 0
    for pod in pods_of(web):
        assert (tmp_path / "back" / pod / "a:b").read_bytes() == b"\x00\xff" * 1000


def test_one_file_can_be_given_a_name_unless_a_directory_has_it(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    first = pods_of(web)[0]
    sh(fleet, first, "mkdir", "-p", "/tmp/named/b.conf")
    ran = asynccp(fleet, "push", "a.txt", "-l", f"{app(web)}:/tmp/named/b.conf", "-o", "json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    for one in ran.report["pods"]:
        lands = b"b.conf/a.txt" if one["pod"] == first else b"b.conf"
        assert one["landed"] == "/tmp/named/" + lands.decode()
        assert [path for path, facts in snapshot(fleet, one["pod"], "/tmp/named").items() if facts.kind == "file"] == [
            lands
        ]


def test_paths_with_quotes_spaces_and_dashes_are_only_names(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    nasty = "/tmp/a 'b' \"c\" $(id) `id` ;&|*?[x] -rf\n--help"
    for pod in pods_of(web):  # what looks like a pattern and isn't there is refused
        sh(fleet, pod, "mkdir", "-p", nasty)
    assert asynccp(fleet, "push", tmp_path / "file", "-l", f"{app(web)}:{nasty}").code == 0
    ran = asynccp(fleet, "pull", "-l", f"{app(web)}:{nasty}", tmp_path / "back")
    assert ran.code == 0, ran.err
    for pod in pods_of(web):
        assert (tmp_path / "back" / pod / nasty.removeprefix("/tmp/") / "file").read_text() == "x"


def test_a_directory_that_is_not_there_yet_may_have_any_name_but_a_patterns(
    fleet: Fleet, web: Web, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    nasty = "/tmp/b 'b' \"c\" $(id) `id` ;&| -rf\n--help"
    assert asynccp(fleet, "push", tmp_path / "file", "-l", f"{app(web)}:{nasty}/").code == 0
    for pod in pods_of(web):
        assert set(snapshot(fleet, pod, nasty)) == {b"file"}
    for pattern in ("/tmp/*.d", "/tmp/?", "/tmp/[a]", "/tmp/no*ne/below"):
        ran = asynccp(fleet, "push", tmp_path / "file", "-l", f"{app(web)}:{pattern}")
        assert ran.code == 1
        assert "looks like a pattern, and nothing in the container has just that name" in ran.err


def test_every_nasty_name_comes_back(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    tree = names.build(tmp_path / "names")
    assert asynccp(fleet, "push", tree, "-l", f"{app(web)}:/tmp/names").code == 0
    assert asynccp(fleet, "pull", "-l", f"{app(web)}:/tmp/names/names", tmp_path / "back").code == 0
    for pod in pods_of(web):
        assert describe(tmp_path / "back" / pod / "names") == describe(tree), pod


def test_several_sources_and_paths_are_one_run(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    assert asynccp(fleet, "push", "one", "two", "-l", f"{app(web)}:/tmp/several", cwd=tmp_path).code == 0
    where = ["-l", f"{app(web)}:/tmp/several/one", "-l", f"{app(web)}:/tmp/several/two"]
    assert asynccp(fleet, "pull", *where, "back", cwd=tmp_path).code == 0
    for pod in pods_of(web):
        assert {path.name: path.read_text() for path in (tmp_path / "back" / pod).iterdir()} == {
            "one": "one",
            "two": "two",
        }


def test_nothing_of_ours_stays_in_the_destination(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert asynccp(fleet, "push", tmp_path / "file", "-l", f"{app(web)}:/tmp/clean/").code == 0
    for pod in pods_of(web):
        assert set(snapshot(fleet, pod, "/tmp/clean")) == {b"file"}


def test_every_session_speaks_v4_where_the_server_does(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    ran = asynccp(fleet, "push", tmp_path / "file", "-l", f"{app(web)}:/tmp/v4", "-o", "json")
    assert {one["protocol"] for one in ran.report["pods"]} == {"v4"}


def test_owners_are_kept_only_on_request(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give files away")
    (tmp_path / "owned").write_text("x")  # TARLESS has no chown
    os.chown(tmp_path / "owned", 1234, 2345)
    for flags, owner in (([], "0 0"), (["--preserve-owner"], "1234 2345")):
        assert asynccp(fleet, "push", tmp_path / "owned", "-l", f"{app(web, TARLESS)}:/tmp/owners/", *flags).code == 0
        assert (
            asynccp(
                fleet, "pull", "-l", f"{app(web, TARLESS)}:/tmp/owners/owned", tmp_path / "back", "--preserve-owner"
            ).code
            == 0
        )
        for pod in pods_of(web, TARLESS):
            found = (tmp_path / "back" / pod / "owned").stat()
            assert f"{found.st_uid} {found.st_gid}" == owner, pod
    assert asynccp(fleet, "pull", "-l", f"{app(web, TARLESS)}:/tmp/owners/owned", tmp_path / "mine").code == 0
    assert {(tmp_path / "mine" / pod / "owned").stat().st_uid for pod in pods_of(web, TARLESS)} == {0}


def test_special_files_are_left_out_and_named_both_ways(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    pod = pods_of(web)[0]
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "file").write_text("x")
    os.mkfifo(tmp_path / "src" / "pipe")
    ran = asynccp(fleet, "push", tmp_path / "src", f"{pod}:/tmp/special", "-o", "json")
    assert ran.code == 23
    assert [one["path"] for one in ran.report["left_out"]] == ["src/pipe"]

    sh(fleet, pod, "ln", "-s", "/etc/passwd", "/tmp/special/out")
    ran = asynccp(fleet, "pull", f"{pod}:/tmp/special", tmp_path / "back", "-o", "json")
    assert ran.code == 23
    assert ran.outcomes == {pod: "partial"}
    assert [one["path"] for one in ran.report["pods"][0]["left_out"]] == ["special/out"]
    assert (tmp_path / "back" / pod / "special" / "src" / "file").read_text() == "x"
    assert not os.path.lexists(tmp_path / "back" / pod / "special" / "out")


def test_set_id_bits_of_a_pod_are_not_taken_over(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    pod = pods_of(web)[0]
    sh(fleet, pod, "mkdir", "-p", "/tmp/setid")
    sh(fleet, pod, "sh", "-c", 'cd "$1" && : >tool && chmod 6755 tool', "sh", "/tmp/setid")
    assert asynccp(fleet, "pull", f"{pod}:/tmp/setid/tool", tmp_path).code == 0
    assert stat.S_IMODE((tmp_path / pod / "tool").stat().st_mode) == 0o755


def test_pods_of_a_deployment_in_several_namespaces_land_apart(fleet: Fleet, tmp_path: Path) -> None:
    labels, other = labels_for("apart"), fleet.add_namespace()
    pods = fleet.add_deployment("apart", "gnu", labels, 2)
    fleet.add("gnu", "elsewhere", labels, namespace=other)
    (tmp_path / "file").write_text("x")
    ran = asynccp(fleet, "push", tmp_path / "file", "deploy/apart:/tmp/d/", "-o", "json")
    assert (ran.code, sorted(ran.outcomes)) == (0, sorted(pods))
    ran = asynccp(fleet, "push", tmp_path / "file", "-A", "-l", f"{selector(labels)}:/tmp/d/", "-o", "json")
    assert (ran.code, sorted(ran.outcomes)) == (0, sorted([*pods, "elsewhere"]))
    where = ["-n", fleet.namespace, "-n", other, "-l", f"{selector(labels)}:/tmp/d/file"]
    assert asynccp(fleet, "pull", *where, tmp_path / "back").code == 0
    assert (tmp_path / "back" / other / "elsewhere" / "file").read_text() == "x"
    assert sorted(os.listdir(tmp_path / "back" / fleet.namespace)) == sorted(pods)


def _under(facts: Facts, prefix: bytes) -> Facts:
    return replace(facts, same_as=prefix + facts.same_as)


def _without_times_of_directories(found: dict[bytes, Facts]) -> dict[bytes, Facts]:
    return {path: replace(one, mtime_s=0) if one.kind == "directory" else one for path, one in found.items()}

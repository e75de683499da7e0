"""A push moves what differs, and `asynccp diff` tells it: with each kind of tar that a container may have."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.fleet import Fleet, Pods, Ran, asynccp, names, one_of_each, sh, snapshot, with_digests

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def pods(fleet: Fleet) -> Pods:
    return one_of_each(fleet, "sync")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    top = tmp_path / "config"
    for number in range(40):
        path = top / f"d{number % 4}" / f"file {number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(3000))
    (top / "link").symlink_to("d0/file 0")
    (top / "d1" / "other name").hardlink_to(top / "d1" / "file 1")
    (top / "d2" / os.fsdecode(b"odd\n\xff\\")).write_text("odd")
    (top / "empty").mkdir()
    return top


def tallies(ran: Ran) -> dict[str, dict[str, int]]:
    """Return what the report counts for each pod, but for zeros."""
    return {one["pod"]: {key: count for key, count in one["tally"].items() if count} for one in ran.report["pods"]}


def push(fleet: Fleet, pods: Pods, source: Path | str, to: str, *flags: str, code: int = 0) -> Ran:
    ran = asynccp(fleet, "push", source, "-l", f"{pods['labels']}:{to}", *flags, "-o", "json")
    assert ran.code == code, ran.err
    return ran


def diff(fleet: Fleet, pods: Pods, source: Path, to: str, *flags: str) -> list[tuple[list[str], dict[str, Any]]]:
    """Return which pods differ alike, and how: `+ new`, `> changed: why`, `- extra`."""
    ran = asynccp(fleet, "diff", source, "-l", f"{pods['labels']}:{to}", *flags, "-o", "json")
    found = []
    for one in ran.report["alike"]:
        how = {each["path"]: (each["difference"], *each["why"]) for each in one["differences"]}
        found.append((sorted(pod["pod"] for pod in one["pods"]), how))
    assert ran.code == (4 if any(how for _, how in found) else 0), ran.err
    return found


def test_a_second_push_moves_no_data(fleet: Fleet, pods: Pods, config: Path) -> None:
    first = push(fleet, pods, config, "/tmp/twice")
    assert all(tally == {"new": 49} for tally in tallies(first).values())
    before = {pod: snapshot(fleet, pod, "/tmp/twice") for pod in names(pods)}
    again = push(fleet, pods, config, "/tmp/twice")
    size = 40 * 3000 + 3
    assert all(tally == {"same": 49, "saved_bytes": size} for tally in tallies(again).values())
    assert all(one["wire_bytes"] < 10_000 and one["entries"] == 0 for one in again.report["pods"])
    assert {pod: snapshot(fleet, pod, "/tmp/twice") for pod in names(pods)} == before
    everything = push(fleet, pods, config, "/tmp/twice", "--ignore-times")
    assert {one["bytes"] for one in everything.report["pods"]} == {size}


def test_nothing_of_the_destination_is_touched_where_nothing_is_sent(fleet: Fleet, pods: Pods, config: Path) -> None:
    push(fleet, pods, config, "/tmp/still")
    for pod in names(pods):
        sh(fleet, pod, "touch", "-d", "@1000000000", "/tmp/still", "/tmp/still/config")
    push(fleet, pods, config, "/tmp/still")
    for pod in names(pods):
        assert sh(fleet, pod, "stat", "-c", "%Y", "/tmp/still", "/tmp/still/config").split() == [b"1000000000"] * 2


def test_a_changed_file_is_sent_alone(fleet: Fleet, pods: Pods, config: Path) -> None:
    push(fleet, pods, config, "/tmp/one")
    (config / "d3" / "file 3").write_text("changed")
    ran = push(fleet, pods, config, "/tmp/one")
    assert all((one["entries"], one["bytes"]) == (1, 7) for one in ran.report["pods"])
    for pod in names(pods):
        assert sh(fleet, pod, "cat", "/tmp/one/config/d3/file 3") == b"changed"


def test_names_of_one_file_stay_so(fleet: Fleet, pods: Pods, config: Path) -> None:
    push(fleet, pods, config, "/tmp/names")
    (config / "d1" / "file 1").write_text("both")
    ran = push(fleet, pods, config, "/tmp/names")
    assert all(tally["changed"] == 2 for tally in tallies(ran).values())
    for pod in names(pods):
        inodes = sh(
            fleet, pod, "stat", "-c", "%i", *(f"/tmp/names/config/d1/{one}" for one in ("file 1", "other name"))
        )
        assert len(set(inodes.split())) == 1


def test_drift_is_named_for_the_pods_that_have_it_and_mended(fleet: Fleet, pods: Pods, config: Path) -> None:
    pods = with_digests(pods)
    push(fleet, pods, config, "/tmp/drift")
    drifted = sorted(names(pods))[:2]
    for pod in drifted:
        top = "/tmp/drift/config"
        for name in ("d0/file 0", "d1/file 5", "d2/file 6"):
            sh(fleet, pod, "sh", "-c", 'echo edited >>"$1" && touch -d @1000000000 "$1"', "sh", f"{top}/{name}")
        sh(fleet, pod, "rm", f"{top}/d3/file 7")
        sh(fleet, pod, "sh", "-c", 'echo new >"$1"', "sh", f"{top}/d3/added")
        sh(fleet, pod, "chmod", "600", f"{top}/d0/file 4")
    expected = {
        "config/d0/file 0": ("changed", "size", "time"),
        "config/d1/file 5": ("changed", "size", "time"),
        "config/d2/file 6": ("changed", "size", "time"),
        "config/d3/file 7": ("new",),
        "config/d3/added": ("extra",),
        "config/d0/file 4": ("changed", "mode"),
    }
    found = diff(fleet, pods, config, "/tmp/drift")
    others = sorted(set(names(pods)) - set(drifted))
    assert sorted(found, key=lambda one: not one[1]) == [(drifted, expected), *([(others, {})] if others else [])]
    ran = push(fleet, pods, config, "/tmp/drift", "--delete")
    for pod, tally in tallies(ran).items():
        wanted = {"changed": 3, "new": 1, "set": 1, "removed": 1} if pod in drifted else {}
        assert {key: tally[key] for key in tally if key not in ("same", "saved_bytes")} == wanted
    assert all(not how for _, how in diff(fleet, pods, config, "/tmp/drift", "--checksum"))


def test_content_is_compared_where_size_and_time_are_the_same(fleet: Fleet, pods: Pods, config: Path) -> None:
    pods = with_digests(pods)
    push(fleet, pods, config, "/tmp/content")
    for pod in names(pods):
        victim = "/tmp/content/config/d0/file 8"
        sh(fleet, pod, "sh", "-c", 'touch -r "$1" /tmp/time; { printf x; tail -c +2 "$1"; } >/tmp/copy', "sh", victim)
        sh(fleet, pod, "sh", "-c", 'cat /tmp/copy >"$1"; touch -r /tmp/time "$1"', "sh", victim)
    assert all(not how for _, how in diff(fleet, pods, config, "/tmp/content"))
    found = diff(fleet, pods, config, "/tmp/content", "--checksum")
    assert [how for _, how in found] == [{"config/d0/file 8": ("changed", "content")}]
    push(fleet, pods, config, "/tmp/content", "--checksum")
    assert all(not how for _, how in diff(fleet, pods, config, "/tmp/content", "--checksum"))


def test_a_time_alone_is_set_where_content_was_compared(fleet: Fleet, pods: Pods, config: Path) -> None:
    pods = with_digests(pods)
    push(fleet, pods, config, "/tmp/times")
    os.utime(config / "d0" / "file 0", (1_500_000_000, 1_500_000_000))
    ran = push(fleet, pods, config, "/tmp/times", "--checksum")
    for one in ran.report["pods"]:
        assert (one["tally"]["set"], one["bytes"]) in [(1, 0), (0, 3000)], "sent only where there is no touch"
    for pod in names(pods):
        assert sh(fleet, pod, "stat", "-c", "%Y", "/tmp/times/config/d0/file 0") == b"1500000000\n"


def test_what_is_removed_and_what_stays(fleet: Fleet, pods: Pods, config: Path) -> None:
    push(fleet, pods, config, "/tmp/gone")
    for pod in names(pods):
        script = """
            cd "$1" && mkdir -p out/deep config/extra/deep config/logs && echo a >out/deep/file
            echo a >config/extra/deep/file; echo a >config/logs/today.log; echo a >beside
            ln -s ../out config/way; ln -s ../../out config/extra/out; mkdir config/.asynccp-me-1.2
        """
        sh(fleet, pod, "sh", "-c", script, "sh", "/tmp/gone")
    seen = asynccp(
        fleet, "push", config, "-l", f"{pods['labels']}:/tmp/gone", "--delete", "--exclude", "*.log", "--dry-run"
    )
    assert "- config/extra/deep/file" in seen.out
    assert "today.log" not in seen.out
    ran = push(fleet, pods, config, "/tmp/gone", "--delete", "--exclude", "*.log")
    assert all(tally["removed"] == 5 for tally in tallies(ran).values())
    for pod in names(pods):
        sh(
            fleet,
            pod,
            "test",
            "-e",
            "/tmp/gone/out/deep/file",
            "-a",
            "-e",
            "/tmp/gone/beside",
        )
        sh(fleet, pod, "test", "-e", "/tmp/gone/config/logs/today.log", "-a", "-d", "/tmp/gone/config/.asynccp-me-1.2")
        sh(fleet, pod, "test", "!", "-e", "/tmp/gone/config/extra", "-a", "!", "-h", "/tmp/gone/config/way")
    push(fleet, pods, config, "/tmp/gone", "--delete", "--exclude", "*.log", "--delete-excluded")
    for pod in names(pods):
        sh(fleet, pod, "test", "!", "-e", "/tmp/gone/config/logs")


def test_where_nothing_is_yet_there_is_nothing_to_remove(fleet: Fleet, pods: Pods, config: Path) -> None:
    ran = asynccp(fleet, "push", f"{config}/", "-l", f"{pods['labels']}:/tmp/not/there/yet", "--delete", "-o", "json")
    assert ran.code == 0, ran.err
    assert set(ran.outcomes.values()) == {"complete"}


def test_a_pod_that_would_lose_too_much_is_left_alone(fleet: Fleet, pods: Pods, config: Path) -> None:
    push(fleet, pods, config, "/tmp/most")
    one = next(names(pods))
    sh(fleet, one, "sh", "-c", 'echo a >"$1/a"; echo b >"$1/b"', "sh", "/tmp/most/config")
    (config / "d0" / "file 0").write_text("changed")
    ran = push(fleet, pods, config, "/tmp/most", "--delete", "--max-delete", "1", code=23 if len(pods) > 2 else 1)
    failed = [each for each in ran.report["pods"] if each["outcome"] == "failed"]
    assert [each["pod"] for each in failed] == [one]
    assert failed[0]["error"] == "2 entries would be removed, more than 1; nothing was changed"
    assert "--max-delete is the most that may be" in failed[0]["hint"]
    assert sh(fleet, one, "cat", "/tmp/most/config/a") == b"a\n"
    assert sh(fleet, one, "cat", "/tmp/most/config/d0/file 0") != b"changed"


def test_what_stands_in_the_way_goes_only_on_request(fleet: Fleet, pods: Pods, config: Path) -> None:
    for pod in names(pods):
        sh(fleet, pod, "mkdir", "-p", "/tmp/way/config/d0/file 0/deep")
    failed = push(fleet, pods, config, "/tmp/way", code=1)
    assert "a directory is in its place" in failed.report["pods"][0]["error"]
    push(fleet, pods, config, "/tmp/way", "--delete")
    for pod in names(pods):
        assert len(sh(fleet, pod, "cat", "/tmp/way/config/d0/file 0")) == 3000


def test_a_single_file_is_compared_under_the_name_that_it_gets(fleet: Fleet, pods: Pods, config: Path) -> None:
    source = config / "d0" / "file 0"
    for to in ("/tmp/single/renamed.conf", "/tmp/single/renamed.conf", "/tmp/single/"):
        ran = push(fleet, pods, source, to)
    assert all(one["tally"]["new"] == 1 for one in ran.report["pods"]), "under its own name it is another"
    for to in ("/tmp/single/renamed.conf", "/tmp/single/"):
        assert all(one["tally"]["same"] == 1 for one in push(fleet, pods, source, to).report["pods"])
    for pod in names(pods):
        sh(fleet, pod, "sh", "-c", 'rm "$1" && mkdir "$1"', "sh", "/tmp/single/renamed.conf")
    ran = push(fleet, pods, source, "/tmp/single/renamed.conf")
    assert {one["landed"] for one in ran.report["pods"]} == {"/tmp/single/renamed.conf/file 0"}
    assert all(
        one["tally"]["same"] == 1 for one in push(fleet, pods, source, "/tmp/single/renamed.conf").report["pods"]
    )


def test_a_file_beside_the_one_that_is_written_is_not_taken_for_it(fleet: Fleet, pods: Pods, config: Path) -> None:
    """Another file there is called what the source is called here, and has its content."""
    pods = with_digests(pods)
    source, there, beside = config / "d0" / "file 0", "/tmp/named/renamed.conf", "/tmp/named/file 0"
    push(fleet, pods, source, "/tmp/named/")
    push(fleet, pods, source, there)
    for pod in names(pods):
        sh(fleet, pod, "touch", "-d", "@1000000000", beside)
        sh(fleet, pod, "chmod", "640", there)
    ran = push(fleet, pods, source, there)
    assert all(one["tally"]["set"] == 1 for one in ran.report["pods"] if "toybox" not in one["pod"])
    for pod in names(pods):
        told = sh(fleet, pod, "stat", "-c", "%a %Y", there, beside).decode().split()
        assert (told[0], told[2:]) == ("644", ["644", "1000000000"])
        script = '{ printf x; tail -c +2 "$2"; } >"$1"'
        sh(fleet, pod, "sh", "-c", script, "sh", there, beside)
    ran = push(fleet, pods, source, there, "--checksum")
    assert all(one["bytes"] == 3000 for one in ran.report["pods"])
    for pod in names(pods):
        assert sh(fleet, pod, "cat", there) == source.read_bytes()
        assert sh(fleet, pod, "stat", "-c", "%Y", beside) == b"1000000000\n"


@pytest.mark.parametrize(
    ("flag", "brought"),
    [("--existing", {"older", "newer"}), ("--ignore-existing", {"new"}), ("--update", {"new", "older"})],
)
def test_words_of_rsync(fleet: Fleet, pods: Pods, tmp_path: Path, flag: str, brought: set[str]) -> None:
    (tmp_path / "src").mkdir()
    for name in ("new", "older", "newer"):
        (tmp_path / "src" / name).write_text(f"ours: {name}")
    to = f"/tmp/rsync{flag}"
    for pod in names(pods):
        script = 'mkdir -p "$1" && cd "$1" && echo theirs >older && echo theirs >newer && touch -d @1000000000 older'
        sh(fleet, pod, "sh", "-c", f"{script} && touch -d @4000000000 newer", "sh", to)
    push(fleet, pods, f"{tmp_path}/src/", to, flag)
    for pod in names(pods):
        script = 'cd "$1" && for f in *; do echo "$f $(cat "$f")"; done'
        told = sh(fleet, pod, "sh", "-c", script, "sh", to).decode().splitlines()
        assert {line.split()[0] for line in told if "ours" in line} == brought

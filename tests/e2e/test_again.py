"""A pull takes what is not here yet, and of that what was asked for: with each kind of tar that there is."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.boxed import add_boxed, take_away
from tests.e2e.fleet import WITH_TAR, Fleet, Pods, Ran, asynccp, names, one_of_each, sh, snapshot, with_digests
from tests.e2e.real import RealFleet
from tests.e2e.shared import VOLUME, as_root

pytestmark = pytest.mark.timeout(120)

TREE = """
    mkdir -p "$1/app/deep" "$1/empty" && cd "$1" || exit
    for i in 1 2 3 4 5 6 7 8 9; do echo "line $i of app" >app/$i.log; echo "zip $i" >app/$i.gz; done
    echo odd >"app/deep/odd
name\\\\"
    ln -s app/1.log link; ln app/1.log app/deep/first; echo run >app/run.sh; chmod 750 app/run.sh
"""
FILES = 2 * 9 + 1 + 1 + 1  # the odd name, the second name of one, and what can be run


@pytest.fixture(scope="module")
def pods(fleet: Fleet) -> Pods:
    return one_of_each(fleet, "again")


def make(fleet: Fleet, pods: Pods, directory: str) -> None:
    for pod in names(pods):
        sh(fleet, pod, "sh", "-c", TREE, "sh", directory)


def do(fleet: Fleet, pods: Pods, directory: str, script: str) -> None:
    for pod in names(pods):
        sh(fleet, pod, "sh", "-c", f'cd "$1" && {script}', "sh", directory)


def pull(fleet: Fleet, pods: Pods, path: str, to: Path, *flags: str, code: int = 0) -> Ran:
    ran = asynccp(fleet, "pull", "-l", f"{pods['labels']}:{path}", to, *flags, "-o", "json")
    assert ran.code == code, ran.err
    return ran


def tallies(ran: Ran) -> list[dict[str, int]]:
    """Return what the report counts for each pod, but for zeros."""
    return [{key: count for key, count in one["tally"].items() if count} for one in ran.report["pods"]]


def found_below(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if not path.is_dir()}


def states(directory: Path) -> dict[Path, tuple[int, ...]]:
    """Return what would be others if anything had been written."""
    found = ((path, path.lstat()) for path in directory.rglob("*"))
    return {path: (one.st_ino, one.st_mode, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for path, one in found}


def assert_same(fleet: Fleet, pods: Pods, directory: str, to: Path) -> None:
    """Fail unless each pod's files are here, with the same content and times, and nothing else."""
    top = directory.rpartition("/")[2]
    for pod in names(pods):
        there = snapshot(fleet, pod, directory)
        here = {os.fsencode(path.relative_to(to / pod / top)): path for path in (to / pod / top).rglob("*")}
        assert here.keys() == there.keys() - {b""}
        for name, path in here.items():
            if there[name].kind == "file":
                found = hashlib.sha256(path.read_bytes()).hexdigest(), int(path.stat().st_mtime)
                assert found == (there[name].content, there[name].mtime_s), (pod, name)


def test_a_second_pull_fetches_nothing(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    make(fleet, pods, "/tmp/twice")
    first = pull(fleet, pods, "/tmp/twice", tmp_path)
    assert {one["tally"] for one in first.report["pods"]} == {None}, "a first one asks for no list"
    before = states(tmp_path)
    again = pull(fleet, pods, "/tmp/twice", tmp_path)
    assert all(one["entries"] == 0 and one["wire_bytes"] < 8000 for one in again.report["pods"])
    assert all(tally["same"] == FILES + 1 + 4 and len(tally) == 2 for tally in tallies(again))
    assert states(tmp_path) == before
    everything = pull(fleet, pods, "/tmp/twice", tmp_path, "--ignore-times")
    assert all(one["entries"] == FILES + 1 + 4 for one in everything.report["pods"])


def test_what_differs_is_fetched_and_no_more(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    make(fleet, pods, "/tmp/differs")
    pull(fleet, pods, "/tmp/differs", tmp_path)
    script = (
        "echo more >>app/2.log; echo new >app/new; rm link; ln -s app/2.log link; chmod 600 app/3.log; rm app/4.log"
    )
    do(fleet, pods, "/tmp/differs", f"{script}; rm -r app/5.gz && mkdir app/5.gz && echo deep >app/5.gz/deep")
    failed = pull(fleet, pods, "/tmp/differs", tmp_path, code=1)
    assert "a directory belongs there" in failed.report["pods"][0]["error"]
    for pod in names(pods):
        (tmp_path / pod / "differs/app/5.gz").unlink()
    pull(fleet, pods, "/tmp/differs", tmp_path)
    for pod in names(pods):
        here = tmp_path / pod / "differs"
        assert (here / "app/2.log").read_text() == "line 2 of app\nmore\n"
        assert (here / "app/new").read_text() == "new\n"
        assert os.readlink(here / "link") == "app/2.log"
        assert (here / "app/3.log").stat().st_mode & 0o777 == 0o600
        assert (here / "app/4.log").exists(), "nothing is removed that nobody asked to"
        assert (here / "app/5.gz/deep").read_text() == "deep\n"
    assert all(len(tally) == 2 for tally in tallies(pull(fleet, pods, "/tmp/differs", tmp_path)))


@pytest.mark.parametrize(
    ("path", "flags", "found"),
    [
        ("/tmp/some", ["--include", "1.*", "--exclude", "*"], ["some/app/1.log", "some/app/1.gz"]),
        ("/tmp/some", ["--exclude", "*.gz", "--exclude", "[2-9].log", "--exclude", "deep"],
         ["some/app/1.log", "some/app/run.sh", "some/link"]),
        ("/tmp/some/app/[12].{log,gz}", [], ["1.log", "2.log", "1.gz", "2.gz"]),
        ("/tmp/some/**/odd*", [], ["app/deep/odd\nname\\"]),
        ("/tmp/some/*/[3-9].log", ["--exclude", "[5-9].log"], ["app/3.log", "app/4.log"]),
        ("/tmp/some/app/1.log", ["--exclude", "*.gz"], ["1.log"]),
    ],
    ids=["include", "exclude", "braces", "deep", "both", "one file"],
)  # fmt: skip
def test_what_is_asked_for(
    fleet: Fleet, pods: Pods, tmp_path: Path, path: str, flags: list[str], found: list[str]
) -> None:
    make(fleet, pods, "/tmp/some")
    for _ in range(2):
        pull(fleet, pods, path, tmp_path, *flags)
        for pod in names(pods):
            assert found_below(tmp_path / pod) == set(found)


def test_a_pattern_that_matches_in_some_pods(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    first = next(names(pods))
    sh(fleet, first, "sh", "-c", 'mkdir -p "$1" && echo here >"$1/only.log"', "sh", "/tmp/here")
    ran = pull(fleet, pods, "/tmp/here/*.log", tmp_path)
    assert [one["outcome"] for one in ran.report["pods"] if one["pod"] == first] == ["complete"]
    assert {one["outcome"] for one in ran.report["pods"] if one["pod"] != first} <= {"absent"}
    nowhere = pull(fleet, pods, "/tmp/here/*.nothing", tmp_path, code=1)
    assert {one["outcome"] for one in nowhere.report["pods"]} == {"failed"}


def test_limits_name_what_they_leave_out(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    make(fleet, pods, "/tmp/limits")
    do(
        fleet,
        pods,
        "/tmp/limits",
        "head -c 100000 /dev/zero >app/huge; touch -d @1000000000 app/9.log app/9.gz app/run.sh",
    )
    ran = pull(fleet, pods, "/tmp/limits", tmp_path / "file", "--max-file-size", "1000")
    for one in ran.report["pods"]:
        assert [left["path"] for left in one["left_out"]] == ["limits/app/huge"]
    strict = pull(fleet, pods, "/tmp/limits", tmp_path / "file", "--max-file-size", "1000", "--strict", code=23)
    assert {one["outcome"] for one in strict.report["pods"]} == {"partial"}
    pull(fleet, pods, "/tmp/limits", tmp_path / "recent", "--since", "1h")
    pull(fleet, pods, "/tmp/limits", tmp_path / "least", "--max-file-size", "1000", "--max-pod-size", "100")
    for pod in names(pods):
        assert not {"limits/app/9.log", "limits/app/9.gz"} & found_below(tmp_path / "recent" / pod)
        assert "limits/app/8.log" in found_below(tmp_path / "recent" / pod)
        assert "limits/app/9.log" not in found_below(tmp_path / "least" / pod)
        size = sum(path.stat().st_size for path in (tmp_path / "least" / pod).rglob("*.*") if path.is_file())
        assert size <= 100


def test_of_all_pods_the_newest_files_are_taken_until_there_is_no_room(
    fleet: Fleet, pods: Pods, tmp_path: Path
) -> None:
    ages = {pod: number for number, pod in enumerate(names(pods))}
    script = """
        mkdir -p "$1" && cd "$1" && for n in 0 1 2; do
            head -c 1000 /dev/zero >$n && touch -d @$(($2 - n * 100)) $n
        done
    """
    for pod, age in ages.items():
        sh(fleet, pod, "sh", "-c", script, "sh", "/tmp/newest", str(1_000_000_000 - age))
    most = 1000 * (len(ages) + 1) + 999  # the first of each pod, and the second of the first pod
    ran = pull(fleet, pods, "/tmp/newest", tmp_path, "--max-total", str(most), "--concurrency", "1")
    for one in ran.report["pods"]:
        taken = {"newest/0", *(["newest/1"] if ages[one["pod"]] == 0 else [])}
        assert found_below(tmp_path / one["pod"]) == taken
        left = {f"newest/{n}" for n in range(3)} - taken
        assert {one["path"] for one in one["left_out"]} == left
    pull(fleet, pods, "/tmp/newest", tmp_path, "--max-total", str(most), "--strict", code=23)


def test_content_is_compared_where_size_and_time_are_the_same(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    pods = with_digests(pods)
    make(fleet, pods, "/tmp/content")
    pull(fleet, pods, "/tmp/content", tmp_path)
    for pod in names(pods):
        victim = tmp_path / pod / "content/app/6.log"
        times = victim.stat().st_atime_ns, victim.stat().st_mtime_ns
        victim.write_bytes(victim.read_bytes().swapcase())
        os.utime(victim, ns=times)
    assert all(len(tally) == 2 for tally in tallies(pull(fleet, pods, "/tmp/content", tmp_path)))
    ran = pull(fleet, pods, "/tmp/content", tmp_path, "--checksum")
    assert all(tally["changed"] == 1 for tally in tallies(ran))
    for pod in names(pods):
        assert (tmp_path / pod / "content/app/6.log").read_text() == "line 6 of app\n"


LOGS = """
    mkdir -p "$1" && cd "$1" && i=0
    while [ $i -lt 3000 ]; do echo "line $i of a log that grows"; i=$((i + 1)); done >app.log
    cp app.log still.log && touch -d @1600000000 still.log
"""


def make_logs(fleet: Fleet, pods: Pods, directory: str, to: Path) -> int:
    """Make logs, and pull them; return the size of one."""
    for pod in names(pods):
        sh(fleet, pod, "sh", "-c", LOGS, "sh", directory)
    pull(fleet, pods, directory, to)
    return (to / next(names(pods)) / directory.rpartition("/")[2] / "app.log").stat().st_size


def test_of_a_log_that_grew_only_the_rest_is_fetched(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    pods = with_digests(pods)
    size = make_logs(fleet, pods, "/tmp/grown", tmp_path)
    do(fleet, pods, "/tmp/grown", "echo more >>app.log")
    ran = pull(fleet, pods, "/tmp/grown", tmp_path)
    for one in ran.report["pods"]:
        assert (one["tally"]["changed"], one["bytes"]) == (1, 5)
        assert one["tally"]["saved_bytes"] == 2 * size
        assert one["wire_bytes"] < 20_000
    assert_same(fleet, pods, "/tmp/grown", tmp_path)


def test_a_log_that_only_seems_to_have_grown_is_fetched_anew(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    size = make_logs(fleet, pods, "/tmp/anew", tmp_path)
    do(fleet, pods, "/tmp/anew", "{ echo other; cat still.log; } >app.log; head -c 1000 app.log >still.log")
    ran = pull(fleet, pods, "/tmp/anew", tmp_path)
    assert all(one["bytes"] == size + 6 + 1000 for one in ran.report["pods"])
    assert_same(fleet, pods, "/tmp/anew", tmp_path)


def test_rotated_logs_are_renamed_and_not_fetched_again(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    pods = with_digests(pods)
    size = make_logs(fleet, pods, "/tmp/rotated", tmp_path)
    script = "echo last >>app.log; mv app.log app.log.1; echo first >app.log"
    do(fleet, pods, "/tmp/rotated", script)
    ran = pull(fleet, pods, "/tmp/rotated", tmp_path)
    assert all(one["bytes"] == 5 + 6 for one in ran.report["pods"])
    assert_same(fleet, pods, "/tmp/rotated", tmp_path)
    do(fleet, pods, "/tmp/rotated", "mv app.log.1 app.log.2; mv app.log app.log.1; echo the third >app.log")
    ran = pull(fleet, pods, "/tmp/rotated", tmp_path)
    assert all(one["bytes"] < size for one in ran.report["pods"])
    assert_same(fleet, pods, "/tmp/rotated", tmp_path)


def test_a_mirror_removes_what_the_pod_has_no_more_and_nothing_else(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    make(fleet, pods, "/tmp/mirror")
    pull(fleet, pods, "/tmp/mirror", tmp_path)
    do(fleet, pods, "/tmp/mirror", "rm -r app/deep link app/1.log app/2.gz")
    for pod in names(pods):
        (tmp_path / pod / "beside").write_text("ours")
        (tmp_path / pod / "mirror/app/noted.gz").write_text("ours")
    pull(fleet, pods, "/tmp/mirror", tmp_path)
    assert all((tmp_path / pod / "mirror/app/1.log").exists() for pod in names(pods))
    ran = pull(fleet, pods, "/tmp/mirror", tmp_path, "--mirror", "--exclude", "*.gz")
    assert {tally["removed"] for tally in tallies(ran)} == {5}, "app/deep with two files, link, 1.log; no *.gz"
    for pod in names(pods):
        assert (tmp_path / pod / "beside").exists()
        assert (tmp_path / pod / "mirror/app/noted.gz").exists()
    pull(fleet, pods, "/tmp/mirror", tmp_path, "--mirror")
    assert_same(fleet, pods, "/tmp/mirror", tmp_path)
    assert all((tmp_path / pod / "beside").exists() for pod in names(pods))


def test_of_long_files_only_the_end_is_fetched(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    for pod in names(pods):
        sh(fleet, pod, "sh", "-c", LOGS, "sh", "/tmp/tails")
        sh(fleet, pod, "sh", "-c", 'echo short >"$1"', "sh", "/tmp/tails/short.log")
    ran = pull(fleet, pods, "/tmp/tails", tmp_path, "--tail-bytes", "1000")
    for one in ran.report["pods"]:
        here = tmp_path / one["pod"] / "tails"
        lines = (here / "app.log").read_text().splitlines()
        assert lines == [f"line {number} of a log that grows" for number in range(3000 - len(lines), 3000)]
        assert 900 < (here / "app.log").stat().st_size <= 1000
        assert (here / "short.log").read_text() == "short\n"
        assert sorted(lack["path"] for lack in one["not_kept"]) == ["tails/app.log", "tails/still.log"]


ENDS = """
    mkdir -p "$1" && cd "$1" && i=0
    while [ $i -lt 2500 ]; do i=$((i + 1)); echo "line $i of a log, of which only the end is wanted"; done >still.log
    cat still.log >grows.log && cat still.log >rotates.log && touch -d @1000000000 *.log
"""
SINCE = "echo 1 more >>grows.log; echo 2 more >>grows.log; mv rotates.log rotates.log.1; echo new >rotates.log"


def test_of_an_end_that_is_here_only_what_is_new_is_fetched(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    pods = with_digests(pods)
    for pod in names(pods):
        sh(fleet, pod, "sh", "-c", ENDS, "sh", "/tmp/ends")
    first = pull(fleet, pods, "/tmp/ends", tmp_path, "--tail-bytes", "100K")
    whole = {pod: snapshot_of(tmp_path / pod / "ends") for pod in names(pods)}
    before = states(tmp_path)
    again = pull(fleet, pods, "/tmp/ends", tmp_path, "--tail-bytes", "100K")
    assert states(tmp_path) == before
    for one, other in zip(first.report["pods"], again.report["pods"], strict=True):
        assert one["not_kept"] == other["not_kept"], "they are ends still"
        assert other["wire_bytes"] < 60_000 < 300_000 < one["wire_bytes"]
        assert (other["tally"]["same"], other["tally"]["changed"]) == (4, 0)
    do(fleet, pods, "/tmp/ends", SINCE)
    ran = pull(fleet, pods, "/tmp/ends", tmp_path, "--tail-bytes", "100K")
    for one in ran.report["pods"]:
        had, here = whole[one["pod"]], snapshot_of(tmp_path / one["pod"] / "ends")
        assert one["wire_bytes"] < 60_000
        assert (here["still.log"], here["rotates.log.1"]) == (had["still.log"], had["rotates.log"])
        assert here["rotates.log"] == b"new\n"
        lines, grown = had["grows.log"].splitlines(True), here["grows.log"]
        assert len(grown) <= 100 * 1024
        assert (b"".join(lines) + b"1 more\n2 more\n").endswith(grown)
        assert len(grown) + len(lines[0]) > 100 * 1024


def snapshot_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_mirror_leaves_alone_what_another_copy_has_put_among_its_contents(
    fleet: Fleet, pods: Pods, tmp_path: Path
) -> None:
    make(fleet, pods, "/tmp/beside")
    do(fleet, pods, "/tmp/beside", "mkdir -p other && echo other >other/file")
    both = ["-l", f"{pods['labels']}:/tmp/beside/app/", "-l", f"{pods['labels']}:/tmp/beside/other"]
    for _ in range(2):
        ran = asynccp(fleet, "pull", *both, tmp_path, "--mirror", "-o", "json")
        assert ran.code == 0, ran.err
        for pod in names(pods):
            assert {"other/file", "1.log"} <= found_below(tmp_path / pod)


def test_the_end_of_a_file_that_is_one_line_is_not_nothing(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    for pod in names(pods):
        sh(fleet, pod, "sh", "-c", 'mkdir -p "$1" && echo "a line that is long" >"$1/log"', "sh", "/tmp/line")
    pull(fleet, pods, "/tmp/line", tmp_path, "--tail-bytes", "10")
    assert {(tmp_path / pod / "line/log").read_text() for pod in names(pods)} == {"t is long\n"}


@pytest.mark.cluster
def test_a_container_that_can_send_no_end_of_a_file_is_named_and_pulled_from_without(
    real_fleet: RealFleet, tmp_path: Path
) -> None:
    pod = add_boxed(real_fleet, "gnu")
    take_away(real_fleet, pod, "tail")
    as_root(real_fleet, pod, "mkdir logs; seq 9000 >logs/long.log")
    ran = asynccp(real_fleet, "pull", f"{pod}:{VOLUME}/logs", tmp_path, "--tail-bytes", "10", "-o", "json")
    assert (ran.code, ran.errors) == (
        1,
        {pod: "the container can't send the end of a file, without head and tail"},
    )
    for _ in range(2):
        assert asynccp(real_fleet, "pull", f"{pod}:{VOLUME}/logs", tmp_path).code == 0
        as_root(real_fleet, pod, "echo more >>logs/long.log")
    kept = (tmp_path / pod / "logs/long.log").read_text().splitlines()
    assert kept == [*map(str, range(1, 9001)), "more"], "the second pull took it whole"


def test_what_is_compressed_already_is_not_compressed_again(fleet: Fleet, pods: Pods, tmp_path: Path) -> None:
    make(fleet, pods, "/tmp/packed")
    pull(fleet, pods, "/tmp/packed", tmp_path)
    do(fleet, pods, "/tmp/packed", "head -c 30000 /dev/urandom >app/new.gz")
    ran = pull(fleet, pods, "/tmp/packed", tmp_path, "-z", "gzip")
    assert {one["compression"] for one in ran.report["pods"]} == {None}
    do(fleet, pods, "/tmp/packed", "head -c 30000 /dev/zero >app/new.log")
    ran = pull(fleet, pods, "/tmp/packed", tmp_path, "-z", "gzip")
    assert "gzip" in {one["compression"] for one in ran.report["pods"]}, "where the container has it"


@pytest.mark.fake_only
@pytest.mark.parametrize("kind", WITH_TAR)
def test_another_file_system_is_left_empty_on_request(fleet: Fleet, pods: Pods, tmp_path: Path, kind: str) -> None:
    if kind not in pods:
        pytest.skip(f"no {kind} here")
    make(fleet, {kind: pods[kind]}, "/tmp/disks")
    pod, place = pods[kind], sh(fleet, pods[kind], "sh", "-c", 'cd "$1" && pwd -P', "sh", "/tmp/disks/app/deep")
    disk = os.fsdecode(place.removesuffix(b"\n"))
    if subprocess.run(["mount", "-t", "tmpfs", "none", disk], capture_output=True).returncode:
        pytest.skip("only root may mount")
    try:
        Path(disk, "on it").write_text("another disk")
        flags = (f"{pod}:/tmp/disks", tmp_path, "-o", "json")
        here = tmp_path / pod / "disks/app"
        ran = asynccp(fleet, "pull", *flags, "-x")
        assert ran.code == 0, ran.err
        assert (sorted(os.listdir(here / "deep")), (here / "1.log").exists()) == ([], True)
        assert asynccp(fleet, "pull", *flags).code == 0
        assert (here / "deep/on it").read_text() == "another disk"
        (here / "deep/on it").write_text("kept")
        (here / "gone").write_text("removed")
        assert asynccp(fleet, "pull", *flags, "-x", "--mirror").code == 0
        assert ((here / "deep/on it").read_text(), (here / "gone").exists()) == ("kept", False)
        assert asynccp(fleet, "pull", f"{pod}:/tmp/disks/app/1.log", tmp_path / "one", "-x").code == 0
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_name_that_a_tar_would_take_for_another_one_is_fetched_again(
    fleet: Fleet, pods: Pods, tmp_path: Path
) -> None:
    make(fleet, pods, "/tmp/quoted")
    odd = "for n in 'a\\b' '\\n' 'c\\101' '\\\\'; do"
    do(fleet, pods, "/tmp/quoted", f'{odd} echo 1 >"./$n"; done')
    pull(fleet, pods, "/tmp/quoted", tmp_path)
    do(fleet, pods, "/tmp/quoted", f'{odd} echo 22 >"./$n"; done')
    pull(fleet, pods, "/tmp/quoted", tmp_path)
    for pod in names(pods):
        for one in ("a\\b", "\\n", "c\\101", "\\\\"):
            assert (tmp_path / pod / "quoted" / one).read_text() == "22\n"
        do(fleet, pods, "/tmp/quoted", "echo 3 >'a\\b'")
    pull(fleet, pods, "/tmp/quoted/a\\b", tmp_path / "single")
    assert {(tmp_path / "single" / pod / "a\\b").read_text() for pod in names(pods)} == {"3\n"}

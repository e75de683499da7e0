"""A directory replaced as a whole, commands before and behind that, and the way back; with each kind of tar."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.e2e.fleet import Fleet, Pods, Ran, asynccp, names, one_of_each, sh, snapshot
from tests.trees import Facts

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def pods(fleet: Fleet) -> Pods:
    return one_of_each(fleet, "swap")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    top = tmp_path / "config"
    for name in ("one", "d/two", "d/e/three"):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name} 1")
    (top / "link").symlink_to("one")
    return top


def run(fleet: Fleet, command: str, pods: Pods, to: str, *arguments: str | Path, code: int = 0) -> Ran:
    ran = asynccp(fleet, command, *arguments, "-l", f"{pods['labels']}:{to}", "-o", "json")
    assert ran.code == code, ran.err
    return ran


def push(fleet: Fleet, pods: Pods, source: Path, to: str, *flags: str, code: int = 0) -> Ran:
    return run(fleet, "push", pods, to, f"{source}/", *flags, code=code)


def standing(fleet: Fleet, pod: str, directory: str) -> dict[bytes, Facts]:
    """Return what stands there, but for the times of directories, which what is put into them changes."""
    found = snapshot(fleet, pod, directory)
    return {path: replace(one, mtime_s=0) if one.kind == "directory" else one for path, one in found.items()}


def second(config: Path) -> None:
    """Change what is pushed: a file of another size, one that is gone, one that is new."""
    (config / "one").write_text("one, the second")
    (config / "d/two").unlink()
    (config / "d/new").write_text("new")


@pytest.mark.parametrize("flag", ["--atomic", "--atomic-link"])
def test_what_stands_there_is_what_a_push_makes_of_it(fleet: Fleet, pods: Pods, config: Path, flag: str) -> None:
    to, usual = f"/tmp/swap{flag}", f"/tmp/usual{flag}"
    for where in (to, usual):
        push(fleet, pods, config, where)
        for pod in names(pods):
            sh(
                fleet,
                pod,
                "sh",
                "-c",
                'echo theirs >"$1/theirs"; touch -d @1000000000 "$1/theirs"; chmod 750 "$1"',
                "sh",
                where,
            )
    second(config)
    push(fleet, pods, config, usual)
    ran = push(fleet, pods, config, to, flag)
    assert all(one["tally"]["new"] == 1 for one in ran.report["pods"])
    for pod in names(pods):
        assert standing(fleet, pod, to) == standing(fleet, pod, usual)
    push(fleet, pods, config, usual, "--delete")
    push(fleet, pods, config, to, flag, "--delete")
    for pod in names(pods):
        found = standing(fleet, pod, to)
        assert found == standing(fleet, pod, usual)
        assert b"theirs" not in found
    assert all(one["tally"]["same"] == 6 for one in push(fleet, pods, config, to, flag).report["pods"])


def test_what_was_replaced_comes_back_byte_for_byte(fleet: Fleet, pods: Pods, config: Path) -> None:
    to = "/tmp/back/app"
    push(fleet, pods, config, to)
    before = {pod: snapshot(fleet, pod, to) for pod in names(pods)}
    second(config)
    ran = push(fleet, pods, config, to, "--backup=2", "--delete")
    revision = {one["pod"]: one["backup"] for one in ran.report["pods"]}
    after = {pod: snapshot(fleet, pod, to) for pod in names(pods)}
    told = run(fleet, "history", pods, to).report["pods"]
    assert {one["pod"]: [kept["revision"] for kept in one["revisions"]] for one in told} == {
        pod: [name] for pod, name in revision.items()
    }
    digest = push(fleet, pods, config, to).report["request"]["sources"]["digest"]
    assert all(one["revisions"][0]["digest"] == digest for one in told)
    assert all(one["revisions"][0]["by"] == "push" and one["revisions"][0]["host"] for one in told)
    ran = run(fleet, "rollback", pods, to, "--exec-after", "cat tmp/back/app/d/two")
    assert {hook["output"] for one in ran.report["pods"] for hook in one["hooks"]} == {"d/two 1"}
    assert {one["restored"] for one in ran.report["pods"]} == set(revision.values())
    assert {pod: snapshot(fleet, pod, to) for pod in names(pods)} == before
    run(fleet, "rollback", pods, to)
    assert {pod: snapshot(fleet, pod, to) for pod in names(pods)} == after
    ran = run(fleet, "rollback", pods, "/tmp/nowhere", code=1)
    assert set(ran.errors.values()) == {"no backup of /tmp/nowhere is there"}


@pytest.mark.fake_only  # to save time: the scripts are the same
def test_neither_a_listing_nor_a_removal_minds_what_is_kept(fleet: Fleet, pods: Pods, config: Path) -> None:
    push(fleet, pods, config, "/tmp/kept/app")
    second(config)
    push(fleet, pods, config, "/tmp/kept/app", "--backup", "--atomic-link")
    (config / "app").mkdir()
    ran = asynccp(fleet, "diff", f"{config}/", "-l", f"{pods['labels']}:/tmp/kept", "-o", "json")
    extra = {d["path"] for one in ran.report["alike"] for d in one["differences"] if d["difference"] == "extra"}
    assert extra == set()
    push(fleet, pods, config, "/tmp/kept", "--delete")
    for pod in names(pods):
        assert sh(fleet, pod, "cat", "/tmp/kept/app/one") == b"one, the second"
    run(fleet, "rollback", pods, "/tmp/kept/app")
    for pod in names(pods):
        assert sh(fleet, pod, "cat", "/tmp/kept/app/one") == b"one 1"


def test_a_dry_run_of_it_makes_nothing(fleet: Fleet, pods: Pods, config: Path) -> None:
    push(fleet, pods, config, "/tmp/foreseen/app", "--atomic", "--dry-run")
    for pod in names(pods):
        assert sh(fleet, pod, "sh", "-c", 'test -e "$1" || echo none', "sh", "/tmp/foreseen") == b"none\n"


@pytest.mark.cluster
def test_a_dry_run_tells_what_can_not_be_replaced(fleet: Fleet, pods: Pods, config: Path) -> None:
    ran = push(fleet, pods, config, "/etc", "--atomic", "--dry-run", code=1)  # hosts is mounted there
    assert all("can't be replaced at once" in error for error in ran.errors.values())


def test_a_command_before_it_prevents_it(fleet: Fleet, pods: Pods, config: Path) -> None:
    push(fleet, pods, config, "/tmp/before")
    before = {pod: snapshot(fleet, pod, "/tmp/before") for pod in names(pods)}
    second(config)
    check = 'cat "$ASYNCCP_STAGED/one" "$ASYNCCP_STAGED/d/e/three"; printf "\\033[2Jhm"; exit 3'
    ran = push(fleet, pods, config, "/tmp/before", "--exec-before", check, code=1)
    for one in ran.report["pods"]:
        (hook,) = one["hooks"]
        assert (hook["when"], hook["exit_code"]) == ("before", 3)
        assert hook["output"] == "one, the secondd/e/three 1\\x1b[2Jhm"
        assert "nothing was changed, because the command before failed with exit code 3" in one["error"]
        assert one["class"] == "HookFailed"
    assert {pod: snapshot(fleet, pod, "/tmp/before") for pod in names(pods)} == before
    push(fleet, pods, config, "/tmp/before", "--exec-before", 'test -e "$ASYNCCP_STAGED/d/new"')
    for pod in names(pods):
        assert sh(fleet, pod, "ls", "-A", "/tmp/before").split() == [b"d", b"link", b"one"]


@pytest.mark.fake_only  # to save time: the scripts are the same
def test_a_command_behind_it_is_run_always_and_its_failure_undoes_it(fleet: Fleet, pods: Pods, config: Path) -> None:
    to = "/tmp/after/app"
    push(fleet, pods, config, to, "--exec-after", "echo $(cat tmp/after/app/one) >>tmp/after/ran")
    push(fleet, pods, config, to, "--exec-after", "echo $(cat tmp/after/app/one) >>tmp/after/ran")
    for pod in names(pods):
        assert sh(fleet, pod, "cat", "/tmp/after/ran") == b"one 1\none 1\n", "also where nothing had to be sent"
    before = {pod: snapshot(fleet, pod, to) for pod in names(pods)}
    second(config)
    ran = push(fleet, pods, config, to, "--exec-after", "echo bad; exit 1", "--backup", code=1)
    assert all(one["rolled_back"] and "there again" in one["error"] for one in ran.report["pods"])
    assert {pod: snapshot(fleet, pod, to) for pod in names(pods)} == before
    told = run(fleet, "history", pods, to).report["pods"]
    assert all(one["revisions"] == [] for one in told)
    ran = push(fleet, pods, config, to, "--exec-after", "exit 1", code=1)
    assert not any("rolled_back" in one for one in ran.report["pods"])
    for pod in names(pods):
        assert sh(fleet, pod, "cat", f"{to}/one") == b"one, the second"


def test_a_command_that_takes_too_long_has_failed(fleet: Fleet, pods: Pods, config: Path) -> None:
    ran = push(fleet, pods, config, "/tmp/long", "--exec-after", "sleep 100", "--exec-timeout", "1", code=1)
    for one in ran.report["pods"]:
        assert "took longer than 1 s and was ended" in one["error"]
        assert one["seconds"] < 30


@pytest.mark.fake_only  # to save time: the scripts are the same
def test_a_wave_that_fails_takes_back_what_all_waves_did(fleet: Fleet, pods: Pods, config: Path) -> None:
    to = "/tmp/waves/app"
    push(fleet, pods, config, to)
    before = {pod: snapshot(fleet, pod, to) for pod in names(pods)}
    bad = sorted(names(pods))[2]
    sh(fleet, bad, "sh", "-c", ": >tmp/waves/bad")
    second(config)
    check = 'test ! -e tmp/waves/bad || grep -q "one 1" tmp/waves/app/one 2>/dev/null'
    waves = ("--canary", "1", "--wave", "2", "--on-failure", "rollback")
    push(fleet, pods, config, to, *waves, code=2)
    ran = push(fleet, pods, config, to, *waves, "--backup", "--exec-after", check, code=1)
    assert {pod: snapshot(fleet, pod, to) for pod in names(pods)} == before
    found = {one["pod"]: one for one in ran.report["pods"]}
    done = [one for one in found.values() if one.get("rolled_back")]
    assert len(done) == min(3, len(found))
    assert "there again" in found[bad]["error"]
    others = [one["error"] for one in done if one["pod"] != bad]
    assert all(error.startswith("rolled back, because 1 pod failed") for error in others)
    assert all(one["error"].startswith("not begun") for one in found.values() if one not in done)
    assert all(one["revisions"] == [] for one in run(fleet, "history", pods, to).report["pods"])

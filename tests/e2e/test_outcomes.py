"""What a person gets when not all is well: the exit code, who is named, and one clear sentence."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.fakefleet import FakeFleet
from tests.e2e.fleet import TARLESS, Fleet, asynccp, command, environment, labels_for, selector, sh
from tests.e2e.real import RealFleet
from tests.schema import conforming

Web = dict[str, list[str]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "app.toml").write_text("x = 1\n")
    return tmp_path / "config"


@pytest.fixture(scope="package")
def slim(fleet: Fleet) -> str:
    """A pod with a tar, one with a shell alone, and one with neither; the selector of all of them."""
    labels = labels_for("slim")
    for kind in ("gnu", *fleet.kinds(TARLESS, "distroless")):
        fleet.add(kind, f"slim-{kind}", labels)
    return selector(labels)


def one_sentence(text: str) -> str:
    """Return the error of a run: the line that starts with `asynccp:`, of which there is exactly one."""
    lines = [line for line in text.splitlines() if line.startswith("asynccp:")]
    assert len(lines) == 1, text
    return lines[0]


def test_0_when_all_is_done(fleet: Fleet, web: Web, config: Path) -> None:
    ran = asynccp(fleet, "push", config, "-l", f"{web['labels'][0]}:/tmp/ok")
    assert ran.code == 0
    assert ran.out.startswith(f"pushed to {sum(map(len, web.values())) - 1} of ")


def test_1_when_the_source_is_not_there(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    ran = asynccp(fleet, "push", tmp_path / "nothing", "-l", f"{web['labels'][0]}:/tmp/x")
    assert ran.code == 1
    assert one_sentence(ran.err) == f"asynccp: {tmp_path}/nothing does not exist"


def test_1_for_a_context_that_does_not_exist(fleet: Fleet, config: Path) -> None:
    ran = asynccp(fleet, "push", config, "-l", "a=b:/x", "--context", "elsewhere")
    assert ran.code == 1
    assert "elsewhere" in one_sentence(ran.err)


def test_1_when_there_is_no_kubeconfig(fleet: Fleet, config: Path) -> None:
    ran = asynccp(fleet, "push", config, "-l", "a=b:/x", "--kubeconfig", "/nowhere/config")
    assert ran.code == 1
    assert "/nowhere/config" in one_sentence(ran.err)


def test_1_when_the_server_is_not_reached(fleet: Fleet, config: Path, tmp_path: Path) -> None:
    unreachable = tmp_path / "unreachable"
    unreachable.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "users: [{name: c, user: {}}]\ncontexts: [{name: c, context: {cluster: c, user: c}}]\n"
    )
    ran = asynccp(fleet, "push", config, "-l", "a=b:/x", "--kubeconfig", unreachable)
    assert ran.code == 1
    assert "http://127.0.0.1:1 can't be reached" in one_sentence(ran.err)


def test_1_when_every_pod_failed(fleet: Fleet, config: Path) -> None:
    labels = labels_for("all-fail")
    fleet.add("gnu", "all-fail", labels)
    sh(fleet, "all-fail", "sh", "-c", ': >"$1"', "sh", "/tmp/file")
    ran = asynccp(fleet, "push", config, "-l", f"{selector(labels)}:/tmp/file/below", "-o", "json")
    assert ran.code == 1
    assert "can't be created" in ran.errors["all-fail"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["push", "x", "-l", "a==b==c:/x"],
        ["push", "x", "-l", "a in (b:/x"],
        ["push", "x", "-l", "a=b"],
        ["push", "x", ":/x"],
        ["push", "x"],
        ["push", "-l", "a=b:/x"],
        ["push", "x", "Bad_Name:/x"],
        ["push", "x", "-l", "a=b:/x", "-j", "0"],
        ["pull", "-l", "a=b:/x"],
        ["pull", "-l", "a=b:/x", "one", "two"],
        ["pull", "--nonsense"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_2_for_a_command_that_can_not_mean_anything(fleet: Fleet, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "x").write_text("x")
    ran = asynccp(fleet, *arguments, cwd=tmp_path)
    assert ran.code == 2, ran.err
    assert ran.err.strip()


def test_3_when_no_pod_matches_and_it_says_what_was_looked_for(fleet: Fleet, config: Path) -> None:
    ran = asynccp(fleet, "push", config, "-l", "app=nobody-has-this:/x")
    assert ran.code == 3
    said = one_sentence(ran.err)
    assert "app=nobody-has-this" in said
    assert fleet.namespace in said


@pytest.mark.parametrize("who", ["no-such-pod:/x", "deploy/no-such-deployment:/x"])
def test_3_when_what_is_named_does_not_exist(fleet: Fleet, config: Path, who: str) -> None:
    ran = asynccp(fleet, "push", config, who)
    assert ran.code == 3
    name = {"no-such-pod:/x": "pod no-such-pod"}.get(who, who.partition(":")[0])
    assert one_sentence(ran.err) == f"asynccp: there is no {name} in namespace {fleet.namespace}"


def test_23_names_those_without_a_shell_and_completes_the_others(fleet: Fleet, slim: str, config: Path) -> None:
    ran = asynccp(fleet, "push", config, "-l", f"{slim}:/tmp/slim", "-o", "json")
    assert ran.code == 23
    assert ran.outcomes == {"slim-gnu": "complete", "slim-shell-only": "complete", "slim-distroless": "failed"}
    assert {one["pod"]: one["way"] for one in ran.report["pods"]} == {
        "slim-gnu": "tar",
        "slim-shell-only": "shell",
        "slim-distroless": None,
    }
    assert "no shell in the container" in ran.errors["slim-distroless"]


def test_23_for_a_pull_as_well(fleet: Fleet, slim: str, tmp_path: Path) -> None:
    ran = asynccp(fleet, "pull", "-l", f"{slim}:/etc/passwd", tmp_path, "-o", "json")
    # the fake's containers have no /etc/passwd, the real ones do: either way one of three lacks a shell
    assert ran.code in (1, 23)
    assert "no tar in the container" not in ran.errors["slim-shell-only"]
    assert "no shell in the container" in ran.errors["slim-distroless"]


def test_a_named_pod_that_is_missing_is_never_silently_dropped(fleet: Fleet, web: Web, config: Path) -> None:
    pod = web["gnu"][0]
    ran = asynccp(fleet, "push", config, f"{pod}:/tmp/one-is-missing", "absent:/tmp/one-is-missing", "-o", "json")
    assert ran.code == 23
    assert ran.outcomes == {pod: "complete"}
    gone = {"pod": f"{fleet.namespace}/absent", "reason": "there is no such pod", "named": True}
    assert ran.report["skipped"] == [gone]


def test_a_pod_that_does_not_run_is_skipped_with_the_reason(fleet: Fleet, config: Path) -> None:
    labels = labels_for("pending")
    fleet.add("gnu", "runs", labels)
    fleet.add("gnu", "waits", labels, node="no-such-node", wait=False)
    ran = asynccp(fleet, "push", config, "-l", f"{selector(labels)}:/tmp/x")
    assert ran.code == 0
    assert f"skipped {fleet.namespace}/waits: " in ran.err
    assert "1 skipped" in ran.out


def test_who_was_skipped_is_said_to_those_who_want_it_quiet_and_counts_with_strict(fleet: Fleet, config: Path) -> None:
    labels = labels_for("quiet")
    fleet.add("gnu", "quiet-runs", labels)
    fleet.add("gnu", "quiet-waits", labels, node="no-such-node", wait=False)
    arguments = ["push", str(config), "-l", f"{selector(labels)}:/tmp/quiet", "-q"]
    ran = asynccp(fleet, *arguments)
    assert (ran.code, ran.out) == (0, "")
    assert f"{fleet.namespace}/quiet-waits" in ran.err
    assert ran.err.startswith("skipped 1 pod ")
    assert asynccp(fleet, *arguments, "--strict").code == 23


def test_a_destination_that_is_a_file_is_said_and_left_alone(fleet: Fleet, web: Web, config: Path) -> None:
    pod = web["gnu"][0]
    sh(fleet, pod, "sh", "-c", 'echo kept >"$1"', "sh", "/tmp/a-file")
    ran = asynccp(fleet, "push", config, f"{pod}:/tmp/a-file", "-o", "json")
    assert ran.code == 1
    assert "/tmp/a-file is not a directory" in ran.errors[pod]
    assert sh(fleet, pod, "cat", "/tmp/a-file") == b"kept\n"


def test_a_path_that_is_not_in_the_pod_is_said(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    pod = web["gnu"][0]
    ran = asynccp(fleet, "pull", f"{pod}:/no/such/path", tmp_path / "back", "-o", "json")
    assert ran.code == 1
    assert "/no/such/path does not exist" in ran.errors[pod]


def test_the_default_container_is_the_annotated_one(fleet: Fleet, config: Path) -> None:
    annotations = {"kubectl.kubernetes.io/default-container": "second"}
    fleet.add("gnu", "two", labels_for("two"), containers=["main", "second"], annotations=annotations)
    for flags, container in (([], "second"), (["-c", "main"], "main")):
        ran = asynccp(fleet, "push", config, "two:/tmp/c", *flags, "-o", "json")
        assert [one["container"] for one in ran.report["pods"]] == [container]
    ran = asynccp(fleet, "push", config, "two:/tmp/c", "-c", "third")
    assert ran.code == 3
    assert one_sentence(ran.err).endswith("it has no container 'third', only main, second")


def test_dry_run_shows_who_gets_what_and_moves_nothing(fleet: Fleet, web: Web, config: Path) -> None:
    pod = web["gnu"][0]
    ran = asynccp(fleet, "push", config, f"{pod}:/tmp/dry", "--dry-run", "-o", "json")
    assert ran.code == 0
    assert [one["pod"] for one in ran.report["pods"]] == [pod]
    (alike,) = ran.report["alike"]
    assert (alike["new"], alike["changed"], alike["extra"], alike["bytes"]) == (2, 0, 0, 6)
    assert "app.toml" in asynccp(fleet, "push", config, f"{pod}:/tmp/dry", "--dry-run").out
    sh(fleet, pod, "test", "!", "-e", "/tmp/dry")


def test_the_report_goes_to_a_file_too(fleet: Fleet, web: Web, config: Path, tmp_path: Path) -> None:
    ran = asynccp(fleet, "push", config, f"{web['gnu'][0]}:/tmp/r", "-q", "--report", tmp_path / "report.json")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    report = conforming((tmp_path / "report.json").read_text())
    assert report["pods"][0]["outcome"] == "complete"
    assert report["pods"][0]["entries"] == 2


def test_130_when_interrupted_and_nothing_stays_behind(fleet: Fleet, tmp_path: Path) -> None:
    """^C in the middle of a pull that never ends: the report comes, and the pod's tar ends."""
    labels = labels_for("interrupted")
    fleet.add("busybox" if fleet.kinds("busybox") else "gnu", "interrupted", labels)
    sh(
        fleet,
        "interrupted",
        "sh",
        "-c",
        'mkdir -p "$1" && mkfifo "$1/../pipe" && : >"$1/file"',
        "sh",
        "/tmp/endless/dir",
    )
    sh(
        fleet,
        "interrupted",
        "sh",
        "-c",
        'dd if=/dev/zero of="$1" bs=1 count=0 seek=8G 2>/dev/null',
        "sh",
        "/tmp/endless/huge",
    )
    running = subprocess.Popen(
        command("pull", "interrupted:/tmp/endless", tmp_path / "back", "-v", "-o", "json"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(fleet), text=True,
    )  # fmt: skip
    assert running.stderr is not None
    for line in running.stderr:
        if "started" in line:
            break
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=20)
    assert running.returncode == 130
    assert [one["outcome"] for one in conforming(out)["pods"]] == ["interrupted"]
    assert not [name for _, _, names in os.walk(tmp_path) for name in names if name.endswith(".partial")]
    sh(fleet, "interrupted", "sh", "-c", 'rm "$1"', "sh", "/tmp/endless/huge")


def test_24_when_a_source_changed_while_it_was_read(fleet: Fleet, tmp_path: Path) -> None:
    """A log that grows while GNU tar reads it, which tar itself says: it is whole up to there, unless one insists."""
    fleet.add("gnu", "growing", labels_for("growing"))
    # A program of its own: a shell in the background would keep the session's stdout open.
    forever = """sh -c 'while :; do echo x >>"$1/log"; done' sh "$1" </dev/null >/dev/null 2>&1 &"""
    start = f'mkdir -p "$1" && dd if=/dev/zero of="$1/log" bs=1M count=64 2>/dev/null; {forever} exit 0'
    sh(fleet, "growing", "sh", "-c", start, "sh", "/tmp/growing")
    ran = asynccp(fleet, "pull", "growing:/tmp/growing", tmp_path / "back", "-o", "json")
    strict = asynccp(fleet, "pull", "growing:/tmp/growing", tmp_path / "back", "-o", "json", "--strict-sources")
    fleet.delete("growing")
    assert (ran.code, ran.report["pods"][0]["grown"]) == (0, ["growing/log"])
    assert strict.code == 24, strict.report
    assert "growing/log changed while it was read" in strict.errors["growing"]


@pytest.mark.fake_only
def test_a_server_that_knows_only_v5_is_spoken_to_in_v5(tmp_path: Path, fake_fleet: FakeFleet, config: Path) -> None:
    with fake_fleet.speaking("v5") as fleet:
        fleet.add("gnu", "v5", labels_for("v5"))
        ran = asynccp(fleet, "push", config, "v5:/tmp/x", "-o", "json")
        assert (ran.code, ran.report["pods"][0]["protocol"]) == (0, "v5")
        ran = asynccp(fleet, "pull", "v5:/tmp/x", tmp_path / "back", "-o", "json")
        assert (ran.code, ran.report["pods"][0]["protocol"]) == (0, "v5")


@pytest.mark.fake_only
def test_a_container_that_can_not_count_needs_v5(fake_fleet: FakeFleet, config: Path) -> None:
    fake_fleet.add("no-dd", "no-dd", labels_for("no-dd"))
    ran = asynccp(fake_fleet, "push", config, "no-dd:/tmp/x", "-o", "json")
    assert (ran.code, ran.report["pods"][0]["protocol"]) == (0, "v5")
    with fake_fleet.speaking("v4") as fleet:
        fleet.add("no-dd", "no-dd", labels_for("no-dd"))
        ran = asynccp(fleet, "push", config, "no-dd:/tmp/x", "-o", "json")
        assert ran.code == 1
        assert "neither dd nor head" in ran.errors["no-dd"]


@pytest.mark.cluster
def test_deleted_forbidden_and_shellless_pods_are_named_and_the_others_complete(
    real_fleet: RealFleet, tmp_path: Path
) -> None:
    """One pod deleted in mid copy, one that may not write, one without tar and one without a shell, among others."""
    fleet, labels = real_fleet, labels_for("mixed")
    for number in range(4):
        fleet.add("busybox", f"healthy-{number}", labels)
    fleet.add("busybox", "deleted", labels)
    fleet.add("busybox", "unprivileged", labels, user=65534)
    fleet.add(TARLESS, "tarless", labels)
    fleet.add("distroless", "shellless", labels)
    source = tmp_path / "big"
    source.write_bytes(os.urandom(96 * 1024 * 1024))
    running = subprocess.Popen(
        command("push", source, "-l", f"{selector(labels)}:/var/data", "-v", "-o", "json"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(fleet), text=True,
    )  # fmt: skip
    assert running.stderr is not None
    for line in running.stderr:
        if "/deleted:" in line and "started" in line:
            break
    fleet.delete("deleted")
    out, _ = running.communicate(timeout=120)
    assert running.returncode == 23
    pods = {one["pod"]: one for one in conforming(out)["pods"]}
    assert {pods[one]["outcome"] for one in (*(f"healthy-{number}" for number in range(4)), "tarless")} == {"complete"}
    assert "deleted" in pods["deleted"]["error"]
    assert "/var/data is not writable" in pods["unprivileged"]["error"]
    assert "no shell in the container" in pods["shellless"]["error"]


@pytest.mark.cluster
def test_a_read_only_file_system_is_said(real_fleet: RealFleet, config: Path) -> None:
    real_fleet.add("gnu", "read-only", labels_for("ro"), read_only=True)
    for path, said in (("/etc/new", "Read-only file system"), ("/etc", "not writable")):
        ran = asynccp(real_fleet, "push", config, f"read-only:{path}", "-o", "json")
        assert ran.code == 1
        assert said in ran.errors["read-only"]


@pytest.mark.cluster
@pytest.mark.parametrize("kind", ["gnu", TARLESS])
def test_a_full_disk_in_the_pod_is_said(real_fleet: RealFleet, kind: str, tmp_path: Path) -> None:
    fleet, name = real_fleet, f"full-{kind}"
    spec = fleet.spec(kind)
    spec["volumes"] = [{"name": "small", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]
    spec["containers"][0]["volumeMounts"] = [{"name": "small", "mountPath": "/small"}]
    fleet.run(name, {}, spec)
    (tmp_path / "big").write_bytes(bytes(8 * 1024 * 1024))
    (tmp_path / "many").mkdir()
    for number in range(200):
        (tmp_path / f"many/{number}").write_bytes(bytes(range(1, 251)) * 60)
    for source in ("big", "many"):
        ran = asynccp(fleet, "push", tmp_path / source, f"{name}:/small", "-o", "json")
        assert ran.code == 1
        assert "the disk in the container is full" in ran.errors[name]
        assert sh(fleet, name, "ls", "-A", "/small") == b""


@pytest.mark.cluster
def test_what_is_forbidden_is_said_with_the_verbs(real_fleet: RealFleet, config: Path) -> None:
    fleet = real_fleet
    fleet.add("gnu", "guarded", labels_for("guarded"))
    nobody = fleet.forbidden()
    ran = asynccp(fleet, "push", config, "guarded:/tmp/x", "--kubeconfig", nobody)
    assert ran.code == 1
    assert "forbidden" in one_sentence(ran.err)
    assert "get and create on pods/exec" in ran.err
    user = nobody.name.removesuffix(".kubeconfig")
    fleet.kubectl("create", "role", "look", "--verb=get,list", "--resource=pods")
    fleet.kubectl("create", "rolebinding", "look", "--role=look", f"--serviceaccount={fleet.namespace}:{user}")
    ran = asynccp(fleet, "push", config, "guarded:/tmp/x", "--kubeconfig", nobody, "-o", "json")
    assert ran.code == 1
    assert 'cannot get resource "pods/exec"' in ran.errors["guarded"]
    assert "get and create on pods/exec" in ran.report["pods"][0]["hint"]


def test_a_full_disk_here_is_said(fleet: Fleet, web: Web, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can mount a small disk")
    small, pod = tmp_path / "small", web["gnu"][0]
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine allows no mounts")
    try:
        sh(
            fleet,
            pod,
            "sh",
            "-c",
            'mkdir -p "$1" && dd if=/dev/zero of="$1/big" bs=1M count=4 2>/dev/null',
            "sh",
            "/tmp/large",
        )
        ran = asynccp(fleet, "pull", f"{pod}:/tmp/large", small / "back", "-o", "json")
        assert ran.code == 1
        assert "the disk is full" in ran.errors[pod]
        assert not [name for _, _, names in os.walk(small) for name in names]
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_nothing_a_pod_says_reaches_the_terminal_raw(fleet: Fleet, tmp_path: Path) -> None:
    """A name with an escape sequence, in an error and in the list of what was left out."""
    fleet.add("gnu", "loud", labels_for("loud"))
    name = "/tmp/loud/\x1b[31mred\x07\u202e"
    sh(fleet, "loud", "sh", "-c", 'mkdir -p "$1" && ln -s /outside "$2"', "sh", "/tmp/loud", name)
    ran = asynccp(fleet, "pull", "loud:/tmp/loud", tmp_path / "back")
    assert ran.code == 23
    missing = asynccp(fleet, "pull", f"loud:{name}-missing", tmp_path / "back")
    assert missing.code == 1
    for text in (ran.out, ran.err, missing.out, missing.err):
        assert not set(text) & {"\x1b", "\x07", "\u202e"}

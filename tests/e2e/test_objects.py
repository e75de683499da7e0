"""Object stores as destinations and sources, by the command itself; a small S3 server in this process has objects."""

import hashlib
import json
import signal
from collections.abc import Iterator

import pytest

from tests.e2e.fleet import Fleet, Ran, asynccp, labels_for, selector, sh, snapshot
from tests.e2e.running import Running
from tests.objects.fakes3 import BUCKET, FakeS3, Stored, served
from tests.schema import conforming

RUN = f"s3://{BUCKET}/run-1/"
FILL = (
    'mkdir -p "$1/d/empty" && cd "$1" && seq 1 400000 >d/large && echo small >small && chmod 640 small && '
    "ln -s d/large now && ln small other && printf '' >none && touch -d '2024-05-06 07:08:09' small none"
)
LARGE = "".join(f"{number}\n" for number in range(1, 400_001)).encode()  # more than is kept until it is whole


@pytest.fixture
def store() -> Iterator[FakeS3]:
    with served() as store:
        yield store


@pytest.fixture(scope="module")
def pods(fleet: Fleet) -> tuple[str, list[str]]:
    labels = labels_for("objects")
    names = [fleet.add(kind, f"objects-{kind}", labels) for kind in fleet.kinds("gnu", "busybox")]
    for one in names:
        sh(fleet, one, "sh", "-c", FILL, "sh", "/tmp/out")
    return selector(labels), names


def on_store(fleet: Fleet, store: FakeS3, *arguments: str, **more: str) -> Ran:
    return asynccp(fleet, *arguments, cwd=None, **(store.environment | more))


def test_a_pull_into_a_store_has_an_object_for_each_file_then_the_manifest_and_the_report(
    fleet: Fleet, pods: tuple[str, list[str]], store: FakeS3
) -> None:
    ran = on_store(fleet, store, "pull", "-l", f"{pods[0]}:/tmp/out", RUN, "-o", "json")
    assert ran.code == 0, ran.err
    for pod in pods[1]:
        top = f"run-1/{pod}/out"
        found = {key.removeprefix(f"{top}/"): one for key, one in store.objects.items() if key.startswith(top)}
        assert {key: one.content for key, one in found.items()} == {
            "d/large": LARGE, "small": b"small\n", "other": b"small\n", "none": b"",
        }  # fmt: skip
        assert found["small"].metadata["mode"] == found["other"].metadata["mode"] == "0100640"
        assert found["small"].metadata["mtime"].startswith("1714979289.")
    assert store.puts()[-1] == "run-1/report.json"
    report = conforming(store.objects["run-1/report.json"].content)
    assert {one["outcome"] for one in report["pods"]} == {"complete"}
    header, *lines = map(json.loads, store.objects["run-1/manifest.jsonl"].content.splitlines())
    assert header == {"manifest": "asynccp", "version": 1}
    first = {one["key"].removeprefix(f"{pods[1][0]}/"): one for one in lines if one["key"].startswith(pods[1][0])}
    assert {*first} == {"out", "out/d", "out/d/empty", "out/d/large", "out/none", "out/now", "out/other", "out/small"}
    assert (first["out/now"]["kind"], first["out/now"]["link"]) == ("symlink", "d/large")
    assert not store.uploads


def test_a_second_pull_moves_only_what_is_new_and_notices_what_is_gone_from_the_store(
    fleet: Fleet, pods: tuple[str, list[str]], store: FakeS3
) -> None:
    pull = ("pull", "-l", f"{pods[0]}:/tmp/out", RUN, "-o", "json")
    assert on_store(fleet, store, *pull).code == 0
    first, lost = pods[1][0], f"run-1/{pods[1][0]}/out/none"
    sh(fleet, first, "sh", "-c", 'echo new >"$1/new"', "sh", "/tmp/out")
    del store.objects[lost]
    changed = f"run-1/{pods[1][0]}/out/other"
    store.objects[changed].content = b"SMALL\n"  # of the same size, by somebody else
    store.asked.clear()
    ran = on_store(fleet, store, *pull)
    assert ran.code == 0, ran.err
    # Names of one file are fetched together.
    files = {lost, changed, f"run-1/{first}/out/small", f"run-1/{first}/out/new"}
    assert {*store.puts()} == files | {"run-1/manifest.jsonl", "run-1/report.json"}
    assert store.objects[changed].content == b"small\n"
    sh(fleet, first, "sh", "-c", 'rm "$1/new" && touch -t 200102030405 "$1"', "sh", "/tmp/out")
    for wanted in (
        ["run-1/manifest.jsonl", "run-1/report.json"],
        ["run-1/report.json"],
    ):  # the directory's time; nothing
        store.asked.clear()
        assert on_store(fleet, store, *pull).code == 0
        assert store.puts() == wanted


def test_a_pull_that_fails_for_all_leaves_no_report_of_another_day(
    fleet: Fleet, pods: tuple[str, list[str]], store: FakeS3
) -> None:
    assert on_store(fleet, store, "pull", "-l", f"{pods[0]}:/tmp/out", RUN).code == 0
    store.room = 0
    sh(fleet, pods[1][0], "touch", "/tmp/out/small")
    ran = on_store(fleet, store, "pull", "-l", f"{pods[0]}:/tmp/out", RUN)
    assert ran.code == 1, ran.err
    assert "s3://bucket is full: InsufficientStorage: The bucket is full." in ran.err
    assert "run-1/report.json" not in store.objects


@pytest.mark.fake_only
@pytest.mark.parametrize(
    ("changed", "url", "words"),
    [
        ({"AWS_ACCESS_KEY_ID": "other"}, RUN, "s3://bucket refuses the credentials: InvalidAccessKeyId"),
        ({"AWS_ACCESS_KEY_ID": ""}, RUN, "there are no credentials for s3://bucket/run-1"),
        ({}, "s3://nowhere/run-1", "there is no bucket s3://nowhere"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, RUN, "s3://bucket can't be reached: connection refused"),
        ({}, "s3://", "names no bucket"),
    ],
)
def test_a_store_that_can_not_be_used_is_one_sentence_and_no_pod_is_asked(
    fleet: Fleet, pods: tuple[str, list[str]], store: FakeS3, changed: dict[str, str], url: str, words: str
) -> None:
    home = {"HOME": "/nonexistent"}
    ran = on_store(fleet, store, "pull", "-l", f"{pods[0]}:/tmp/out", url, **(home | changed))
    assert ran.code in (1, 2)
    assert words in ran.err
    assert "web" not in ran.out
    assert store.objects == {}


def test_a_store_that_is_busy_for_a_while_is_asked_again(
    fleet: Fleet, pods: tuple[str, list[str]], store: FakeS3
) -> None:
    store.busy = 5
    ran = on_store(fleet, store, "pull", "-l", f"{pods[0]}:/tmp/out", RUN, "-o", "json")
    assert (ran.code, store.busy) == (0, 0), ran.err
    assert {one["tries"] for one in ran.report["pods"]} == {1}
    assert sum(key.endswith("large") for key in store.objects) == len(pods[1])


HUGE = 'mkdir -p "$1" && head -c 24000000 /dev/urandom >"$1/huge" && echo first >"$1/a"'


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_upload_that_is_ended_in_the_middle_leaves_no_object(
    fleet: Fleet, store: FakeS3, number: signal.Signals
) -> None:
    pod = fleet.add("gnu", f"huge-{number.name.lower()}", labels_for("huge"))
    sh(fleet, pod, "sh", "-c", HUGE, "sh", "/tmp/huge")
    store.go.clear()
    with Running(fleet, "pull", f"{pod}:/tmp/huge/", RUN, more=store.environment) as running:
        store.wait_for_parts(1)
        running.send_signal(number)
        if number is signal.SIGINT:
            store.go.set()
            assert running.finish().code == 130
            assert (store.aborted, store.uploads) == (1, {}), "nobody pays for parts of it"
    store.go.set()
    assert [key for key in store.objects if key.endswith("huge")] == []
    assert "run-1/report.json" not in store.objects or number is signal.SIGINT
    ran = on_store(fleet, store, "pull", f"{pod}:/tmp/huge/", RUN, "-o", "json")
    assert ran.code == 0, ran.err
    content = store.objects[f"run-1/{pod}/huge"].content
    assert hashlib.sha256(content).hexdigest() == sh(fleet, pod, "sha256sum", "/tmp/huge/huge").split()[0].decode()


ODD = 'mkdir -p "$1" && cd "$1" && for name in good "$(printf "new\\nline")" "$(printf "\\377")"; do : >"$name"; done'


def test_names_that_no_object_can_have_are_left_out_and_named(fleet: Fleet, store: FakeS3) -> None:
    pod = fleet.add("gnu", "names", labels_for("names"))
    sh(fleet, pod, "sh", "-c", ODD, "sh", "/tmp/n")
    ran = on_store(fleet, store, "pull", f"{pod}:/tmp/n", RUN, "-o", "json")
    assert ran.code == 23
    (told,) = ran.report["pods"]
    assert {one["path"] for one in told["left_out"]} == {"n/new\\nline", "n/\\xff"}
    assert [key for key in store.objects if f"/{pod}/" in key] == [f"run-1/{pod}/n/good"]


@pytest.mark.fake_only
def test_keys_follow_the_template(fleet: Fleet, pods: tuple[str, list[str]], store: FakeS3) -> None:
    ran = on_store(
        fleet, store, "pull", "-l", f"{pods[0]}:/tmp/out/small", RUN, "--template", "{path}/{pod}", "-o", "json"
    )
    assert ran.code == 0, ran.err
    keys = {f"run-1/tmp/out/small/{pod}" for pod in pods[1]}
    assert keys <= {*store.objects}
    assert {one["landed"] for one in ran.report["pods"]} == {f"s3://{BUCKET}/{key}" for key in keys}
    store.asked.clear()
    again = on_store(fleet, store, "pull", "-l", f"{pods[0]}:/tmp/out/small", RUN, "--template", "{path}/{pod}")
    assert (again.code, {*store.puts()} & keys) == (0, set())


@pytest.mark.fake_only
def test_cp_is_for_files_of_this_machine(fleet: Fleet, pods: tuple[str, list[str]], store: FakeS3) -> None:
    ran = on_store(fleet, store, "cp", f"{pods[1][0]}:/tmp/out", RUN)
    assert (ran.code, "not in cp" in ran.err) == (2, True)


@pytest.mark.fake_only
@pytest.mark.parametrize("flag", ["--mirror", "--checksum"])
def test_what_a_store_can_not_do_is_refused(
    fleet: Fleet, pods: tuple[str, list[str]], store: FakeS3, flag: str
) -> None:
    ran = on_store(fleet, store, "pull", "-l", f"{pods[0]}:/tmp/out", RUN, flag)
    assert (ran.code, flag in ran.err, store.objects) == (2, True, {})


CONFIG = {
    "config/app.toml": b"listen = 1\n",
    "config/d/large": LARGE,
    "config/d/none": b"",
    "config/other": b"x",
}


def put(store: FakeS3, key: str, content: bytes, **metadata: str) -> None:
    store.objects[key] = Stored(content, metadata)


@pytest.mark.parametrize("flags", [[], ["--checksum"], ["-z", "gzip"]])
def test_a_push_reads_each_object_once_for_all_pods(
    fleet: Fleet, pods: tuple[str, list[str]], store: FakeS3, flags: list[str]
) -> None:
    for key, content in CONFIG.items():
        put(store, key, content, mtime="1500000000.5", mode="0100640")
    where = f"/tmp/pushed{len(flags)}{flags[:1] == ['-z']}"
    ran = on_store(fleet, store, "push", f"s3://{BUCKET}/config", "-l", f"{pods[0]}:{where}", "-o", "json", *flags)
    assert ran.code == 0, ran.err
    for pod in pods[1]:
        found = snapshot(fleet, pod, where)
        assert {path: one.content for path, one in found.items() if one.kind == "file"} == {
            key.encode(): hashlib.sha256(content).hexdigest() for key, content in CONFIG.items()
        }
        assert (found[b"config/app.toml"].mode, found[b"config/app.toml"].mtime_s) == (0o640, 1_500_000_000)
    reads = [key for method, key in store.asked if method == "GET" and key.startswith("config/")]
    assert len(reads) == len(set(reads)) == 4, "the empty one is only asked for its metadata"
    again = on_store(fleet, store, "push", f"s3://{BUCKET}/config", "-l", f"{pods[0]}:{where}", "-o", "json")
    assert {one["tally"]["same"] for one in again.report["pods"]} == {len(CONFIG) + 2}


def test_what_was_pulled_is_pushed_back_with_its_links_and_modes(
    fleet: Fleet, pods: tuple[str, list[str]], store: FakeS3
) -> None:
    first = pods[1][0]
    assert on_store(fleet, store, "pull", f"{first}:/tmp/out", RUN).code == 0
    ran = on_store(fleet, store, "push", f"s3://{BUCKET}/run-1/{first}/out", f"{first}:/tmp/back", "-o", "json")
    assert ran.code == 0, ran.err
    before, after = snapshot(fleet, first, "/tmp/out"), snapshot(fleet, first, "/tmp/back/out")
    assert {path: (one.kind, one.content, one.mode) for path, one in after.items()} == {
        path: (one.kind, one.content, one.mode) for path, one in before.items()
    }
    assert after[b"small"].mtime_s == before[b"small"].mtime_s


@pytest.mark.fake_only
def test_one_object_may_get_a_new_name(fleet: Fleet, pods: tuple[str, list[str]], store: FakeS3) -> None:
    put(store, "config/app.toml", b"listen = 2\n")
    first = pods[1][0]
    ran = on_store(fleet, store, "push", f"s3://{BUCKET}/config/app.toml", f"{first}:/tmp/single/app.conf")
    assert ran.code == 0, ran.err
    assert sh(fleet, first, "cat", "/tmp/single/app.conf") == b"listen = 2\n"


def test_an_object_that_changes_while_it_is_read_is_no_copy(
    fleet: Fleet, pods: tuple[str, list[str]], store: FakeS3
) -> None:
    put(store, "config/a", b"a" * 3_000_000)
    put(store, "config/b", b"b" * 3_000_000)
    store.changes["config/b"] = Stored(b"c" * 3_000_000)
    ran = on_store(fleet, store, "push", f"s3://{BUCKET}/config/", "-l", f"{pods[0]}:/tmp/changed")
    assert ran.code == 24, ran.err
    assert "s3://bucket/config/b changed while it was read" in ran.err
    assert sh(fleet, pods[1][0], "sh", "-c", 'ls "$1" 2>/dev/null || true', "sh", "/tmp/changed") == b""


@pytest.mark.fake_only
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://bucket/none", "there is no object s3://bucket/none, and none below it"),
        ("s3://nowhere/x", "there is no bucket s3://nowhere"),
        ("s3://bucket/both", "s3://bucket/both is an object, and others lie below it"),
    ],
)
def test_a_source_that_is_not_there_is_one_sentence(
    fleet: Fleet, pods: tuple[str, list[str]], store: FakeS3, url: str, words: str
) -> None:
    put(store, "both", b"x")
    put(store, "both/below", b"x")
    ran = on_store(fleet, store, "push", url, "-l", f"{pods[0]}:/tmp/x")
    assert (ran.code, words in ran.err) == (1, True), ran.err


@pytest.mark.fake_only
def test_filters_leave_objects_out(fleet: Fleet, pods: tuple[str, list[str]], store: FakeS3) -> None:
    for key, content in CONFIG.items():
        put(store, key, content)
    first = pods[1][0]
    ran = on_store(fleet, store, "push", f"s3://{BUCKET}/config/", f"{first}:/tmp/filtered", "--exclude", "d/")
    assert ran.code == 0, ran.err
    assert {*snapshot(fleet, first, "/tmp/filtered")} - {b""} == {b"app.toml", b"other"}

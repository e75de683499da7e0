"""Plans: what --dry-run shows, and where the files of each pod will land."""

import json
from collections.abc import Sequence

import pytest

from asynccp.archive.layout import SMALL_BLOCK_SIZE, ArchiveLayout
from asynccp.entry import Entry, Kind, LeftOut, NotKept
from asynccp.errors import UsageError
from asynccp.plan.plan import PullPlan, PushPlan, build_pull, skipped_lines
from asynccp.plan.template import parse_template, usual
from asynccp.target import Skipped, Target, Transfer

from ..archive.reference import TOKEN

SKIPPED = (Skipped("shop/old", "is being deleted"),)
NOT_KEPT = (NotKept(b"config/a\n", "extended attributes"),)
LEFT_OUT = (LeftOut(b"config/\x1bpipe", "a FIFO, which is never copied"),)


def transfer(path: str = "/etc/app", pod: str = "web-0", namespace: str = "shop", container: str = "main") -> Transfer:
    return Transfer(Target(namespace, pod, container, "node-1"), path)


def push_plan() -> PushPlan:
    entries = [
        Entry(b"config", Kind.DIRECTORY, mode=0o755),
        Entry(b"config/a\n", Kind.FILE, 1536, 0o600),
        Entry(b"config/link", Kind.SYMLINK, link=b"a"),
    ]
    transfers = (transfer(), transfer(pod="web-1"))
    layout = ArchiveLayout(entries, TOKEN)
    return PushPlan(("./config",), layout, transfers, SKIPPED, LEFT_OUT, not_kept=NOT_KEPT, excluded=2)


def pull_plan(*transfers: Transfer) -> PullPlan:
    return build_pull("./logs", transfers, SKIPPED, TOKEN)


def test_what_a_push_copies_and_how_much_it_is() -> None:
    plan = push_plan()
    assert [entry.path for entry in plan.entries] == [b"config", b"config/a\n", b"config/link"]
    assert plan.size == 1536
    assert plan.expected_total == 2 * plan.layout.size == 6 * SMALL_BLOCK_SIZE


def test_a_push_as_json() -> None:
    found = push_plan().to_json()
    assert json.loads(json.dumps(found)) == found
    pod = {"namespace": "shop", "container": "main", "node": "node-1", "path": "/etc/app"}
    assert found == {
        "version": 1,
        "direction": "push",
        "entries": [
            {"path": "config", "kind": "directory", "bytes": 0, "mode": "0755"},
            {"path": "config/a\\n", "kind": "file", "bytes": 1536, "mode": "0600"},
            {"path": "config/link", "kind": "symlink", "bytes": 0, "mode": "0644"},
        ],
        "bytes": 1536,
        "archive_bytes": 3 * SMALL_BLOCK_SIZE,
        "pods": [{**pod, "pod": "web-0"}, {**pod, "pod": "web-1"}],
        "skipped": [{"pod": "shop/old", "reason": "is being deleted"}],
        "left_out": [{"path": "config/\\x1bpipe", "reason": "a FIFO, which is never copied"}],
        "not_kept": [{"path": "config/a\\n", "what": "extended attributes"}],
        "excluded": 2,
    }


def test_a_push_as_text() -> None:
    assert push_plan().to_text().splitlines() == [
        " directory  config",
        "   1.5 KiB  config/a\\n",
        "   symlink  config/link",
        "left out config/\\x1bpipe: a FIFO, which is never copied",
        "not kept config/a\\n: extended attributes",
        "filters leave out 2 entries, with what is below",
        "→ shop/web-0:/etc/app",
        "→ shop/web-1:/etc/app",
        "skipped shop/old: is being deleted",
        "would push 3 entries, 1.5 KiB (12.0 KiB on the wire) to each of 2 pods",
    ]


def test_a_push_to_one_container_of_several_names_it() -> None:
    target = Target("shop", "web-0", "side", several=True)
    plan = PushPlan(("a",), ArchiveLayout([Entry(b"a", Kind.FILE, 1)], TOKEN), (Transfer(target, "/etc"),))
    assert plan.to_text().splitlines()[1:] == [
        "→ shop/web-0/side:/etc",
        "would push 1 entry, 1 B (4.0 KiB on the wire) to 1 pod",
    ]


@pytest.mark.parametrize(
    ("transfers", "directories"),
    [
        ([transfer()], ["web-0"]),
        ([transfer(), transfer(pod="web-1")], ["web-0", "web-1"]),
        ([transfer("/a"), transfer("/b")], ["web-0", "web-0"]),
        ([transfer(), transfer(pod="web-1", container="sidecar")], ["web-0", "web-1"]),
        ([], []),
    ],
)
def test_where_each_pod_lands(transfers: list[Transfer], directories: list[str]) -> None:
    plan = pull_plan(*transfers)
    assert [one.directory for one in plan.gathers] == directories
    assert plan.transfers == tuple(transfers)


@pytest.mark.parametrize(
    ("transfers", "directories"),
    [
        ([transfer()], ["shop/web-0"]),
        ([transfer(), transfer(namespace="bar")], ["shop/web-0", "bar/web-0"]),
        ([transfer(), transfer(pod="web-1", container="sidecar")], ["shop/web-0", "shop/web-1"]),
    ],
)
def test_a_request_for_several_namespaces_lands_the_same_whoever_matches(
    transfers: list[Transfer], directories: list[str]
) -> None:
    plan = build_pull("./logs", transfers, (), TOKEN, template=usual(by_namespace=True))
    assert [one.directory for one in plan.gathers] == directories


@pytest.mark.parametrize(
    ("skipped", "lines"),
    [
        ([], []),
        ([Skipped("a/x", "is Pending")], ["skipped a/x: is Pending"]),
        (
            [Skipped("a/x", "is Pending"), Skipped("a/y", "is Failed"), Skipped("a/z", "is Pending")],
            ["skipped 2 pods: is Pending (a/x, a/z)", "skipped a/y: is Failed"],
        ),
        (
            [Skipped(f"a/{number}", "is Pending") for number in range(300)],
            ["skipped 300 pods: is Pending (a/0, a/1, a/2, a/3, a/4, a/5, a/6, a/7 and 292 more)"],
        ),
        (
            [Skipped("a/x", f"reason {number}") for number in range(300)],
            [*(f"skipped a/x: reason {number}" for number in range(20)), "skipped for 280 more reasons"],
        ),
    ],
)
def test_those_that_are_skipped_for_one_reason_are_one_line(skipped: list[Skipped], lines: list[str]) -> None:
    assert skipped_lines(skipped) == lines


@pytest.mark.parametrize(
    "paths",
    [
        ("/var/log", "/opt/log"),
        ("/var/log", "log"),
        ("/a/", "/b/"),
        ("/", "/b/"),
        ("/a/.", "/b/"),
        ("/a/..", "/b/."),
        ("/a", "/b", "/c/a"),
    ],
)
def test_two_paths_of_one_pod_that_would_land_on_one_name(paths: Sequence[str]) -> None:
    with pytest.raises(UsageError, match="would land on one name: web-0") as caught:
        pull_plan(*map(transfer, paths))
    assert "{path}" in caught.value.hint


@pytest.mark.parametrize("paths", [("/a", "/b"), ("/a", "/b/"), ("/a", "/a/b"), ("/.a", "/a")])
def test_paths_of_one_pod_that_do_not_collide(paths: Sequence[str]) -> None:
    assert len(pull_plan(*map(transfer, paths)).gathers) == len(paths)


def test_the_same_path_of_two_pods_does_not_collide() -> None:
    same = [transfer(), transfer(pod="web-1"), transfer(namespace="bar")]
    assert len(build_pull("./logs", same, (), TOKEN, template=usual(by_namespace=True)).gathers) == 3


def test_a_pull_as_json() -> None:
    found = pull_plan(transfer("/var/\x1blog")).to_json()
    assert json.loads(json.dumps(found)) == found
    assert found == {
        "version": 1,
        "direction": "pull",
        "destination": "./logs",
        "pods": [
            {
                "namespace": "shop",
                "pod": "web-0",
                "container": "main",
                "node": "node-1",
                "path": "/var/\\x1blog",
                "directory": "web-0",
                "lands_as": "./logs/web-0/\\x1blog",
            }
        ],
        "skipped": [{"pod": "shop/old", "reason": "is being deleted"}],
        "left_out": [],
    }


@pytest.mark.parametrize(
    ("destination", "path", "shown"),
    [
        ("logs", "/var/log", "logs/web-0/log"),
        ("logs/", "/var/log", "logs/web-0/log"),
        ("/", "/var/log", "/web-0/log"),
        ("logs", "/var/log/", "logs/web-0/"),
    ],
)
def test_a_pull_as_text(destination: str, path: str, shown: str) -> None:
    plan = build_pull(destination, [transfer(path)], (), TOKEN)
    assert plan.to_text().splitlines() == [
        f"shop/web-0:{path} → {shown}",
        "would pull from 1 pod; sizes are known once pods are asked",
    ]
    assert pull_plan(transfer(), transfer(pod="web-1")).to_text().splitlines()[2:] == [
        "skipped shop/old: is being deleted",
        "would pull from 2 pods; sizes are known once pods are asked",
    ]


def test_nobody_knows_beforehand_how_much_a_pull_is() -> None:
    assert pull_plan(transfer()).expected_total is None


def test_where_a_template_has_it_land_is_in_the_plan_and_for_the_report() -> None:
    plan = build_pull(
        "./logs", [transfer("/var/log")], (), TOKEN, template=parse_template("{pod}/{path}", "2026-11-29")
    )
    assert plan.to_text().splitlines()[0] == "shop/web-0:/var/log → ./logs/web-0/var/log"
    assert [(one.directory, one.name, one.landed) for one in plan.gathers] == [
        ("web-0/var", "log", "./logs/web-0/var/log")
    ]
    assert pull_plan(transfer()).gathers[0].landed == "", "it was in question for nobody"


def test_copies_that_share_a_directory_are_known() -> None:
    by = parse_template("{path}/{pod}", "2026-11-29")
    together = build_pull("./logs", [transfer(pod=one) for one in ("web-0", "web-1")], (), TOKEN, template=by)
    assert [one.shares for one in together.gathers] == [True, True]
    assert [one.shares for one in pull_plan(transfer(), transfer(pod="web-1")).gathers] == [False, False]


@pytest.mark.parametrize(
    ("paths", "inside"),
    [
        (["/etc/app", "/var/log"], {}),
        (["/etc/app/"], {}),
        (["/etc/app/", "/var/log"], {"web-0": [b"log"]}),
        (["/etc/app/", "/var/log", "/tmp/x.gz"], {"web-0": [b"log", b"x.gz"]}),
    ],
)
def test_what_lands_among_the_contents_of_a_directory_is_none_of_its_mirror(
    paths: list[str], inside: dict[str, list[bytes]]
) -> None:
    others = [transfer("/var/log", pod="web-1"), transfer("/etc/app/", pod="web-2")]
    assert pull_plan(*map(transfer, paths), *others).inside() == inside


def test_what_lands_deeper_among_contents_is_known_too() -> None:
    template = parse_template("{pod}/{path}", "2026-11-29")
    plan = build_pull(".", [transfer("/etc/"), transfer("/etc/app/x")], (), TOKEN, template=template)
    assert plan.inside() == {"web-0/etc": [b"app/x"]}

"""The first lines: who is matched, who is not and why, before anything moves."""

from collections.abc import Sequence

import pytest

from asynccp.archive.layout import ArchiveLayout
from asynccp.entry import Entry, Kind, LeftOut
from asynccp.plan.plan import PushPlan, build_pull
from asynccp.target import Skipped, Target, Transfer
from asynccp.ui.opening import opening

TOKEN = "0123456789abcdef"
PENDING = [Skipped(f"default/web-{number}", "is Pending") for number in (4, 5, 6)]


def target(number: int = 0, *, several: bool = False, ending: bool = False) -> Target:
    return Target("default", f"web-{number}", "main", several=several, ending=ending)


def test_that_filters_leave_something_out_is_said() -> None:
    layout = ArchiveLayout([Entry(b"a", Kind.FILE, 1536)], TOKEN)
    plan = PushPlan(("a",), layout, (Transfer(target(), "/x"),), excluded=1)
    assert opening(plan).splitlines()[1:] == ["filters leave out 1 entry, with what is below"]


TWO_PATHS = tuple(Transfer(target(number), path) for number in (0, 1) for path in ("/a", "/b"))


def pushed(targets: Sequence[Target], skipped: Sequence[Skipped] = (), left_out: Sequence[LeftOut] = ()) -> list[str]:
    layout = ArchiveLayout([Entry(b"a", Kind.FILE, 1536)], TOKEN)
    plan = PushPlan(("a",), layout, tuple(Transfer(one, "/x") for one in targets), tuple(skipped), tuple(left_out))
    return opening(plan).splitlines()


@pytest.mark.parametrize(
    ("targets", "skipped", "lines"),
    [
        ([target()], [], ["pushing 1 entry (1.5 KiB) to 1 pod: default/web-0"]),
        ([target(), target(1)], [], ["pushing 1 entry (1.5 KiB) to 2 pods: default/web-0, default/web-1"]),
        ([target(several=True)], [], ["pushing 1 entry (1.5 KiB) to 1 pod: default/web-0/main"]),
        (
            [target(), target(1)],
            PENDING,
            [
                "pushing 1 entry (1.5 KiB) to 2 of 5 pods, 3 skipped: default/web-0, default/web-1",
                "skipped 3 pods: is Pending (default/web-4, default/web-5, default/web-6)",
            ],
        ),
        (
            [target()],
            [*PENDING[:1], Skipped("default/gone", "there is no such pod", named=True)],
            [
                "pushing 1 entry (1.5 KiB) to 1 of 3 pods, 2 skipped: default/web-0",
                "skipped default/web-4: is Pending",
                "skipped default/gone: there is no such pod",
            ],
        ),
        (
            [target()],
            [Skipped("default/web-4", "is Pending"), Skipped("default/web-4", "is being deleted")],
            [
                "pushing 1 entry (1.5 KiB) to 1 of 2 pods, 1 skipped: default/web-0",
                "skipped default/web-4: is Pending",
                "skipped default/web-4: is being deleted",
            ],
        ),
        (
            [target(ending=True)],
            [],
            [
                "pushing 1 entry (1.5 KiB) to 1 pod: default/web-0",
                "default/web-0 is being deleted, and copied while it runs",
            ],
        ),
    ],
)
def test_who_receives_a_push_and_who_does_not(targets: list[Target], skipped: list[Skipped], lines: list[str]) -> None:
    assert pushed(targets, skipped) == lines


def test_a_large_fleet_is_counted_and_its_first_pods_are_named() -> None:
    (line,) = pushed([target(number) for number in range(300)])
    assert " to 300 pods: default/web-0, default/web-1, " in line
    assert line.endswith("default/web-7 and 292 more")


def test_a_push_to_two_places_in_each_pod_says_so() -> None:
    plan = PushPlan(("a",), ArchiveLayout([Entry(b"a", Kind.FILE, 1536)], TOKEN), TWO_PATHS)
    assert opening(plan) == "pushing 1 entry (1.5 KiB) to 4 places in 2 pods: default/web-0, default/web-1"
    assert plan.to_text().endswith("to each of 4 places in 2 pods")


def test_a_million_things_that_no_pod_is_sent_are_a_few_lines() -> None:
    lines = pushed([target()], left_out=[LeftOut(b"p%d" % one, "a FIFO, which is never copied") for one in range(300)])
    assert lines[1:] == [
        "left out p0, p1, p2, p3, p4, p5, p6, p7, p8, p9: a FIFO, which is never copied",
        "left out 290 more (-o json has all)",
    ]


def test_what_no_pod_is_sent_is_named() -> None:
    lines = pushed([target()], left_out=[LeftOut(b"a/\x1bpipe", "a FIFO, which is never copied")])
    assert lines[1:] == ["left out a/\\x1bpipe: a FIFO, which is never copied"]


def test_a_pull_says_where_it_goes() -> None:
    plan = build_pull("lo\x1bgs", [Transfer(target(), "/a"), Transfer(target(), "/b")], PENDING[:1], TOKEN)
    assert opening(plan).splitlines() == [
        "pulling from 2 places in 1 of 2 pods, 1 skipped: default/web-0 into lo\\x1bgs",
        "skipped default/web-4: is Pending",
    ]

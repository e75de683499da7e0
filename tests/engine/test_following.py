"""A push that goes on: who comes gets it, once for each life of a container; who is slow or lost keeps nobody else."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from asynccp.archive.layout import ArchiveLayout
from asynccp.engine import following as module
from asynccp.engine.fleet import Fleet, Search
from asynccp.engine.following import Following, content_of, follow
from asynccp.entry import Entry, Kind, Origin
from asynccp.events import Event, Standing
from asynccp.kube.base import Watched
from asynccp.options import Concurrency, Options, Sync
from asynccp.plan.plan import PushPlan
from asynccp.report import Outcome, Report
from asynccp.target import Selection, Selector

from .clock import JumpingLoop
from .scripted import ONCE, Pod, Script, scripted, takes_all
from .test_fleet import pod as pod_of

SELECTION = Selection((Selector("labels", "app=web", "/etc/app"),))
ALL = ONCE._replace(sync=Sync(always=True))  # these pods tell nothing of what they have


def plan_of(text: str = "a") -> PushPlan:
    """Return a plan of one file that is read from nowhere, and another for each text."""
    entry = Entry(b"f", Kind.DIRECTORY, mtime_ns=len(text))
    return PushPlan(("f",), ArchiveLayout([entry], "0123456789abcdef"), ())


@dataclass
class Course:
    """What happened. served: how often each pod was, by its name."""

    events: list[Event] = field(default_factory=list)
    served: Counter[str] = field(default_factory=Counter)
    report: Report | None = None


Story = Callable[[Callable[..., Awaitable[None]], Callable[[PushPlan], Awaitable[None]]], Awaitable[None]]


async def followed(story: Story, script: Script = takes_all, options: Options = ALL) -> Course:
    """Follow a fleet while a story is told: of pods, by `hear(news)`, and of sources, by `change(plan)`."""
    course, over = Course(), anyio.Event()
    send_plan, plans = anyio.create_memory_object_stream[PushPlan](100)
    selection = replace_namespace(SELECTION)
    fleet = Fleet(selection, [Search("", *one) for one in selection.searches("shop")])

    async def counting(pod: Pod) -> None:
        course.served[pod.target.pod] += 1
        await script(pod)

    async with scripted(counting) as cluster:
        following = Following(cluster, fleet, options, course.events.append)

        async def hear(*pods: Any, gone: Any = (), whole: bool = False) -> None:
            fleet.hear(0, Watched(list(pods), gone=gone, whole=whole))
            following.wake()
            await anyio.sleep(1)

        async def change(plan: PushPlan) -> None:
            await send_plan.send(plan)
            await anyio.sleep(1)

        async def tell() -> None:
            await story(hear, change)
            over.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tell)
            course.report = await following.carry_out(plan_of(), over, plans)
    send_plan.close()
    plans.close()
    return course


def replace_namespace(selection: Selection) -> Selection:
    return selection._replace(namespaces=("shop",))


async def test_who_comes_gets_it_once_and_who_is_restarted_or_replaced_again() -> None:
    async def story(hear: Any, change: Any) -> None:
        await hear(pod_of("web-0"), whole=True)
        await hear(pod_of("web-1", phase="waiting"))
        await hear(pod_of("web-1"))
        await hear(pod_of("web-1"))
        await hear(pod_of("web-0", restarts=1))
        await hear(gone=[pod_of("web-1")])
        await hear(pod_of("web-1", uid="another"))
        await hear(pod_of("web-0", restarts=1), pod_of("web-1", uid="another"), whole=True)

    course = await followed(story)
    assert course.served == {"web-0": 2, "web-1": 2}
    assert course.report is not None
    assert course.report.ok
    assert [one.transfer.target.pod for one in course.report.results] == ["web-0", "web-1"]
    assert [event for event in course.events if isinstance(event, Standing)][-1] == Standing(2, 2, 0, 0)


async def test_all_get_what_has_changed_and_who_comes_later_gets_the_newest_alone() -> None:
    async def story(hear: Any, change: Any) -> None:
        await hear(pod_of("web-0"), whole=True)
        await change(plan_of("bb"))
        await change(plan_of("ccc"))
        await hear(pod_of("web-1"))

    course = await followed(story)
    assert course.served == {"web-0": 3, "web-1": 1}
    assert course.report is not None
    assert [one.rounds for one in course.report.results] == [3, 1]


async def test_a_slow_pod_keeps_no_other_and_leaves_out_what_was_new_in_between(clock: JumpingLoop) -> None:
    async def slowly(pod: Pod) -> None:
        await anyio.sleep(30 if pod.target.pod == "web-0" else 0)
        await takes_all(pod)

    async def story(hear: Any, change: Any) -> None:
        await hear(pod_of("web-0"), pod_of("web-1"), whole=True)
        for number in range(5):
            await change(plan_of("x" * (2 + number)))
        await anyio.sleep(90)

    course = await followed(story, slowly)
    assert course.served == {"web-0": 2, "web-1": 6}
    assert course.report is not None
    assert course.report.ok


async def test_what_a_connection_costs_is_tried_again_until_it_is_there() -> None:
    tries = Counter[str]()

    async def breaks(pod: Pod) -> None:
        tries[pod.target.pod] += 1
        if tries[pod.target.pod] > 4:
            await takes_all(pod)

    async def story(hear: Any, change: Any) -> None:
        await hear(pod_of("web-0"), whole=True)
        await anyio.sleep(sum(module.WAITS_S) + 30)

    course = await followed(story, breaks)
    assert course.report is not None
    (result,) = course.report.results
    assert (result.outcome, result.rounds, tries["web-0"]) == (Outcome.COMPLETE, 5, 5)


async def test_what_is_refused_is_tried_again_only_with_something_new() -> None:
    async def refuses(pod: Pod) -> None:
        await pod.hello("problem=not-writable")
        await pod.hear_line()

    async def story(hear: Any, change: Any) -> None:
        await hear(pod_of("web-0"), whole=True)
        await anyio.sleep(300)
        await change(plan_of("bb"))

    course = await followed(story, refuses)
    assert course.served == {"web-0": 2}
    assert course.report is not None
    assert course.report.exit_code == 1
    assert [event for event in course.events if isinstance(event, Standing)][-1].failed == 1


async def test_a_pod_that_goes_before_it_is_complete_is_no_failure_and_is_told() -> None:
    async def breaks(pod: Pod) -> None:
        if pod.target.pod == "web-0":
            await takes_all(pod)

    async def story(hear: Any, change: Any) -> None:
        await hear(pod_of("web-0"), pod_of("web-1"), whole=True)
        await hear(gone=[pod_of("web-1")])
        await hear(gone=[pod_of("web-0")])

    course = await followed(story, breaks)
    assert course.report is not None
    assert [one.transfer.target.pod for one in course.report.results] == ["web-0"]
    assert [(one.pod, one.reason) for one in course.report.skipped] == [("shop/web-1", module.GONE)]
    assert course.report.exit_code == 0


async def test_no_more_pods_at_once_than_asked_for() -> None:
    now, most = 0, 0

    async def counting(pod: Pod) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await anyio.sleep(1)
        await takes_all(pod)
        now -= 1

    async def story(hear: Any, change: Any) -> None:
        await hear(*(pod_of(f"web-{number}") for number in range(9)), whole=True)
        await change(plan_of("bb"))
        await anyio.sleep(60)

    course = await followed(story, counting, ALL._replace(concurrency=Concurrency(sessions=3)))
    assert most == 3
    assert [event for event in course.events if isinstance(event, Standing)][-1] == Standing(9, 9, 0, 0)
    assert course.report is not None
    assert course.report.ok


async def test_what_changes_all_the_time_goes_through_the_pods_of_a_node_in_turn() -> None:
    begun, now = list[tuple[float, str]](), Counter[str]()
    most = 0

    async def counting(pod: Pod) -> None:
        nonlocal most
        begun.append((anyio.current_time(), pod.target.pod))
        now.update(["pods"])
        most = max(most, now["pods"] if len(begun) > 20 else 0)
        await anyio.sleep(now["pods"] * 0.07)  # a node that is busy with all of them
        await takes_all(pod)
        now.subtract(["pods"])

    changed_at = 0.0

    async def story(hear: Any, change: Any) -> None:
        nonlocal changed_at
        await hear(*(pod_of(f"web-{number}") for number in range(20)), whole=True)
        assert len(begun) == 20, "those that have nothing yet don't wait for each other"
        for number in range(9):
            changed_at = anyio.current_time()
            await change(plan_of("x" * (2 + number)))
        await anyio.sleep(60)

    course = await followed(story, counting)
    assert most < 20
    behind = [pod for at, pod in begun if at >= changed_at]
    assert Counter(behind) == {f"web-{number}": 1 for number in range(20)}, "each is given the newest, and no more"
    in_between = Counter(pod for at, pod in begun[20:] if at < changed_at)
    assert len(in_between) == 20
    assert max(in_between.values()) - min(in_between.values()) <= 1
    assert course.report is not None
    assert course.report.ok


async def test_who_is_slow_keeps_no_other_of_its_node_waiting() -> None:
    async def some_hang(pod: Pod) -> None:
        if course_of[pod.target.pod] and int(pod.target.pod[-1]) < 5:
            await anyio.sleep_forever()
        course_of[pod.target.pod] += 1
        await takes_all(pod)

    course_of = Counter[str]()

    async def story(hear: Any, change: Any) -> None:
        await hear(*(pod_of(f"web-{number}") for number in range(9)), whole=True)
        await change(plan_of("bb"))
        await anyio.sleep(2 * module.SLOW_S)

    await followed(story, some_hang)
    assert course_of == {f"web-{number}": 1 if number < 5 else 2 for number in range(9)}


async def test_what_is_under_way_when_it_ends_is_interrupted() -> None:
    async def hangs(pod: Pod) -> None:
        await anyio.sleep_forever()

    async def story(hear: Any, change: Any) -> None:
        await hear(pod_of("web-0"), whole=True)

    course = await followed(story, hangs)
    assert course.report is not None
    assert [one.outcome for one in course.report.results] == [Outcome.INTERRUPTED]
    assert course.report.exit_code == 130


async def test_it_ends_when_its_time_is_over_and_tells_what_keeps_a_plan_from_being_made() -> None:
    send, news = anyio.create_memory_object_stream[Watched](10)
    await send.send(Watched([pod_of("web-0")], whole=True))
    async with scripted() as cluster:
        cluster.news = news
        report = await follow(cluster, plan_of(), replace_namespace(SELECTION), options=ALL, for_s=60)
    assert [one.outcome for one in report.results] == [Outcome.COMPLETE]
    assert report.seconds == pytest.approx(60, abs=1)
    send.close()
    news.close()


def test_a_file_that_was_saved_twice_within_a_second_is_another() -> None:
    def entry(ctime_ns: int) -> Entry:
        return Entry(b"f", Kind.FILE, 5, mtime_ns=1, origin=Origin(b"", b"f", 1, 2, ctime_ns, 1))

    one, other = (
        content_of(PushPlan((), ArchiveLayout([entry(ctime_ns)], "0123456789abcdef"), ())) for ctime_ns in (1, 2)
    )
    assert one != other


async def test_of_very_many_that_are_gone_the_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PLACES", 4)

    async def story(hear: Any, change: Any) -> None:
        for number in range(10):
            await hear(pod_of(f"web-{number}"), pod_of("stays"), whole=True)

    course = await followed(story)
    assert course.report is not None
    assert set(course.served.values()) == {1}
    names = [one.transfer.target.pod for one in course.report.results]
    assert names[-1] == "web-9"
    assert "stays" in names
    assert len(names) <= 4

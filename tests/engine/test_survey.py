"""All pods tell what they have before the first is copied from; who is late, or can't, holds nobody up for long."""

import anyio
import pytest

from asynccp.engine.choosing import Choosing
from asynccp.engine.sessions import Sessions
from asynccp.engine.survey import LATE_AFTER_S, survey
from asynccp.options import Collecting
from asynccp.plan.collect import Room

from .clock import JumpingLoop
from .scripted import ONCE, TOKEN, Pod, Script, by_name, hangs, pull_plan, scripted, targets

COLLECTING = ONCE._replace(collecting=Collecting(most_total_size=100))
HELLO = "sum=sha256sum stat=yes tar=gnu directory=yes chooses=yes parts=yes"


def lists(*files: tuple[int, int]) -> Script:
    """Return a pod that has these files, each as its time and its size."""

    async def script(pod: Pod) -> None:
        await pod.hello(HELLO)
        await pod.say(f"asynccp {TOKEN} listing how=printf\n".encode())
        await pod.say(b"d755 0 9.000000000 0 0 1 1 1 .\0\0")
        for number, (time_s, size) in enumerate(files):
            await pod.say(b"f644 %d %d.000000000 0 0 1 %d 1 ./%d\0\0" % (size, time_s, number + 2, number))
        await pod.say(f"//asynccp {TOKEN} listed rc=0\n".encode())
        while await pod.hear() != b"none\n":
            pass
        await pod.done("rc=0")
        await pod.hear_line()
        await pod.end()

    return script


async def stops_in_the_middle(pod: Pod) -> None:
    await pod.hello(HELLO)
    await pod.say(f"asynccp {TOKEN} listing how=printf\n".encode())
    await anyio.sleep_forever()


async def has_nothing_to_choose_from(pod: Pod) -> None:
    await pod.hello("sum=sha256sum stat=yes tar=gnu")
    await pod.hear()


async def surveyed(stop: anyio.Event | None = None, **scripts: Script) -> dict[str, int]:
    """Return what each pod may take, with what is left for all."""
    async with scripted(by_name(**scripts)) as cluster:
        plan, room = pull_plan("out", targets(len(scripts))), Room(100)
        sessions = Sessions(cluster, COLLECTING, TOKEN)
        found = await survey(cluster, plan, sessions, Choosing(COLLECTING), room, stop or anyio.Event())
    return {one.target.pod: most(found.rooms.get(one, room)) for one in plan.transfers}


def most(room: Room) -> int:
    size = next(size for size in range(100, -1, -1) if room.take(size))
    room.give_back(size)
    return size


async def test_each_pod_is_promised_what_the_newest_files_of_all_have() -> None:
    found = await surveyed(web_0=lists((5, 60), (3, 60)), web_1=lists((4, 30)), web_2=lists((2, 20)))
    assert found == {"web-0": 70, "web-1": 40, "web-2": 10}, "10 are left for all"


async def test_who_is_late_is_waited_for_no_longer_than_others_tell_something(clock: JumpingLoop) -> None:
    begun = clock.now
    found = await surveyed(web_0=lists((5, 60)), web_1=stops_in_the_middle, web_2=hangs)
    assert found == {"web-0": 100, "web-1": 40, "web-2": 40}
    assert clock.now - begun == pytest.approx(LATE_AFTER_S, abs=1)


async def test_who_can_not_tell_is_not_waited_for(clock: JumpingLoop) -> None:
    begun = clock.now
    found = await surveyed(web_0=lists((5, 60)), web_1=has_nothing_to_choose_from)
    assert found == {"web-0": 100, "web-1": 40}
    assert clock.now - begun < 1


async def test_one_pod_is_asked_once() -> None:
    assert await surveyed(web_0=hangs) == {"web-0": 100}


async def test_an_interrupted_run_ends_at_once(clock: JumpingLoop) -> None:
    begun, stop = clock.now, anyio.Event()
    stop.set()
    await surveyed(stop, web_0=hangs, web_1=hangs)
    assert clock.now - begun < 10

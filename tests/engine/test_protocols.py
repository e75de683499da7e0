"""Which exec subprotocol is offered: a table, and what a run learns on its way."""

from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from asynccp.engine.protocols import Protocols, choose
from asynccp.engine.pull import pull
from asynccp.engine.push import push
from asynccp.errors import Knob, ProtocolRefused, Refused
from asynccp.kube.exec import CLOSE_STDIN, V4, V5
from asynccp.options import Concurrency, Failures, Options
from asynccp.report import Outcome
from asynccp.status import ExitStatus
from asynccp.target import Target

from .scripted import Pod, Script, by_name, pull_plan, push_plan, scripted, takes_all, target, targets


@pytest.mark.parametrize(
    ("tried", "refused", "half_close", "offered"),
    [
        (set(), set(), False, V4),
        (set(), set(), True, V5),
        ({V4}, {V4}, False, V5),
        ({V4}, {V4}, True, V5),
        ({V5}, {V5}, True, None),
        ({V4, V5}, {V4, V5}, False, None),
        (set(), {V4}, False, V5),
        (set(), {V5}, False, V4),
        (set(), {V4, V5}, False, V4),
        ({V4}, {V4, V5}, False, V5),
        (set(), {V5}, True, V5),
    ],
)
def test_v4_is_offered_whenever_it_will_do_and_what_others_were_refused_last(
    tried: set[str], refused: set[str], half_close: bool, offered: str | None
) -> None:
    assert choose(tried=tried, refused=refused, half_close=half_close) == offered


def test_what_was_met_is_remembered() -> None:
    protocols = Protocols()
    assert protocols.offer("gnu") == protocols.offer("toybox") == V4
    protocols.uncounted.add("toybox")
    assert (protocols.offer("gnu"), protocols.offer("toybox")) == (V4, V5)
    protocols.refused.add(V4)
    assert protocols.offer("gnu") == V5


@pytest.mark.parametrize(
    ("tried", "uncounted", "says", "helps"),
    [
        ({V4, V5}, set(), "speaks neither", ""),
        ({V5}, {"toybox"}, "neither dd nor head", "add dd or head to the image"),
        ({V4, V5}, {"toybox"}, "neither dd nor head", "Kubernetes 1.30"),
    ],
)
def test_when_nothing_is_left_the_reason_is_told(tried: set[str], uncounted: set[str], says: str, helps: str) -> None:
    with pytest.raises(Refused, match=says) as caught:
        Protocols(set(), uncounted).offer("toybox", tried)
    assert helps in caught.value.hint


def server_without(*unknown: str) -> "Opening":
    return Opening(unknown)


class Opening:
    """An API server that refuses some subprotocols."""

    def __init__(self, unknown: tuple[str, ...]) -> None:
        self._unknown = unknown

    async def __call__(self, of: Target, protocol: str) -> None:
        await anyio.lowlevel.checkpoint()
        if protocol in self._unknown:
            raise ProtocolRefused("the API server refused the exec protocol")


ONE_BY_ONE = Options(concurrency=Concurrency(sessions=1))


async def cannot_count(pod: Pod) -> None:
    """A pod without dd and head: only the end of stdin ends its tar."""
    await pod.hello("count=none")
    while await pod.hear():
        pass
    if pod.heard:
        await pod.received()
        await pod.done()
        await pod.end()


async def test_a_server_that_refuses_v4_is_asked_once_and_gets_v5() -> None:
    async with scripted(opening=server_without(V4)) as cluster:
        report = await push(cluster, push_plan(targets(3)), options=ONE_BY_ONE)
    assert report.ok
    assert cluster.offers == {"web-0": [V4, V5], "web-1": [V5], "web-2": [V5]}
    assert [one.protocol for one in report.results] == ["v5"] * 3
    assert all(not pod.stdin_closed for pod in cluster.pods), "who can count needs no end of stdin"


async def test_a_server_that_refuses_both_fails_every_pod_with_the_reason() -> None:
    async with scripted(opening=server_without(V4, V5)) as cluster:
        report = await push(cluster, push_plan(targets(2)))
    assert report.exit_code == 1
    assert [one.error for one in report.results] == ["the API server speaks neither " + V4 + " nor " + V5] * 2


async def test_what_one_pod_is_refused_is_no_other_pods_trouble() -> None:
    """A proxy before one pod's node answers 403 without a Status, whatever is offered."""

    async def opening(of: Target, protocol: str) -> None:
        await anyio.lowlevel.checkpoint()
        if of.pod == "web-0":
            raise ProtocolRefused("the API server refused the exec protocol")

    async with scripted(opening=opening) as cluster:
        report = await push(cluster, push_plan(targets(3)), options=ONE_BY_ONE)
    assert [one.outcome for one in report.results] == [Outcome.FAILED, Outcome.COMPLETE, Outcome.COMPLETE]


async def test_a_container_that_cannot_count_gets_v5_and_the_end_of_stdin() -> None:
    async with scripted(cannot_count) as cluster:
        report = await push(cluster, push_plan([target(image="toybox")]))
    assert report.ok
    assert [pod.protocol for pod in cluster.pods] == [V4, V5]
    first, second = cluster.pods
    assert first.heard == 0, "not a byte before it is known how it ends"
    assert second.heard == push_plan([target()]).layout.size
    assert second.stdin_closed
    assert report.results[0].protocol == "v5"
    assert report.results[0].wire_size == second.heard


async def test_an_image_that_cannot_count_is_met_once() -> None:
    pods = [target("web-0", image="toybox"), target("web-1", image="toybox"), target("web-2", image="gnu")]
    async with scripted(by_name(cannot_count, web_2=takes_all)) as cluster:
        report = await push(cluster, push_plan(pods), options=ONE_BY_ONE)
    assert report.ok
    assert cluster.offers == {"web-0": [V4, V5], "web-1": [V5], "web-2": [V4]}


async def test_a_container_that_cannot_count_behind_a_server_without_v5_fails_with_the_reason() -> None:
    async with scripted(cannot_count, opening=server_without(V5)) as cluster:
        report = await push(cluster, push_plan([target(image="toybox")]))
    (result,) = report.results
    assert result.outcome is Outcome.FAILED
    assert "neither dd nor head" in result.error
    assert "add dd or head to the image" in result.hint


async def test_nothing_is_sent_into_a_closed_stdin() -> None:
    sent: list[bytes] = []

    async def script(pod: Pod) -> None:
        await pod.hello("count=none")
        while message := await pod._stdin.receive():
            sent.append(message)
            if message == CLOSE_STDIN:
                break
        await pod.received()
        await pod.done()
        sent.append(await pod._stdin.receive())
        await pod.end()

    async with scripted(script, opening=server_without(V4)) as cluster:
        report = await push(cluster, push_plan([target()]))
    assert report.ok
    assert sent[-2:] == [CLOSE_STDIN, CLOSE_STDIN], "closed again, which is harmless, where a line would be an error"


# --- the shell


NO_SHELL = ExitStatus(None, 'exec: "sh": executable file not found in $PATH')


def has_shell(*names: str) -> Script:
    """Return the script of a pod that takes a push, if it is asked for a shell by one of these names."""

    async def script(pod: Pod) -> None:
        await (takes_all(pod) if pod.argv[0] in names else pod.end(NO_SHELL))

    return script


async def test_a_shell_that_is_not_on_the_path_is_found_in_its_usual_place() -> None:
    async with scripted(has_shell("/bin/sh")) as cluster:
        report = await push(cluster, push_plan([target()]))
    assert report.ok, report.results[0].error
    assert [pod.argv[0] for pod in cluster.pods] == ["sh", "/bin/sh"]
    first, second = cluster.pods
    assert first.words["more_path"] == "", "the container's own programs come first"
    assert "/bin" in second.words["more_path"].split(":"), "nor are the others on its PATH"
    assert report.results[0].tries == 1


async def test_an_image_whose_shell_is_not_on_the_path_is_met_once() -> None:
    pods = [target("web-0", image="odd"), target("web-1", image="odd"), target("web-2", image="gnu")]
    script = by_name(has_shell("/bin/sh"), web_2=has_shell("sh"))
    async with scripted(script) as cluster:
        report = await push(cluster, push_plan(pods), options=ONE_BY_ONE)
    assert report.ok, [one.error for one in report.results]
    assert [(pod.target.pod, pod.argv[0]) for pod in cluster.pods] == [
        ("web-0", "sh"),
        ("web-0", "/bin/sh"),
        ("web-1", "/bin/sh"),
        ("web-2", "sh"),
    ]


async def test_a_pull_finds_the_shell_there_as_well(tmp_path: Path) -> None:
    async def script(pod: Pod) -> None:
        if pod.argv[0] == "sh":
            await pod.end(NO_SHELL)
            return
        await pod.hello()
        await pod.say(bytes(1024))
        await pod.done("rc=0")
        await pod.hear_line()
        await pod.end()

    async with scripted(script) as cluster:
        await pull(cluster, pull_plan(str(tmp_path), [target()]), options=Options(failures=Failures(retries=0)))
    assert [pod.argv[0] for pod in cluster.pods] == ["sh", "/bin/sh"]


@pytest.mark.parametrize(
    ("others", "helps"),
    [
        ((), f"name a container that has one with {Knob.CONTAINER}"),
        (("app",), f"name another container with {Knob.CONTAINER} (app runs there too)"),
    ],
)
async def test_a_container_without_any_shell_is_told_after_both_and_others_are_offered(
    others: tuple[str, ...], helps: str
) -> None:
    one = replace(target(), others=others)
    async with scripted(has_shell()) as cluster:
        report = await push(cluster, push_plan([one]))
    (result,) = report.results
    assert (result.outcome, result.error) == (Outcome.FAILED, "there is no shell in the container")
    assert result.hint.startswith(helps)
    assert [pod.argv[0] for pod in cluster.pods] == ["sh", "/bin/sh"]


async def test_the_shell_and_the_protocol_are_learned_in_one_run() -> None:
    async with scripted(has_shell("/bin/sh"), opening=server_without(V4)) as cluster:
        report = await push(cluster, push_plan(targets(2)), options=ONE_BY_ONE)
    assert report.ok
    assert [(pod.target.pod, pod.protocol, pod.argv[0]) for pod in cluster.pods] == [
        ("web-0", V5, "sh"),
        ("web-0", V5, "/bin/sh"),
        ("web-1", V5, "/bin/sh"),
    ]

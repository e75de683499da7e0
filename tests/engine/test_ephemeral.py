"""Containers without a shell: an ephemeral container beside them, and only beside them."""

import anyio
import pytest

from asynccp.engine.push import push
from asynccp.engine.sessions import Sessions
from asynccp.errors import OtherUser, Refused, ShellMissing
from asynccp.kube.base import EphemeralContainer, Wanted
from asynccp.kube.exec import V4
from asynccp.options import Concurrency, Ephemeral, Options
from asynccp.plan.plan import PushPlan
from asynccp.remote.commands import PullRequest
from asynccp.report import Outcome
from asynccp.status import ExitStatus
from asynccp.target import Target, Transfer
from tests.engine.scripted import (
    NO_SHELL,
    TOKEN,
    Pod,
    beside,
    greets_and_hangs,
    layout_of,
    push_plan,
    scripted,
    takes_all,
    target,
    targets,
)

BESIDE = Options(concurrency=Concurrency(sessions=1), ephemeral=Ephemeral("busybox:1"))
REQUEST = PullRequest(TOKEN, "/var/log")


async def shellless(pod: Pod) -> None:
    """A container without a shell, and an ephemeral one that has all."""
    if pod.target.container == "main":
        await pod.end(NO_SHELL)
    else:
        await takes_all(pod)


def execs(pods: list[Pod]) -> list[str]:
    return [f"{pod.target.pod}/{pod.target.container}" for pod in pods]


async def test_a_container_without_a_shell_is_copied_to_from_beside() -> None:
    async with scripted(shellless) as cluster:
        cluster.beside = beside
        report = await push(cluster, push_plan([target()]), options=BESIDE)
    assert report.ok
    assert execs(cluster.pods) == ["web-0/main", "web-0/main", "web-0/asynccp-1"], "sh, /bin/sh, and then"
    assert cluster.pods[2].argv[6:8] == ["0123abc", "uid-web-0/containers/main"]


async def test_who_has_a_shell_gets_no_ephemeral_container() -> None:
    async with scripted() as cluster:
        cluster.beside = beside
        report = await push(cluster, push_plan(targets(2)), options=BESIDE)
    assert report.ok
    assert cluster.wanted == []


async def test_an_image_without_a_shell_is_met_once() -> None:
    async with scripted(shellless) as cluster:
        cluster.beside = beside
        report = await push(cluster, push_plan(targets(3)), options=BESIDE)
    assert report.ok
    assert execs(cluster.pods)[3:] == ["web-1/asynccp-1", "web-2/asynccp-1"]


async def test_nobody_gets_one_who_did_not_ask_and_hears_that_it_would_help() -> None:
    async with scripted(shellless) as cluster:
        cluster.beside = beside
        report = await push(cluster, push_plan([target()]))
    assert cluster.wanted == []
    assert report.results[0].error_class == "ShellMissing"
    assert "Ephemeral.image IMAGE" in report.results[0].hint


async def test_what_one_pod_is_refused_is_that_pods_failure() -> None:
    def refusing(of: Target, wanted: Wanted) -> EphemeralContainer:
        if of.pod == "web-1":
            raise Refused("Pod Security forbids the ephemeral container")
        return beside(of, wanted)

    async with scripted(shellless) as cluster:
        cluster.beside = refusing
        report = await push(cluster, push_plan(targets(3)), options=BESIDE)
    assert [one.outcome for one in report.results] == [Outcome.COMPLETE, Outcome.FAILED, Outcome.COMPLETE]
    assert report.results[1].error == "Pod Security forbids the ephemeral container"


async def test_an_ephemeral_container_without_a_shell_is_the_end_of_it() -> None:
    async def nowhere(pod: Pod) -> None:
        await pod.end(NO_SHELL)

    async with scripted(nowhere) as cluster:
        cluster.beside = beside
        sessions = Sessions(cluster, BESIDE, TOKEN)
        with pytest.raises(ShellMissing):
            async with sessions.greeted(Transfer(target(), "/var/log"), REQUEST):
                pass
    assert execs(cluster.pods) == ["web-0/main"] * 2 + ["web-0/asynccp-1"] * 2


async def test_one_that_runs_as_the_wrong_user_is_followed_by_one_of_the_right_user() -> None:
    async def script(pod: Pod) -> None:
        if pod.target.container == "asynccp-1":
            await pod.hello("problem=other-user uid=7 gid=8")
            await pod.hear_line()
            await pod.end(ExitStatus(1))
        elif pod.target.container == "asynccp-2":
            await greets_and_hangs(pod)
        else:
            await pod.end(NO_SHELL)

    async with scripted(script) as cluster:
        cluster.beside = lambda of, wanted: EphemeralContainer(f"asynccp-{2 if wanted.user else 1}", "")
        sessions = Sessions(cluster, BESIDE, TOKEN)
        async with sessions.greeted(Transfer(target(), "/var/log"), REQUEST) as found:
            assert found.way == "ephemeral asynccp-2"
    assert [wanted.user for _, wanted in cluster.wanted] == [None, (7, 8)]


async def test_a_user_that_changes_each_time_is_not_followed_for_ever() -> None:
    async def script(pod: Pod) -> None:
        if pod.target.container == "main":
            await pod.end(NO_SHELL)
            return
        await pod.hello(f"problem=other-user uid={len(cluster.pods)} gid=8")
        await pod.hear_line()
        await pod.end(ExitStatus(1))

    async with scripted(script) as cluster:
        cluster.beside = beside
        sessions = Sessions(cluster, BESIDE, TOKEN)
        with pytest.raises(OtherUser, match="whose user is another: 4:8"):
            async with sessions.greeted(Transfer(target(), "/var/log"), REQUEST):
                pass


async def test_the_way_of_who_has_a_shell_is_the_usual_one() -> None:
    async with scripted(greets_and_hangs) as cluster:
        sessions = Sessions(cluster, BESIDE, TOKEN)
        async with sessions.greeted(Transfer(target(), "/var/log"), REQUEST) as found:
            assert (found.way, found.protocol) == ("tar", V4[:2])


async def test_several_paths_of_a_container_ask_for_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = 0

    async with scripted(shellless) as cluster:
        cluster.beside = beside
        original = cluster.ephemeral

        async def ephemeral(of: Target, wanted: Wanted) -> EphemeralContainer:
            nonlocal asking
            asking += 1
            assert asking == 1
            await anyio.sleep(1)
            found = await original(of, wanted)
            asking -= 1
            return found

        monkeypatch.setattr(cluster, "ephemeral", ephemeral)
        plan = PushPlan(("a",), layout_of(1000), tuple(Transfer(target(), path) for path in ("/a", "/b", "/c")))
        report = await push(cluster, plan, options=Options(ephemeral=Ephemeral("busybox:1")))
    assert report.ok

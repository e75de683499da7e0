"""A push that replaces its place, and hooks and rollbacks: what a pod says of them is waited for, bounded, believed."""

import anyio
import pytest

from asynccp.engine.push import push
from asynccp.engine.rollback import rollback
from asynccp.errors import UsageError
from asynccp.options import Failures, OnFailure, Options, Publishing, Rollout, Sync, Waves
from asynccp.plan.rollback import RollbackPlan
from asynccp.report import Outcome, Result
from asynccp.target import Transfer

from .scripted import TOKEN, Pod, Script, push_plan, scripted, target

pytestmark = pytest.mark.anyio
A_REVISION = "20261130T034501Z-0a1b2c"


async def pushed(script: Script, rollout: Rollout, publishing: Publishing | None = None) -> Result:
    options = Options(failures=Failures(retries=2), rollout=rollout, sync=Sync(always=True))
    options = options._replace(publishing=publishing or Publishing())
    async with scripted(script) as cluster:
        (result,) = (await push(cluster, push_plan([target()]), options=options)).results
    return result


async def line(pod: Pod, expected: bytes) -> None:
    heard = await pod.hear()
    assert heard.startswith(expected), heard


async def say(pod: Pod, text: str) -> None:
    await pod.say(f"asynccp {TOKEN} {text}\n".encode())


async def prepares(pod: Pod) -> None:
    """Come as far as the new directory."""
    await pod.hello()
    await pod.hear_archive()
    await pod.received()
    await line(pod, b"copy\n")
    await say(pod, "copied rc=0")
    await line(pod, b"merge\n")
    await say(pod, "merged rc=0")


async def swaps(pod: Pod) -> None:
    await line(pod, b"go\n")
    await pod.done(f"rc=0 settled=yes swapped=yes kept={A_REVISION}")


async def goes(pod: Pod) -> None:
    await line(pod, b"ok\n")
    await pod.end()


async def test_all_is_done_in_its_order() -> None:
    async def script(pod: Pod) -> None:
        assert {"swaps", "rev", "keep", "about"} <= pod.words.keys()
        await prepares(pod)
        await line(pod, b"before 60 nginx\\0040-t\n")
        await pod.complain("fine\n")
        await pod.note("ran rc=0 back=")
        await swaps(pod)
        await line(pod, b"after 60 true\n")
        await pod.note("ran rc=0 back=")
        await line(pod, b"signal HUP nginx-is-too-lo\n")
        await pod.note("ran rc=0 back=")
        await goes(pod)

    rollout = Rollout(backups=2, before="nginx -t", after="true", signal="HUP:nginx-is-too-long")
    result = await pushed(script, rollout)
    assert (result.outcome, result.error) == (Outcome.COMPLETE, "")
    assert [(one.when, one.exit_code, one.output) for one in result.hooks] == [
        ("before", 0, "fine"),
        ("after", 0, ""),
        ("signal", 0, ""),
    ]
    assert result.backup == A_REVISION


async def test_what_a_command_says_is_bounded_and_safe_to_show() -> None:
    async def script(pod: Pod) -> None:
        await prepares(pod)
        await line(pod, b"before")
        for _ in range(100):
            await pod.complain("x" * 30_000 + "\n")
        await pod.complain("\x1b[2J\u202e no end")
        await pod.note("ran rc=9 back=")
        await pod.hear()

    result = await pushed(script, Rollout(before="x"))
    (hook,) = result.hooks
    assert len(hook.output) < 5000
    assert hook.output.endswith("\\x1b[2J\\u202e no end")
    assert result.outcome is Outcome.FAILED
    assert result.tries == 1, "a command that fails is not run again"
    assert "nothing was changed, because the command before failed with exit code 9" in result.error
    assert len(result.error) < 500


@pytest.mark.parametrize(
    ("back", "said", "rolled_back"),
    [
        ("yes", "what was there before is there again", True),
        ("no", "could not be brought back", False),
        ("", "the command after failed with exit code 1", False),
        ("\x1b", "the command after failed with exit code 1", False),
    ],
)
async def test_a_command_that_fails_behind_it_tells_whether_it_was_undone(
    back: str, said: str, *, rolled_back: bool
) -> None:
    async def script(pod: Pod) -> None:
        await prepares(pod)
        await swaps(pod)
        await line(pod, b"after")
        await pod.note(f"ran rc=1 back={back}")
        await pod.hear()

    result = await pushed(script, Rollout(backups=1, after="x"))
    assert result.outcome is Outcome.FAILED
    assert said in result.error
    assert result.rolled_back is rolled_back


async def test_a_command_that_never_ends_is_not_waited_for_by_us_either() -> None:
    async def script(pod: Pod) -> None:
        await prepares(pod)
        await line(pod, b"before 5 x\n")
        await pod.hear()  # it never tells

    result = await pushed(script, Rollout(before="x", command_timeout_s=5))
    assert result.outcome is Outcome.FAILED
    assert "the command before did not end within 25 s" in result.error
    assert result.seconds < 60


async def test_a_command_that_takes_its_time_is_no_stall() -> None:
    async def script(pod: Pod) -> None:
        await prepares(pod)
        await line(pod, b"before")
        await anyio.sleep(900)
        await pod.note("ran rc=0 back=")
        await swaps(pod)
        await goes(pod)

    result = await pushed(script, Rollout(before="x", command_timeout_s=1000))
    assert result.outcome is Outcome.COMPLETE
    assert result.hooks[0].seconds == pytest.approx(900, abs=2)


@pytest.mark.parametrize("answer", ["copied rc=1", "copied rc=x", "copied"])
async def test_where_the_new_directory_can_not_be_made_nothing_is_changed(answer: str) -> None:
    async def script(pod: Pod) -> None:
        await pod.hello()
        await pod.hear_archive()
        await pod.received()
        await line(pod, b"copy\n")
        await pod.complain("cp: No space left on device\n")
        await pod.note("busy")
        await say(pod, answer + " ")
        await pod.hear()

    result = await pushed(script, Rollout(atomic=True, before="x"))
    assert result.outcome is Outcome.FAILED
    assert result.error_class == "DestinationError"
    assert "nothing was changed" in result.error
    assert result.hooks == ()


async def test_a_swap_that_fails_has_changed_nothing() -> None:
    async def script(pod: Pod) -> None:
        await prepares(pod)
        await line(pod, b"go\n")
        await pod.complain("mv: Permission denied\n")
        await pod.done("rc=1 settled=yes swapped=no kept=")
        await goes(pod)

    result = await pushed(script, Rollout(atomic=True))
    assert result.outcome is Outcome.FAILED
    assert result.error.startswith("nothing was changed, because the directory could not be replaced")


async def test_a_further_attempt_has_another_name_for_what_it_replaces() -> None:
    async def script(pod: Pod) -> None:
        names.append(pod.words["rev"])
        if len(names) < 3:
            return
        await prepares(pod)
        await swaps(pod)
        await goes(pod)

    names: list[str] = []
    assert (await pushed(script, Rollout(link=True))).outcome is Outcome.COMPLETE
    assert [name.removeprefix(names[0]) for name in names] == ["", ".2", ".3"]


async def test_what_is_overwritten_in_place_can_not_be_replaced_at_once() -> None:
    async def script(pod: Pod) -> None:
        raise AssertionError("no pod is asked")

    with pytest.raises(UsageError, match="in place"):
        await pushed(script, Rollout(atomic=True), publishing=Publishing(in_place=True))


async def test_nothing_can_be_rolled_back_where_no_pod_keeps_what_is_replaced() -> None:
    options = Options(rollout=Rollout(atomic=True), waves=Waves(on_failure=OnFailure.ROLLBACK))
    async with scripted() as cluster:
        with pytest.raises(UsageError, match="no pod keeps what is replaced"):
            await push(cluster, push_plan([target()]), options=options)
        assert cluster.pods == []


# --- rollback and history


async def rolled_back(script: Script, *, lists: bool = False, after: str = "") -> Result:
    options = Options(failures=Failures(retries=2), rollout=Rollout(after=after))
    plan = RollbackPlan((Transfer(target(), "/etc/app"),), (), TOKEN, lists=lists)
    async with scripted(script) as cluster:
        (result,) = (await rollback(cluster, plan, options=options)).results
    return result


async def test_a_rollback_that_was_lost_behind_go_is_not_made_again() -> None:
    """A second one would bring back what the first has replaced."""

    async def script(pod: Pod) -> None:
        await pod.hello(f"revision={A_REVISION}")
        await line(pod, b"go\n")

    result = await rolled_back(script)
    assert (result.outcome, result.tries) == (Outcome.FAILED, 1)
    assert "it is not known whether it was brought back" in result.error


async def test_a_rollback_that_was_lost_before_it_is_made_again() -> None:
    async def script(pod: Pod) -> None:
        seen.append(pod)
        if len(seen) < 2:
            return
        await pod.hello(f"revision={A_REVISION}")
        await line(pod, b"go\n")
        await pod.done("rc=0 settled=yes swapped=yes kept=20261130T034502Z-0a1b2c")
        await goes(pod)

    seen: list[Pod] = []
    result = await rolled_back(script)
    assert (result.outcome, result.tries) == (Outcome.COMPLETE, 2)
    assert (result.restored, result.backup) == (A_REVISION, "20261130T034502Z-0a1b2c")


async def test_a_pod_that_keeps_nothing_says_so() -> None:
    async def script(pod: Pod) -> None:
        await pod.hello("problem=no-backup")
        await goes(pod)

    result = await rolled_back(script)
    assert (result.outcome, result.error_class, result.error) == (
        Outcome.FAILED,
        "NoBackup",
        "no backup of /etc/app is there",
    )


async def test_what_a_pod_tells_of_its_history_is_not_believed_blindly() -> None:
    async def script(pod: Pod) -> None:
        await pod.hello("revisions=4")
        await say(pod, f"revision rev={A_REVISION} user=\\0033[2Jme host={'h' * 900} by=push digest=ab entries=7")
        await say(pod, "revision rev=../../etc user=x")
        await say(pod, "revision rev=20261399T034501Z-0a1b2c user=x")
        await say(pod, f"revision rev={A_REVISION}.2 entries={'9' * 40}")
        await pod.done("rc=0")
        await goes(pod)

    result = await rolled_back(script, lists=True)
    assert result.outcome is Outcome.COMPLETE
    assert result.revisions is not None
    first, second = result.revisions
    assert (first.name, first.replaced, first.user) == (A_REVISION, "2026-11-30T03:45:01Z", "\\x1b[2Jme")
    assert len(first.host) < 250
    assert (second.entries, second.user) == (None, "")


async def test_a_pod_that_tells_of_too_many_revisions_has_failed() -> None:
    async def script(pod: Pod) -> None:
        await pod.hello("revisions=999999999")
        await pod.hear()

    result = await rolled_back(script, lists=True)
    assert (result.outcome, result.error_class) == (Outcome.FAILED, "ProtocolViolation")


@pytest.mark.parametrize(("code", "outcome"), [("0", Outcome.COMPLETE), ("4", Outcome.FAILED)])
async def test_a_command_is_run_behind_a_rollback_too(code: str, outcome: Outcome) -> None:
    async def script(pod: Pod) -> None:
        await pod.hello(f"revision={A_REVISION}")
        await line(pod, b"go\n")
        await pod.done("rc=0 settled=yes swapped=yes kept=20261130T034502Z-0a1b2c")
        await line(pod, b"after 60 reload\n")
        await pod.note(f"ran rc={code} back=")
        if code == "0":
            await goes(pod)

    result = await rolled_back(script, after="reload")
    assert (result.outcome, result.tries) == (outcome, 1)
    assert [one.exit_code for one in result.hooks] == [int(code)]

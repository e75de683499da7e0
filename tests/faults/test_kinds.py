"""What a person is told of each kind of fault, and whether it is tried again.

All pods of one run are struck, each by a fault of its own, in every session; a healthy one is among them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from asynccp import Options
from asynccp.kube.exec import STDIN, STDOUT
from asynccp.options import Deadlines, Failures, Verification
from asynccp.report import Outcome, Result
from asynccp.testing import faults
from asynccp.testing.faults import Fault, Place
from benchmarks.trust.faults.storm import different
from tests.faults.fleet import fleet
from tests.faults.hurry import Hurries, HurryingLoop

MIDDLE = {"push": Place(STDIN, 150_000), "pull": Place(STDOUT, 150_000)}
OPTIONS = Options(
    deadlines=Deadlines(stall_after_s=4.0, open_timeout_s=6.0),
    failures=Failures(retries=1),
    verification=Verification(checksum=True),
)
SILENT = "the session ended before the pod had said its last word"
COMPLETE, FAILED = Outcome.COMPLETE, Outcome.FAILED
PATIENT = {"silence", "silence-deaf", "unanswered"}  # what is left of a run when the others are over


@dataclass(frozen=True)
class Expected:
    """attempts: 2 for what is tried again. error: words that are in it. pulled: words instead, for a pull."""

    fault: Callable[[Place], Fault]
    outcome: Outcome
    attempts: int
    error: str = ""
    pulled: str = ""


def refuse(code: int, *, says_why: bool = True) -> Callable[[Place], Fault]:
    return lambda _: faults.Refuse(code=code, says_why=says_why)


def at_the_end(fault: Callable[[Place], Fault]) -> Callable[[Place], Fault]:
    return lambda _: fault(faults.LAST_WORD)


CASES = {
    "healthy": Expected(lambda _: faults.Delay(Place(STDOUT, 1 << 30)), COMPLETE, 1),
    "delay": Expected(faults.Delay, COMPLETE, 1),
    "slow": Expected(faults.Slow, COMPLETE, 1),
    "stderr-flood": Expected(faults.StderrFlood, COMPLETE, 1),
    "cut": Expected(faults.Cut, FAILED, 2, f"{SILENT}: the connection broke off"),
    "cut-in-frame": Expected(lambda at: faults.Cut(at, in_frame=True), FAILED, 2, f"{SILENT}: the connection broke"),
    "reset": Expected(lambda at: faults.Cut(at, resets=True), FAILED, 2, f"{SILENT}: the connection broke"),
    "cut-at-the-end": Expected(at_the_end(faults.Cut), FAILED, 2, SILENT),
    "close-1000": Expected(lambda at: faults.Close(at, code=1000), FAILED, 2, SILENT),
    "close-1006": Expected(lambda at: faults.Close(at, code=1006), FAILED, 2, f"{SILENT}: the connection broke"),
    "close-1011": Expected(lambda at: faults.Close(at, code=1011), FAILED, 2, "closed the connection with code 1011"),
    "silence": Expected(faults.Silence, FAILED, 1, "nothing moved for 4 s"),
    "silence-deaf": Expected(lambda at: faults.Silence(at, deaf=True), FAILED, 1, "nothing moved for 4 s"),
    "garbage": Expected(faults.Garbage, FAILED, 2, "the connection broke: the server sent a frame of an extension"),
    "wrong-channel": Expected(faults.WrongChannel, FAILED, 1, "6 bytes on channel 7, which carries nothing"),
    "oversized-frame": Expected(faults.OversizedFrame, FAILED, 2, "the server sent a message of more than"),
    "text-frame": Expected(faults.TextFrame, FAILED, 1, "the pod said 'text'", "is no tar header"),
    "endless-stdout": Expected(faults.EndlessStdout, FAILED, 1, "where its received belongs", "is no tar header"),
    "early-success": Expected(faults.EarlySuccess, FAILED, 1, "output after the command's end"),
    "false-success": Expected(faults.FalseSuccess, FAILED, 2, SILENT),
    "no-status": Expected(lambda _: faults.LastWord(), FAILED, 2, SILENT),
    "broken-status": Expected(lambda _: faults.LastWord(text=b"{\x1b[2J"), FAILED, 1, "can't be read: {\\x1b[2J"),
    "flip": Expected(faults.Flip, FAILED, 2, "1 file is not the same here and in the container: tree/two/large"),
    "dropped": Expected(lambda _: faults.Dropped(), FAILED, 2, "the API server can't be reached: "),
    "unanswered": Expected(lambda _: faults.Unanswered(), FAILED, 2, "the API server did not answer within 6 s"),
    "403": Expected(refuse(403), FAILED, 1, "exec is forbidden: a fault answers 403"),
    "403-without-a-body": Expected(refuse(403, says_why=False), FAILED, 1, "speaks neither v4.channel.k8s.io nor v5"),
    "404": Expected(refuse(404), FAILED, 1, "the API server refused exec: a fault answers 404"),
    "404-without-a-body": Expected(refuse(404, says_why=False), FAILED, 1, "HTTP 404 without a reason"),
    **{str(code): Expected(refuse(code), FAILED, 2, f"exec could not be started: a fault answers {code}")
       for code in (429, 500, 502, 503)},
    **{f"{code}-without-a-body": Expected(refuse(code, says_why=False), FAILED, 2, f"HTTP {code} without a reason")
       for code in (429, 500, 502, 503)},
}  # fmt: skip


@pytest.fixture(scope="module", params=["push", "pull"])
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Result]]:
    """Run one copy with all pods struck; return each pod's result."""
    direction: str = request.param

    async def run() -> dict[str, Result]:
        async with fleet(tmp_path_factory.mktemp(direction), len(CASES)) as ours:
            for pod, one in zip(ours.pods, CASES.values(), strict=True):
                ours.cluster.strike(pod, replace(one.fault(MIDDLE[direction]), always=True))
            hurries = Hurries(len(CASES), len(PATIENT))
            report = await (ours.push if direction == "push" else ours.pull)(OPTIONS, hurries)
            hurries.loop.calm()
            ours.cluster.heal()
            with anyio.fail_after(20):
                await ours.cluster.wait_idle()
            assert report.exit_code == 23
            by_pod = {result.transfer.target.pod: result for result in report.results}
            for pod in ours.pods:
                result = by_pod[pod.name]
                there = pod.root() / "tmp" if direction == "push" else ours.directory / "back" / pod.name
                assert not list(there.rglob(".asynccp-*"))
                if result.outcome is COMPLETE:
                    assert different(ours.directory / "tree", there / "tree") == ""
            return dict(zip(CASES, (by_pod[pod.name] for pod in ours.pods), strict=True))

    return direction, anyio.run(run, backend_options={"loop_factory": HurryingLoop})


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_survived_or_told_in_words(results: tuple[str, dict[str, Result]], name: str) -> None:
    direction, by_name = results
    expected, result = CASES[name], by_name[name]
    assert (result.outcome, result.tries) == (expected.outcome, expected.attempts), result.error
    error = expected.pulled if direction == "pull" and expected.pulled else expected.error
    assert error in result.error
    assert result.error.isprintable()


@pytest.mark.parametrize("direction", ["push", "pull"])
@pytest.mark.parametrize("fault", [faults.Cut(), faults.Refuse(code=429, retry_after="1"), faults.LastWord()], ids=repr)
async def test_what_strikes_once_costs_a_second_attempt_and_nothing_else(
    tmp_path: Path, direction: str, fault: Fault
) -> None:
    async with fleet(tmp_path) as ours:
        result = await ours.run(direction, OPTIONS, fault)
    assert (result.outcome, result.tries, result.error) == (COMPLETE, 2, "")
    if isinstance(fault, faults.Refuse):
        assert result.seconds >= 1.0, "the server had asked for a second"

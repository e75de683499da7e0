"""Nothing secret is said: not on a terminal, in a log, in a report, in a library user's traceback."""

import logging
import traceback
from pathlib import Path

import pytest

from asynccp import ClusterError, Listener, Options, Selection, connect, parse_selectors, plan_push, push
from asynccp.auth.access import Access
from asynccp.auth.kubeconfig import read_kubeconfig
from asynccp.testing.server import FakeCluster
from asynccp.ui.text import closing
from benchmarks.trust.credentials.leaks import FAILURES, fail, one_error, planted
from tests.auth.test_credentials import names_seen
from tests.kube.gateways import write_kubeconfig


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failure_tells_no_secret(
    failure: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not in its words, not in a traceback, a log, or on a terminal; `benchmarks.trust` runs the same by command."""
    caplog.set_level(logging.DEBUG)
    async with planted(failure, tmp_path) as (ground, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(ClusterError) as caught:
            await names_seen(tmp_path / "kubeconfig")
    error = caught.value
    said = [str(error), error.hint, *traceback.format_exception(error), caplog.text, *capfd.readouterr()]
    assert ground.planted
    assert ground.found_in("".join(said)) == []
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "failure", ["YAML that breaks off", "a plugin that fails", "a proxy that refuses", "a token with a line break"]
)
async def test_a_command_that_fails_is_one_sentence_without_a_secret(failure: str, tmp_path: Path) -> None:
    outcome = await fail(failure, tmp_path)
    assert (outcome.code, outcome.found) == (1, [])
    assert one_error(outcome.said), outcome.said


async def test_a_refused_handshake_puts_no_token_into_the_report(cluster: FakeCluster, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, {"server": cluster.url}, {"token": "s3cr3t"})
    async with connect(str(path)) as connected:
        plan = await plan_push(connected, [__file__], Selection(parse_selectors(["app=web:/tmp"])))
        cluster.accept_only("somebody else")
        report = await push(connected, plan, options=Options(), observer=Listener())
    assert report.exit_code == 1
    assert "Unauthorized" in report.dumps()
    assert "s3cr3t" not in report.dumps() + closing(report)


def test_a_yaml_error_is_not_chained(tmp_path: Path) -> None:
    """The parser's own error quotes the line."""
    (tmp_path / "kubeconfig").write_text("users:\n- token: s3cr3t: [\n")
    with pytest.raises(ClusterError, match=r"is not YAML \(line 2\)") as caught:
        read_kubeconfig([str(tmp_path / "kubeconfig")], None)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


def test_an_access_shows_no_secret() -> None:
    shown = repr(Access("http://a", proxy="http://u:s3cr3t@p", headers=(("authorization", "s3cr3t"),)))
    assert "s3cr3t" not in shown

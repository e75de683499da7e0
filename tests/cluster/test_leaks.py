"""Nothing secret is said: not on a terminal, in a log, in a report, in a library user's traceback."""

import traceback
from pathlib import Path

import pytest

from asynccp import ClusterError, NullObserver, Options, Selection, connect, parse_selectors, plan_push, push
from asynccp.cluster.access import Access
from asynccp.fake.server import FakeCluster
from tests.cluster.gateways import write_kubeconfig
from tests.cluster.leaks import FAILURES, fail, one_error
from tests.cluster.test_credentials import names_seen


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failure_is_one_sentence_without_a_secret(failure: str, tmp_path: Path) -> None:
    outcome = await fail(failure, tmp_path)
    assert outcome.planted
    assert outcome.found == []
    assert outcome.code == 1, outcome.said
    assert one_error(outcome.said), outcome.said


async def test_a_refused_handshake_puts_no_token_into_the_report(cluster: FakeCluster, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, {"server": cluster.url}, {"token": "s3cr3t"})
    async with connect(str(path)) as connected:
        plan = await plan_push(connected, [__file__], Selection(parse_selectors(["app=web:/tmp"])))
        cluster.accept_only("somebody else")
        report = await push(connected, plan, options=Options(), observer=NullObserver())
    assert report.exit_code == 1
    assert "Unauthorized" in report.dumps()
    assert "s3cr3t" not in report.dumps() + report.to_text()


@pytest.mark.parametrize(
    ("cluster_fields", "user"),
    [
        ({"server": "https://a.example", "proxy-url": "http://u:s3cr3t@127.0.0.1:1"}, {"token": "s3cr3t"}),
        ({"server": "http://127.0.0.1:1"}, {"token": "s3cr3t"}),
        ({"server": "http://127.0.0.1:1"}, {"token": "s3cr3t\n1"}),
        ({"server": "https://127.0.0.1:1"}, {"client-certificate-data": "s3cr3t!", "client-key-data": "s3cr3t!"}),
        ({"server": "http://127.0.0.1:1"}, {"exec": {"command": "false", "args": ["s3cr3t"]}}),
    ],
)
async def test_a_traceback_holds_no_secret(
    cluster_fields: dict[str, object], user: dict[str, object], tmp_path: Path
) -> None:
    write_kubeconfig(tmp_path / "kubeconfig", cluster_fields, user)
    with pytest.raises(ClusterError) as caught:
        await names_seen(tmp_path / "kubeconfig")
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


def test_a_yaml_error_is_not_chained(tmp_path: Path) -> None:
    """The parser's own error quotes the line."""
    from asynccp.cluster.kubeconfig import read_kubeconfig

    (tmp_path / "kubeconfig").write_text("users:\n- token: s3cr3t: [\n")
    with pytest.raises(ClusterError, match=r"is not YAML \(line 2\)") as caught:
        read_kubeconfig([str(tmp_path / "kubeconfig")], None)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


def test_an_access_shows_no_secret() -> None:
    shown = repr(Access("http://a", proxy="http://u:s3cr3t@p", headers=(("authorization", "s3cr3t"),)))
    assert "s3cr3t" not in shown

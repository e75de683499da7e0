"""Who is meant in several clusters: each target has its context, and what one cluster can't tell is named."""

import pytest

from asynccp import ClusterError, NoTargets, Target, Transfer
from asynccp.engine.everywhere import Found, joined
from asynccp.target import Skipped

DOWN = ClusterError("the API server can't be reached", hint="wait")
NOBODY = NoTargets("there are no pods with labels app=web in namespace default", hint="look elsewhere")


def found(*pods: str, uid: str = "", skipped: tuple[Skipped, ...] = ()) -> Found:
    return [Transfer(Target("default", pod, "main", uid=uid and f"{uid}-{pod}"), "/x") for pod in pods], skipped


def test_each_target_has_its_context_and_one_that_is_down_counts_as_failed() -> None:
    pending = Skipped("default/web-9", "is Pending")
    transfers, skipped = joined(
        {"prod/b": found("web-0", skipped=(pending,)), "a": found("web-0"), "c": DOWN, "d": NOBODY}, is_named=False
    )
    assert [str(one.target) for one in transfers] == ["prod/b/default/web-0", "a/default/web-0"]
    assert len({one.target.of_pod for one in transfers}) == len({one.target.host for one in transfers}) == 2
    assert skipped == [
        Skipped("prod/b/default/web-9", "is Pending"),
        Skipped("c", "the API server can't be reached", named=True),
        Skipped("d", str(NOBODY)),
    ]


def test_what_was_asked_for_by_name_is_missed_in_each_context() -> None:
    _, skipped = joined({"a": found("web-0"), "b": NOBODY}, is_named=True)
    assert skipped == [Skipped("b", str(NOBODY), named=True)]


def test_a_pod_that_two_contexts_lead_to_is_copied_once() -> None:
    transfers, skipped = joined({"a": found("web-0", uid="u"), "b": found("web-0", "web-1", uid="u")}, is_named=False)
    assert [str(one.target) for one in transfers] == ["a/default/web-0", "b/default/web-1"]
    assert skipped == [Skipped("b/default/web-0", "is the same pod as in context a")]


def test_where_nothing_can_be_done_each_context_is_told() -> None:
    with pytest.raises(NoTargets, match=r"^in context a there are no pods .*; in context b there are no pods"):
        joined({"a": NOBODY, "b": NOBODY}, is_named=False)
    with pytest.raises(ClusterError, match=r"in context b the API server can't be reached$") as caught:
        joined({"a": NOBODY, "b": DOWN}, is_named=False)
    assert caught.value.hint == "wait"
    assert caught.value.exit_code == 1


def test_names_of_contexts_are_made_safe_for_a_terminal() -> None:
    transfers, skipped = joined({"a\x1b": found("web-0"), "b\x1b": DOWN}, is_named=False)
    assert str(transfers[0].target) == r"a\x1b/default/web-0"
    assert skipped[0].pod == r"b\x1b"

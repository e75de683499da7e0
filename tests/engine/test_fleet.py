"""Whom a selection means, as pods come, change and go."""

from typing import Any

from asynccp.engine.fleet import Fleet, Search
from asynccp.kube.base import Watched
from asynccp.target import Selection, Selector

WEB, NAMED = Selector("labels", "app=web", "/a"), Selector("pod", "web-0", "/a")


def pod(name: str, *, restarts: int = 0, uid: str = "", phase: str = "running", **metadata: Any) -> dict[str, Any]:
    state = {"name": "main", "state": {phase: {}}, "restartCount": restarts}
    return {
        "metadata": {"namespace": "shop", "name": name, "uid": uid or f"u-{name}", **metadata},
        "spec": {"containers": [{"name": "main"}]},
        "status": {"phase": "Pending" if phase == "waiting" else "Running", "containerStatuses": [state]},
    }


def fleet(*selectors: Selector) -> Fleet:
    selection = Selection(selectors)
    return Fleet(selection, [Search("", *one) for one in selection.searches("shop")])


def names(found: Fleet) -> list[str]:
    return [f"{one.target.pod}:{one.path}" for one in found.wanted.values()]


def test_pods_come_when_they_run_and_go_when_they_are_deleted() -> None:
    found = fleet(WEB)
    assert names(found) == []
    found.hear(0, Watched([pod("web-1"), pod("web-0")], whole=True))
    assert names(found) == ["web-0:/a", "web-1:/a"]
    found.hear(0, Watched([pod("web-2", phase="waiting")]))
    assert names(found) == ["web-0:/a", "web-1:/a"]
    assert [one.pod for one in found.skipped] == ["shop/web-2"]
    found.hear(0, Watched([pod("web-2")]))
    found.hear(0, Watched([pod("web-1", deletionTimestamp="now")]))
    assert names(found) == ["web-0:/a", "web-2:/a"]
    found.hear(0, Watched((), gone=[pod("web-1"), pod("web-0")]))
    assert names(found) == ["web-2:/a"]
    found.hear(0, Watched([pod("web-3")], whole=True))
    assert names(found) == ["web-3:/a"], "what is not in a whole list is gone"


def test_a_container_that_was_restarted_and_a_pod_that_was_replaced_are_others() -> None:
    found = fleet(WEB)
    lives = set()
    for one in (pod("web-0"), pod("web-0", restarts=1), pod("web-0", uid="another"), pod("web-0", uid="another")):
        found.hear(0, Watched([one]))
        (life,) = found.wanted
        lives.add(life)
    assert len(lives) == 3


def test_a_pod_that_two_searches_find_is_wanted_once() -> None:
    found = fleet(WEB, NAMED)
    for number in (0, 1):
        found.hear(number, Watched([pod("web-0")], whole=True))
    assert names(found) == ["web-0:/a"]
    found.hear(0, Watched([], whole=True))
    assert names(found) == ["web-0:/a"]


def test_pods_of_several_clusters_tell_theirs_and_one_that_is_lost_counts_as_failed() -> None:
    found = Fleet(Selection((WEB,)), [Search("prod-a", WEB, "shop"), Search("prod-b", WEB, "shop")])
    found.hear(0, Watched([pod("web-0"), pod("web-1", phase="waiting")], whole=True))
    found.lose("prod-b", "can't be reached")
    assert [one.target.context for one in found.wanted.values()] == ["prod-a"]
    assert [(one.pod, one.named) for one in found.skipped] == [("prod-b", True), ("prod-a/shop/web-1", False)]

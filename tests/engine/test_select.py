"""Selectors → who runs now, and who doesn't and why."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from asynccp.engine.select import select
from asynccp.errors import ClusterError, NoTargets, UsageError
from asynccp.target import Json, Selection, Selector, Skipped

from .scripted import running, scripted, target


def web(pod: str, namespace: str = "default", **status: Any) -> dict[str, Any]:
    found = {**running(target(pod))}
    found["metadata"] = {**found["metadata"], "namespace": namespace, **status}
    return found


LABELS = Selector("labels", "app=web", "/x")
NAMED = Selector("pod", "web-0", "/x")
DEPLOY = Selector("deploy", "web", "/x")
PODS = {
    ("app=web", "default"): [[web("web-1"), web("web-0")], [web("web-2")]],
    ("app=web", None): [[web("web-0"), web("web-0", "bar"), web("web-1", "bar")]],
    ("app=web", "bar"): [[web("web-0", "bar")]],
    ("tier=front", "default"): [[web("web-2"), web("front-0")]],
    ("web-0", "default"): [[web("web-0")]],
    ("web-0", "bar"): [[web("web-0", "bar")]],
    ("web", "default"): [[web("web-0")]],
    ("dying", "default"): [[web("dying", deletionTimestamp="now")]],
    ("app=mixed", "default"): [[web("dying", deletionTimestamp="now"), web("web-0")]],
}

Asked = list[tuple[str, str | None, str]]
Listing = Callable[[Selector, str | None, str], list[list[Json]]]


def listing(asked: Asked) -> Listing:
    def answer(selector: Selector, namespace: str | None, fields: str) -> list[list[Json]]:
        asked.append((selector.name, namespace, fields))
        return [list(page) for page in PODS.get((selector.name, namespace), [])]

    return answer


async def found_by(selection: Selection) -> tuple[list[str], list[Skipped], Asked]:
    asked: Asked = []
    async with scripted(listing=listing(asked)) as cluster:
        transfers, skipped = await select(cluster, selection)
    return [f"{one.target.namespace}/{one.target.pod}:{one.path}" for one in transfers], skipped, asked


@pytest.mark.parametrize(
    ("selection", "found", "asked"),
    [
        (
            Selection((LABELS,)),
            ["default/web-0:/x", "default/web-1:/x", "default/web-2:/x"],
            [("app=web", "default", "")],
        ),
        (Selection((NAMED,)), ["default/web-0:/x"], [("web-0", "default", "")]),
        (Selection((DEPLOY,)), ["default/web-0:/x"], [("web", "default", "")]),
        (
            Selection((LABELS, Selector("labels", "tier=front", "/x"))),
            ["default/front-0:/x", "default/web-0:/x", "default/web-1:/x", "default/web-2:/x"],
            [("app=web", "default", ""), ("tier=front", "default", "")],
        ),
        (
            Selection((NAMED, Selector("pod", "web-0", "/y"))),
            ["default/web-0:/x", "default/web-0:/y"],
            [("web-0", "default", "")] * 2,
        ),
        (
            Selection((LABELS,), namespaces=("bar", "default")),
            ["bar/web-0:/x", "default/web-0:/x", "default/web-1:/x", "default/web-2:/x"],
            [("app=web", "bar", ""), ("app=web", "default", "")],
        ),
        (
            Selection((LABELS,), all_namespaces=True),
            ["bar/web-0:/x", "bar/web-1:/x", "default/web-0:/x"],
            [("app=web", None, "")],
        ),
        (
            Selection((LABELS, NAMED), all_namespaces=True),
            ["bar/web-0:/x", "bar/web-1:/x", "default/web-0:/x"],
            [("app=web", None, ""), ("web-0", "default", "")],
        ),
        (
            Selection((Selector("pod", "web-0", "/x", "bar"),), namespaces=("default",)),
            ["bar/web-0:/x"],
            [("web-0", "bar", "")],
        ),
        (
            Selection((LABELS,), fields="spec.nodeName=node-1"),
            ["default/web-0:/x", "default/web-1:/x", "default/web-2:/x"],
            [("app=web", "default", "spec.nodeName=node-1")],
        ),
    ],
)
async def test_a_selection_is_a_union_in_order(selection: Selection, found: list[str], asked: Asked) -> None:
    assert await found_by(selection) == (found, [], asked)


async def test_pods_that_do_not_count_are_told_with_the_reason() -> None:
    found, skipped, _ = await found_by(Selection((Selector("labels", "app=mixed", "/x"),)))
    assert found == ["default/web-0:/x"]
    assert skipped == [Skipped("default/dying", "is being deleted", named=False)]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (Selector("pod", "gone", "/x"), Skipped("default/gone", "there is no such pod", named=True)),
        (Selector("pod", "gone", "/x", "bar"), Skipped("bar/gone", "there is no such pod", named=True)),
        (Selector("pod", "dying", "/x"), Skipped("default/dying", "is being deleted", named=True)),
        (
            Selector("deploy", "gone", "/x"),
            Skipped("default/gone", "there is no such deploy, or it has no pods", named=True),
        ),
    ],
)
async def test_who_is_asked_for_by_name_and_is_not_there_counts_as_failed(
    selector: Selector, expected: Skipped
) -> None:
    found, skipped, _ = await found_by(Selection((LABELS, selector)))
    assert len(found) == 3
    assert skipped == [expected]


async def test_labels_that_match_nothing_beside_others_are_no_failure() -> None:
    found, skipped, _ = await found_by(Selection((NAMED, Selector("labels", "app=none", "/x"))))
    assert (found, skipped) == (["default/web-0:/x"], [])


async def test_a_container_that_not_all_have() -> None:
    selection = Selection((LABELS,), container="sidecar")
    with pytest.raises(NoTargets, match="default/web-1 has no container 'sidecar': it has main"):
        await found_by(selection)


@pytest.mark.parametrize(
    ("selection", "says"),
    [
        (
            Selection((Selector("labels", "app=none", "/x"),)),
            "^no pod matched: looked for pods with labels app=none in namespace default$",
        ),
        (
            Selection((Selector("labels", "app=none", "/x"),), all_namespaces=True),
            "^no pod matched: looked for pods with labels app=none in all namespaces$",
        ),
        (
            Selection((Selector("labels", "a=b", "/x"), Selector("labels", "c=d", "/x")), namespaces=("one", "two")),
            "a=b in namespace one; pods with labels a=b in namespace two; pods with labels c=d in namespace one",
        ),
        (
            Selection((Selector("pod", "gone", "/x"),)),
            "looking for pod gone in namespace default: default/gone there is no such pod$",
        ),
        (
            Selection((Selector("pod", "gone", "/x", "bar"),)),
            "looking for pod gone in namespace bar: bar/gone there is no such pod$",
        ),
        (
            Selection((Selector("pod", "dying", "/x"),)),
            "^no container to copy to or from, looking for pod dying in namespace default: default/dying is being del",
        ),
    ],
)
async def test_nothing_to_do_says_what_was_looked_for(selection: Selection, says: str) -> None:
    with pytest.raises(NoTargets, match=says) as caught:
        await found_by(selection)
    assert caught.value.exit_code == 3


async def test_nothing_matched_says_where_else_to_look() -> None:
    with pytest.raises(NoTargets) as caught:
        await found_by(Selection((Selector("labels", "app=none", "/x"),)))
    assert "kubectl get pods --show-labels" in caught.value.hint


@pytest.mark.parametrize(("count", "told", "more"), [(5, 5, ""), (6, 5, "; and 1 more"), (100, 5, "; and 95 more")])
async def test_a_fleet_that_does_not_run_does_not_fill_the_screen(count: int, told: int, more: str) -> None:
    page = [web(f"web-{number}", deletionTimestamp="now") for number in range(count)]
    async with scripted(listing=lambda *_: [page]) as cluster:
        with pytest.raises(NoTargets) as caught:
            await select(cluster, Selection((LABELS,)))
    assert str(caught.value).count("is being deleted") == told
    assert str(caught.value).endswith(f"is being deleted{more}")


@pytest.mark.parametrize(
    "error", [ClusterError("pods can't be listed"), UsageError("the selector can't be understood")]
)
async def test_a_list_that_fails_is_told_as_it_is(error: Exception) -> None:
    def fail(selector: Selector, namespace: str | None, fields: str) -> list[list[Json]]:
        raise error

    async with scripted(listing=fail) as cluster:
        with pytest.raises(type(error), match=str(error)):
            await select(cluster, Selection((LABELS, NAMED)))


@pytest.mark.parametrize("pages", [[[]], [], [[], [web("web-0")], []]])
async def test_empty_pages_are_nothing(pages: Sequence[list[Json]]) -> None:
    async with scripted(listing=lambda *_: list(pages)) as cluster:
        if not any(pages):
            with pytest.raises(NoTargets):
                await select(cluster, Selection((LABELS,)))
        else:
            assert len((await select(cluster, Selection((LABELS,))))[0]) == 1

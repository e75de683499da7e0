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


def waiting(pod: str, reason: str) -> dict[str, Any]:
    """Return a pod whose container `main` doesn't run."""
    found = web(pod)
    found["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": reason}}
    return found


LABELS = Selector("labels", "app=web", "/x")
NAMED = Selector("pod", "web-0", "/x")
DEPLOY = Selector("deploy", "web", "/x")
PODS: dict[tuple[str, str | None], list[list[Json]]] = {
    ("app=web", "default"): [[web("web-1"), web("web-0")], [web("web-2")]],
    ("app=web", None): [[web("web-0"), web("web-0", "bar"), web("web-1", "bar")]],
    ("app=web", "bar"): [[web("web-0", "bar")]],
    ("tier=front", "default"): [[web("web-2"), web("front-0")]],
    ("web-0", "default"): [[web("web-0")]],
    ("web-0", "bar"): [[web("web-0", "bar")]],
    ("web", "default"): [[web("web-0")]],
    ("dying", "default"): [[web("dying", deletionTimestamp="now")]],
    ("app=mixed", "default"): [[web("dying", deletionTimestamp="now"), web("web-0")]],
    ("app=some", "default"): [[web("web-0"), waiting("web-1", "Bad"), waiting("web-2", "Bad")]],
    ("waits", "default"): [[waiting("waits", "CrashLoopBackOff")]],
    ("empty", "default"): [[]],
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
        (
            Selector("pod", "waits", "/x"),
            Skipped("default/waits", "container main is waiting (CrashLoopBackOff)", named=True),
        ),
        (Selector("deploy", "gone", "/x"), Skipped("default/deploy/gone", "there is no such deploy", named=True)),
        (Selector("svc", "empty", "/x"), Skipped("default/svc/empty", "has no pods", named=True)),
    ],
)
async def test_who_is_asked_for_by_name_and_is_not_there_counts_as_failed(
    selector: Selector, expected: Skipped
) -> None:
    found, skipped, _ = await found_by(Selection((LABELS, selector)))
    assert len(found) == 3
    assert skipped == [expected]


async def test_a_pod_that_is_being_deleted_is_copied_where_its_name_was_given_and_told_once_where_not() -> None:
    mixed, name = Selector("labels", "app=mixed", "/x"), Selector("pod", "dying", "/x")
    found, skipped, _ = await found_by(Selection((mixed, name)))
    assert (found, skipped) == (["default/dying:/x", "default/web-0:/x"], [])
    found, skipped, _ = await found_by(Selection((mixed, Selector("pod", "dying", "/y"))))
    assert found == ["default/dying:/y", "default/web-0:/x"]
    assert skipped == [Skipped("default/dying", "is being deleted")]


async def test_a_pod_that_labels_and_its_name_find_is_skipped_once_and_counts_as_failed() -> None:
    listing: dict[str, list[list[Json]]] = {
        "app=web": [[waiting("web-0", "Bad"), web("web-1")]],
        "web-0": [[waiting("web-0", "Bad")]],
    }
    async with scripted(listing=lambda selector, *_: listing[selector.name]) as cluster:
        transfers, skipped = await select(cluster, Selection((LABELS, NAMED)))
    assert [one.target.pod for one in transfers] == ["web-1"]
    assert skipped == [Skipped("default/web-0", "container main is waiting (Bad)", named=True)]


async def test_labels_that_match_nothing_beside_others_are_no_failure() -> None:
    found, skipped, _ = await found_by(Selection((NAMED, Selector("labels", "app=none", "/x"))))
    assert (found, skipped) == (["default/web-0:/x"], [])


async def test_a_container_that_not_all_have_makes_the_others_failed() -> None:
    page = [web("web-0"), web("web-1")]
    for key, part in (("spec", "containers"), ("status", "containerStatuses")):
        page[0][key][part] = [{**one, "name": "sidecar"} for one in page[0][key][part]]
    async with scripted(listing=lambda *_: [page]) as cluster:
        transfers, skipped = await select(cluster, Selection((LABELS,), container="sidecar"))
    assert [one.target.pod for one in transfers] == ["web-0"]
    assert skipped == [Skipped("default/web-1", "has no container 'sidecar', only main", named=True)]


async def test_every_container_that_runs_is_a_target_and_one_that_does_not_is_named_without_being_asked_for() -> None:
    page = [web("web-0"), web("web-1")]
    for found in page:
        for key, part in (("spec", "containers"), ("status", "containerStatuses")):
            found[key][part] = [*found[key][part], {**found[key][part][0], "name": "side"}]
    page[1]["status"]["containerStatuses"][1]["state"] = {"waiting": {"reason": "Bad"}}
    selection = Selection((LABELS, Selector("labels", "tier=front", "/x")), all_containers=True)
    async with scripted(listing=lambda *_: [page]) as cluster:
        transfers, skipped = await select(cluster, selection)
    assert [f"{one.target.pod}/{one.target.container}" for one in transfers] == [
        "web-0/main",
        "web-0/side",
        "web-1/main",
    ]
    assert skipped == [Skipped("default/web-1", "container side is waiting (Bad)", container="side")]


async def test_one_container_and_all_of_them_are_two_wishes() -> None:
    async with scripted(listing=lambda *_: [[web("web-0")]]) as cluster:
        with pytest.raises(UsageError, match="one container was asked for, and all of them"):
            await select(cluster, Selection((LABELS,), container="main", all_containers=True))


FEW = "default/web-0, default/web-1, default/web-2"


@pytest.mark.parametrize(
    ("selection", "says"),
    [
        (Selection((Selector("labels", "a=b", "/x"),)), "there are no pods with labels a=b in namespace default"),
        (
            Selection((Selector("labels", "a=b", "/x"),), all_namespaces=True),
            "there are no pods with labels a=b in all namespaces",
        ),
        (
            Selection((Selector("labels", "a=b", "/x"),), fields="spec.nodeName=n"),
            "there are no pods with labels a=b in namespace default with fields spec.nodeName=n",
        ),
        (
            Selection((Selector("labels", "a=b", "/x"), Selector("labels", "a=b", "/y")), namespaces=("one", "two")),
            "there are no pods with labels a=b in namespace one; there are no pods with labels a=b in namespace two",
        ),
        (Selection((Selector("pod", "gone", "/x"),)), "there is no pod gone in namespace default"),
        (Selection((Selector("pod", "gone", "/x", "bar"),)), "there is no pod gone in namespace bar"),
        (
            Selection(tuple(Selector(kind, name, "/x") for kind, name in (("pod", "a"), ("pod", "b"), ("ds", "c")))),
            "there is no pod a or pod b or ds/c in namespace default",
        ),
        (
            Selection(tuple(Selector("pod", f"gone-{number}", "/x") for number in range(100))),
            f"there is no {' or '.join(f'pod gone-{number}' for number in range(5))} and 95 more in namespace default",
        ),
        (
            Selection((Selector("pod", "gone", "/x"),), namespaces=("one", "two")),
            "there is no pod gone in namespace one; there is no pod gone in namespace two",
        ),
        (
            Selection((Selector("deployment.apps", "gone", "/x"),)),
            "there is no deployment.apps/gone in namespace default",
        ),
        (Selection((Selector("sts", "empty", "/x"),)), "sts/empty in namespace default has no pods"),
        (
            Selection((Selector("sts", "empty", "/x"),), fields="spec.nodeName=n"),
            "sts/empty in namespace default has no pods with fields spec.nodeName=n",
        ),
        (
            Selection((Selector("pod", "waits", "/x"),)),
            (
                "nothing can be copied to or from pod waits in namespace default: "
                "container main is waiting (CrashLoopBackOff)"
            ),
        ),
        (
            Selection((NAMED,), container="db"),
            "nothing can be copied to or from pod web-0 in namespace default: it has no container 'db', only main",
        ),
        (
            Selection((LABELS,), container="db"),
            (
                "nothing can be copied to or from pods with labels app=web in namespace default: "
                "3 pods have no container 'db', only main (default/web-1, default/web-0, default/web-2)"
            ),
        ),
        (
            Selection((DEPLOY,), container="db"),
            (
                "nothing can be copied to or from deploy/web in namespace default: "
                "default/web-0 has no container 'db', only main"
            ),
        ),
        (
            Selection((Selector("labels", "a=b", "/x"), Selector("pod", "gone", "/x"))),
            "there is no pod gone in namespace default; there are no pods with labels a=b in namespace default",
        ),
    ],
)
async def test_nothing_to_do_is_said_in_a_sentence_with_what_was_looked_for(selection: Selection, says: str) -> None:
    with pytest.raises(NoTargets) as caught:
        await found_by(selection)
    assert str(caught.value) == says
    assert caught.value.exit_code == 3


async def test_nothing_matched_says_where_else_to_look() -> None:
    with pytest.raises(NoTargets) as caught:
        await found_by(Selection((Selector("labels", "app=none", "/x"),)))
    assert "kubectl get pods -A --show-labels" in caught.value.hint


async def test_a_fleet_that_does_not_run_is_told_by_its_reasons_and_does_not_fill_the_screen() -> None:
    page = [web(f"web-{number}", deletionTimestamp="now") for number in range(98)]
    page += [waiting("bad-0", "CrashLoopBackOff"), waiting("bad-1", "CrashLoopBackOff")]
    async with scripted(listing=lambda *_: [page]) as cluster:
        with pytest.raises(NoTargets) as caught:
            await select(cluster, Selection((LABELS,)))
    assert str(caught.value) == (
        "nothing can be copied to or from pods with labels app=web in namespace default: "
        f"98 pods are being deleted ({FEW} and 95 more); "
        "container main is waiting (CrashLoopBackOff) (default/bad-0, default/bad-1)"
    )


async def test_many_reasons_are_cut_off() -> None:
    page = [waiting(f"web-{number}", f"Reason{number}") for number in range(100)]
    async with scripted(listing=lambda *_: [page]) as cluster:
        with pytest.raises(NoTargets) as caught:
            await select(cluster, Selection((LABELS,)))
    assert str(caught.value).endswith("container main is waiting (Reason4) (default/web-4) and 95 more")


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

"""Fleet: whom a selection means at this moment, by what was heard of pods. Pure.

A container is another one when it was restarted, or its pod replaced: what an earlier one was given may be gone.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from asynccp.engine.select import matched
from asynccp.kube.base import Cluster, Watched
from asynccp.target import Json, Selection, Selector, Skipped, Target, Transfer
from asynccp.text import printable

Found = Sequence[Target | Transfer | Skipped]
_Pod = tuple[str, str]  # namespace and name


class Instance(NamedTuple):
    """One life of a container, and a path in it."""

    uid: str
    container: str
    restarts: int
    path: str


def instance_of(transfer: Transfer) -> Instance:
    """Return whose transfer it is."""
    target = transfer.target
    return Instance(target.uid, target.container, target.restarts, transfer.path)


class Search(NamedTuple):
    """Where is looked for what. context: of the cluster; empty where there is one. namespace: None: all."""

    context: str
    selector: Selector
    namespace: str | None


class Fleet:
    """Whom the searches of a selection find."""

    def __init__(self, selection: Selection, searches: Sequence[Search]) -> None:
        self.selection = selection
        self.searches = searches
        self._found: list[dict[_Pod, Found]] = [{} for _ in searches]
        self._lost: dict[str, Skipped] = {}

    def hear(self, number: int, news: Watched) -> None:
        """Take in what became of the pods of a search. number: which."""
        found, search = self._found[number], self.searches[number]
        if news.whole:
            found.clear()
        for pod in news.pods:
            found[_place(pod)] = _matched(pod, self.selection, search)
        for pod in news.gone:
            found.pop(_place(pod), None)

    def lose(self, context: str, why: str) -> None:
        """A cluster can't be asked; it counts as failed, and the others go on."""
        self._lost[context] = Skipped(printable(context), why, named=True)

    @property
    def wanted(self) -> Mapping[Instance, Transfer]:
        """Those that run, each once, by namespace and name."""
        transfers = [
            one if isinstance(one, Transfer) else Transfer(one, search.selector.path)
            for found, search in zip(self._found, self.searches, strict=True)
            for those in found.values()
            for one in those
            if not isinstance(one, Skipped)
        ]
        transfers.sort(key=lambda one: (one.target.namespace, one.target.pod, one.path))
        found: dict[Instance, Transfer] = {}
        for one in transfers:
            found.setdefault(instance_of(one), one)
        return found

    @property
    def skipped(self) -> list[Skipped]:
        """Those that take no part, each once for each reason."""
        return [*self._lost.values(), *self._skipped()]

    def _skipped(self) -> Sequence[Skipped]:
        return list(
            dict.fromkeys(
                one for found in self._found for those in found.values() for one in those if isinstance(one, Skipped)
            )
        )


class Fixed(NamedTuple):
    """Those that a plan has, whatever becomes of them."""

    transfers: Sequence[Transfer]
    skipped: Sequence[Skipped]

    @property
    def wanted(self) -> Mapping[Instance, Transfer]:
        return {instance_of(one): one for one in self.transfers}


def searches_of(cluster: Cluster, selection: Selection) -> list[Search]:
    """Return where is to be looked, in one cluster or in each of several."""
    members = cluster.members or {"": cluster}
    return [Search(context, *one) for context, each in members.items() for one in selection.searches(each.namespace)]


def _matched(pod: Json, selection: Selection, search: Search) -> Found:
    found = matched(pod, selection, search.selector.path, named=search.selector.kind == "pod")
    if not search.context:
        return found
    return [_in_context(one, search.context) for one in found]


def _in_context(one: Target | Transfer | Skipped, context: str) -> Target | Transfer | Skipped:
    if isinstance(one, Skipped):
        return replace(one, pod=f"{printable(context)}/{one.pod}")
    if isinstance(one, Target):
        return replace(one, context=context)
    return replace(one, target=replace(one.target, context=context))


def _place(pod: Json) -> _Pod:
    metadata = pod.get("metadata") or {}
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))

"""Journal: what became of pods, in order, for those who watch.

Pods are changed by whoever has them, without a word; so they are looked at, and what is another than before is an entry
of a number of its own, the resource version.
"""

import copy
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct, field

from asynccp.testing.pod import FakePod

Json = dict[str, Any]


class Entry(NamedTuple):
    """One change. kind: ADDED, MODIFIED or DELETED."""

    version: int
    kind: str
    namespace: str
    labels: Mapping[str, str]
    fields: Mapping[str, str]
    document: Json


class Journal(Struct):
    """oldest: the version from which on entries are there; who asks for older ones has to list anew."""

    version: int = 1
    oldest: int = 0
    entries: list[Entry] = field(default_factory=list)
    _known: dict[tuple[str, str], Entry] = field(default_factory=dict)

    def look(self, pods: Mapping[tuple[str, str], FakePod]) -> None:
        """Write down what has changed."""
        for key, pod in pods.items():
            document = copy.deepcopy(pod.to_json())
            before = self._known.get(key)
            if before and _same(before.document, document):
                continue
            if before and before.document["metadata"]["uid"] != pod.uid:
                self._write("DELETED", key, before.labels, before.fields, before.document)
                before = None
            entry = self._write("MODIFIED" if before else "ADDED", key, dict(pod.labels), pod.fields(), document)
            self._known[key] = entry
        for key in self._known.keys() - pods.keys():
            before = self._known.pop(key)
            self._write("DELETED", key, before.labels, before.fields, before.document)

    def after(self, version: int) -> Iterable[Entry]:
        return [one for one in self.entries if one.version > version]

    def forget(self) -> None:
        """Lose all entries, as etcd does after a while."""
        self.oldest = self.version + 1
        self.version += 1
        self.entries.clear()

    def _write(
        self, kind: str, key: tuple[str, str], labels: Mapping[str, str], fields: Mapping[str, str], document: Json
    ) -> Entry:
        self.version += 1
        told = {**document, "metadata": {**document["metadata"], "resourceVersion": str(self.version)}}
        entry = Entry(self.version, kind, key[0], labels, fields, told)
        self.entries.append(entry)
        return entry


def _same(one: Json, other: Json) -> bool:
    return {**one, "metadata": {**one["metadata"], "resourceVersion": ""}} == {
        **other,
        "metadata": {**other["metadata"], "resourceVersion": ""},
    }

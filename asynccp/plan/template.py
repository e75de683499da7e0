"""Template: where each copy of a pull lands, in the user's words: `{namespace}/{pod}/{path}`. Pure.

    {namespace} {pod} {container} {node}    of the target
    {context}                               of the kubeconfig; what no name of a file has in Kubernetes is `_` in it
    {labels.NAME}                           what the pod's label NAME says
    {date}                                  the day in UTC, YYYY-MM-DD; one for the whole run
    {path}                                  the path that was asked for, relative: `var/log` of `/var/log`, `/var/log/`
                                            and `/var/./log`; `log` of `~/log`

Without {path} a template names a directory, and below it holds the usual rule: `/var/log` is called `log` there, of
`/var/log/` the contents stand there. With {path} it names the copy itself. By `{pod}/{path}` the directory `/var/log`
is `web-0/var/log` with the slash and without (only without does it keep its mode and time); by `{path}/{pod}` the file
`/etc/hosts` is `etc/hosts/web-0`.

What the cluster says is not trusted: a name or a label that Kubernetes would not allow takes no part in a path.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct

from asynccp.errors import Knob, PlanError, UsageError
from asynccp.target import Transfer
from asynccp.text import printable

_TOKEN = re.compile(r"\{(?P<field>[^{}]*)\}|(?P<text>[^{}]+)|(?P<stray>.)", re.DOTALL)
_OF_TARGET = ("namespace", "pod", "container", "node", "context")
_LABEL = re.compile(r"labels\.(([-a-z0-9.]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)")
_FIELDS = ", ".join(f"{{{name}}}" for name in (*_OF_TARGET, "path", "date", "labels.NAME"))
_SAFE = re.compile(r"[-A-Za-z0-9_.]*")  # all that names, label values and host names are made of in Kubernetes


class Landing(NamedTuple):
    """directory: relative to the destination, empty for itself. name: of the copy in it; empty: its contents are."""

    directory: str
    name: str

    @property
    def path(self) -> str:
        return "/".join(filter(None, self))


class Field(Struct, frozen=True):
    """What of a transfer stands here: a field of its target, `path`, or `labels.NAME`."""

    name: str

    def of(self, transfer: Transfer) -> str:
        """Return its value. Raises PlanError for one that Kubernetes can't have allowed."""
        target = transfer.target
        if self.name == "path":
            return "/".join(_names(transfer.path))
        if self.name == "context":
            return in_path(target.context)
        found = target.label_value(self.key) if self.key else getattr(target, self.name)
        if not _SAFE.fullmatch(found):
            what = f"the API server says that {{{self.name}}} of {target} is '{printable(found, 100)}'"
            raise PlanError(f"{what}, which Kubernetes does not allow")
        return str(found)

    @property
    def key(self) -> str:
        """The label's; empty for all else."""
        found = _LABEL.fullmatch(self.name)
        return found[1] if found else ""


PATH = Field("path")


class Template(Struct, frozen=True):
    """components: of the path, each a row of literal texts and fields. text: as it was written; empty: as usual."""

    components: tuple[tuple[str | Field, ...], ...]
    text: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The keys of the labels that a target must have."""
        keys = (part.key for component in self.components for part in component if isinstance(part, Field))
        return tuple(dict.fromkeys(filter(None, keys)))

    @property
    def names_the_copy(self) -> bool:
        return any(PATH in component for component in self.components)

    def landing(self, transfer: Transfer) -> Landing:
        """Return where a copy lands. Raises UsageError, PlanError."""
        names = [name for component in self._components(transfer) for name in _filled(component, transfer)]
        if not names or not all(names) or {".", ".."} & {*names}:
            raise UsageError(
                f"{transfer} would have no name by the template {printable(self.text)}",
                hint="write more than what is empty there, such as {pod}",
            )
        if not self.names_the_copy or not transfer.name:
            return Landing("/".join(names), "" if self.names_the_copy else transfer.name)
        return Landing("/".join(names[:-1]), names[-1])

    def _components(self, transfer: Transfer) -> tuple[tuple[str | Field, ...], ...]:
        """Return those that count: a log is called after its container, so usually needs no directory of that name."""
        if self.text or not transfer.log:
            return self.components
        return tuple(one for one in self.components if one != (Field("container"),))


def in_path(context: str) -> str:
    """Return a context as a component of a path: it is whatever somebody has called it."""
    return re.sub(r"[^-A-Za-z0-9_.@]", "_", context)


def parse_template(text: str, day: str, context: str | None = None) -> Template:
    """Return what a template means on a day, YYYY-MM-DD. context: the one of all targets. Raises UsageError."""
    components: list[list[str | Field]] = [[]]
    for part in _parts(text, day, context):
        if isinstance(part, Field):
            components[-1].append(part)
            continue
        first, *others = part.split("/")
        components[-1].append(first)
        components += [[one] for one in others]
    found = [tuple(part for part in component if part) for component in components]
    found = [component for component in found if component not in ((), (".",))]
    if text.startswith("/") or ("..",) in found:
        raise UsageError(
            f"the template {printable(text)} leads out of the pull's directory",
            hint="it is a path below that: neither / at its beginning, nor ..",
        )
    if not found:
        raise UsageError("a template names something", hint="such as {namespace}/{pod}/{path}")
    return Template(tuple(found), text)


def usual(*, by_context: bool = False, by_namespace: bool = False, by_container: bool = False) -> Template:
    """Return where copies land if nobody says otherwise: below POD, in CONTEXT and NAMESPACE, divided by CONTAINER."""
    names = ["context"] * by_context + ["namespace"] * by_namespace + ["pod"] + ["container"] * by_container
    return Template(tuple((Field(name),) for name in names))


def check_apart(landings: Iterable[tuple[Transfer, Landing]], reserved: Iterable[str] = ()) -> None:
    """Raise UsageError when two copies would land on one name, or one inside of the other.

    Names that a disk may take for one (`Log` and `log`, `é` in one character or in two) are one. Only in the contents
    of a directory other copies of the same target may land, since whoever asked for both wants them in one place; but
    not its log, whose name nobody has chosen.

    reserved: names in the destination that are no copy's.
    """
    taken: dict[tuple[str, ...], tuple[Transfer | None, Landing]] = {
        _folded(name): (None, Landing("", name)) for name in reserved
    }
    found = [(transfer, landing, _folded(landing.path)) for transfer, landing in landings]
    for transfer, landing, key in found:
        if before := taken.get(key):
            raise _collision(transfer, landing, *before, where="on one name")
        taken[key] = transfer, landing
    for transfer, landing, key in found:
        for depth in range(1, len(key)):
            if around := taken.get(key[:depth]):
                outer, place = around
                if place.name or outer is None or transfer.log or outer.target != transfer.target:
                    raise _collision(transfer, landing, *around, where="inside of each other")


def shared(landings: Iterable[tuple[Transfer, Landing]]) -> set[str]:
    """Return the directories that are not one pod's alone; the destination itself never is."""
    owners: dict[tuple[str, ...], set[str]] = {}
    found = [(transfer.target.of_pod, landing.directory, _folded(landing.path)) for transfer, landing in landings]
    for pod, _, key in found:
        for depth in range(len(key) + 1):
            owners.setdefault(key[:depth], set()).add(pod)
    return {directory for _, directory, _ in found if not directory or len(owners[_folded(directory)]) > 1}


def _parts(text: str, day: str, context: str | None) -> Iterable[str | Field]:
    for token in _TOKEN.finditer(text):
        name = token["field"]
        if token["stray"]:
            raise UsageError(
                f"a brace of the template {printable(text)} has no other half", hint=f"its fields are {_FIELDS}"
            )
        if name is None:
            yield token["text"]
        elif name == "date":
            yield day
        elif name == "context" and context is not None:
            yield in_path(context)
        elif name == "path" or name in _OF_TARGET or _LABEL.fullmatch(name):
            yield Field(name)
        else:
            raise UsageError(f"a template has no field {{{printable(name)}}}", hint=f"its fields are {_FIELDS}")


def _filled(component: tuple[str | Field, ...], transfer: Transfer) -> list[str]:
    """Return the names that a component stands for: one, unless there is a path in it."""
    text = "".join(part if isinstance(part, str) else part.of(transfer) for part in component)
    return [name for name in text.split("/") if name] if PATH in component else [text]


def _names(path: str) -> list[str]:
    """Return the components of a remote path, from the root, or from where a command begins. Raises UsageError."""
    names = [name for name in path.split("/") if name not in ("", ".")]
    if ".." in names:
        raise UsageError(
            f"{printable(path)} has .. in it, so nobody here can tell its place",
            hint=f"write it without, or {Knob.TEMPLATE} without {{path}}",
        )
    return names[1:] if names[:1] == ["~"] and not path.startswith("/") else names


def _folded(path: str) -> tuple[str, ...]:
    """Return the components as they compare where a disk folds case and normalises (Unicode, D145)."""
    canonical = unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())
    return tuple(filter(None, unicodedata.normalize("NFC", canonical).split("/")))


def _collision(one: Transfer, landing: Landing, other: Transfer | None, place: Landing, *, where: str) -> UsageError:
    names = dict.fromkeys(printable(found.path) for found in (place, landing))
    who = f"{other} and {one}" if other else f"the report and {one}"
    same = ", which some disks take for one name" if where == "on one name" and len(names) > 1 else ""
    return UsageError(
        f"{who} would land {where}: {' and '.join(names)}{same}",
        hint=f"let {Knob.TEMPLATE} name what tells them apart: "
        "{context}, {namespace}, {pod}, {container} or {path}",
    )

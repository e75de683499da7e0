"""Who: selectors as a person writes them, targets as the API server describes them, and which match. Pure.

A remote argument is one of

    SELECTOR:PATH        after -l; a label selector can't contain a colon, so the first one splits
    [[NAMESPACE/]POD:]PATH      as kubectl cp has it; a bare `:PATH` belongs to the -l selectors without a path
    KIND/NAME:PATH       deploy, sts, ds, rs, job: the pods that the workload's selector matches, as in stern

and everything without a colon, or that starts with `.` or `/`, is a local path (so `./a:b` is local).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asynccp.errors import UsageError
from asynccp.escape import printable

Json = Mapping[str, Any]

# kubectl's short, singular and plural names → (API path, plural resource).
WORKLOADS = {
    name: (api, plural)
    for api, plural, names in (
        ("apis/apps/v1", "deployments", "deploy deployment deployments"),
        ("apis/apps/v1", "statefulsets", "sts statefulset statefulsets"),
        ("apis/apps/v1", "daemonsets", "ds daemonset daemonsets"),
        ("apis/apps/v1", "replicasets", "rs replicaset replicasets"),
        ("apis/batch/v1", "jobs", "job jobs"),
    )
    for name in names.split()
}

# RFC 1123 subdomain, as the API server enforces for names (apimachinery validation.IsDNS1123Subdomain). Checked again
# here, because names become local directories.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"  # kubectl's podcmd.go; the API server ignores it


@dataclass(frozen=True, slots=True)
class Selector:
    """What one remote argument asks for.

    kind: `labels` (name is a label selector), `pod`, or a key of WORKLOADS.
    namespace: None when the argument doesn't say.
    path: in the pod; for a push the directory that receives the sources.
    """

    kind: str
    name: str
    path: str
    namespace: str | None = None

    def __str__(self) -> str:
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return {"labels": f"pods with labels {self.name}", "pod": f"pod {self.name}"}.get(
            self.kind, f"{self.kind}/{self.name}"
        ) + where


@dataclass(frozen=True, slots=True)
class Selection:
    """What a whole request asks for: the union of its selectors, and where they look.

    namespaces: empty means the one that the configuration names. fields: a field selector, for labels and workloads.
    container: empty means each pod's default container.
    """

    selectors: tuple[Selector, ...]
    namespaces: tuple[str, ...] = ()
    all_namespaces: bool = False
    container: str = ""
    fields: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One container that runs now. `uid` and `restarts` tell a pod from its replacement of the same name.

    others: the pod's other containers that run. ending: the pod is being deleted, and was named all the same.
    """

    namespace: str
    pod: str
    container: str
    node: str = ""
    uid: str = ""
    image: str = ""
    restarts: int = 0
    others: tuple[str, ...] = ()
    ending: bool = False

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod}"


@dataclass(frozen=True, slots=True)
class Transfer:
    """One target and one path in it: what one exec session copies."""

    target: Target
    path: str

    def __str__(self) -> str:
        return f"{self.target}:{printable(self.path)}"

    def to_json(self) -> dict[str, Any]:
        target = self.target
        return {
            "namespace": target.namespace,
            "pod": target.pod,
            "container": target.container,
            "node": target.node,
            "path": printable(self.path),
        }


@dataclass(frozen=True, slots=True)
class Skipped:
    """A pod that was matched, or named, but isn't copied, and why. A pod asked for by its own name counts as failed."""

    pod: str
    reason: str
    named: bool = False

    def to_json(self) -> dict[str, str]:
        return {"pod": self.pod, "reason": self.reason}


def is_remote(argument: str) -> bool:
    """Tell whether an argument means a path in pods rather than on this machine."""
    return ":" in argument and not argument.startswith((".", "/", "~"))


def parse_labels(argument: str) -> Selector:
    """Parse the value of -l: `SELECTOR` or `SELECTOR:PATH`."""
    name, _, path = argument.partition(":")
    if not name.strip():
        raise UsageError(f"-l {printable(argument)!r} has no selector", hint="write -l app=web:/path")
    return Selector("labels", name.strip(), path)


def parse_remote(argument: str) -> Selector:
    """Parse `[[NAMESPACE/]POD:]PATH` or `KIND/NAME:PATH`; a bare `:PATH` gives a selector without a name."""
    who, _, path = argument.partition(":")
    if not path:
        raise UsageError(f"{printable(argument)!r} has no path after the colon", hint="write POD:/path")
    if not who:
        return Selector("labels", "", path)
    first, slash, name = who.partition("/")
    if slash and first in WORKLOADS:
        selector = Selector(first, name, path)
    else:
        selector = Selector("pod", name, path, first) if slash else Selector("pod", who, path)
    for part in (selector.name, selector.namespace):
        if part is not None and not _NAME.fullmatch(part):
            raise UsageError(
                f"{printable(part)!r} in {printable(argument)!r} is not a name that Kubernetes allows",
                hint="a pod is written [NAMESPACE/]POD:PATH; a local path that holds a colon is written ./a:b",
            )
    return selector


def parse_selectors(labels: Sequence[str] = (), remotes: Sequence[str] = ()) -> tuple[Selector, ...]:
    """Join the values of -l with the remote arguments: every `:PATH` completes each -l that has no path of its own."""
    parsed = [parse_labels(text) for text in labels]
    others = [parse_remote(text) for text in remotes]
    paths = [other.path for other in others if not other.name]
    found = [one for one in parsed if one.path]
    pathless = [one for one in parsed if not one.path]
    if pathless and not paths:
        raise UsageError(f"-l {pathless[0].name} has no path", hint=f"write -l {pathless[0].name}:/path, or add :/path")
    if paths and not pathless:
        raise UsageError(f":{paths[0]} belongs to no -l", hint="write -l SELECTOR :PATH, or POD:PATH")
    found += [Selector(one.kind, one.name, path) for one in pathless for path in paths]
    found += [other for other in others if other.name]
    if not found:
        raise UsageError("no pods are named", hint="name them with -l SELECTOR:PATH, POD:PATH or KIND/NAME:PATH")
    return tuple(dict.fromkeys(found))


def label_query(match: Json) -> str:
    """Return a workload's `spec.selector` (matchLabels and matchExpressions) as the text of a label selector.

    Source: apimachinery `LabelSelectorAsSelector`.
    """
    terms = [f"{key}={value}" for key, value in (match.get("matchLabels") or {}).items()]
    for expression in match.get("matchExpressions") or ():
        key, values = expression["key"], ",".join(expression.get("values") or ())
        terms.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[expression["operator"]]
        )
    return ",".join(terms)


def match_pod(pod: Json, container: str = "", *, named: bool = False) -> Target | Skipped:
    """Return the container of `pod` (a v1.Pod as JSON) that a copy goes to, or why there is none.

    container: the value of -c; empty means the default container, as kubectl chooses it: the annotation's, if such a
    container exists, else the first.
    """
    metadata, spec, status = pod.get("metadata") or {}, pod.get("spec") or {}, pod.get("status") or {}
    namespace, name = str(metadata.get("namespace", "")), str(metadata.get("name", ""))
    if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
        return Skipped(printable(f"{namespace}/{name}", 300), "its name is not one that Kubernetes allows", named)
    label = f"{namespace}/{name}"
    names = [one.get("name") for one in spec.get("containers") or ()]
    others = [one.get("name") for key in ("initContainers", "ephemeralContainers") for one in spec.get(key) or ()]
    chosen = container or _default_container(metadata, names)
    if chosen not in names + others:
        return Skipped(
            label, f"has no container {printable(chosen)!r}: it has {printable(', '.join(map(str, names)))}", named
        )
    if not _NAME.fullmatch(chosen):
        return Skipped(label, "the container's name is not one that Kubernetes allows", named)
    if metadata.get("deletionTimestamp"):
        return Skipped(label, "is being deleted", named)
    for state in _statuses(status):
        if state.get("name") == chosen and "running" in (state.get("state") or {}):
            return Target(
                namespace, name, chosen, str(spec.get("nodeName", "")), str(metadata.get("uid", "")),
                str(state.get("imageID") or state.get("image") or ""), int(state.get("restartCount") or 0),
            )  # fmt: skip
    return Skipped(label, _why_not_running(status, chosen), named)


def what_became_of(target: Target, pod: Json | None) -> str:
    """Say in words what happened to a target's pod since it was matched; empty when it runs as before."""
    if pod is None:
        return "the pod was deleted"
    now = match_pod(pod, target.container)
    if (pod.get("metadata") or {}).get("uid") != target.uid:
        return "the pod was deleted, and another of the same name took its place"
    if isinstance(now, Skipped):
        return f"the pod's {now.reason}" if now.reason.startswith("container ") else f"the pod {now.reason}"
    if now.restarts != target.restarts:
        return "the container was restarted"
    return ""


def _default_container(metadata: Json, names: list[Any]) -> str:
    annotated = (metadata.get("annotations") or {}).get(DEFAULT_CONTAINER)
    return str(annotated if annotated in names else next(iter(names), ""))


def _statuses(status: Json) -> list[Json]:
    keys = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    return [one for key in keys for one in status.get(key) or ()]


def _why_not_running(status: Json, container: str) -> str:
    for state in _statuses(status):
        if state.get("name") == container:
            for phase in ("waiting", "terminated"):
                if phase in (state.get("state") or {}):
                    reason = (state["state"][phase] or {}).get("reason") or ""
                    return f"container {container} is {phase}" + (f" ({printable(str(reason), 60)})" if reason else "")
    return f"is {printable(str(status.get('phase') or 'in an unknown phase'), 60)}"

"""Who: selectors as a person writes them, targets as the API server describes them, and which match. Pure.

A remote argument is one of

    SELECTOR:PATH        after -l; a label selector can't contain a colon, so the first one splits
    [[NAMESPACE/]POD:]PATH      as kubectl cp has it; a bare `:PATH` belongs to the -l selectors without a path
    pod/NAME:PATH        as `kubectl get -o name` prints it
    KIND/NAME:PATH       deploy, sts, ds, rs, job, svc, with their API group or without: the pods that the selector of
                         the workload, or of the service, matches, as in stern

and everything without a colon, or that starts with `.` or `/`, is a local path (so `./a:b` is local), and so is what
exists on this machine (a log that is named by the time of day).
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from asynccp.errors import UsageError
from asynccp.ours import EPHEMERAL
from asynccp.text import exact, printable

Json = Mapping[str, Any]

# kubectl's short, singular and plural names, alone or as KIND.GROUP and KIND.VERSION.GROUP → (API path, plural).
WORKLOADS = {
    name + group: (api, plural)
    for api, groups, plural, names in (
        ("apis/apps/v1", ("", ".apps", ".v1.apps"), "deployments", "deploy deployment deployments"),
        ("apis/apps/v1", ("", ".apps", ".v1.apps"), "statefulsets", "sts statefulset statefulsets"),
        ("apis/apps/v1", ("", ".apps", ".v1.apps"), "daemonsets", "ds daemonset daemonsets"),
        ("apis/apps/v1", ("", ".apps", ".v1.apps"), "replicasets", "rs replicaset replicasets"),
        ("apis/batch/v1", ("", ".batch", ".v1.batch"), "jobs", "job jobs"),
        ("api/v1", ("",), "services", "svc service services"),
    )
    for name in names.split()
    for group in groups
}
_POD = ("pod", "pods", "po")
_CRONJOB = ("cronjob", "cronjobs", "cj")
# What a person may take for a kind that has pods. Whoever has a namespace of that name reaches it with -n.
_OTHER_KINDS = frozenset(
    (
        *_CRONJOB,
        *("configmap", "configmaps", "cm", "secret", "secrets", "node", "nodes", "namespace", "namespaces", "ns"),
        *("ingress", "ingresses", "ing", "persistentvolumeclaim", "persistentvolumeclaims", "pvc"),
        *("persistentvolume", "persistentvolumes", "pv", "replicationcontroller", "replicationcontrollers", "rc"),
    )
)

# RFC 1123 subdomain and label, as the API server enforces for names of pods, and of namespaces and containers
# (apimachinery validation.IsDNS1123Subdomain, IsDNS1123Label). Checked again here, because names become local
# directories.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")  # validation.IsValidLabelValue
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_BESIDE = ("initContainers", "ephemeralContainers")  # a pod's containers that aren't its regular ones
_OFFERED = 5  # of the containers that run beside one that doesn't
STANDARD_OUTPUT = "-"  # the destination of a pull: one archive
STORES = ("s3://", "gs://", "az://")  # how the URL of an object store begins
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"  # kubectl's podcmd.go; the API server ignores it
NODE_OS = "kubernetes.io/os"
ZONE = "topology.kubernetes.io/zone"


class Selector(NamedTuple):
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


class Log(NamedTuple):
    """What a node keeps of a container's output, as `kubectl logs` means it.

    previous: of the container that ran before it was restarted. since_s: only lines of the last so many seconds; 0: of
    all times. tail: the last lines; None: all. timestamps: before each line.
    """

    previous: bool = False
    since_s: int = 0
    tail: int | None = None
    timestamps: bool = False


class Selection(NamedTuple):
    """What a whole request asks for: the union of its selectors, and where they look.

    namespaces: empty means the one that the configuration names. fields: a field selector, for labels and workloads.
    container: empty means each pod's default container. all_containers: every one that runs, instead.
    labels: keys of the labels that a pod must have, and whose values its targets tell.
    logs: of each container, whether it runs or not; then a selector may have no path, and means them alone.
    """

    selectors: tuple[Selector, ...]
    namespaces: tuple[str, ...] = ()
    all_namespaces: bool = False
    container: str = ""
    fields: str = ""
    labels: tuple[str, ...] = ()
    all_containers: bool = False
    logs: tuple[Log, ...] = ()

    def searches(self, default: str) -> list[tuple[Selector, str | None]]:
        """Return what to look for, and in which namespace: None is all. default: the configuration's own."""
        found: list[tuple[Selector, str | None]] = []
        for selector in self.selectors:
            if selector.namespace:
                found.append((selector, selector.namespace))
            elif self.all_namespaces and selector.kind == "labels":
                found.append((selector, None))
            else:
                found += [(selector, namespace) for namespace in self.namespaces or [default]]
        return found

    def reaches_several_namespaces(self, default: str) -> bool:
        """Tell whether pods of more than one namespace could match, be they there now or not."""
        reached = {namespace for _, namespace in self.searches(default)}
        return None in reached or len(reached) > 1


class Target(Struct, frozen=True):
    """One container. `uid` and `restarts` tell a pod from its replacement of the same name.

    others: the pod's other containers that run. ending: the pod is being deleted, and was named all the same.
    several: another container than this could have been meant, whether that one runs or not: so this one is named.
    labels: those of the pod that were asked for, each as KEY=VALUE: a thousand pods have many that nobody asks for.
    for_log: only what it has said is asked for, so it need not run, nor be the one that it was.
    context: of the kubeconfig, where several are in play; else empty.
    zone: of its node, where that was asked for, and is told.
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
    several: bool = False
    labels: tuple[str, ...] = ()
    for_log: bool = False
    zone: str = ""
    context: str = ""

    @property
    def of_pod(self) -> str:
        """NAMESPACE/POD, behind its context: what several containers of it have in common."""
        return f"{self._within}{self.namespace}/{self.pod}"

    @property
    def host(self) -> str:
        """The node, behind its context: two clusters may have nodes of one name."""
        return f"{self.context}/{self.node}" if self.context else self.node

    @property
    def _within(self) -> str:
        return f"{printable(self.context)}/" if self.context else ""

    @property
    def label(self) -> str:
        """The name where one namespace is in play: the pod, and the container where it isn't the only one."""
        return f"{self.pod}/{self.container}" if self.several else self.pod

    def __str__(self) -> str:
        return f"{self._within}{self.namespace}/{self.label}"

    def label_value(self, key: str) -> str:
        """Return the value of a label that was asked for."""
        return next(value for found, _, value in (one.partition("=") for one in self.labels) if found == key)


class Transfer(Struct, frozen=True):
    """One target and one path in it: what one exec session copies. Or a log, and what that is called here."""

    target: Target
    path: str
    log: Log | None = None

    def __str__(self) -> str:
        if self.log:
            return f"{self.target.of_pod}/{self.target.container} {'previous ' * self.log.previous}log"
        return f"{self.target}:{printable(self.path)}"

    @property
    def name(self) -> str:
        """What a pull calls it."""
        return name_of(self.path)

    def to_json(self) -> dict[str, Any]:
        target = self.target
        return {
            **({"context": target.context} if target.context else {}),
            "namespace": target.namespace,
            "pod": target.pod,
            "container": target.container,
            "node": target.node,
            **({"several": True} if target.several else {}),
            "path": exact(self.path),
            **({"log": "previous" if self.log.previous else "current"} if self.log else {}),
        }


class Skipped(Struct, frozen=True):
    """A pod that was matched, or named, but isn't copied, and why.

    pod: NAMESPACE/POD, or NAMESPACE/KIND/NAME of a workload that has none; where there are several contexts, behind
    that, or that alone. named: it counts as failed, since it was
    asked for by its own name, or lacks the container that was asked for. container: of a pod that is copied, the one
    that isn't.
    """

    pod: str
    reason: str
    named: bool = False
    container: str = ""

    @property
    def name(self) -> str:
        return f"{self.pod}/{self.container}" if self.container else self.pod

    @property
    def is_context(self) -> bool:
        """Whether it is a whole context that tells of no pod."""
        return "/" not in self.pod

    def to_json(self) -> dict[str, str | bool]:
        which = {"container": self.container} if self.container else {}
        return {"pod": self.pod, **which, "reason": self.reason, **({"named": True} if self.named else {})}


def name_of(path: str) -> str:
    """Return what a pull of a path is called, by rsync's rule: `log` for `/var/log`; empty, for the contents, for
    `/var/log/`, and for `~`, the container's home.
    """
    last = path.rsplit("/", 1)[-1]
    return "" if last in (".", "..") or path in ("~", "./~") else last


def is_remote(argument: str) -> bool:
    """Tell whether an argument means a path in pods, unless it exists here, rather than one on this machine."""
    return ":" in argument and not argument.startswith((".", "/", "~", *STORES))


def is_store(argument: str) -> bool:
    """Tell whether an argument is the URL of an object store, rather than a path of this machine."""
    return argument.startswith(STORES)


def split_arguments(
    arguments: Sequence[str], here: Collection[str] = (), *, stdout: bool = False
) -> tuple[list[str], list[str]]:
    """Split arguments into local paths and remote ones. Raises UsageError.

    here: those that exist on this machine. stdout: `-` may be one.
    """
    local = [one for one in arguments if one in here or not is_remote(one)]
    if STANDARD_OUTPUT in local and not stdout:
        raise UsageError(
            "'-' is no file: only a pull has it, as its directory, for one archive on standard output",
            hint="a file or directory of that name is written ./-",
        )
    return local, [one for one in arguments if one not in local]


def parse_side(argument: str, *, is_here: bool) -> "str | Selector":
    """Return one side of a cp: a local path, or what a remote argument asks for; `POD:` is its working directory."""
    (local, remote) = split_arguments([argument], [argument] if is_here else [])
    if local:
        return local[0]
    selector = parse_remote(f"{remote[0]}." if remote[0].endswith(":") else remote[0])
    if not selector.name:
        raise UsageError(f"{printable(argument)!r} names no pod", hint="write [NAMESPACE/]POD:PATH")
    return selector


def nothing_local(what: str, suspect: str, remotes: Sequence[str], example: str) -> UsageError:
    """Return the error of arguments none of which is local. what: `source`; suspect: the one that was meant as such.

    Raises UsageError when that one can't mean a pod either.
    """
    if not suspect or suspect.startswith(":"):
        return UsageError(f"there is no local {what}", hint=example)
    drives = [one for one in remotes if _DRIVE.match(one)]
    if suspect in drives and (drives == [suspect] or not all(map(_may_be_a_pod, drives))):
        return _of_windows(suspect)
    argument = printable(suspect)
    rest = "" if len(remotes) < 2 else "; asynccp cp SOURCE TARGET copies from pod to pod"
    return UsageError(
        f"there is no local {what}: {argument!r} was read as a path in {parse_remote(suspect)}",
        hint=f"a path of this machine is written ./{argument}{rest or f'; an example: {example}'}",
    )


def _of_windows(argument: str) -> UsageError:
    path = f"/mnt/{argument[0].lower()}{argument[2:]}".replace("\\", "/")
    hint = f"run asynccp in WSL and write {printable(path)}"
    if _may_be_a_pod(argument):
        hint += f"; if {argument[0]} is a pod, asynccp cp SOURCE TARGET copies from pod to pod"
    return UsageError(f"{printable(argument)!r} looks like a path of Windows", hint=hint)


def _may_be_a_pod(drive: str) -> bool:
    return drive[0].islower() and drive[2] == "/"  # `c:/x`


def parse_labels(argument: str) -> Selector:
    """Parse the value of -l: `SELECTOR` or `SELECTOR:PATH`."""
    name, _, path = argument.partition(":")
    if not name.strip():
        raise UsageError(f"-l {printable(argument)!r} has no selector", hint="write -l app=web:/path")
    return Selector("labels", name.strip(), path)


def parse_remote(argument: str, *, needs_path: bool = True) -> Selector:
    """Parse `[[NAMESPACE/]POD:]PATH` or `KIND/NAME:PATH`; a bare `:PATH` gives a selector without a name."""
    if _DRIVE.match(argument) and not _may_be_a_pod(argument):
        raise _of_windows(argument)
    who, _, path = argument.partition(":")
    if not path and (needs_path or not who):
        raise UsageError(f"{printable(argument)!r} has no path after the colon", hint="write POD:/path")
    if not who:
        return Selector("labels", "", path)
    first, slash, name = who.partition("/")
    if not slash:
        selector = Selector("pod", who, path)
    elif first in _POD or first in WORKLOADS:
        selector = Selector("pod" if first in _POD else first, name, path)
    elif first in _OTHER_KINDS or ("." in first and _NAME.fullmatch(first)):
        raise _unknown_kind(first, name, argument)
    else:
        selector = Selector("pod", name, path, first)
    for part, allowed in ((selector.namespace, _LABEL), (selector.name, _NAME)):
        if part is not None and not allowed.fullmatch(part):
            raise UsageError(
                f"{printable(part)!r} in {printable(argument)!r} is not a name that Kubernetes allows",
                hint="a pod is written [NAMESPACE/]POD:PATH; a local path that holds a colon is written ./a:b",
            )
    return selector


def _unknown_kind(kind: str, name: str, argument: str) -> UsageError:
    if kind.partition(".")[0] in _CRONJOB:
        hint = "name its jobs: job/NAME:PATH"
    else:
        hint = "name pods, labels with -l, or a deploy, sts, ds, rs, job or svc: KIND/NAME:PATH"
    if "." not in kind:  # as no namespace has
        hint += f"; a pod in a namespace {kind} is written -n {kind} {printable(name)}:PATH"
    return UsageError(f"{kind} in {printable(argument)!r} is a kind whose pods asynccp does not know", hint=hint)


def parse_selectors(
    labels: Sequence[str] = (), remotes: Sequence[str] = (), *, needs_path: bool = True
) -> tuple[Selector, ...]:
    """Join the values of -l with the remote arguments: every `:PATH` completes each -l that has no path of its own.

    needs_path: one without a path means nothing; else it is for what needs none (`Selection.logs`).
    """
    parsed = [parse_labels(text) for text in labels]
    others = [parse_remote(text, needs_path=needs_path) for text in remotes]
    paths = [other.path for other in others if not other.name]
    found = [one for one in parsed if one.path]
    pathless = [one for one in parsed if not one.path]
    if pathless and not paths and needs_path:
        raise UsageError(f"-l {pathless[0].name} has no path", hint=f"write -l {pathless[0].name}:/path, or add :/path")
    if paths and not pathless:
        raise UsageError(f":{paths[0]} belongs to no -l", hint="write -l SELECTOR :PATH, or POD:PATH")
    found += [Selector(one.kind, one.name, path) for one in pathless for path in paths or [""]]
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


def pods_query(plural: str, found: Json) -> str:
    """Return the label selector of the pods that a workload or a service (as JSON) means; empty when it means none.

    A service's is a plain map, and may be missing: such a service leads elsewhere (ExternalName), or to endpoints that
    somebody writes by hand.
    """
    selector = (found.get("spec") or {}).get("selector") or {}
    return label_query({"matchLabels": selector} if plural == "services" else selector)


def match_pod(pod: Json, container: str = "", *, named: bool = False, labels: Collection[str] = ()) -> Target | Skipped:
    """Return the container of `pod` (a v1.Pod as JSON) that a copy goes to, or why there is none.

    container: the value of -c; empty means the default container, as kubectl chooses it: the annotation's, if such a
    container exists, else the first.
    labels: keys of labels that it must have.
    named: the pod was asked for by its own name. It is copied while it is being deleted, if its container still runs:
    for what it holds it is the last chance. Whoever asked for labels wants the pods that stay.
    """
    if unfit := _unfit(pod, named=named) or _on_windows(pod, named=named):
        return unfit
    label, metadata, spec = _label_of(pod), pod["metadata"], pod.get("spec") or {}
    regular, running = _names(spec, "containers"), _running(pod)
    chosen = container or _default_container(metadata, regular)
    others = _others(pod, chosen)
    if chosen not in (*regular, *_names(spec, *_BESIDE)):
        has = printable(", ".join(dict.fromkeys((*regular, *others))))
        return Skipped(label, f"has no container {printable(chosen)!r}, only {has}", named or bool(container))
    if not _LABEL.fullmatch(chosen):
        return Skipped(label, "the container's name is not one that Kubernetes allows", named)
    if chosen not in running:
        status = pod.get("status") or {}
        return Skipped(label, _why_not_running(status, chosen) + (_offer(others) or _log_offer(status, chosen)), named)
    return _target(pod, chosen, labels)


def match_containers(pod: Json, *, named: bool = False, labels: Collection[str] = ()) -> list[Target | Skipped]:
    """Return all containers of a pod that run, and which of its regular ones don't. Parameters as of `match_pod`.

    Init containers that have ended have done what they were for, and nobody misses them.
    """
    if unfit := _unfit(pod, named=named) or _on_windows(pod, named=named):
        return [unfit]
    spec, running = pod.get("spec") or {}, _running(pod)
    regular = _names(spec, "containers")
    found = [_target(pod, one, labels) for one in (*regular, *_beside(spec)) if one in running and _allowed(one)]
    if not found:
        return [match_pod(pod, named=named)]
    status = pod.get("status") or {}
    missing = [
        Skipped(_label_of(pod), _why_not_running(status, one), container=one)
        for one in regular
        if one not in running and _allowed(one)
    ]
    return [*dict.fromkeys(found), *missing]


def logs_of(pod: Json, selection: Selection, *, named: bool = False) -> list[Transfer | Skipped]:
    """Return the logs of a pod that are asked for and that there are, or why there are none. named: as of `match_pod`.

    A node has the log of a container that runs, or ran, and of the one before if it was restarted (kubelet,
    validateContainerLogStatus).
    """
    if unfit := _unfit(pod, named=named):
        return [unfit]
    metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    regular = _names(spec, "containers")
    names = [*regular, *_beside(spec)]
    chosen = names if selection.all_containers else [selection.container or _default_container(metadata, regular)]
    states = {str(one.get("name")): one for one in _statuses(status)}
    found: list[Transfer | Skipped] = []
    for name in chosen:
        if name not in states or not _allowed(name):
            continue
        target = _target(pod, name, selection.labels)
        if isinstance(target, Skipped):
            return [target]
        had = [one for one in selection.logs if _has_log(states[name], previous=one.previous)]
        target = replace(target, for_log=True)
        found += [Transfer(target, f"{name}{'.previous' * one.previous}.log", one) for one in had]
    if found or not chosen:
        return found
    return [Skipped(_label_of(pod), f"{_why_not_running(status, chosen[0])}, and has no log", named)]


def zones_of(nodes: Sequence[Json]) -> dict[str, str]:
    """Return the zone of each of some nodes (v1.Node as JSON), by its name; one without a zone is left out."""
    labels = (one.get("metadata") or {} for one in nodes)
    found = {str(one.get("name", "")): str((one.get("labels") or {}).get(ZONE) or "") for one in labels}
    return {name: zone for name, zone in found.items() if zone and _LABEL_VALUE.fullmatch(zone)}


def what_became_of(target: Target, pod: Json | None) -> str:
    """Say in words what happened to a target's pod since it was matched; empty when it runs as before."""
    if pod is None:
        return "the pod was deleted"
    metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
    if metadata.get("uid") != target.uid:
        return "the pod was deleted, and another of the same name took its place"
    if metadata.get("deletionTimestamp") and not target.ending:
        return "the pod is being deleted"
    if target.for_log:
        return ""
    now = next((one for one in _statuses(status) if one.get("name") == target.container), {})
    if "running" not in (now.get("state") or {}):
        why = _why_not_running(status, target.container)
        return f"the pod's {why}" if why.startswith("container ") else f"the pod {why}"
    return "the container was restarted" if int(now.get("restartCount") or 0) != target.restarts else ""


def by_reason(skipped: Sequence[Skipped]) -> dict[str, list[str]]:
    """Return reason → the pods that it is true of, each once."""
    found: dict[str, dict[str, None]] = {}
    for one in skipped:
        found.setdefault(one.reason, {})[one.name] = None
    return {reason: list(pods) for reason, pods in found.items()}


def _unfit(pod: Json, *, named: bool) -> Skipped | None:
    """Return why no container of a pod takes part, None if one may."""
    metadata = pod.get("metadata") or {}
    namespace, name = str(metadata.get("namespace", "")), str(metadata.get("name", ""))
    if not (_LABEL.fullmatch(namespace) and _NAME.fullmatch(name)):
        return Skipped(printable(f"{namespace}/{name}", 300), "its name is not one that Kubernetes allows", named)
    if metadata.get("deletionTimestamp") and not named:
        return Skipped(f"{namespace}/{name}", "is being deleted")
    return None


def _on_windows(pod: Json, *, named: bool) -> Skipped | None:
    """Return why a pod takes no part that says, or asks for, Windows (v1.PodOS, and the node label for it)."""
    spec = pod.get("spec") or {}
    said = (spec.get("os") or {}).get("name") or (spec.get("nodeSelector") or {}).get(NODE_OS)
    return (
        Skipped(_label_of(pod), "runs on Windows, where there is no POSIX shell", named) if said == "windows" else None
    )


def _target(pod: Json, chosen: str, labels: Collection[str]) -> Target | Skipped:
    """Return a container, which has a status, unless its pod lacks a label."""
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    state = next(one for one in _statuses(pod.get("status") or {}) if one.get("name") == chosen)
    values = {key: str(value) for key, value in (metadata.get("labels") or {}).items() if key in labels}
    if lacking := [key for key in labels if key not in values]:
        return Skipped(_label_of(pod), f"has no label {lacking[0]}", named=True)
    if strange := [key for key, value in values.items() if not _LABEL_VALUE.fullmatch(value)]:
        return Skipped(_label_of(pod), f"has a label {strange[0]} that Kubernetes does not allow", named=True)
    regular = _names(spec, "containers")
    return Target(
        str(metadata["namespace"]), str(metadata["name"]), chosen, str(spec.get("nodeName", "")),
        str(metadata.get("uid", "")), str(state.get("imageID") or state.get("image") or ""),
        int(state.get("restartCount") or 0), _others(pod, chosen), bool(metadata.get("deletionTimestamp")),
        several=len(regular) > 1 or chosen not in regular,
        labels=tuple(f"{key}={value}" for key, value in values.items()),
    )  # fmt: skip


def _has_log(status: Json, *, previous: bool) -> bool:
    state, before = status.get("state") or {}, status.get("lastState") or {}
    if previous:
        return "terminated" in before
    return "running" in state or "terminated" in state or "terminated" in before


def _label_of(pod: Json) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _allowed(container: str) -> bool:
    return _LABEL.fullmatch(container) is not None


def _running(pod: Json) -> dict[str, Json]:
    """Return the status of each container that runs."""
    statuses = _statuses(pod.get("status") or {})
    return {str(one.get("name")): one for one in statuses if "running" in (one.get("state") or {})}


def _others(pod: Json, chosen: str) -> tuple[str, ...]:
    """Return the containers that run beside one."""
    spec, running = pod.get("spec") or {}, _running(pod)
    names = [*_names(spec, "containers"), *_beside(spec)]
    return tuple(one for one in names if one in running and one != chosen and _allowed(one))


def _beside(spec: Json) -> list[str]:
    """Return the containers that aren't regular ones, without those through which we copy: they have no files."""
    return [one for one in _names(spec, *_BESIDE) if not EPHEMERAL.fullmatch(one)]


def _names(spec: Json, *keys: str) -> list[str]:
    return [str(one.get("name", "")) for key in keys for one in spec.get(key) or ()]


def _default_container(metadata: Json, names: list[str]) -> str:
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


def _log_offer(status: Json, container: str) -> str:
    """Return what is still to be had of a container that has run."""
    state = next((one for one in _statuses(status) if one.get("name") == container), {})
    return "; its log can still be pulled" if _has_log(state, previous=False) else ""


def _offer(others: tuple[str, ...]) -> str:
    if not others:
        return ""
    return f"; {', '.join(others[:_OFFERED])} {'run' if others[1:] else 'runs'}: -c {others[0]}"

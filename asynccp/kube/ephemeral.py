"""Ephemeral containers: one beside a target that has no shell, found or added. Decisions are functions of documents.

It shares the target's processes (targetContainerName), by which its files are reached, and runs under the target's
securityContext: the kernel lets nobody look into a process who is another user or has less capabilities (ptrace(2)),
and Pod Security judges the whole pod anew. https://kubernetes.io/docs/concepts/workloads/pods/ephemeral-containers/

A pod is never rid of one: what was added stays in its spec, as it is. So one that runs is used again, whoever added it,
if it is what would be added now; else there is another one, of the next number.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio

from asynccp.errors import ClusterError, ConnectFailed, Refused, TransferError
from asynccp.kube.api_errors import ephemeral_refused
from asynccp.kube.base import EphemeralContainer, Wanted
from asynccp.kube.documents import LONGEST
from asynccp.net.http import Answer
from asynccp.ours import EPHEMERAL
from asynccp.target import Json, Target
from asynccp.text import printable

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

START_TIMEOUT_S = 120.0
"""Seconds until it runs, its image's pull included: 1 s where the node has it; some 100 MiB over a slow line take
minutes, and the next run finds it there."""
_LOOK_EVERY_S = 0.3
_ADD_TIMEOUT_S = 30.0
_ADDS = 3  # tries to add one: each that fails because another run was faster ends with that one's
MOST = 100  # of ours in one pod: each adds a kilobyte to what etcd has of it, which takes 1.5 MiB

_USER = ("runAsUser", "runAsGroup")
_PATCH = "application/strategic-merge-patch+json"

STUCK = {
    "ImagePullBackOff": "is the image's name right, and may the node pull it? the node goes on trying, and a later run "
    "uses the container",
    "ErrImageNeverPull": "the image is not on the node, and may not be pulled",
    "InvalidImageName": "write it as in a pod",
    "CreateContainerConfigError": "",
    "CreateContainerError": "",
    "RunContainerError": "",
}
"""Reasons for which the kubelet has a container wait that don't pass by themselves, and what to do (pkg/kubelet/images,
kuberuntime_container.go). Others, such as ErrImagePull of the first try, become one of these, or pass."""

_AS_ROOT = (
    "only the target's image knows its user: name it in the pod, as runAsUser, or take an image that has the same user"
)


class Found(NamedTuple):
    """One that is there. error: why it won't run, None where it runs, or may yet."""

    name: str
    runs: bool
    error: TransferError | None = None
    waits_for: str = ""


def choose(pod: Json, target: Target, wanted: Wanted, name: str = "") -> Found | Json:
    """Return the ephemeral container to use, or what is to be added as one. name: of the one that was added.

    The best is one that runs, of these one whose user had to be found out, of these the newest. Raises Refused.
    """
    if (pod.get("metadata") or {}).get("uid") != target.uid:
        raise Refused("the pod was deleted, and another of the same name took its place")
    spec, statuses = pod.get("spec") or {}, _statuses(pod, "ephemeralContainerStatuses")
    if ((spec.get("os") or {}).get("name")) == "windows":
        raise Refused("an ephemeral container can't reach the files of a Windows container")
    if name:
        return _found(name, wanted.image, statuses.get(name) or {})
    to_add = _container(pod, target, wanted)
    alike = [one for one in spec.get("ephemeralContainers") or () if _is_alike(one, to_add, wanted)]
    usable = [
        (found, len(one.get("securityContext") or {}), number)
        for one in alike
        if (number := _number(one)) and (found := _state(one, wanted, statuses)) is not None
    ]
    if usable:
        return max(usable, key=lambda one: (one[0].runs, *one[1:]))[0]
    names = {str(one.get("name")) for key in _PLACES for one in spec.get(key) or ()}
    number = 1 + max((int(match[1]) for one in names if (match := EPHEMERAL.fullmatch(one))), default=0)
    if number > MOST:
        raise Refused(
            f"the pod has had {MOST} ephemeral containers of asynccp, none of which runs, and can't be rid of them",
            hint="restart it: its replacement has none",
        )
    return {**to_add, "name": f"asynccp-{number}"}


_PLACES = ("containers", "initContainers", "ephemeralContainers")


def target_id(pod: Json, target: Target) -> str:
    """Return the id of a target as the node's runtime has it, without the runtime's name."""
    told = {**_statuses(pod, "initContainerStatuses"), **_statuses(pod, "containerStatuses")}
    return str((told.get(target.container) or {}).get("containerID") or "").rpartition("://")[2]


def _container(pod: Json, target: Target, wanted: Wanted) -> dict[str, Any]:
    """Return the v1.EphemeralContainer, without a name."""
    context = dict(_context(pod, target))
    if user := wanted.user or _told_user(pod, target):
        context |= dict(zip(_USER, user, strict=True))
    return {
        "image": wanted.image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(wanted.argv),
        "targetContainerName": target.container,
        **({"securityContext": context} if context else {}),
    }


def _context(pod: Json, target: Target) -> Json:
    made = (one for key in _PLACES[:2] for one in (pod.get("spec") or {}).get(key) or ())
    return next((one.get("securityContext") or {} for one in made if one.get("name") == target.container), {})


def _told_user(pod: Json, target: Target) -> tuple[int, int] | None:
    """Return as whom a target runs whose user no spec names, where the cluster tells (status…user, Kubernetes 1.31)."""
    of_pod = (pod.get("spec") or {}).get("securityContext") or {}
    if "runAsUser" in of_pod or "runAsUser" in _context(pod, target):
        return None
    told = (_statuses(pod, "containerStatuses").get(target.container) or {}).get("user") or {}
    linux = told.get("linux") or {}
    return (linux["uid"], linux["gid"]) if "uid" in linux and "gid" in linux else None


def _is_alike(there: Json, to_add: Json, wanted: Wanted) -> bool:
    """Tell whether one that is there is what would be added, by whomever, for however long, but for a user that had to
    be found out."""
    context, other = dict(there.get("securityContext") or {}), to_add.get("securityContext") or {}
    if not wanted.user:
        context = {key: value for key, value in context.items() if key in other or key not in _USER}
    said = [word[:LONGEST] for word in wanted.argv[:3]]
    return (
        there.get("image") == wanted.image
        and there.get("targetContainerName") == to_add["targetContainerName"]
        and list(there.get("command") or ())[:3] == said
        and context == other
    )


def _state(there: Json, wanted: Wanted, statuses: dict[str, Json]) -> Found | None:
    """Return one that runs, or may; None for one that has ended."""
    name = str(there["name"])
    status = statuses.get(name) or {}
    return None if "terminated" in (status.get("state") or {}) else _found(name, wanted.image, status)


def _found(name: str, image: str, status: Json) -> Found:
    state = status.get("state") or {}
    if "running" in state:
        return Found(name, runs=True)
    what = f"the ephemeral container {name} of image {printable(image, 300)}"
    if "terminated" in state:
        return Found(name, runs=False, error=Refused(f"{what} ended at once: {_reason(state['terminated'])}"))
    waiting = state.get("waiting") or {}
    reason = str(waiting.get("reason") or "")
    if reason not in STUCK:
        return Found(name, runs=False, waits_for=printable(reason, 60))
    hint = _AS_ROOT if "runAsNonRoot" in str(waiting.get("message")) else STUCK[reason]
    return Found(name, runs=False, error=Refused(f"{what} does not start: {_reason(waiting)}", hint=hint))


def _reason(state: Json) -> str:
    words = [str(state.get("reason") or ""), str(state.get("message") or "")]
    if not words[1] and "exitCode" in state:
        words[1] = f"exit code {state['exitCode']}"
    return printable(": ".join(filter(None, words)), 400) or "nobody says why"


def _number(there: Json) -> int:
    match = EPHEMERAL.fullmatch(str(there.get("name")))
    return int(match[1]) if match else 0


def _statuses(pod: Json, key: str) -> dict[str, Json]:
    return {str(one.get("name")): one for one in (pod.get("status") or {}).get(key) or ()}


Look = Callable[[], Awaitable[Json | None]]
Add = Callable[[Json], Awaitable[Answer]]


async def ephemeral(look: Look, add: Add, target: Target, wanted: Wanted) -> EphemeralContainer:
    """Return an ephemeral container that runs, as `kube.base.Cluster.ephemeral`. look: at the pod. add: one to it."""
    added, adds, waits_for = "", 0, ""
    with anyio.move_on_after(START_TIMEOUT_S):
        while True:
            pod = await _looked(look)
            chosen = choose(pod, target, wanted, added)
            if not isinstance(chosen, Found):
                answer, adds = await add(chosen), adds + 1
                if answer.status == 200:
                    added = str(chosen["name"])
                elif answer.status not in (409, 422) or adds == _ADDS:  # else another run has taken the name
                    raise ephemeral_refused(answer.status, answer.body, answer.headers.get("retry-after", ""))
                continue
            if chosen.error:
                raise chosen.error
            if chosen.runs:
                return EphemeralContainer(chosen.name, target_id(pod, target))
            waits_for = chosen.waits_for
            await anyio.sleep(_LOOK_EVERY_S)
    raise Refused(
        f"the ephemeral container of image {printable(wanted.image, 300)} did not start within {START_TIMEOUT_S:.0f} s"
        + (f" ({waits_for})" if waits_for else ""),
        hint="it stays in the pod: a later run uses it, when it has started",
    )


async def _looked(look: Look) -> Json:
    try:
        pod = await look()
    except ClusterError as exc:
        raise Refused(f"the pod can't be looked at: {exc}", hint=exc.hint) from None
    if pod is None:
        raise Refused("the pod was deleted")
    return pod


async def add(api_client: "Callable[[], AbstractAsyncContextManager[ApiClient]]", path: str, container: Json) -> Answer:
    """Ask for an ephemeral container, by a patch that names no other; return the answer. Raises TransferError."""
    patch = {"spec": {"ephemeralContainers": [container]}}
    async with api_client() as api:
        from asynccp.kube.apiclient import asked, server_of
        from asynccp.kube.connect_errors import unreachable

        try:
            with anyio.move_on_after(_ADD_TIMEOUT_S):
                return await asked(api, "PATCH", f"{path}/ephemeralcontainers", patch, content_type=_PATCH)
            raise TimeoutError(f"no answer within {_ADD_TIMEOUT_S:.0f} s")
        except ClusterError as exc:
            raise Refused(f"the credentials were refused, and can't be renewed: {exc}", hint=exc.hint) from None
        except (OSError, ValueError) as exc:
            message, hint = unreachable(exc, server_of(api))
            raise ConnectFailed(f"the API server {message}", hint=hint) from None  # its words may hold a password

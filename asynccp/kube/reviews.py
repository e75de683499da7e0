"""Access reviews: may this user do what a copy needs? Asked of the API server itself, before anything is copied.

SelfSubjectAccessReview (authorization.k8s.io/v1) and SelfSubjectReview (authentication.k8s.io/v1, since 1.28) are open
to whoever is known at all (the role system:basic-user).
"""

import shlex
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from asynccp.kube import documents
from asynccp.kube.api_errors import list_refused, status_message
from asynccp.target import WORKLOADS, Selector
from asynccp.text import printable

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

_ACCESS = "apis/authorization.k8s.io/v1", "SelfSubjectAccessReview"
_SELF = "apis/authentication.k8s.io/v1", "SelfSubjectReview"
_ACCOUNT = "system:serviceaccount:"
EXEC = "pods/exec"


class Permission(Struct, frozen=True):
    """A verb on a resource, which may be a part of one (`pods/exec`). namespace: None is all. name: empty is any."""

    verb: str
    resource: str
    namespace: str | None
    name: str = ""
    group: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.what}" + (f" {self.name}" if self.name else "")

    @property
    def what(self) -> str:
        """The resource as kubectl's --resource takes it."""
        return f"{self.resource}.{self.group}" if self.group else self.resource


class Verdict(Struct, frozen=True):
    """What the server says of a permission. allowed: None when it can't tell. why: in its words, often none."""

    permission: Permission
    allowed: bool | None
    why: str = ""


def to_find(selector: Selector, namespace: str | None) -> Iterator[Permission]:
    """Yield what it takes to find the pods of a selector."""
    if selector.kind == "pod":
        yield Permission("get", "pods", namespace, selector.name)
        return
    if selector.kind in WORKLOADS:
        api, plural = WORKLOADS[selector.kind]
        group = api.split("/")[1] if api.startswith("apis/") else ""
        yield Permission("get", plural, namespace, selector.name, group)
    yield Permission("list", "pods", namespace)


def to_copy(namespace: str | None, name: str = "") -> Iterator[Permission]:
    """Yield what it takes to copy to and from a pod: to look at it again after a lost session, and exec.

    An exec by WebSocket is a GET; since 1.35 the server asks for `create` besides, as of a POST.
    """
    yield Permission("get", "pods", namespace, name)
    yield Permission("get", EXEC, namespace, name)
    yield Permission("create", EXEC, namespace, name)


def to_relay(namespace: str) -> Iterator[Permission]:
    """Yield what it takes to have relays in a namespace (`relay.deployed`), besides what a copy takes.

    Who makes a role must have all that it gives (https://kubernetes.io/docs/reference/access-authn-authz/rbac/).
    """
    for verb in ("create", "get", "patch", "delete"):
        yield Permission(verb, "jobs", namespace, group="batch")
    yield Permission("list", "pods", namespace)
    yield Permission("create", "serviceaccounts", namespace)
    for what in ("roles", "rolebindings"):
        yield Permission("create", what, namespace, group="rbac.authorization.k8s.io")


async def review(api: "ApiClient", permission: Permission) -> Verdict:
    """Ask whether the user of `api` has a permission. Raises ClusterError."""
    resource, _, part = permission.resource.partition("/")
    attributes = {
        "verb": permission.verb,
        "group": permission.group,
        "resource": resource,
        "subresource": part,
        "namespace": permission.namespace or "",
        "name": permission.name,
    }
    status, why = await _created(api, *_ACCESS, {"resourceAttributes": attributes})
    if status is None or not isinstance(status.get("allowed"), bool):
        return Verdict(permission, None, why or "the server's answer says neither yes nor no")
    said = status.get("reason") or status.get("evaluationError") or ""
    return Verdict(permission, status["allowed"], printable(str(said), 300))


async def user_of(api: "ApiClient") -> str:
    """Return the name by which the server knows the user of `api`; empty when it doesn't tell. Raises ClusterError."""
    status, _ = await _created(api, *_SELF, None)
    user = (status or {}).get("userInfo")
    return printable(str(user.get("username") or ""), 300) if isinstance(user, dict) else ""


def grants(missing: Iterable[Permission], user: str) -> list[str]:
    """Return the commands by which who may bind roles gives a user what is missing."""
    places: dict[tuple[str | None, str], list[str]] = {}
    for one in missing:
        verbs = places.setdefault((one.namespace, one.what), [])
        verbs += [one.verb] if one.verb not in verbs else []
    return [command for place, verbs in places.items() for command in _granting(*place, verbs, user)]


def _granting(namespace: str | None, what: str, verbs: list[str], user: str) -> Iterator[str]:
    kind, where = ("role", f" -n {shlex.quote(namespace)}") if namespace else ("clusterrole", "")
    name = f"asynccp-{what.replace('/', '-')}"
    account = user.removeprefix(_ACCOUNT) if user.startswith(_ACCOUNT) else ""
    who = f"--serviceaccount={shlex.quote(account)}" if account else f"--user={shlex.quote(user or 'NAME')}"
    yield f"kubectl create {kind} {name}{where} --verb={','.join(verbs)} --resource={what}"
    yield f"kubectl create {kind}binding {name}{where} --{kind}={name} {who}"


async def _created(api: "ApiClient", group: str, kind: str, spec: object) -> tuple[dict[str, Any] | None, str]:
    """Return the status of a review, None when the server does without such, and what it says then."""
    from asynccp.kube.apiclient import answered

    body = {"apiVersion": group.removeprefix("apis/"), "kind": kind, **({"spec": spec} if spec else {})}
    answer = await answered(api, "POST", f"{group}/{kind.lower()}s", body)
    if answer.status == 401:
        raise list_refused(401, answer.body, "permissions", by_label=False)
    if answer.status not in (200, 201):
        return None, status_message(answer.body) or f"HTTP {answer.status}"
    try:
        status = documents.parsed(answer.body)["status"]
    except (documents.Unreadable, documents.TooMany, KeyError, TypeError):
        status = None
    return (status, "") if isinstance(status, dict) else (None, "the server's answer is no review")

"""Objects: made, looked at, changed and removed by kubernetes_asyncio's client, for who needs more than pods.

Documents are JSON, both ways. Fields that the server doesn't know are refused, not dropped.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from asynccp.errors import ClusterError
from asynccp.kube import documents
from asynccp.kube.api_errors import status_message
from asynccp.net.http import Answer
from asynccp.target import Json
from asynccp.text import printable

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

_MERGE = "application/merge-patch+json"
_PLURALS = {
    "Job": "apis/batch/v1/namespaces/{}/jobs",
    "ServiceAccount": "api/v1/namespaces/{}/serviceaccounts",
    "Role": "apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "Pod": "api/v1/namespaces/{}/pods",
    "Event": "api/v1/namespaces/{}/events",
}


class Missing(ClusterError):
    """There is no such object."""


class Objects:
    """Those of one namespace."""

    def __init__(self, api: "ApiClient", namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    async def make(self, document: Json) -> Json:
        """Return an object as it was made. Raises ClusterError."""
        path = f"{self._path(document['kind'])}?fieldValidation=Strict"
        return await self._asked("POST", path, f"make a {document['kind']}", document)

    async def look(self, kind: str, name: str) -> Json:
        """Return an object. Raises Missing, ClusterError."""
        return await self._asked("GET", f"{self._path(kind)}/{name}", f"look at a {kind}")

    async def find(self, kind: str, query: str) -> list[Json]:
        """Return objects, a thousand at most. query: labelSelector= or fieldSelector=. Raises ClusterError."""
        found = await self._asked("GET", f"{self._path(kind)}?limit=1000&{query}", f"list {kind}s")
        return [one for one in found.get("items") or () if isinstance(one, dict)]

    async def change(self, kind: str, name: str, patch: Json) -> None:
        """Change some fields of an object. Raises Missing, ClusterError."""
        await self._asked("PATCH", f"{self._path(kind)}/{name}", f"change a {kind}", patch, _MERGE)

    async def remove(self, kind: str, name: str) -> None:
        """Remove an object; the server then removes what it owns. Raises Missing, ClusterError."""
        how = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        await self._asked("DELETE", f"{self._path(kind)}/{name}", f"remove a {kind}", how)

    def _path(self, kind: str) -> str:
        return _PLURALS[kind].format(self._namespace)

    async def _asked(
        self, method: str, path: str, what: str, body: Json | None = None, content_type: str = "application/json"
    ) -> Json:
        from asynccp.kube.apiclient import answered

        answer = await answered(self._api, method, path, body, content_type=content_type)
        if answer.status >= 300:
            raise self._refused(answer, what)
        try:
            found = documents.parsed(answer.body)
        except (documents.Unreadable, documents.TooMany):
            found = None
        if not isinstance(found, dict):
            raise ClusterError(f"the API server did not {what}, or its answer can't be read")
        return found

    def _refused(self, answer: Answer, what: str) -> ClusterError:
        said = status_message(answer.body) or printable(answer.body.strip(), 300) or f"HTTP {answer.status}"
        words = f"the API server did not {what} in namespace {printable(self._namespace)}: {said}"
        if answer.status == 404:
            return Missing(words)
        return ClusterError(words, hint=_HINTS.get(answer.status, ""))


_HINTS: Mapping[int, str] = {
    401: "the credentials were not accepted: log in again",
    403: "who may not make roles has a service account made (asynccp relay manifest), and names it in a template",
}

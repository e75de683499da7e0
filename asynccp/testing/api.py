"""The fake API server's reading half: pods, workloads and services, listed, selected and refused; who may what.

Nothing runs, and nothing is changed.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from anyio import move_on_after, sleep
from msgspec import Struct, field

from asynccp.target import pods_query
from asynccp.testing import documents, selector
from asynccp.testing.documents import ApiError, Refused, Workload, bad_request, forbidden, not_found
from asynccp.testing.journal import Journal
from asynccp.testing.pod import FakePod

_LOOK_EVERY_S = 0.02  # at what has changed, for those who watch
POD = "/api/v1/namespaces/{namespace}/pods/{name}"
_OWNERS = ("/api/v1", "/apis/{group:apps|batch}/v1")  # of services, and of workloads


class Store(Struct):
    """What the cluster knows: pods by namespace and name, workloads and services by plural, namespace and name.

    forbidden: user, verb and resource, in every namespace; `*` is any verb, any resource.
    accepted: the users whose credentials are good; None for everyone's. zones: of nodes that have one.
    """

    pods: dict[tuple[str, str], FakePod] = field(default_factory=dict)
    workloads: dict[tuple[str, str, str], Workload] = field(default_factory=dict)
    forbidden: set[tuple[str, str, str]] = field(default_factory=set)
    accepted: frozenset[str] | None = None
    zones: dict[str, str] = field(default_factory=dict)
    journal: Journal = field(default_factory=Journal)

    def authenticate(self, request: web.Request) -> None:
        """Raise ApiError: 401 if nobody knows the user."""
        if self.accepted is not None and user_of(request) not in self.accepted:
            raise ApiError(401, "Unauthorized", "Unauthorized")

    def authorize(self, request: web.Request, verb: str, resource: str) -> None:
        """Raise ApiError: 401 if nobody knows the user, 403 if the user may not."""
        self.authenticate(request)
        if not self.may(request, verb, resource):
            name, group, namespace = (request.match_info.get(key, "") for key in ("name", "group", "namespace"))
            raise forbidden(user_of(request), verb, resource, name, group, namespace)

    def may(self, request: web.Request, verb: str, resource: str) -> bool:
        user = user_of(request)
        return self.forbidden.isdisjoint((user, a, b) for a in (verb, "*") for b in (resource, "*"))

    def pod(self, request: web.Request) -> FakePod:
        """Return the pod that the path names. Raises ApiError, 404."""
        name = request.match_info["name"]
        pod = self.pods.get((request.match_info["namespace"], name))
        if pod is None:
            raise not_found("pods", name)
        return pod

    def select(self, namespace: str, labels: str = "", fields: str = "") -> list[FakePod]:
        """Return the pods that match, in the order of etcd's keys; an empty namespace is all. Raises ApiError, 400."""
        try:
            requirements = selector.parse_labels(labels)
            terms = selector.parse_fields(fields, FakePod.FIELDS)
        except selector.BadSelector as exc:
            raise bad_request(str(exc)) from None
        pods = (pod for _, pod in sorted(self.pods.items()) if namespace in ("", pod.namespace))
        return [
            pod for pod in pods if selector.matches(requirements, pod.labels) and selector.matches(terms, pod.fields())
        ]


def routes(store: Store) -> Iterable[web.RouteDef]:
    """Return everything that is answered with a document."""
    fixed = {
        "/version": documents.VERSION,
        "/api": documents.api_versions(),
        "/apis": documents.api_groups(),
        **{f"/{path}": documents.resource_list(path) for path in documents.RESOURCES},
    }
    yield from (web.get(path, _fixed(document)) for path, document in fixed.items())
    api = _Api(store)
    yield web.get("/api/v1/pods", api.list_pods)
    yield web.get("/api/v1/namespaces/{namespace}/pods", api.list_pods)
    yield web.get(POD, api.get_pod)
    yield web.get("/api/v1/nodes", api.list_nodes)
    yield web.get("/api/v1/namespaces", api.list_namespaces)
    yield web.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", api.review_access)
    yield web.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", api.review_self)
    for base in _OWNERS:
        yield web.get(base + "/{resource}", api.list_workloads)
        yield web.get(base + "/namespaces/{namespace}/{resource}", api.list_workloads)
        yield web.get(base + "/namespaces/{namespace}/{resource}/{name}", api.get_workload)


def user_of(request: web.Request) -> str:
    """Return who asks: whom they impersonate, their token, the name in their certificate, or the kubeconfig's user."""
    certificate = request.get_extra_info("peercert") or {}
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return request.headers.get("Impersonate-User") or token or next(iter(names), documents.USER)


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what is raised into what an API server answers."""
    try:
        return await handler(request)
    except Refused as exc:
        return web.Response(status=exc.code, text=exc.body, content_type=exc.content_type)
    except web.HTTPNotFound:
        return web.Response(status=404, text="404 page not found\n")
    except web.HTTPMethodNotAllowed:
        error = ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        return web.Response(status=405, text=error.body, content_type=error.content_type)


def page_of(pods: Sequence[FakePod], limit: str, token: str, selected: bool) -> tuple[list[FakePod], dict[str, Any]]:
    """Return one page of pods and the list's metadata. Raises ApiError, 400.

    A real server counts what remains only where nothing selects (`selected`), since it stops reading at the limit.
    """
    try:
        size = int(limit or 0)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{limit}": invalid syntax') from None
    if token:
        after = documents.continued_after(token)
        pods = [pod for pod in pods if (pod.namespace, pod.name) > after]
    if not 0 < size < len(pods):
        return list(pods), {}
    page = list(pods[:size])
    remaining = {} if selected else {"remainingItemCount": len(pods) - size}
    return page, {"continue": documents.continue_token(page[-1]), **remaining}


class _Api:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def list_namespaces(self, request: web.Request) -> web.Response:
        self._store.authorize(request, "list", "namespaces")
        names = sorted({pod.namespace for pod in self._store.pods.values()})
        items = [{"metadata": {"name": name, "labels": {}}} for name in names]
        return web.json_response({"kind": "NamespaceList", "apiVersion": "v1", "metadata": {}, "items": items})

    async def list_pods(self, request: web.Request) -> web.StreamResponse:
        self._store.authorize(request, "list", "pods")
        query = request.query
        if query.get("watch", "0").lower() not in ("0", "false"):
            return await self._watch(request)
        self._store.journal.look(self._store.pods)
        labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
        pods = self._store.select(request.match_info.get("namespace", ""), labels, fields)
        page, metadata = page_of(pods, query.get("limit", ""), query.get("continue", ""), bool(labels or fields))
        metadata = {**metadata, "resourceVersion": str(self._store.journal.version)}
        if _wants_table(request):
            return web.json_response(documents.pod_table(page, metadata, datetime.now(UTC)))
        return web.json_response(documents.listing("Pod", [pod.to_json() for pod in page], metadata=metadata))

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        """Tell of changes as they come, for as long as was asked for."""
        self._store.authorize(request, "watch", "pods")
        query, journal = request.query, self._store.journal
        requirements = selector.parse_labels(query.get("labelSelector", ""))
        terms = selector.parse_fields(query.get("fieldSelector", ""), FakePod.FIELDS)
        where, version = request.match_info.get("namespace", ""), int(query.get("resourceVersion", "0"))
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        with move_on_after(float(query.get("timeoutSeconds", "1800"))):
            while True:
                if version < journal.oldest:
                    await answer.write(documents.watch_event("ERROR", documents.expired(version, journal.oldest)))
                    return answer
                journal.look(self._store.pods)
                for entry in journal.after(version):
                    version = entry.version
                    is_there = where in ("", entry.namespace) and selector.matches(requirements, entry.labels)
                    if is_there and selector.matches(terms, entry.fields):
                        await answer.write(documents.watch_event(entry.kind, entry.document))
                await sleep(_LOOK_EVERY_S)
        await answer.write(documents.watch_event("BOOKMARK", documents.bookmark(version)))
        return answer

    async def get_pod(self, request: web.Request) -> web.Response:
        self._store.authorize(request, "get", "pods")
        pod = self._store.pod(request)
        if _wants_table(request):
            return web.json_response(documents.pod_table([pod], {}, datetime.now(UTC)))
        return web.json_response(pod.to_json())

    async def list_nodes(self, request: web.Request) -> web.Response:
        self._store.authorize(request, "list", "nodes")
        names = sorted({pod.node for pod in self._store.pods.values() if pod.node} | set(self._store.zones))
        nodes = [documents.node(name, self._store.zones.get(name, "")) for name in names]
        return web.json_response(documents.listing("Node", nodes))

    async def list_workloads(self, request: web.Request) -> web.Response:
        api, plural = _resource(request)
        self._store.authorize(request, "list", plural)
        wanted = request.match_info.get("namespace", "")
        found = sorted(self._store.workloads.items())
        items = [self._described(one) for (kind, where, _), one in found if kind == plural and wanted in ("", where)]
        return web.json_response(documents.listing(documents.RESOURCES[api][plural][0], items, api.partition("/")[2]))

    async def get_workload(self, request: web.Request) -> web.Response:
        _, plural = _resource(request)
        self._store.authorize(request, "get", plural)
        name, group = request.match_info["name"], request.match_info.get("group", "")
        workload = self._store.workloads.get((plural, request.match_info["namespace"], name))
        if workload is None:
            raise not_found(plural, name, group)
        return web.json_response(self._described(workload))

    async def review_access(self, request: web.Request) -> web.Response:
        """Answer a SelfSubjectAccessReview. Everybody who is known may ask, as by the role system:basic-user."""
        self._store.authenticate(request)
        try:
            review = await request.json()
            asked = {key: str(value) for key, value in review["spec"]["resourceAttributes"].items()}
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            raise bad_request(f"the object provided is unrecognized: {exc}") from None
        resource = "/".join(filter(None, (asked.get("resource"), asked.get("subresource"))))
        allowed = self._store.may(request, asked.get("verb", ""), resource)
        return web.json_response({**review, "status": {"allowed": allowed}}, status=201)

    async def review_self(self, request: web.Request) -> web.Response:
        """Answer a SelfSubjectReview: who asks."""
        self._store.authenticate(request)
        kind = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        return web.json_response({**kind, "status": {"userInfo": {"username": user_of(request)}}}, status=201)

    def _described(self, workload: Workload) -> dict[str, Any]:
        query = pods_query(workload.plural, {"spec": {"selector": workload.match}})
        return workload.to_json(len(self._store.select(workload.namespace, query)))


def _resource(request: web.Request) -> tuple[str, str]:
    """Return the API and plural that the path of a workload or service names."""
    group, plural = request.match_info.get("group"), request.match_info["resource"]
    api = f"apis/{group}/v1" if group else "api/v1"
    if plural not in documents.RESOURCES[api]:
        raise Refused(404, "404 page not found\n")
    return api, plural


def _wants_table(request: web.Request) -> bool:
    return "as=Table" in request.headers.get("Accept", "")


def _fixed(document: dict[str, Any]) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(document)

    return answer

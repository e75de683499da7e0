"""Jobs of the fake cluster: Indexed ones, their pods, and what they own.

As far as a client sees it: a Job that is not suspended has a pod for each index, one that is deleted another one; with
the Job goes all that names it as its owner. Nothing of a pod's own command runs: what is started in it, is.
An image that is called asynccp has the asynccp of this process; a kubeconfig stands for a service account.
"""

import secrets
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import web

from asynccp.testing.api import Store
from asynccp.testing.documents import Json, Workload, bad_request, not_found
from asynccp.testing.kinds import gnu, kind_of_image
from asynccp.testing.pod import Container, FakePod

_OURS = Path(__file__).parents[2]
_NAME, _INDEX = "batch.kubernetes.io/job-name", "batch.kubernetes.io/job-completion-index"
_BATCH = "/apis/batch/v1/namespaces/{namespace}/jobs"
_OWNED = ("/api/v1/namespaces/{namespace}/{plural:serviceaccounts}",
          "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/{plural:roles|rolebindings}")  # fmt: skip


class Jobs:
    """add_pod, delete_pod, write_kubeconfig: of the cluster. kubeconfig: where that is.

    objects: what Jobs may own, by plural, namespace and name.
    """

    def __init__(
        self,
        store: Store,
        add_pod: Callable[[FakePod], Awaitable[Any]],
        delete_pod: Callable[[str, str], Awaitable[None]],
        write_kubeconfig: Callable[[Path], Awaitable[None]],
        kubeconfig: Path,
    ) -> None:
        self.objects: dict[tuple[str, str, str], Json] = {}
        self._store = store
        self._add_pod, self._delete_pod, self._write_kubeconfig = add_pod, delete_pod, write_kubeconfig
        self._kubeconfig = kubeconfig.absolute()
        self._jobs: dict[tuple[str, str], Json] = {}

    def routes(self) -> Iterable[web.RouteDef]:
        yield web.post(_BATCH, self._make)
        yield web.patch(f"{_BATCH}/{{name}}", self._change)
        yield web.delete(f"{_BATCH}/{{name}}", self._delete)
        yield from (web.post(path, self._make_owned) for path in _OWNED)

    async def replace(self, pod: FakePod) -> None:
        """Start another pod in the place of one that was deleted, if its Job is there."""
        job = self._jobs.get((pod.namespace, pod.labels.get(_NAME, "")))
        if job:
            await self._start(job, int(pod.annotations[_INDEX]))

    async def _make(self, request: web.Request) -> web.Response:
        self._store.authorize(request, "create", "jobs")
        job, namespace = await _read(request), request.match_info["namespace"]
        name = job["metadata"]["name"]
        job["metadata"] |= {"namespace": namespace, "uid": str(uuid4())}
        self._jobs[namespace, name] = job
        self._store.workloads["jobs", namespace, name] = Workload(
            "apis/batch/v1", "jobs", name, {"matchLabels": {_NAME: name}}, namespace
        )
        await self._started(job)
        return web.json_response(job, status=201)

    async def _change(self, request: web.Request) -> web.Response:
        self._store.authorize(request, "patch", "jobs")
        job = self._job(request)
        job["spec"] |= (await _read(request))["spec"]
        await self._started(job)
        return web.json_response(job)

    async def _delete(self, request: web.Request) -> web.Response:
        self._store.authorize(request, "delete", "jobs")
        job = self._job(request)
        await self.delete(job["metadata"]["namespace"], job["metadata"]["name"])
        return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    async def delete(self, namespace: str, name: str) -> None:
        """Delete a Job, with its pods and all that it owns."""
        job = self._jobs.pop((namespace, name))
        del self._store.workloads["jobs", namespace, name]
        for pod in self._pods(job):
            await self._delete_pod(pod.name, pod.namespace)
        uid = job["metadata"]["uid"]
        self.objects = {key: one for key, one in self.objects.items() if uid not in _owners(one)}

    async def _make_owned(self, request: web.Request) -> web.Response:
        plural, namespace = request.match_info["plural"], request.match_info["namespace"]
        self._store.authorize(request, "create", plural)
        made = await _read(request)
        self.objects[plural, namespace, made["metadata"]["name"]] = made
        return web.json_response(made, status=201)

    def _job(self, request: web.Request) -> Json:
        name = request.match_info["name"]
        job = self._jobs.get((request.match_info["namespace"], name))
        if job is None:
            raise not_found("jobs", name, "batch")
        return job

    def _pods(self, job: Json) -> list[FakePod]:
        return self._store.select(job["metadata"]["namespace"], f"{_NAME}={job['metadata']['name']}")

    async def _started(self, job: Json) -> None:
        if job["spec"].get("suspend") or self._pods(job):
            return
        await self._write_kubeconfig(self._kubeconfig)
        for index in range(job["spec"]["completions"]):
            await self._start(job, index)

    async def _start(self, job: Json, index: int) -> None:
        name, template = job["metadata"]["name"], job["spec"]["template"]
        pod = FakePod(
            f"{name}-{index}-{secrets.token_hex(3)}",
            {**(template["metadata"].get("labels") or {}), _NAME: name},
            job["metadata"]["namespace"],
            [self._container(one) for one in template["spec"]["containers"]],
            {_INDEX: str(index)},
        )
        await self._add_pod(pod)

    def _container(self, spec: Json) -> Container:
        environment = {one["name"]: one.get("value", "") for one in spec.get("env") or ()}
        ours = {"PYTHONPATH": str(_OURS), "KUBECONFIG": str(self._kubeconfig)}
        return Container(
            spec["name"],
            gnu(),
            waiting="" if _may_be_pulled(spec["image"]) else "ImagePullBackOff",
            environment={**environment, **ours},
            mounts=tuple(one["mountPath"] for one in spec.get("volumeMounts") or ()),
        )


def _may_be_pulled(image: str) -> bool:
    return image.rpartition("/")[2].partition(":")[0] == "asynccp" or kind_of_image(image) is not None


def _owners(document: Json) -> set[str]:
    return {one["uid"] for one in document["metadata"].get("ownerReferences") or ()}


async def _read(request: web.Request) -> Json:
    try:
        found = await request.json()
        return dict(found)
    except (ValueError, TypeError) as exc:
        raise bad_request(f"the object provided is unrecognized: {exc}") from None

"""What is asked of access reviews, what their answers mean, and how what is missing is granted."""

from typing import Any

import anyio
import pytest
from aiohttp import web

from asynccp.errors import ClusterError
from asynccp.kube import apiclient
from asynccp.kube.reviews import Permission, Verdict, grants, review, to_copy, to_find, user_of
from asynccp.target import Selector
from tests.kube.test_apiclient import answers, client, served

EXEC = Permission("create", "pods/exec", "shop", "web-0")


@pytest.mark.parametrize(
    ("selector", "asks"),
    [
        (Selector("labels", "app=web", "/x"), ["list pods"]),
        (Selector("pod", "web-0", "/x"), ["get pods web-0"]),
        (Selector("deploy", "web", "/x"), ["get deployments.apps web", "list pods"]),
        (Selector("job.batch", "web", "/x"), ["get jobs.batch web", "list pods"]),
        (Selector("svc", "web", "/x"), ["get services web", "list pods"]),
    ],
)
def test_what_it_takes_to_find_pods(selector: Selector, asks: list[str]) -> None:
    assert list(map(str, to_find(selector, "shop"))) == asks


def test_what_is_missing_is_granted_by_one_role_for_each_resource() -> None:
    """Verbs of one resource must not be given on another: `create` on pods is far more than on pods/exec."""
    missing = [
        Permission("list", "pods", "shop"),
        *to_copy("shop", "web-0"),
        Permission("get", "deployments", None, "web", "apps"),
    ]
    apps = "asynccp-deployments.apps"
    assert grants(missing, "system:serviceaccount:shop:ci") == [
        "kubectl create role asynccp-pods -n shop --verb=list,get --resource=pods",
        "kubectl create rolebinding asynccp-pods -n shop --role=asynccp-pods --serviceaccount=shop:ci",
        "kubectl create role asynccp-pods-exec -n shop --verb=get,create --resource=pods/exec",
        "kubectl create rolebinding asynccp-pods-exec -n shop --role=asynccp-pods-exec --serviceaccount=shop:ci",
        f"kubectl create clusterrole {apps} --verb=get --resource=deployments.apps",
        f"kubectl create clusterrolebinding {apps} --clusterrole={apps} --serviceaccount=shop:ci",
    ]


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        ("jane", "--user=jane"),
        ("", "--user=NAME"),
        ("a b;c", "--user='a b;c'"),
        ("system:serviceaccount:a:$(b)", "--serviceaccount='a:$(b)'"),
    ],
)
def test_what_a_server_calls_a_user_can_be_pasted_into_a_shell(user: str, shown: str) -> None:
    assert grants([EXEC], user)[1].endswith(f" {shown}")


@pytest.mark.parametrize(
    ("status", "body", "allowed", "why"),
    [
        (201, {"status": {"allowed": True, "reason": "RBAC: allowed by \x1b[1m"}}, True, "RBAC: allowed by \\x1b[1m"),
        (201, {"status": {"allowed": False}}, False, ""),
        (201, {"status": {"allowed": False, "evaluationError": "no such role"}}, False, "no such role"),
        (201, {"status": {"allowed": "yes"}}, None, "the server's answer says neither yes nor no"),
        (201, {"status": []}, None, "the server's answer is no review"),
        (201, "[]", None, "the server's answer is no review"),
        (201, "no JSON", None, "the server's answer is no review"),
        (403, {"kind": "Status", "message": "reviews are forbidden"}, None, "reviews are forbidden"),
        (404, "404 page not found", None, "HTTP 404"),
    ],
)
async def test_what_an_answer_means(status: int, body: object, allowed: bool | None, why: str) -> None:
    handler, _ = answers(status, body)
    async with served(handler) as url, client(url) as api:
        assert await review(api, EXEC) == Verdict(EXEC, allowed, why)


async def test_what_is_asked_is_the_part_of_the_pod_that_exec_is() -> None:
    heard: list[tuple[str, Any]] = []

    async def note(request: web.Request) -> web.StreamResponse:
        heard.append((request.path, await request.json()))
        return web.json_response({"status": {"allowed": True}}, status=201)

    async with served(note) as url, client(url) as api:
        await review(api, EXEC)
    ((path, body),) = heard
    assert path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert (body["apiVersion"], body["kind"]) == ("authorization.k8s.io/v1", "SelfSubjectAccessReview")
    assert {key: value for key, value in body["spec"]["resourceAttributes"].items() if value} == {
        "verb": "create", "resource": "pods", "subresource": "exec", "namespace": "shop", "name": "web-0",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "name"),
    [
        (201, {"status": {"userInfo": {"username": "jane"}}}, "jane"),
        (201, {"status": {"userInfo": None}}, ""),
        (404, "", ""),
    ],
)
async def test_who_somebody_is(status: int, body: object, name: str) -> None:
    handler, _ = answers(status, body)
    async with served(handler) as url, client(url) as api:
        assert await user_of(api) == name


async def test_a_server_that_says_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(_: web.Request) -> web.StreamResponse:
        await anyio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr(apiclient, "ANSWER_TIMEOUT_S", 0.1)
    async with served(silent) as url, client(url) as api:
        with pytest.raises(ClusterError, match=f"the API server at {url} can't be reached: no answer within 0 s"):
            await user_of(api)


async def test_a_server_that_is_not_there_is_named_and_a_password_is_not() -> None:
    async with served(answers(200, "")[0]) as url:
        pass  # it is gone, but the port was free a moment ago
    proxy = url.replace("//", "//me:secret@")
    for way, told in ({}, ""), ({"proxy": proxy}, "the proxy 127.0.0.1:"):
        async with client(url, **way) as api:
            with pytest.raises(ClusterError, match=f"the API server at {url} can't be reached: {told}") as caught:
                await user_of(api)
        assert "secret" not in str(caught.value)


async def test_who_is_not_known_is_told_to_log_in() -> None:
    handler, _ = answers(401, {"kind": "Status", "message": "Unauthorized"})
    async with served(handler) as url, client(url) as api:
        with pytest.raises(ClusterError) as caught:
            await user_of(api)
    assert "log in again" in caught.value.hint

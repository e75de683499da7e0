"""Ephemeral containers: which one is used, what is added, and what their states mean."""

from collections.abc import Mapping
from typing import Any

import pytest

from asynccp.errors import ConnectFailed, Refused
from asynccp.kube.api_errors import ephemeral_refused
from asynccp.kube.base import EphemeralContainer, Wanted
from asynccp.kube.documents import LONGEST, inhabited
from asynccp.kube.ephemeral import MOST, Found, choose, ephemeral, target_id
from asynccp.net.http import Answer
from asynccp.ours import EPHEMERAL
from asynccp.remote.rooted import lease_argv
from asynccp.target import Json, Target
from tests.kube.test_api_errors import status

IMAGE = "tools/busybox:1"
TARGET = Target("default", "web-0", "main", uid="u")
WANTED = Wanted(IMAGE, lease_argv(900, "what it is for"))
RESTRICTED = {"runAsNonRoot": True, "runAsUser": 1000, "capabilities": {"drop": ["ALL"]}}
RUNS: Json = {"running": {}}
ENDED: Json = {"terminated": {"reason": "Completed", "exitCode": 0}}


def waits(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def there(name: str, context: Json | None = None, **more: Any) -> dict[str, Any]:
    """Return an ephemeral container as an earlier run has added it."""
    argv = lease_argv(60, "said otherwise")
    found = {"name": name, "image": IMAGE, "command": list(argv), "targetContainerName": "main", **more}
    return {**found, "securityContext": context} if context else found


def pod(*ephemerals: dict[str, Any], context: Json | None = None, states: Json | None = None, **spec: Any) -> Json:
    """Return what is read of a v1.Pod. states: of ephemeral containers, by name."""
    told = [{"name": name, "state": state} for name, state in (states or {}).items()]
    return inhabited(
        {
            "metadata": {"uid": "u"},
            "spec": {
                "containers": [{"name": "main", "securityContext": context or {}}, {"name": "side"}],
                "ephemeralContainers": list(ephemerals),
                **spec,
            },
            "status": {
                "containerStatuses": [{"name": "main", "containerID": "containerd://abc", "state": RUNS}],
                "ephemeralContainerStatuses": told,
            },
        }
    )


def test_the_first_has_the_targets_security_context_and_nothing_else_of_the_pods() -> None:
    added = choose(pod(context=RESTRICTED), TARGET, WANTED)
    assert added == {
        "name": "asynccp-1",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": list(WANTED.argv),
        "targetContainerName": "main",
        "securityContext": RESTRICTED,
    }


def test_a_user_that_had_to_be_found_out_is_named() -> None:
    added = choose(pod(context={"runAsNonRoot": True}), TARGET, WANTED._replace(user=(7, 8)))
    assert isinstance(added, Mapping)
    assert added["securityContext"] == {"runAsNonRoot": True, "runAsUser": 7, "runAsGroup": 8}


@pytest.mark.parametrize(
    ("of_pod", "context", "named"),
    [({}, {}, {"runAsUser": 7, "runAsGroup": 8}), ({}, {"runAsUser": 1}, {"runAsUser": 1}), ({"runAsUser": 1}, {}, {})],
)
def test_a_user_that_the_cluster_tells_is_named_unless_the_pod_names_one(
    of_pod: Json, context: Json, named: Json
) -> None:
    found = pod(context=context, securityContext=of_pod)
    found["status"]["containerStatuses"][0]["user"] = {"linux": {"uid": 7, "gid": 8}}
    added = choose(found, TARGET, WANTED)
    assert isinstance(added, Mapping)
    assert added.get("securityContext", {}) == named


@pytest.mark.parametrize(
    ("ephemerals", "states", "chosen"),
    [
        ([there("asynccp-1")], {"asynccp-1": RUNS}, "asynccp-1"),
        ([there("asynccp-1")], {}, "asynccp-1"),  # it was added a moment ago
        ([there("asynccp-1")], {"asynccp-1": waits("ContainerCreating")}, "asynccp-1"),
        ([there("asynccp-1"), there("asynccp-2")], {"asynccp-1": RUNS, "asynccp-2": RUNS}, "asynccp-2"),
        ([there("asynccp-1"), there("asynccp-2")], {"asynccp-1": RUNS, "asynccp-2": ENDED}, "asynccp-1"),
        ([there("asynccp-1"), there("asynccp-2")], {"asynccp-1": RUNS, "asynccp-2": waits("x")}, "asynccp-1"),
        ([there("asynccp-1", {"runAsUser": 7, "runAsGroup": 8}), there("asynccp-2")],
         {"asynccp-1": RUNS, "asynccp-2": RUNS}, "asynccp-1"),
        ([there("asynccp-1", {"privileged": True})], {"asynccp-1": RUNS}, ""),
        ([there("asynccp-1", image="other")], {"asynccp-1": RUNS}, ""),
        ([there("asynccp-1", targetContainerName="side")], {"asynccp-1": RUNS}, ""),
        ([there("asynccp-1", command=["sh", "-c", "sleep 9"])], {"asynccp-1": RUNS}, ""),
        ([there("debugger")], {"debugger": RUNS}, ""),
        ([there("asynccp-1")], {"asynccp-1": ENDED}, ""),
        ([there("asynccp-01x")], {"asynccp-01x": RUNS}, ""),
    ],
)  # fmt: skip
def test_one_is_used_again_that_runs_or_may_and_is_what_would_be_added(
    ephemerals: list[dict[str, Any]], states: Json, chosen: str
) -> None:
    found = choose(pod(*ephemerals, states=states), TARGET, WANTED)
    assert found.name == chosen if isinstance(found, Found) else not chosen


def test_with_a_user_only_one_of_that_user_will_do() -> None:
    found = pod(there("asynccp-1"), there("asynccp-2", {"runAsUser": 7}), states={"asynccp-1": RUNS, "asynccp-2": RUNS})
    added = choose(found, TARGET, WANTED._replace(user=(7, 8)))
    assert isinstance(added, Mapping)
    assert added["name"] == "asynccp-3"


def test_a_number_is_never_given_again() -> None:
    found = pod(there("asynccp-7"), there("debugger"), states={"asynccp-7": ENDED})
    added = choose(found, TARGET, WANTED)
    assert isinstance(added, Mapping)
    assert added["name"] == "asynccp-8"
    assert EPHEMERAL.fullmatch(added["name"])


def test_what_runs_first_is_known_again_in_what_is_read_of_a_pod() -> None:
    assert len(WANTED.argv[2]) < LONGEST


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (pod(there(f"asynccp-{MOST}"), states={f"asynccp-{MOST}": ENDED}), "can't be rid of them"),
        (pod(os={"name": "windows"}), "Windows"),
        ({**pod(), "metadata": {"uid": "other"}}, "another of the same name"),
    ],
)
def test_where_none_can_be_it_is_said(found: Json, says: str) -> None:
    with pytest.raises(Refused, match=says):
        choose(found, TARGET, WANTED)


@pytest.mark.parametrize(
    ("state", "says", "helps"),
    [
        (waits("ImagePullBackOff", "no such host"), "start: ImagePullBackOff: no such host", "may the node pull"),
        (waits("ErrImageNeverPull"), "does not start: ErrImageNeverPull", "is not on the node"),
        (waits("InvalidImageName"), "InvalidImageName", "as in a pod"),
        (waits("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
         "CreateContainerConfigError", "as runAsUser"),
        (waits("RunContainerError", 'exec: "sh": not found'), 'exec: "sh": not found', ""),
        (waits("ImagePullBackOff", "\x1b[2J"), "\\x1b[2J", ""),
        ({"terminated": {"reason": "Error", "exitCode": 3}}, "ended at once: Error: exit code 3", ""),
    ],
)  # fmt: skip
def test_one_that_does_not_start_says_why(state: Json, says: str, helps: str) -> None:
    found = choose(pod(there("asynccp-1"), states={"asynccp-1": state}), TARGET, WANTED, "asynccp-1")
    assert isinstance(found, Found)
    assert isinstance(found.error, Refused)
    assert says in str(found.error)
    assert helps in found.error.hint


@pytest.mark.parametrize(("told", "known"), [("containerd://abc", "abc"), ("abc", "abc"), ("", "")])
def test_a_targets_id_is_told_without_its_runtime(told: str, known: str) -> None:
    found = pod()
    found["status"]["containerStatuses"][0]["containerID"] = told
    assert target_id(found, TARGET) == known


class Server:
    """A pod as a server keeps it. answers: to patches, before those that succeed; after: states of what was added."""

    def __init__(self, *after: Json, answers: tuple[Answer, ...] = (), first: Json | None = None) -> None:
        self.pod: Json | None = first or pod()
        self._after, self._answers = list(after), list(answers)
        self.added: list[str] = []

    async def look(self) -> Json | None:
        if self.added and self._after and self.pod:
            state = self._after.pop(0)
            self.pod["status"]["ephemeralContainerStatuses"] = [{"name": self.added[-1], "state": state}]
        return self.pod

    async def add(self, container: Json) -> Answer:
        if self._answers:
            return self._answers.pop(0)
        assert self.pod
        self.pod["spec"].setdefault("ephemeralContainers", []).append(container)
        self.added.append(str(container["name"]))
        return Answer(200, {}, b"{}")


async def test_one_is_added_once_and_waited_for() -> None:
    server = Server({}, waits("ContainerCreating"), waits("ErrImagePull"), RUNS)
    assert await ephemeral(server.look, server.add, TARGET, WANTED) == EphemeralContainer("asynccp-1", "abc")
    assert server.added == ["asynccp-1"]
    assert await ephemeral(server.look, server.add, TARGET, WANTED) == EphemeralContainer("asynccp-1", "abc")
    assert server.added == ["asynccp-1"]


async def test_a_name_that_another_run_has_taken_is_left_to_it() -> None:
    server = Server(RUNS, answers=(Answer(422, {}, status("may not be changed")), Answer(409, {}, status("conflict"))))
    assert (await ephemeral(server.look, server.add, TARGET, WANTED)).name == "asynccp-1"


async def test_one_that_is_refused_again_and_again_is_not_asked_for_for_ever() -> None:
    server = Server(answers=(Answer(422, {}, status("is invalid")),) * 9)
    with pytest.raises(Refused, match="is invalid"):
        await ephemeral(server.look, server.add, TARGET, WANTED)


async def test_a_pod_that_is_gone_has_none() -> None:
    server = Server()
    server.pod = None
    with pytest.raises(Refused, match="was deleted"):
        await ephemeral(server.look, server.add, TARGET, WANTED)


RBAC = (
    'pods "web-0" is forbidden: User "nobody" cannot patch resource "pods/ephemeralcontainers" in API group "" '
    'in the namespace "shop"'
)


@pytest.mark.parametrize(
    ("code", "body", "kind", "says", "helps"),
    [
        (401, b"", Refused, "HTTP 401 without a reason", "log in again"),
        (403, status(RBAC), Refused, "may not be added", "the verb patch on pods/ephemeralcontainers"),
        (
            403,
            status(RBAC),
            Refused,
            "may not be added",
            "auth can-i patch pods --subresource=ephemeralcontainers -n shop",
        ),
        (403, status('violates PodSecurity "restricted:latest"'), Refused, "Pod Security forbids", "the whole pod"),
        (403, status("exceeded quota"), Refused, "exceeded quota", ""),
        (404, b"404 page not found", Refused, "404 page not found", ""),
        (422, status("is invalid"), Refused, "is invalid", ""),
        (503, b"", ConnectFailed, "could be added", ""),
    ],
)
def test_a_refusal_says_what_is_missing(code: int, body: bytes, kind: type, says: str, helps: str) -> None:
    error = ephemeral_refused(code, body)
    assert type(error) is kind
    assert says in str(error)
    assert helps in error.hint

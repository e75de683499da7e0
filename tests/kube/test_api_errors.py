"""What an HTTP answer that isn't the wished one means for the person who reads it."""

import json
from typing import Any

import pytest

from asynccp.errors import ClusterError, ConnectFailed, ProtocolRefused, Refused, UsageError
from asynccp.kube.api_errors import Forbidden, exec_refused, list_refused, log_refused, rbac_hint, status_message


def status(message: Any, kind: str = "Status") -> bytes:
    return json.dumps({"kind": kind, "apiVersion": "v1", "status": "Failure", "message": message}).encode()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (status('pods "web-0" not found'), 'pods "web-0" not found'),
        (status("\x1b[2J\n"), "\\x1b[2J\\n"),
        (status(5), "5"),
        (status("x", kind="Pod"), None),
        (b'{"kind": "Status"}', None),
        (b'{"message": "x"}', None),
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b"null", None),
        (b"7", None),
        (b'"Status"', None),
        (b"\xff\xfe", None),
        (b"[" * 100_000, None),
        (b"<html>403 Forbidden</html>", None),
    ],
    ids=lambda value: ascii(value[:40]) if value else "none",
)
def test_the_message_of_a_status(body: bytes, message: str | None) -> None:
    assert status_message(body) == message


FORBIDDEN = 'pods "web-0" is forbidden: User "nobody" cannot create resource "pods/exec"'


@pytest.mark.parametrize(
    ("code", "body", "kind", "says", "helps"),
    [
        (401, status("Unauthorized"), Refused, "refused exec: Unauthorized", "log in again"),
        (401, b"", Refused, "HTTP 401 without a reason", "log in again"),
        (403, status(FORBIDDEN), Refused, f"exec is forbidden: {FORBIDDEN}", "get and create on pods/exec"),
        (403, b"", ProtocolRefused, "exec protocol: HTTP 403 without a reason", ""),
        (403, b"unable to upgrade", ProtocolRefused, "exec protocol: unable to upgrade", ""),
        (400, b"", ProtocolRefused, "exec protocol", ""),
        (400, status("container db is not valid for pod web-0"), Refused, "container db is not valid", ""),
        (404, status('pods "web-0" not found'), Refused, 'pods "web-0" not found', ""),
        (404, status("pod does not exist"), ConnectFailed, "the node does not know the pod", ""),
        (404, b"pod does not exist", ConnectFailed, "the node does not know the pod", ""),
        (409, status("conflict"), Refused, "conflict", ""),
        (429, status("too many requests"), ConnectFailed, "could not be started: too many requests", ""),
        (500, status("error dialing backend: EOF"), ConnectFailed, "error dialing backend", ""),
        (502, b"<html>bad gateway</html>\n", ConnectFailed, "<html>bad gateway</html>", ""),
        (503, b"", ConnectFailed, "HTTP 503 without a reason", ""),
        (504, b"", ConnectFailed, "HTTP 504 without a reason", ""),
        (302, b"", Refused, "HTTP 302 without a reason", ""),
        (200, b"", Refused, "HTTP 200 without a reason", ""),
    ],
)
def test_a_refused_exec(code: int, body: bytes, kind: type[Exception], says: str, helps: str) -> None:
    error = exec_refused(code, body)
    assert type(error) is kind
    assert says in str(error)
    assert helps in error.hint
    assert bool(helps) is bool(error.hint)


@pytest.mark.parametrize(
    ("code", "retryable"), [(429, True), (500, True), (503, True), (401, False), (403, False), (404, False)]
)
def test_only_what_may_pass_is_worth_another_try(code: int, retryable: bool) -> None:
    assert exec_refused(code, status("x")).retryable is retryable


@pytest.mark.parametrize(
    ("said", "asks"),
    [
        (
            'pods "a" is forbidden: User "u" cannot get resource "pods/exec" in API group "" in the namespace "shop"',
            "kubectl auth can-i get pods --subresource=exec -n shop",
        ),
        (
            'pods is forbidden: User "u" cannot list resource "pods" in API group "" at the cluster scope',
            "kubectl auth can-i list pods -A",
        ),
        (
            'User "u" cannot get resource "deployments" in API group "apps" in the namespace "shop": RBAC: no role',
            "kubectl auth can-i get deployments.apps -n shop",
        ),
        ('User "u" cannot get resource "pods; rm -rf ~" in API group "" in the namespace "shop"', ""),
        ("no relation found", ""),
        ("", ""),
    ],
)
def test_what_is_forbidden_comes_with_the_command_that_asks_for_it(said: str, asks: str) -> None:
    hint = rbac_hint(said)
    assert "get and create on pods/exec" in hint
    assert hint.partition("missing: ")[2] == asks


SELECTOR = "unable to parse requirement: found ',', expected: identifier"


@pytest.mark.parametrize(
    ("code", "body", "by_label", "kind", "says", "helps"),
    [
        (400, status(SELECTOR), True, UsageError, f"selector can't be understood: {SELECTOR}", "kubectl get pods -l"),
        (400, status("x"), False, ClusterError, "deploy/web can't be listed: x (HTTP 400)", ""),
        (401, status("Unauthorized"), True, ClusterError, "deploy/web can't be listed: Unauthorized", "log in again"),
        (403, status("forbidden"), True, Forbidden, "deploy/web can't be listed: forbidden", "get and list on pods"),
        (500, b"", True, ClusterError, "HTTP 500 without a reason (HTTP 500)", ""),
        (503, b"try later\n", True, ClusterError, "try later (HTTP 503)", ""),
    ],
)
def test_a_refused_list(code: int, body: bytes, by_label: bool, kind: type[Exception], says: str, helps: str) -> None:
    error = list_refused(code, body, "deploy/web", by_label=by_label)
    assert type(error) is kind
    assert says in str(error)
    assert helps in getattr(error, "hint", "")


@pytest.mark.parametrize(
    "body", [b"\x1b[2Jowned" + b"x" * 100_000, status("\x1b[2Jowned" + "x" * 100_000)], ids=["text", "Status"]
)
def test_what_a_server_says_is_escaped_and_short(body: bytes) -> None:
    for error in (exec_refused(418, body), list_refused(418, body, "pods", by_label=False)):
        assert "\x1b" not in str(error)
        assert "\\x1b[2Jowned" in str(error)
        assert len(str(error)) < 1200


def test_a_refusal_that_names_no_verb_is_taken_for_a_missing_create() -> None:
    body = b'{"kind": "Status", "message": "pods \\"web-0\\" is forbidden: ", "reason": "Forbidden", "code": 403}'
    error = exec_refused(403, body)
    assert "may not create pods/exec, it seems" in str(error)
    assert error.hint.endswith("kubectl auth can-i create pods --subresource=exec")


@pytest.mark.parametrize(
    ("code", "kind", "says", "retryable"),
    [
        (400, Refused, 'there is no such log: previous terminated container "a"', False),
        (401, Refused, "the API server refused the log", False),
        (403, Refused, "logs are forbidden", False),
        (404, Refused, "there is no such log", False),
        (429, ConnectFailed, "the log could not be read", True),
        (503, ConnectFailed, "the log could not be read", True),
    ],
)
def test_what_a_refused_log_means(code: int, kind: type[Exception], says: str, retryable: bool) -> None:
    error = log_refused(code, status('previous terminated container "a" in pod "b" not found'), "7")
    assert type(error) is kind
    assert says in str(error)
    assert error.retryable is retryable
    assert error.after_s == (7 if retryable else 0)


def test_who_may_not_read_logs_hears_the_verb() -> None:
    said = 'pods "b" is forbidden: User "u" cannot get resource "pods/log" in API group "" in the namespace "shop"'
    assert log_refused(403, status(said)).hint == (
        "the user needs the verb get on pods/log; this asks for what is missing: "
        "kubectl auth can-i get pods --subresource=log -n shop"
    )

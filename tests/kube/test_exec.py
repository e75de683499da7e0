"""Exec messages: what a server's bytes mean, also when the server is broken or hostile."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccp.errors import ProtocolViolation
from asynccp.kube.exec import CLOSE_STDIN, Stderr, Stdout, decode, decode_status, encode_status, stdin_message
from asynccp.status import ExitStatus


@pytest.mark.parametrize("message", [b"", b"\x00", b"\x01", b"\x02", b"\x03", b"\x04", b"\xff"])
def test_an_empty_message_means_nothing(message: bytes) -> None:
    assert decode(message) is None


@pytest.mark.parametrize("payload", [b"x", b"\0", b"\x01\x02\x03", bytes(32 * 1024)])
def test_output_is_passed_on_as_it_came(payload: bytes) -> None:
    out, err = decode(b"\x01" + payload), decode(b"\x02" + payload)
    assert isinstance(out, Stdout)
    assert isinstance(err, Stderr)
    assert bytes(out.data) == bytes(err.data) == payload


@pytest.mark.parametrize("channel", [0, 4, 5, 49, 254, 255])
def test_a_channel_that_servers_do_not_send_on_is_a_violation(channel: int) -> None:
    with pytest.raises(ProtocolViolation, match=f"1 bytes on channel {channel}"):
        decode(bytes((channel, 65)))


def test_messages_to_the_server() -> None:
    assert stdin_message(b"ab\n") == b"\x00ab\n"
    assert CLOSE_STDIN == b"\xff\x00"


def failure(**facts: Any) -> dict[str, Any]:
    return {"metadata": {}, "status": "Failure", **facts}


def exited(code: Any, reason: str = "ExitCode") -> dict[str, Any]:
    return failure(
        message=f"command terminated with exit code {code}",
        reason="NonZeroExitCode",
        details={"causes": [{"reason": reason, "message": code}]},
    )


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ({"status": "Success"}, 0, ""),
        ({"metadata": {}, "status": "Success", "message": "ignored"}, 0, ""),
        (exited("1"), 1, "command terminated with exit code 1"),
        (exited("137"), 137, "command terminated with exit code 137"),
        (exited("2", reason="Other"), None, "command terminated with exit code 2"),
        (
            failure(
                reason="InternalError",
                message='error executing command in container: exec: "tar": executable file not found in $PATH',
                code=500,
            ),
            None,
            'error executing command in container: exec: "tar": executable file not found in $PATH',
        ),
        (failure(reason="Timeout"), None, "Timeout"),
        (failure(message="", reason="Timeout"), None, "Timeout"),
        (failure(message="", reason=""), None, "no reason given"),
        (failure(), None, "no reason given"),
        (failure(details=None), None, "no reason given"),
        (failure(details={}), None, "no reason given"),
        (failure(details={"causes": None}), None, "no reason given"),
        (failure(details={"causes": []}), None, "no reason given"),
        (failure(message="\x1b[2J\nowned"), None, "\\x1b[2J\\nowned"),
        (failure(message=["not", "text"]), None, "['not', 'text']"),
        ({"status": "success"}, None, "no reason given"),
        ({"status": None}, None, "no reason given"),
        ({"status": ["Success"]}, None, "no reason given"),
    ],
)
def test_what_a_closing_status_says(status: dict[str, Any], code: int | None, message: str) -> None:
    assert decode_status(json.dumps(status).encode()) == ExitStatus(code, message)
    assert decode(b"\x03" + json.dumps(status).encode()) == ExitStatus(code, message)


@pytest.mark.parametrize("code", ["0", 0, "00", " 0 ", "-0"])
def test_a_failure_with_exit_code_zero_is_still_no_success(code: Any) -> None:
    assert decode_status(json.dumps(exited(code)).encode()).code != 0


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"x",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b"0",
        b'"Success"',
        b'["status"]',
        b'{"kind": "Status"}',
        b"\xff\xfe\x00",
        b'{"status": "Success"',
        b'{"status": "Success"} trailing',
        b'{"status": "Failure", "details": "x"}',
        b'{"status": "Failure", "details": {"causes": 5}}',
        b'{"status": "Failure", "details": {"causes": ["x"]}}',
        b'{"status": "Failure", "details": {"causes": [{"reason": "ExitCode"}]}}',
        b'{"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": ""}]}}',
        b'{"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": null}]}}',
        b'{"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": 1e999}]}}',
        b'{"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": NaN}]}}',
        b'{"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "' + b"9" * 5000 + b'"}]}}',
        b'{"status": "Failure", "code": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda payload: ascii(payload[:90]),
)
def test_a_status_that_cannot_be_read_is_a_violation(payload: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="closing status can't be read"):
        decode_status(payload)


def test_a_broken_status_is_told_escaped_and_short() -> None:
    with pytest.raises(ProtocolViolation) as caught:
        decode_status(b"\x1b[2J\n" + b"x" * 100_000)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_break_the_protocol(message: bytes) -> None:
    try:
        event = decode(message)
    except ProtocolViolation:
        return
    assert event is None or isinstance(event, Stdout | Stderr | ExitStatus)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["causes", "reason", "message"]), inner)
    ),
    max_leaves=10,
)


@given(
    st.fixed_dictionaries(
        {"status": json_values},
        optional={"message": json_values, "reason": json_values, "details": json_values},
    )
)
def test_no_json_does_more_than_break_the_protocol(status: dict[str, Any]) -> None:
    try:
        found = decode_status(json.dumps(status).encode())
    except ProtocolViolation:
        return
    assert (found.code == 0) == (status["status"] == "Success")


@pytest.mark.parametrize(
    "status", [ExitStatus(0), ExitStatus(1), ExitStatus(255), ExitStatus(None, "container not found"), ExitStatus(137)]
)
def test_a_status_survives_the_wire(status: ExitStatus) -> None:
    message = encode_status(status)
    found = decode(message)
    assert isinstance(found, ExitStatus)
    assert found.code == status.code
    if status.code is None:
        assert found.message == status.message
    assert json.loads(message[1:])["status"] == ("Success" if status.code == 0 else "Failure")

"""The fake's logs: the lines that a real API server would send, and its words where there are none."""

from datetime import UTC, datetime, timedelta

import pytest

from asynccp.testing.documents import ApiError
from asynccp.testing.logs import log_lines
from asynccp.testing.pod import Container, FakePod

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
OLD, NEW = NOW - timedelta(hours=2), NOW - timedelta(minutes=1)


def pod(waiting: str = "") -> FakePod:
    made = FakePod("web-0", containers=[Container("main", waiting=waiting)])
    made.containers[0].log = [(OLD, b"one\n"), (NEW, b"two\n"), (NEW, b"three")]
    return made


@pytest.mark.parametrize(
    ("query", "log"),
    [
        ({}, b"one\ntwo\nthree"),
        ({"tailLines": "2"}, b"two\nthree"),
        ({"tailLines": "0"}, b""),
        ({"tailLines": "9"}, b"one\ntwo\nthree"),
        ({"sinceSeconds": "3600"}, b"two\nthree"),
        ({"sinceSeconds": "10"}, b""),
        ({"sinceSeconds": "3600", "tailLines": "1"}, b"three"),
        ({"timestamps": "true", "tailLines": "1"}, b"2026-11-29T11:59:00.000000000Z three"),
    ],
)
def test_the_lines_that_a_query_means(query: dict[str, str], log: bytes) -> None:
    made = pod()
    assert b"".join(log_lines(made, made.container(), query, NOW)) == log


def test_a_container_that_waits_to_be_started_again_has_what_the_last_one_said() -> None:
    made = pod(waiting="CrashLoopBackOff")
    made.containers[0].previous = [(OLD, b"died\n")]
    for query in ({}, {"previous": "true"}):
        assert b"".join(log_lines(made, made.container(), query, NOW)) == b"died\n"


@pytest.mark.parametrize(
    ("waiting", "query", "says"),
    [
        ("", {"previous": "true"}, 'previous terminated container \\"main\\" in pod \\"web-0\\" not found'),
        (
            "ContainerCreating",
            {},
            'container \\"main\\" in pod \\"web-0\\" is waiting to start: ContainerCreating',
        ),
    ],
)
def test_where_there_is_no_log_a_real_servers_words_say_so(waiting: str, query: dict[str, str], says: str) -> None:
    made = pod(waiting)
    with pytest.raises(ApiError) as caught:
        list(log_lines(made, made.container(), query, NOW))
    assert caught.value.code == 400
    assert says in caught.value.body

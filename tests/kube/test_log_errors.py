"""A node's excuse at the end of a log is none of its lines, and what a container says is no excuse."""

import pytest

from asynccp.errors import NoSuchPath, SessionLost
from asynccp.kube.log_errors import gave_up
from asynccp.target import Log, Target

TARGET = Target("shop", "web-0", "main", uid="u-1")
FILE = b"/var/log/pods/shop_web-0_u-1/main/0.log"
NO_STATUS = b"unable to retrieve container logs for containerd://8c6607eebc33cf3b"


@pytest.mark.parametrize("before", [b"", b"line\n", b"no end"])
@pytest.mark.parametrize(
    "excuse",
    [
        NO_STATUS,
        b'failed to try resolving symlinks in path "%b": lstat %b: no such file or directory' % (FILE, FILE),
        b'failed to open log file "%b": open %b: no such file or directory' % (FILE, FILE),
        b'failed to tail 5 lines of log file "%b": read error' % FILE,
        b'failed to seek 7 in log file "%b": read error' % FILE,
        b'failed to read log file "%b": input/output error' % FILE,
    ],
)
def test_a_node_that_gave_up_is_heard_and_asked_again(before: bytes, excuse: bytes) -> None:
    error = gave_up(before + excuse, TARGET, Log())
    assert isinstance(error, SessionLost)
    assert error.retryable
    assert str(error).endswith(excuse.decode())


def test_a_log_from_before_a_restart_may_be_gone_for_good() -> None:
    error = gave_up(NO_STATUS, TARGET, Log(previous=True))
    assert isinstance(error, NoSuchPath)
    assert not error.retryable


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"line\n",
        NO_STATUS + b"\n",
        NO_STATUS + b" again",
        NO_STATUS + b"\nline",
        b"unable to retrieve container logs for me",
        b'failed to open log file "/var/log/app.log": permission denied',
        b'failed to open log file "/var/log/pods/shop_web-1_u-2/main/0.log": permission denied',
        b'failed to read log file "%b": input/output error\n' % FILE,
    ],
)
def test_what_a_container_says_itself_is_its_log(said: bytes) -> None:
    assert gave_up(said, TARGET, Log()) is None


def test_what_a_node_says_moves_no_cursor() -> None:
    assert str(gave_up(b'failed to read log file "%b": \x1b[2J' % FILE, TARGET, Log())).isprintable()

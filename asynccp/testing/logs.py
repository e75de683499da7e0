"""What the fake API server says to who asks for a log, as an API server and a kubelet do. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from asynccp.testing.documents import bad_request
from asynccp.testing.pod import Container, FakePod

Line = tuple[datetime, bytes]


def log_lines(pod: FakePod, container: Container, query: Mapping[str, str], now: datetime) -> Iterator[bytes]:
    """Yield the lines of a log that a query (v1.PodLogOptions) means.

    Raises ApiError, 400, with the words of kubelet's validateContainerLogStatus.
    """
    lines = _log(pod, container, previous=query.get("previous") == "true")
    if since := query.get("sinceSeconds"):
        begin = now - timedelta(seconds=int(since))
        lines = [one for one in lines if one[0] >= begin]
    if tail := query.get("tailLines"):
        lines = lines[len(lines) - int(tail) :] if int(tail) < len(lines) else lines
    for moment, line in lines:
        yield (_stamp(moment) if query.get("timestamps") == "true" else b"") + line


def _log(pod: FakePod, container: Container, *, previous: bool) -> list[Line]:
    state, reason = pod.state(container)
    if previous:
        if container.previous is None:
            raise bad_request(f'previous terminated container "{container.name}" in pod "{pod.name}" not found')
        return container.previous
    if state != "waiting":
        return container.log
    if container.previous is not None:  # of one that waits to be started again, the last that ran
        return container.previous
    raise bad_request(f'container "{container.name}" in pod "{pod.name}" is waiting to start: {reason}')


def _stamp(moment: datetime) -> bytes:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z ").encode()

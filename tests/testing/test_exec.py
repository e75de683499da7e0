"""Exec sessions, as a client sees them. Each of these was seen on a real 1.34 cluster too, unless it says otherwise."""

import gc
import json
import os
import resource
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import anyio
import pytest
from anyio import to_thread

from asynccp.kube.exec import CLOSE_STDIN, STDOUT, V4, V5, stdin_message
from asynccp.status import ExitStatus
from asynccp.testing.kinds import distroless
from asynccp.testing.pod import Container, FakePod
from asynccp.testing.server import FakeCluster
from tests.testing.exec_client import Client, listen

MIB = 1024 * 1024
BOTH = pytest.mark.parametrize("protocol", [V4, V5])


@pytest.fixture
def root(cluster: FakeCluster) -> Path:
    """The file system of web-1."""
    return cluster.directory / "default" / "web-1" / "main"


@BOTH
async def test_a_command_reads_stdin_and_writes_stdout(client: Client, protocol: str) -> None:
    session = await client.open("web-1", "sh", "-c", "head -c 6", protocol=protocol)
    await session.send_bytes(stdin_message(b"one"))
    await session.send_bytes(stdin_message(b"two"))
    heard = await listen(session)
    assert session.protocol == protocol
    assert (heard.stdout, heard.status, heard.close_code) == (b"onetwo", ExitStatus(0), 1000)


@BOTH
async def test_the_first_message_is_empty_and_the_last_is_the_status(client: Client, protocol: str) -> None:
    heard = await client.run("web-1", "echo", "hello", protocol=protocol)
    assert heard.messages[:2] == [b"\x01", b"\x01hello\n"]
    assert json.loads(heard.messages[-1][1:]) == {"metadata": {}, "status": "Success"}


@pytest.mark.parametrize(
    ("channels", "first"), [(["stdin", "stdout"], b"\x01"), (["stderr"], b"\x02"), (["stdin"], b"\x03")]
)
async def test_only_what_is_asked_for_is_sent(client: Client, channels: list[str], first: bytes) -> None:
    heard = await client.run("web-1", "sh", "-c", "echo out; echo err >&2", channels=channels)
    assert heard.messages[0] == first
    assert heard.stdout == (b"out\n" if "stdout" in channels else b"")
    assert heard.stderr == (b"err\n" if "stderr" in channels else b"")
    assert heard.status == ExitStatus(0)


async def test_v5_closes_stdin(client: Client) -> None:
    session = await client.open("web-1", "cat", protocol=V5)
    await session.send_bytes(stdin_message(b"all"))
    await session.send_bytes(CLOSE_STDIN)
    await session.send_bytes(CLOSE_STDIN)
    await session.send_bytes(stdin_message(b"too late"))
    heard = await listen(session)
    assert (heard.stdout, heard.status) == (b"all", ExitStatus(0))


async def test_v4_ignores_the_message_that_closes_stdin(client: Client) -> None:
    session = await client.open("web-1", "head", "-c", "2")
    for message in (stdin_message(b"a"), CLOSE_STDIN, b"", b"\x09?", stdin_message(b"b")):
        await session.send_bytes(message)
    assert (await listen(session)).stdout == b"ab"


@pytest.mark.parametrize("message", [b"\xff", b"\xff\x00\x00", b"\xff\x09"])
async def test_v5_ends_the_session_on_a_bad_close(client: Client, message: bytes) -> None:
    session = await client.open("web-1", "cat", protocol=V5)
    await session.send_bytes(message)
    heard = await listen(session)
    assert (heard.messages, heard.close_code) == ([b"\x01"], 1000)


@BOTH
@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
async def test_exit_codes(client: Client, protocol: str, code: int) -> None:
    heard = await client.run("web-1", "sh", "-c", f"exit {code}", protocol=protocol)
    assert heard.status is not None
    assert heard.status.code == code


@pytest.mark.parametrize(("signal", "code"), [("KILL", 137), ("TERM", 143)])
async def test_a_killed_command_ends_with_128_and_the_signal(client: Client, signal: str, code: int) -> None:
    heard = await client.run("web-1", "sh", "-c", f"kill -{signal} $$")
    assert heard.status is not None
    assert heard.status.code == code


async def test_stdout_comes_in_pieces_of_32_kib(client: Client, root: Path) -> None:
    (root / "zeros").write_bytes(bytes(MIB))
    heard = await client.run("web-1", "cat", "/zeros")
    assert heard.stdout == bytes(MIB)
    assert max(map(len, heard.messages)) <= 32 * 1024 + 1


async def test_all_output_comes_before_the_status(client: Client) -> None:
    heard = await client.run("web-1", "sh", "-c", "head -c 300000 </dev/zero; head -c 300000 </dev/zero >&2; exit 7")
    assert (len(heard.stdout), len(heard.stderr)) == (300_000, 300_000)
    assert heard.status is not None
    assert heard.status.code == 7


@BOTH
async def test_a_program_that_is_missing_is_an_internal_error(client: Client, protocol: str) -> None:
    await client.cluster.add_pod(FakePod("slim", containers=[Container("main", distroless())]))
    heard = await client.run("slim", "tar", "cf", "-", ".", protocol=protocol)
    status = json.loads(heard.messages[-1][1:])
    assert (status["status"], status["reason"], status["code"]) == ("Failure", "InternalError", 500)
    times = 2 if protocol == V5 else 1
    assert status["message"].startswith("Internal error occurred: " * times + "error executing command in container: ")
    assert 'exec: "tar": executable file not found in $PATH' in status["message"]
    assert heard.status is not None
    assert heard.status.code is None


async def test_a_program_named_by_its_path_is_looked_for_in_the_pod_first(client: Client, root: Path) -> None:
    (root / "own").write_text("#!/bin/sh\necho mine\n")
    (root / "own").chmod(0o755)
    assert (await client.run("web-1", "/own")).stdout == b"mine\n"
    assert (await client.run("web-1", "/bin/sh", "-c", "echo machine")).stdout == b"machine\n"
    missing = (await client.run("web-1", "/nope")).status
    assert missing is not None
    assert 'exec: "/nope": stat /nope: no such file or directory' in missing.message
    (root / "own").chmod(0o644)
    refused = (await client.run("web-1", "/own")).status
    assert refused is not None
    assert 'exec: "/own": permission denied' in refused.message


async def test_paths_mean_the_pod_and_complaints_name_them_as_the_pod_would(client: Client, root: Path) -> None:
    (root / "etc").mkdir()
    (root / "etc" / "name").write_text("inside")
    heard = await client.run("web-1", "cat", "/etc/name", "/../../../etc/name", "/etc/nothing")
    assert heard.stdout == b"insideinside"
    assert b"/etc/nothing" in heard.stderr
    assert os.fsencode(root) not in heard.stderr


async def test_words_are_bytes(client: Client) -> None:
    heard = await client.run("web-1", "sh", "-c", 'printf %s "$1"', "sh", "a b+c&d=\n%41\udcff€")
    assert heard.stdout == b"a b+c&d=\n%41\xff\xe2\x82\xac"


async def test_home_and_temporary_files_are_in_the_pod(client: Client, root: Path) -> None:
    heard = await client.run("web-1", "sh", "-c", 'echo "$HOME $TMPDIR $HOSTNAME"; pwd')
    assert heard.stdout.decode() == f"{root} {root}/tmp web-1\n{root}\n"


async def test_a_client_that_does_not_read_stops_the_command(client: Client, root: Path) -> None:
    script = 'head -c 67108864 </dev/zero; echo done >"$1"'
    stalled = await client.open("web-1", "sh", "-c", script, "sh", "/done")
    before = peak_memory()
    await move_bytes(client, 128 * MIB)  # time enough for twice as much
    assert not (root / "done").exists()
    assert peak_memory() - before < 24 * MIB
    assert await count_stdout(stalled) == 64 * MIB
    assert (root / "done").exists()


async def test_a_command_that_does_not_read_stops_the_client(client: Client, root: Path) -> None:
    os.mkfifo(root / "go")
    session = await client.open("web-1", "sh", "-c", 'read -r _ <"$1"; head -c 67108864 | wc -c', "sh", "/go")
    sent = 0

    async def send() -> None:
        nonlocal sent
        message = stdin_message(bytes(MIB // 4))
        for _ in range(256):
            await session.send_bytes(message)
            sent += len(message) - 1

    before = peak_memory()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        await move_bytes(client, 128 * MIB)
        assert sent < 32 * MIB
        assert peak_memory() - before < 24 * MIB
        await to_thread.run_sync((root / "go").write_text, "go\n")
        assert (await listen(session)).stdout.split() == [b"67108864"]


async def test_stdin_ends_when_the_client_goes_but_the_command_lives_on(client: Client, root: Path) -> None:
    os.mkfifo(root / "ended")
    script = 'cat >/dev/null; echo $$ >"$1"; while echo more; do :; done'
    session = await client.open("web-1", "sh", "-c", script, "sh", "/ended")
    await session.close()
    pid = int(await to_thread.run_sync((root / "ended").read_text))
    assert len(client.cluster.running_processes()) == 1
    os.kill(pid, 0)  # blocked on a full pipe, as in a real pod
    await client.cluster.delete_pod("web-1")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_connection_that_breaks_ends_stdin_too(client: Client, root: Path) -> None:
    os.mkfifo(root / "ended")
    async with aiohttp.ClientSession() as http:
        url = client.url("web-1", ["sh", "-c", 'cat >/dev/null; echo yes >"$1"; exit 0', "sh", "/ended"])
        session = await http.ws_connect(url, protocols=(V4,))
        await session.send_bytes(stdin_message(b"half of it"))
        connection = session.get_extra_info("socket")
        connection.shutdown(socket.SHUT_RDWR)
        assert await to_thread.run_sync((root / "ended").read_text) == "yes\n"
        await session.close()
    await client.cluster.wait_idle()


async def test_a_deleted_pod_ends_its_sessions_with_137(client: Client) -> None:
    session = await client.open("web-1", "sh", "-c", "echo up; sleep 1000; echo never")
    assert [(await session.receive()).data for _ in range(2)] == [b"\x01", b"\x01up\n"]
    await client.cluster.delete_pod("web-1")
    heard = await listen(session)
    assert heard.stdout == b""
    assert heard.status is not None
    assert heard.status.code == 137
    with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
        await client.open("web-1", "true")


async def test_a_restart_kills_the_commands_of_that_container_only(client: Client) -> None:
    pod = await client.cluster.add_pod("two", containers=[Container("a"), Container("b")])
    sessions = [await client.open("two", "sh", "-c", "echo up; read -r x", container=name) for name in "ab"]
    for session in sessions:
        assert [(await session.receive()).data for _ in range(2)] == [b"\x01", b"\x01up\n"]
    await client.cluster.restart_container(pod, "a")
    killed = (await listen(sessions[0])).status
    assert killed is not None
    assert killed.code == 137
    assert len(client.cluster.running_processes()) == 1
    await sessions[1].send_bytes(stdin_message(b"on\n"))
    assert (await listen(sessions[1])).status == ExitStatus(0)
    assert [one.restarts for one in pod.containers] == [1, 0]


async def test_what_a_command_leaves_behind_is_seen_and_killed(client: Client, root: Path) -> None:
    script = 'sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >"$1"'
    heard = await client.run("web-1", "sh", "-c", script, "sh", "/pid")
    assert heard.status == ExitStatus(0)
    assert len(client.cluster.running_processes()) == 1
    await client.cluster.delete_pod("web-1")
    assert client.cluster.running_processes() == []


async def test_output_is_awaited_from_whoever_holds_it(client: Client, root: Path) -> None:
    os.mkfifo(root / "go")
    session = await client.open("web-1", "sh", "-c", '{ read -r x <"$1"; echo $x; } & exit 3', "sh", "/go")
    await to_thread.run_sync((root / "go").write_text, "late\n")
    heard = await listen(session)
    assert heard.stdout == b"late\n"
    assert heard.status is not None
    assert heard.status.code == 3


async def test_a_command_that_closes_an_output_loses_its_stdin(client: Client) -> None:
    session = await client.open("web-1", "sh", "-c", "exec 2>&-; cat; echo end")
    heard = await listen(session)
    assert (heard.stdout, heard.status) == (b"end\n", ExitStatus(0))


async def test_a_runtime_without_that_habit(tmp_path: Path) -> None:
    async with FakeCluster(tmp_path, closes_stdin_early=False) as cluster, aiohttp.ClientSession() as http:
        await cluster.add_pod("web-1")
        session = await Client(cluster, http).open("web-1", "sh", "-c", "exec 2>&-; head -c 1; echo end")
        await session.send_bytes(stdin_message(b"x"))
        assert (await listen(session)).stdout == b"xend\n"


async def test_a_terminal_has_one_output(client: Client) -> None:
    heard = await client.run("web-1", "sh", "-c", "echo out; echo err >&2", channels=["stdin", "stdout", "tty"])
    assert heard.stdout == b"out\nerr\n"


async def test_many_sessions_at_once(client: Client) -> None:
    names = [f"many-{number}" for number in range(50)]
    said: dict[str, bytes] = {}

    async def run(name: str) -> None:
        await client.cluster.add_pod(name)
        said[name] = (await client.run(name, "sh", "-c", "echo $HOSTNAME")).stdout

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(run, name)
    assert said == {name: f"{name}\n".encode() for name in names}


@pytest.mark.timeout(30)  # aiohttp would wait for sessions for a minute, and the command sleeps for longer
async def test_a_cluster_that_stops_kills_and_hangs_up_at_once(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        stack = AsyncExitStack()
        cluster = await stack.enter_async_context(FakeCluster(tmp_path))
        await cluster.add_pod("web-1")
        client = Client(cluster, http)
        reading = await client.open("web-1", "sh", "-c", "echo $$; sleep 1000")
        stalled = await client.open("web-1", "sh", "-c", "while echo more; do :; done")
        await reading.receive()
        pid = int((await reading.receive()).data[1:])
        await stack.aclose()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert (await listen(reading)).status is None
        assert (await listen(stalled)).status is None


async def test_a_cluster_that_stops_while_commands_start_leaves_none(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http, AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(FakeCluster(tmp_path))
        await cluster.add_pod("web-1")
        for _ in range(10):
            await Client(cluster, http).open("web-1", "sleep", "1000")
        await stack.aclose()
        assert cluster.running_processes() == []
        gc.collect()  # a child that nobody waited for is a ResourceWarning


async def move_bytes(client: Client, size: int) -> None:
    """Let some time go by, in which other sessions get their turn."""
    session = await client.open("web-1", "sh", "-c", f"head -c {size} </dev/zero")
    assert await count_stdout(session) == size


async def count_stdout(session: aiohttp.ClientWebSocketResponse) -> int:
    """Hear a session to its end, and keep nothing of it but its size."""
    return sum([len(message.data) - 1 async for message in session if message.data[0] == STDOUT])


def peak_memory() -> int:
    """Return the most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

"""Ability: what one container can do its part of a copy by, found out by an exec that changes nothing."""

from asynccp.engine.alone import has_trusted_tar
from asynccp.errors import CommandFailed, ProtocolRefused, SessionLost, ShellMissing
from asynccp.kube.base import Cluster
from asynccp.kube.exec import V4, V5, Stderr, Stdout
from asynccp.remote.dialogue import verdict
from asynccp.remote.script import ABSOLUTE_SHELL, SHELL
from asynccp.remote.tools import MOST_SIZE, PROGRAMS, TAR_ALONE, Ability, ability, tools_command
from asynccp.status import ExitStatus
from asynccp.target import Target
from asynccp.text import printable


async def ability_of(cluster: Cluster, target: Target) -> Ability:
    """Ask a target for its programs, by the first subprotocol and shell that will do. Raises TransferError."""
    try:
        return await _asked(cluster, target, V4)
    except ProtocolRefused:
        return await _asked(cluster, target, V5)


async def _asked(cluster: Cluster, target: Target, protocol: str) -> Ability:
    try:
        return ability(await _programs(cluster, target, protocol, SHELL))
    except ShellMissing:
        pass
    try:
        return ability(await _programs(cluster, target, protocol, ABSOLUTE_SHELL))
    except ShellMissing:
        if await has_trusted_tar(cluster, target, protocol):
            return TAR_ALONE
        raise


async def _programs(cluster: Cluster, target: Target, protocol: str, shell: str) -> set[str]:
    said, complaints = b"", b""
    async with cluster.open_exec(target, tools_command(shell).argv, protocol) as session:
        while (event := await session.receive()) is not None:
            match event:
                case Stdout(payload) if len(said) < MOST_SIZE:
                    said += bytes(payload[:MOST_SIZE])
                case Stderr(payload) if len(complaints) < MOST_SIZE:
                    complaints += bytes(payload[:MOST_SIZE])
                case ExitStatus(code=0):
                    return {word for word in said.decode("ascii", "replace").split() if word in PROGRAMS}
                case ExitStatus():
                    raise verdict(None, event, printable(complaints, 200)) or CommandFailed(event.message)
    raise SessionLost(f"the session ended without a status{session.ending and ': '}{session.ending}")

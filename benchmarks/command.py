"""Commands: what somebody would type to push a directory to a fleet, or to pull one from it. Pure.

All of them copy the contents of one directory: into DESTINATION in each pod, or into OUT/POD for each pod.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet import SELECTOR, Fleet


@dataclass(frozen=True, slots=True)
class Command:
    """stdin: what it reads there."""

    argv: tuple[str, ...]
    stdin: str = ""


def asynccp_push(fleet: Fleet, source: Path, destination: str, *flags: str) -> Command:
    return _asynccp("push", fleet, *flags, "-l", f"{SELECTOR}:{destination}", f"{source}/")


def asynccp_diff(fleet: Fleet, source: Path, destination: str, *flags: str) -> Command:
    return _asynccp("diff", fleet, *flags, "-l", f"{SELECTOR}:{destination}", f"{source}/")


def asynccp_pull(fleet: Fleet, source: str, out: Path, *flags: str) -> Command:
    return _asynccp("pull", fleet, *flags, "-l", f"{SELECTOR}:{source}/", str(out))


def kubectl_cp_push(fleet: Fleet, source: Path, destination: str, at_once: int) -> Command:
    return _each(fleet, at_once, "kubectl", "-n", fleet.namespace, "cp", str(source), f"{{}}:{destination}")


def kubectl_cp_pull(fleet: Fleet, source: str, out: Path, at_once: int) -> Command:
    return _each(fleet, at_once, "kubectl", "-n", fleet.namespace, "cp", f"{{}}:{source}", f"{out}/{{}}")


def exec_tar_push(fleet: Fleet, source: Path, destination: str, at_once: int) -> Command:
    pod = f"mkdir -p {destination} && tar xf - -C {destination}"
    script = f"tar cf - -C {source} . | kubectl -n {fleet.namespace} exec -i {{}} -- sh -c '{pod}'"
    return _each(fleet, at_once, "bash", "-o", "pipefail", "-c", script)


def exec_tar_pull(fleet: Fleet, source: str, out: Path, at_once: int, linger_s: int = 0) -> Command:
    """linger_s: for so long the pod's shell stays after its tar, so that no server closes while bytes are under way."""
    pack = f"sh -c 'tar cf - -C {source} . && sleep {linger_s}'" if linger_s else f"tar cf - -C {source} ."
    pull = f"kubectl -n {fleet.namespace} exec {{}} -- {pack} | tar xf - -C {out}/{{}}"
    return _each(fleet, at_once, "bash", "-o", "pipefail", "-c", f"mkdir -p {out}/{{}} && {pull}")


def ansible_push(fleet: Fleet, source: Path, destination: str) -> Command:
    return _playbook(fleet, "to_pod", source, destination)


def ansible_pull(fleet: Fleet, source: str, out: Path) -> Command:
    return _playbook(fleet, "from_pod", out / "{{ inventory_hostname }}", source)


def python_push(fleet: Fleet, source: Path, destination: str) -> Command:
    return _python_client(fleet, "push", source, destination)


def python_pull(fleet: Fleet, source: str, out: Path) -> Command:
    return _python_client(fleet, "pull", out, source)


def kr8s_pull(fleet: Fleet, source: str, out: Path) -> Command:
    run = (sys.executable, "-m", "benchmarks.peers.kr8s_client")
    return Command((*run, fleet.namespace, str(out), source, *fleet.pods))


def everywhere(fleet: Fleet, *argv: str) -> Command:
    """Return what runs a command in every pod, as asynccp would."""
    return Command((sys.executable, "-m", "benchmarks.execs", fleet.namespace, SELECTOR, *argv))


def _asynccp(direction: str, fleet: Fleet, *arguments: str) -> Command:
    return Command((sys.executable, "-m", "asynccp", direction, "-q", "-n", fleet.namespace, *arguments))


def _playbook(fleet: Fleet, state: str, local: Path, remote: str) -> Command:
    variables = {
        "ansible_python_interpreter": sys.executable,
        "namespace": fleet.namespace,
        "state": state,
        "local": str(local),
        "remote": remote,
    }
    inventory = ",".join(fleet.pods) + ","
    run = (sys.executable, "-m", "ansible", "playbook", "-f", str(len(fleet.pods)), "-i", inventory)
    return Command((*run, "-e", json.dumps(variables), str(Path(__file__).parent / "peers" / "k8s_cp.yml")))


def _python_client(fleet: Fleet, direction: str, local: Path, remote: str) -> Command:
    run = (sys.executable, "-m", "benchmarks.peers.python_client", direction)
    return Command((*run, fleet.namespace, str(local), remote, *fleet.pods))


def _each(fleet: Fleet, at_once: int, *argv: str) -> Command:
    """Return a command for each pod, so many at once; for one pod, that command alone."""
    if len(fleet.pods) == 1:
        return Command(tuple(word.replace("{}", fleet.pods[0]) for word in argv))
    return Command(("xargs", "-P", str(at_once), "-I", "{}", *argv), "\n".join(fleet.pods))

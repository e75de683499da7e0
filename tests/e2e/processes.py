"""Processes: what runs in a container besides its first process, as the container itself sees it."""

from tests.e2e.fleet import Fleet, sh
from tests.e2e.running import eventually

_LIST = 'for p in /proc/[0-9]*; do echo "${p#/proc/}"; cat "$p/cmdline" 2>/dev/null; echo; done'
_LOOKING = "who-is-there"  # marks the processes that look, which don't count


def processes(fleet: Fleet, pod: str) -> dict[int, list[bytes]]:
    """Return pid → argv of all but the container's first process."""
    lines = sh(fleet, pod, "sh", "-c", _LIST, _LOOKING).replace(b"\n\n", b"\n").decode("latin-1")
    found: dict[int, list[bytes]] = {}
    pid = 0
    for line in lines.split("\n"):
        if line.isdigit():
            pid = int(line)
        elif line and pid:
            found.setdefault(pid, line.encode("latin-1").rstrip(b"\0").split(b"\0"))
    return {
        pid: argv
        for pid, argv in found.items()
        if pid != 1 and _LOOKING.encode() not in argv and argv[0] not in (b"cat", b"/bin/cat")
    }


def signal_tar(fleet: Fleet, pod: str, name: str, within_s: float = 30.0) -> None:
    """Send a signal (`STOP`, `KILL` …) to every tar in the container; wait for one to be there."""
    found: list[int] = []

    def tar_runs() -> bool:
        found[:] = [pid for pid, argv in processes(fleet, pod).items() if argv[0].rpartition(b"/")[2] == b"tar"]
        return bool(found)

    eventually(f"tar runs in {pod}", tar_runs, within_s)
    sh(fleet, pod, "sh", "-c", f"kill -{name} {' '.join(map(str, found))}")


_STATES = """
for p in /proc/[0-9]*; do
    pid=${p#/proc/}
    { while read -r key value _; do
        case $key in Name:) name=$value ;; State:) echo "$pid $name $value" && break ;; esac
    done <"$p/status"; } 2>/dev/null
done
echo "$$ $PPID"
"""


def remains(fleet: Fleet, pod: str) -> list[str]:
    """Return name and state of all but the container's first process, who looks, and its parent: what has died without
    being waited for stays as a zombie there (Z) where the first one waits for nobody."""
    found = [line.split() for line in sh(fleet, pod, "sh", "-c", _STATES).decode().splitlines()]
    looks = found.pop()
    return [f"{name} {state}" for pid, name, state in found if pid not in ("1", *looks)]


def assert_all_ended(fleet: Fleet, *pods: str, within_s: float = 10.0) -> None:
    """Fail when anything but the first process is still there after `within_s`, in any state."""
    for pod in pods:
        try:
            eventually("", lambda pod=pod: not remains(fleet, pod), within_s)  # type: ignore[misc]
        except AssertionError:
            raise AssertionError(f"left in {pod}: {remains(fleet, pod)}") from None

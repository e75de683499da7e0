"""python -m benchmarks SELECTOR [RUNS]: push and pull with asynccp and with kubectl cp, in turn; medians and ratios.

Every pod that SELECTOR matches needs tar. Each run's result is checked, file by file: a copy that is short counts as a
failure, not as a time.
"""

import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PARALLEL = 8  # kubectl processes at once; more made it slower on two cores


def main() -> None:
    selector, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    pods = _output(["kubectl", "get", "pods", "-l", selector, "-o", "jsonpath={.items[*].metadata.name}"]).split()
    if not pods:
        sys.exit(f"no pod matches {selector}")
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        _make(here / "config", files=200, size=7500)
        _make(here / "blob", files=1, size=32 * 1024 * 1024)
        print(f"{len(pods)} pods, {runs} runs, {os.cpu_count()} cores; {_output(['kubectl', 'version'])!r}\n")
        print("| what | asynccp, s | kubectl cp, s | ratio |\n|---|---|---|---|")
        for name in ("config", "blob"):
            _compare(
                f"push {name}",
                runs,
                lambda name=name: _push(here, name, selector),
                lambda name=name: _cp_in(here, name, pods),
            )
            _compare(
                f"pull {name}",
                runs,
                lambda name=name: _pull(here, name, selector),
                lambda name=name: _cp_out(here, name, pods),
            )


def _compare(what: str, runs: int, ours: Callable[[], bool], theirs: Callable[[], bool]) -> None:
    times: tuple[list[float], list[float]] = ([], [])
    whole = [0, 0]
    for _ in range(runs):
        for side, copy in enumerate((ours, theirs)):
            begun = time.monotonic()
            whole[side] += copy()
            times[side].append(time.monotonic() - begun)
    medians = [statistics.median(side) for side in times]
    short = "".join(
        f", {runs - count} short by {who}"
        for who, count in zip(("asynccp", "kubectl"), whole, strict=True)
        if count < runs
    )
    print(f"| {what}{short} | {medians[0]:.2f} | {medians[1]:.2f} | {medians[1] / medians[0]:.2f} |")


def _push(here: Path, name: str, selector: str) -> bool:
    return _succeeds([sys.executable, "-m", "asynccp", "push", str(here / name), "-l", f"{selector}:/tmp/bench", "-q"])


def _pull(here: Path, name: str, selector: str) -> bool:
    back = here / f"ours-{name}"
    argv = [sys.executable, "-m", "asynccp", "pull", "-l", f"{selector}:/tmp/bench/{name}", str(back), "-q"]
    return _succeeds(argv) and _same(here / name, [one / name for one in back.iterdir()])


def _cp_in(here: Path, name: str, pods: list[str]) -> bool:
    return _each(pods, f"kubectl cp {here / name} {{}}:/tmp/bench")


def _cp_out(here: Path, name: str, pods: list[str]) -> bool:
    back = here / f"theirs-{name}"
    return _each(pods, f"kubectl cp {{}}:/tmp/bench/{name} {back}/{{}}") and _same(here / name, list(back.iterdir()))


def _each(pods: list[str], command: str) -> bool:
    argv = ["xargs", "-P", str(PARALLEL), "-I", "{}", "sh", "-c", f"{command} >/dev/null 2>&1"]
    return subprocess.run(argv, input="\n".join(pods), text=True, check=False).returncode == 0


def _same(source: Path, copies: list[Path]) -> bool:
    wanted = _digests(source)
    return bool(copies) and all(_digests(copy) == wanted for copy in copies)


def _digests(root: Path) -> dict[str, str]:
    return {
        str(one.relative_to(root)): hashlib.sha256(one.read_bytes()).hexdigest()
        for one in root.rglob("*")
        if one.is_file()
    }


def _make(root: Path, *, files: int, size: int) -> None:
    root.mkdir()
    for number in range(files):
        (root / f"{number:03}").write_bytes(os.urandom(size))


def _succeeds(argv: list[str]) -> bool:
    return subprocess.run(argv, check=False, stdout=subprocess.DEVNULL).returncode == 0


def _output(argv: list[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


main()

"""Who reads a directory all the time while it is replaced, with `--atomic-link`: no mixture, no missing file."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.fleet import WITH_TAR, Fleet, asynccp, labels_for, selector, sh

pytestmark = pytest.mark.timeout(600)
PUSHES = int(os.environ.get("ASYNCCP_TEST_PUSHES", "5"))
FILES = 30

# A program that reads its configuration: enters the directory, and there opens all files, which must all say the same;
# and, by the path, one after the other, each of which must be there. Says what was wrong, and how often it has read.
READER = """
top=$PWD rounds=0 seen= last=
while [ ! -e "$top/tmp/readers/stop" ]; do
    cd -P "$top/tmp/readers/app" || { echo "no directory"; continue; }
    first= count=0
    for f in f*; do
        x=
        IFS= read -r x <"$f" || echo "missing: $f"
        [ "$first" ] || first=$x
        [ "$x" = "$first" ] || echo "a mixture: $f has $x, not $first"
        count=$((count + 1))
    done
    [ $count = "$1" ] || echo "$count files"
    for f in f*; do
        x=
        IFS= read -r x <"$top/tmp/readers/app/$f" || echo "missing by its path: $f"
    done
    [ "$first" = "$last" ] || seen=$((seen + 1))
    last=$first rounds=$((rounds + 1))
done
echo "rounds $rounds"
echo "versions $seen"
"""


def write(source: Path, version: int) -> None:
    source.mkdir(exist_ok=True)
    for number in range(FILES):
        (source / f"f{number}").write_text(f"version {version:04}{'x' * (version % 7)}\n")


def test_a_reader_sees_one_version_or_the_next(fleet: Fleet, tmp_path: Path) -> None:
    labels = labels_for("readers")
    pods = [fleet.add(kind, f"readers-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)]
    target = f"{selector(labels)}:/tmp/readers/app"

    def push(version: int) -> None:
        write(tmp_path / "source", version)
        ran = asynccp(fleet, "push", f"{tmp_path}/source/", "-l", target, "--atomic-link", "-o", "json")
        assert ran.code == 0, ran.err
        assert all(one["entries"] == FILES for one in ran.report["pods"])

    push(0)
    begun = threading.Barrier(len(pods) + 1)

    def read(pod: str) -> list[str]:
        begun.wait()
        return sh(fleet, pod, "sh", "-c", READER, "sh", str(FILES)).decode().splitlines()

    with ThreadPoolExecutor(len(pods)) as readers:
        reading = {pod: readers.submit(read, pod) for pod in pods}
        begun.wait()
        try:
            for version in range(1, PUSHES + 1):
                push(version)
        finally:
            for pod in pods:
                sh(fleet, pod, "sh", "-c", ": >tmp/readers/stop")
        for pod, told in reading.items():
            *wrong, rounds, versions = told.result(timeout=60)
            assert wrong == [], pod
            print(pod, rounds, versions)
            assert int(rounds.split()[1]) > 5 * PUSHES, "it has read all the time"
            assert int(versions.split()[1]) > PUSHES // 2, "and seen them"

"""Sources of a push that change while they are read: told and named, never a quiet mixture. Those of a pull have tests
of their own, `test_truth_changes` and `test_truth_unreadable`.

F05 to F07 of the fault catalogue: a source that grows, shrinks, vanishes.
"""

import os
from pathlib import Path

import pytest

from tests.e2e.fleet import WITH_TAR, Fleet, labels_for, selector
from tests.e2e.running import Running

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

MIB = 1024 * 1024
FILES = 4
FILE = 32 * MIB  # all together more than what is under way between a pod and a client that stands still


@pytest.fixture(scope="module")
def four(fleet: Fleet) -> tuple[str, list[str]]:
    """Four pods, one of each kind that has a tar; the selector, and their names."""
    labels = labels_for("source")
    return selector(labels), [fleet.add(kind, f"source-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)]


@pytest.mark.parametrize("change", ["grows", "shrinks", "vanishes"])
def test_a_source_here_that_changes_is_named_and_no_pod_gets_a_mixture(
    fleet: Fleet, four: tuple[str, list[str]], tmp_path: Path, change: str
) -> None:
    which, pods = four
    source = tmp_path / "tree"
    source.mkdir()
    for number in range(FILES):
        (source / str(number)).write_bytes(os.urandom(FILE))
    with Running(fleet, "push", source, "-l", f"{which}:/tmp/from-here-{change}") as running:
        running.wait_for("started")
        for path in source.iterdir():
            if change == "grows":
                with path.open("ab") as file:
                    file.write(b"more")
            elif change == "shrinks":
                os.truncate(path, FILE // 2)
            else:
                path.unlink()
        ran = running.finish()
    print(f"\n{change}: exit code {ran.code}, {ran.errors}")
    assert ran.code == 24
    assert ran.outcomes == dict.fromkeys(pods, "changed")
    for pod in pods:
        assert "/tree/" in ran.errors[pod]

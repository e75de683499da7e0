"""A client's memory has a bound, also beside a pod that stalls. `nox -s trust -- memory` measures it with 100 pods."""

from pathlib import Path

from tests.faults.memory import MIB, peak_of_a_pull


def test_a_pull_from_10_pods_of_which_one_stalls_stays_within_its_memory(tmp_path: Path) -> None:
    peak, errors = peak_of_a_pull(tmp_path, pods=10, size=16 * MIB, stall_after_s=10)
    assert {pod: error for pod, error in errors.items() if error} == {"memory-0": "nothing moved for 10 s"}
    assert peak <= (100 + 10) * MIB

"""Whether a copy is called complete, and what is copied."""

from pathlib import Path

import pytest

from benchmarks.copying import check, digests
from benchmarks.fleet import parsed
from benchmarks.sample import Incomplete
from benchmarks.sources import access_logs, configuration, noise

WHOLE = {"a": "1", "b/c": "2"}


def test_a_copy_with_every_file_in_every_pod_is_complete() -> None:
    check([WHOLE, WHOLE], WHOLE, pods=2)


@pytest.mark.parametrize(
    "found",
    [[WHOLE, {"a": "1"}], [WHOLE, WHOLE | {"b/c": "other"}], [WHOLE, WHOLE | {"d": "3"}], [WHOLE, {}], [WHOLE], []],
    ids=["a file misses", "a file is cut", "a file is left over", "a pod has nothing", "a pod misses", "no pod"],
)
def test_a_copy_that_is_not_whole_everywhere_is_incomplete(found: list[dict[str, str]]) -> None:
    with pytest.raises(Incomplete):
        check(found, WHOLE, pods=2)


def test_a_pods_digests_are_those_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two words").write_bytes(b"")
    said = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  ./b/two words\n"
    assert parsed(said) == digests(tmp_path) != {}


@pytest.mark.parametrize("source", [configuration, access_logs, noise])
def test_every_run_copies_the_same_bytes(source: object, tmp_path: Path) -> None:
    assert callable(source)
    assert digests(source(tmp_path / "1", 5, 5000)) == digests(source(tmp_path / "2", 5, 5000))


def test_sources_have_the_sizes_that_the_scenarios_name(tmp_path: Path) -> None:
    def sizes(root: Path) -> list[int]:
        return [path.stat().st_size for path in root.rglob("*") if path.is_file()]

    config = sizes(configuration(tmp_path / "config", 200, 150_000))
    assert (len(config), sum(config)) == (200, 150_000)
    assert len(set(config)) > 100, "configuration files are of varied sizes"
    assert sizes(access_logs(tmp_path / "logs", 4, 5000)) == [5000] * 4
    assert sizes(noise(tmp_path / "noise", 3, 1024)) == [1024] * 3

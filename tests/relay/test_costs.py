"""What copies cost by whom: the sums are near what was measured, and what pays is chosen."""

import pytest

from asynccp.relay.costs import SIZE_UNKNOWN, Place, Work, cost, workers_worth

MIB = 2**20
TEST_CLUSTER = Place(cores=2, is_one=True)
LINE = Place(nodes=10, line_bytes_per_s=100e6 / 8, round_trip_s=0.02, cores=8)
LAN = Place(nodes=100, line_bytes_per_s=10e9 / 8, cores=8, api_cores=16)
CONFIG = Work(100, 386, 2 * MIB)


@pytest.mark.parametrize(
    ("work", "measured_s"),
    [
        (CONFIG, 9.1),
        (Work(8, 1, 64 * MIB), 5.6),
        (Work(8, 1, 128 * MIB, is_pull=True), 7.4),
        (Work(1, 1, 8192), 0.39),
        (Work(8, 1, 8192), 0.70),
        (Work(4, 10_000, 20 * MIB, is_pull=True), 5.8),
    ],
    ids=["config", "random", "logs", "one", "eight", "small files"],
)
def test_an_estimate_is_near_what_was_measured(work: Work, measured_s: float) -> None:
    """The figures of benchmarks/README.md, of one machine with two cores."""
    assert measured_s / 1.4 < cost(work, TEST_CLUSTER).time_s < measured_s * 1.4


def test_a_slow_line_is_crossed_once_by_relays_and_by_each_pod_from_here() -> None:
    work = Work(20, 1, 20 * MIB)
    here, relay = cost(work, LINE), cost(work, LINE, relays=1)
    assert (here.line_size, relay.line_size) == (20 * work.size, work.size)
    assert here.time_s > 33
    assert here.time_s / relay.time_s > 6
    assert relay.api_size > here.api_size, "it goes to the relay, too"


def test_what_relays_pull_does_not_cross_the_line() -> None:
    logs = Work(40, 10, 64 * MIB, is_pull=True)
    assert cost(logs, LINE, relays=4).line_size == 0
    assert cost(logs, LINE).time_s > 10 * cost(logs, LINE, relays=4).time_s


def test_few_pods_nearby_are_no_work_for_relays() -> None:
    few = CONFIG._replace(pods=10)
    assert cost(few, LAN).time_s < cost(few, LAN, relays=4).time_s


def test_one_process_is_what_a_large_fleet_waits_for_and_more_share_that() -> None:
    large = CONFIG._replace(pods=10_000)
    times_s = [cost(large, LAN, workers=count).time_s for count in (1, 2, 4, 8)]
    assert times_s == sorted(times_s, reverse=True)
    assert times_s[0] / times_s[2] > 3


@pytest.mark.parametrize(
    ("work", "cores", "count"),
    [
        (CONFIG._replace(pods=0), 8, 1),
        (CONFIG._replace(pods=20), 8, 1),
        (CONFIG._replace(pods=1000), 1, 1),
        (CONFIG._replace(pods=1000), 3, 3),
        (Work(20, 0, SIZE_UNKNOWN, is_pull=True), 8, 1),
        (Work(1000, 0, SIZE_UNKNOWN, is_pull=True), 8, 8),
    ],
)
def test_as_many_workers_as_pay(work: Work, cores: int, count: int) -> None:
    assert workers_worth(work, cores) == count

"""Which pods begin together: a table."""

from collections.abc import Sequence

import pytest

from asynccp.errors import UsageError
from asynccp.options import Share, WaveBy, Waves
from asynccp.plan.waves import in_short, refuse_vain, wave_lines, waves_of
from asynccp.target import Target, Transfer

TENTH = Share(10, is_percent=True)


def pod(number: int, *, zone: str = "", node: str = "", namespace: str = "shop", path: str = "/x") -> Transfer:
    return Transfer(Target(namespace, f"web-{number}", "main", node, zone=zone), path)


TEN = [pod(number) for number in range(10)]
IN_ZONES = [pod(number, zone="ba"[number % 2] if number < 8 else "") for number in range(10)]


def told(transfers: Sequence[Transfer], asked: Waves) -> list[str]:
    """Return each wave as its name and the numbers of its pods."""
    waves = waves_of(transfers, asked)
    assert [(one.number, one.of) for one in waves] == [(number, len(waves)) for number in range(1, len(waves) + 1)]
    numbers = [" ".join(name.rpartition("-")[2] for name in one.pods) for one in waves]
    return [f"{one.name}: {those}" if one.name else those for one, those in zip(waves, numbers, strict=True)]


@pytest.mark.parametrize(
    ("transfers", "asked", "waves"),
    [
        (TEN, Waves(), []),
        ([], Waves(canary=Share(1)), []),
        (TEN, Waves(settle_s=5), ["0 1 2 3 4 5 6 7 8 9"]),
        (TEN, Waves(canary=Share(2)), ["canary: 0 1", "2 3 4 5 6 7 8 9"]),
        (TEN, Waves(canary=TENTH), ["canary: 0", "1 2 3 4 5 6 7 8 9"]),
        (TEN[:3], Waves(canary=TENTH), ["canary: 0", "1 2"]),
        (TEN[:3], Waves(canary=Share(7)), ["canary: 0 1 2"]),
        (TEN, Waves(size=Share(4)), ["0 1 2 3", "4 5 6 7", "8 9"]),
        (TEN, Waves(size=Share(35, is_percent=True)), ["0 1 2 3", "4 5 6 7", "8 9"]),
        (TEN, Waves(size=Share(100, is_percent=True)), ["0 1 2 3 4 5 6 7 8 9"]),
        (TEN, Waves(canary=Share(1), size=Share(5)), ["canary: 0", "1 2 3 4 5", "6 7 8 9"]),
        (IN_ZONES, Waves(by=WaveBy.ZONE), ["no zone: 8 9", "zone a: 1 3 5 7", "zone b: 0 2 4 6"]),
        (
            IN_ZONES,
            Waves(by=WaveBy.ZONE, size=Share(3), canary=Share(3)),
            ["canary: 8 9 1", "zone a: 3 5 7", "zone b: 0 2 4", "zone b: 6"],
        ),
        ([pod(2, node="n2"), pod(1, node="n1")], Waves(by=WaveBy.NODE), ["node n1: 1", "node n2: 2"]),
        (
            [pod(1, namespace="b"), pod(2, namespace="a")],
            Waves(by=WaveBy.NAMESPACE),
            ["namespace a: 2", "namespace b: 1"],
        ),
    ],
)
def test_waves(transfers: Sequence[Transfer], asked: Waves, waves: list[str]) -> None:
    assert told(transfers, asked) == waves


def test_a_pod_is_in_one_wave_with_all_its_paths() -> None:
    paths = [pod(0, path="/y"), pod(1, path="/y"), *TEN[:2]]
    first, second = waves_of(paths, Waves(size=Share(1)))
    assert first.transfers == (paths[0], paths[2])
    assert second.transfers == (paths[1], paths[3])
    assert (first.how_many, first.pods) == ("1 pod", ["shop/web-0"])


def test_waves_are_told_in_one_line_and_in_a_line_each() -> None:
    waves = waves_of(TEN, Waves(canary=Share(1), size=Share(5)))
    assert in_short(waves) == ["in 3 waves: 1 (canary), 5, 4 pods"]
    assert next(wave_lines(waves)) == "wave 1 of 3 (canary): 1 pod: shop/web-0"
    assert in_short(waves_of(TEN, Waves(settle_s=1))) == []


def test_what_would_be_in_vain_is_refused() -> None:
    with pytest.raises(UsageError, match="there is one wave, so there is no pause between two"):
        refuse_vain(Waves(pause_s=5))
    refuse_vain(Waves(canary=Share(1), pause_s=5))

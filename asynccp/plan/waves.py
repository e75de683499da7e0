"""Waves: which transfers of a plan begin together. A pure function of the transfers and of what was asked for.

A pod is in one wave with all its paths and containers. The canary is the first: so many pods of the first group. Then
come the groups, each cut into waves of the size that was asked for; without a size each is a wave.
"""

from collections.abc import Iterator, Mapping, Sequence

from asynccp.errors import Knob, UsageError
from asynccp.options import Share, WaveBy, Waves
from asynccp.target import Transfer
from asynccp.text import listed, printable
from asynccp.wave import Wave, pods_of

_NAMES = 8  # of pods, on one line
_WAVES = 12  # sizes on one line
CANARY = "canary"


def refuse_vain(asked: Waves) -> None:
    """Raise UsageError for what can't be done."""
    if asked.pause_s and not asked.divides:
        raise UsageError(
            "there is one wave, so there is no pause between two", hint=f"{Knob.WAVE} or {Knob.CANARY} makes more"
        )


def waves_of(transfers: Sequence[Transfer], asked: Waves) -> tuple[Wave, ...]:
    """Return the waves; none if nothing that has to do with waves was asked for."""
    if asked == Waves() or not transfers:
        return ()
    groups = _groups(transfers, asked.by)
    pods = [pod for group in groups.values() for pod in group]
    named: list[tuple[str, Sequence[str]]] = []
    canary = pods[: number_of(asked.canary, len(pods))] if asked.canary else []
    if canary:
        named.append((CANARY, canary))
    most = number_of(asked.size, len(pods)) if asked.size else len(pods)
    begun = set(canary)
    for name, group in groups.items():
        rest = [pod for pod in group if pod not in begun]
        named += [(name, rest[at : at + most]) for at in range(0, len(rest), most)]
    by_pod: dict[str, list[Transfer]] = {}
    for one in transfers:
        by_pod.setdefault(one.target.of_pod, []).append(one)
    return tuple(
        Wave(number, len(named), name, tuple(one for pod in pods for one in by_pod[pod]))
        for number, (name, pods) in enumerate(named, 1)
    )


def number_of(share: Share, pods: int) -> int:
    """Return how many of some pods a share is: a part of one counts as one."""
    return min(-(-pods * share.number // 100), pods) if share.is_percent else share.number


def allowed(share: Share, pods: int) -> int:
    """Return how many of some pods may fail: a part of one is none."""
    return pods * share.number // 100 if share.is_percent else share.number


def numbers_of(waves: Sequence[Wave]) -> Mapping[Transfer, int]:
    """Return of each transfer the number of its wave."""
    return {one: wave.number for wave in waves for one in wave.transfers}


def wave_lines(waves: Sequence[Wave]) -> Iterator[str]:
    """Yield a line for each wave."""
    for one in waves:
        yield f"{one}: {one.how_many}: {listed(one.pods, _NAMES)}"


def in_short(waves: Sequence[Wave]) -> list[str]:
    """Return the one line that tells the waves, none if there is one wave or none: their sizes, and what some are."""
    if len(waves) < 2:
        return []
    sizes = [f"{len(one.pods)}" + (f" ({printable(one.name)})" if one.name else "") for one in waves]
    return [f"in {len(waves)} waves: {listed(sizes, _WAVES)} pods"]


def _groups(transfers: Sequence[Transfer], by: WaveBy | None) -> dict[str, list[str]]:
    """Return the pods of each group, in the order of their names; without groups all have the empty one."""
    if by is None:
        return {"": pods_of(transfers)}
    found: dict[str, dict[str, None]] = {}
    for one in transfers:
        found.setdefault(_group(one, by), {})[one.target.of_pod] = None
    return {name: list(found[name]) for name in sorted(found)}


def _group(transfer: Transfer, by: WaveBy) -> str:
    target = transfer.target
    value = {WaveBy.NODE: target.host, WaveBy.ZONE: target.zone, WaveBy.NAMESPACE: target.namespace}[by]
    return f"{by.value} {value}" if value else f"no {by.value}"

"""S2: an archive cut at every block and beside it, and every bit of every header turned."""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.trust.hostile.cuts import (
    cuts,
    flips,
    headers,
    is_refused_on_disk,
    is_reported,
    real_archive,
    verdict_of_flip,
)
from benchmarks.trust.kubectl import kubectl
from benchmarks.trust.row import Row

KUBECTL_CUTS = 200  # 0.1 s each
KUBECTL_FLIPS = 200


def measure(scale: float) -> list[Row]:
    data = real_archive()
    return [_cuts(data, scale), _flips(data, scale)]


def _cuts(data: bytes, scale: float) -> Row:
    sizes = list(cuts(data))
    reported = sum(is_reported(data[:size]) for size in sizes)
    on_disk = sizes[:: max(1, round(4 / scale))]
    with tempfile.TemporaryDirectory() as place:
        clean = sum(is_refused_on_disk(data[:size], Path(place, str(size))) for size in on_disk)
    return Row(
        what="An archive that stops early is never taken for a whole one, and leaves no torn file",
        figure=f"{reported} of {len(sizes)} cuts of an archive of {len(data) // 512} blocks reported (every block, and "
        f"one byte before and behind); {clean} of {len(on_disk)} left whole files alone on the disk",
        held=reported == len(sizes) and clean == len(on_disk),
        kubectl=asyncio.run(_kubectl([data[:size] for size in _some(sizes, KUBECTL_CUTS * scale)], "cuts")),
    )


def _flips(data: bytes, scale: float) -> Row:
    bits = max(1, min(8, round(8 * scale)))
    verdicts = Counter(verdict_of_flip(data, *flip) for flip in flips(data, bits))
    damaged = []
    for position, mask in _some(list(flips(data, 1)), KUBECTL_FLIPS * scale):
        one = bytearray(data)
        one[position] ^= mask
        damaged.append(bytes(one))
    return Row(
        what="A bit that turns in a tar header is reported",
        figure=f"{verdicts['reported']} of {verdicts.total()} flips in {len(headers(data))} headers reported, "
        f"{verdicts['harmless']} harmless (the checksum's own digits, the same number written in another way: every "
        f"event is the same), {verdicts['missed']} missed",
        held=not verdicts["missed"],
        kubectl=asyncio.run(_kubectl(damaged, "flips")),
    )


def _some(found: list[tuple[int, int]] | list[int], count: float) -> list:  # type: ignore[type-arg]
    return found[:: max(1, round(len(found) / max(1, count)))]


async def _kubectl(archives: list[bytes], what: str) -> str:
    """Return how many damaged archives `kubectl cp` reports."""
    silent = 0
    async with kubectl() as program:
        if program is None:
            return ""
        with tempfile.TemporaryDirectory() as place:
            for index, data in enumerate(archives):
                silent += (await program.copy(data, Path(place, str(index)))).code == 0
    return f"exit code 0 for {silent} of {len(archives)} {what}"

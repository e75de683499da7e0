"""One pod with a bomb, a hole or a drip among 20 good ones: what it costs those, and how soon ^C ends it all."""

import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.trust.faults.liars import among, lies
from benchmarks.trust.row import Row
from tests.e2e.running import Running

GOOD, SIZE, ROUNDS, ENDS = 20, 16 * 1024 * 1024, 11, 200
MOST_FACTOR, MOST_END_S = 1.2, 2.0
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a disk has moods
FLAGS = {"bomb": ("-z", "zstd"), "hole": ("--checksum", "-z", "none"), "drip": ("-z", "none")}


def measure(scale: float) -> list[Row]:
    rows, ends = [], list[float]()
    for name in FLAGS:
        rounds = max(1, round(ROUNDS * scale))
        seconds: dict[bool, list[float]] = {False: [], True: []}
        for number in range(2 * rounds):
            is_struck = bool(number % 2)
            copied_s, ended_s = copied(name, is_struck=is_struck)
            seconds[is_struck].append(copied_s)
            ends += [ended_s] if is_struck else []
        calm, struck = (statistics.median(seconds[one]) for one in (False, True))
        figure = f"{calm:.2f} s without it, {struck:.2f} s with it (medians of {rounds}): x {struck / calm:.2f}"
        rows.append(
            Row(
                f"One pod with a {name} among {GOOD} good ones: those take at most {MOST_FACTOR} times as long",
                figure,
                struck <= MOST_FACTOR * calm,
            )
        )
    while len(ends) < ENDS * scale:
        ends.append(copied(list(FLAGS)[len(ends) % len(FLAGS)], is_struck=True, good=2)[1])
    what = f"^C while such a pod is at work ends the run within {MOST_END_S:g} s"
    return [*rows, Row(what, f"{len(ends)} times, the slowest {max(ends):.2f} s", max(ends) <= MOST_END_S)]


def copied(name: str, *, is_struck: bool, good: int = GOOD) -> tuple[float, float]:
    """Return the seconds until the good pods' files were here, and those from a ^C then until the end."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as place:
        directory = Path(place)
        with among(directory, good, SIZE, lies(directory)[name] if is_struck else None) as fleet:
            begun = time.monotonic()
            with Running(fleet, "pull", "--ignore-times", "-l", "app=web:/d", directory / "back", *FLAGS[name]) as run:
                for _ in range(good):
                    run.wait_for("/good-", "complete")
                copied_s = time.monotonic() - begun
                run.send_signal(signal.SIGINT)
                begun = time.monotonic()
                run.finish()
                return copied_s, time.monotonic() - begun

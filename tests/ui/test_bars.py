import io
import os
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from asynccp.entry import LeftOut, NotKept
from asynccp.report import Outcome, Result
from asynccp.target import Transfer
from asynccp.ui.bars import Bars, Row, Speed, assign, duration, layout, name_limit, shorten, terminal_size

from .screen import Clock, Screen, complete, failed, pod

MIB = 1024 * 1024


class Show:
    """Bars on a screen, and a clock."""

    def __init__(self, count: int, columns: int = 80, lines: int = 24, **options: object) -> None:
        self.screen, self.clock = Screen(columns, lines), Clock()
        self.bars = Bars(self.screen, count, clock=self.clock, size=self.screen.size, **options)  # type: ignore[arg-type]

    def draw(self) -> list[str]:
        self.screen.write(self.bars.frame())
        return self.screen.rows

    def close(self) -> list[str]:
        self.screen.write(self.bars.last_frame())
        return self.screen.rows

    def move(self, transfer: Transfer, size: int, seconds: float = 0.0) -> None:
        self.clock.now += seconds
        self.bars.advanced(transfer, size)


def pods(count: int) -> list[Transfer]:
    return [pod(f"web-{number}") for number in range(1, count + 1)]


def names(rows: list[str]) -> list[str]:
    return [row.split()[0] for row in rows if row.startswith("web-")]


def test_a_push_shows_the_whole_and_each_pod() -> None:
    show = Show(2, expected_total=8 * MIB)
    first, second = pods(2)
    assert [row.split("|")[0] for row in show.draw()] == ["0/2 pods   0%"]
    show.bars.started(first, 4 * MIB)
    show.bars.started(second, 4 * MIB)
    show.move(first, 2 * MIB, seconds=1)
    show.move(second, MIB)
    assert show.draw() == [
        "0/2 pods  37%|██████████▉                  |    3.0 MiB    3.0 MiB/s eta 3s",
        "web-1     50%|██████████████▌              |    2.0 MiB    2.0 MiB/s",
        "web-2     25%|███████▎                     |    1.0 MiB    1.0 MiB/s",
    ]


def test_the_container_is_named_where_another_could_be_meant() -> None:
    show = Show(2)
    sidecar = replace(pod("web-1").target, container="proxy", several=True)
    show.bars.started(Transfer(sidecar, "/etc/app"), None)
    show.bars.started(pod("web-2"), None)
    assert names(show.draw()) == ["web-1/proxy", "web-2"]


def test_paths_of_one_pod_are_not_counted_as_pods() -> None:
    show = Show(2, unit="places")
    first, second = (replace(pod(), path=path) for path in ("/a", "/b"))
    show.bars.started(first, None)
    show.bars.started(second, None)
    show.bars.finished(failed(first))
    assert [row.split("  ")[0] for row in show.draw()[-2:]] == ["1/2 places, 1 failed", "web-1:/b"]


def test_a_pull_of_unknown_size_shows_bytes_and_speed_without_an_end() -> None:
    show = Show(2)
    show.bars.started(pod(), None)
    show.move(pod(), 3 * MIB, seconds=1)
    total, row = show.draw()
    assert "0%|" in total
    assert "eta" not in total
    assert row.split() == ["web-1", "3.0", "MiB", "3.0", "MiB/s"]


def test_a_pull_has_an_end_as_soon_as_one_pod_has_told_its_size() -> None:
    show = Show(2)
    first, second = pods(2)
    show.bars.started(first, None)
    show.bars.started(second, None)
    show.move(first, 2 * MIB, seconds=1)
    assert "  0%|" in show.draw()[0]
    assert "eta" not in show.draw()[0]
    show.bars.sized(first, 4 * MIB)
    total, row, other = show.draw()
    assert "25%|" in total
    assert total.endswith("eta 3s")
    assert "50%|" in row
    assert "|" not in other
    show.bars.sized(second, 12 * MIB)  # a giant: the bar goes back, once
    assert " 12%|" in show.draw()[0]
    assert "eta 7s" in show.draw()[0]


def test_a_pull_of_pods_that_never_tell_their_size_moves_with_those_that_end() -> None:
    show = Show(10)
    seen = []
    for transfer in pods(10):
        show.bars.started(transfer, None)
        show.move(transfer, MIB, seconds=1)
        show.bars.finished(complete(transfer))
        (total,) = show.draw()
        seen.append(int(total.split("%")[0].split()[-1]))
        assert ("eta" in total) is (len(seen) < 10)
    assert seen == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]


def test_a_bar_of_a_pull_does_not_tremble_when_sizes_become_known() -> None:
    """Pods of 10 to 19 MiB that tell their sizes one after the other: the bar never goes back."""
    show = Show(10)
    seen = []
    for transfer in pods(10):
        show.bars.started(transfer, None)
    for number, transfer in enumerate(pods(10)):
        show.bars.sized(transfer, (10 + number) * MIB)
        for other in pods(10):
            show.move(other, MIB, seconds=0.1)
        seen.append(int(show.draw()[0].split("%")[0].split()[-1]))
    assert seen == sorted(seen)
    assert len(set(seen)) > 5


def test_a_size_that_was_told_is_known_to_the_next_attempt() -> None:
    show = Show(2)
    show.bars.started(pod(), None)
    show.bars.sized(pod(), 4 * MIB)
    show.bars.started(pod(), None)
    show.move(pod(), MIB, seconds=1)
    assert "25%|" in show.draw()[1]


def test_a_size_of_a_pod_that_is_not_under_way_does_no_harm() -> None:
    show = Show(2)
    show.bars.sized(pod(), 5)
    show.bars.finished(complete(pod()))
    show.bars.sized(pod(), 5)
    assert len(show.draw()) == 1


def test_the_bar_is_not_full_before_all_is_done() -> None:
    show = Show(2)
    first, second = pods(2)
    for transfer in (first, second):
        show.bars.started(transfer, 100 * MIB)
        show.move(transfer, 100 * MIB, seconds=1)
    assert "100%|" in show.draw()[0]  # all that was told has come
    show.bars.sized(second, 104 * MIB)
    assert " 99%|" in show.draw()[0]


def test_pods_that_were_refused_leave_the_bar_to_the_others() -> None:
    show = Show(4)
    for transfer in pods(3):
        show.bars.finished(failed(transfer))
    show.bars.started(pod("web-4"), None)
    assert "3/4 pods, 3 failed   0%|" in show.draw()[-2]
    show.bars.sized(pod("web-4"), 4 * MIB)
    show.move(pod("web-4"), MIB, seconds=1)
    assert " 25%|" in show.draw()[-2]


def test_the_slowest_pod_decides_the_eta() -> None:
    show = Show(2, expected_total=200 * MIB)
    first, second = pods(2)
    show.bars.started(first, 100 * MIB)
    show.bars.started(second, 100 * MIB)
    show.move(first, 99 * MIB, seconds=1)
    show.move(second, MIB)
    assert "eta 1m39s" in show.draw()[0]


def test_a_pod_that_failed_is_no_longer_waited_for() -> None:
    show = Show(2, expected_total=8 * MIB)
    first, second = pods(2)
    show.bars.started(first, 4 * MIB)
    show.move(first, 4 * MIB, seconds=1)
    show.bars.finished(complete(first))
    show.bars.finished(failed(second))  # never started
    rows = show.draw()
    assert rows[0] == "[2/2] default/web-2:/etc/app  failed: the container has no tar"
    assert rows[1].startswith("2/2 pods, 1 failed 100%|")


def test_an_attempt_in_vain_does_not_count() -> None:
    show = Show(2, expected_total=8 * MIB)
    show.bars.started(pod(), 4 * MIB)
    show.move(pod(), 2 * MIB, seconds=1)
    show.bars.started(pod(), 4 * MIB)
    total, row = show.draw()
    assert " 0%|" in total
    assert " 0%|" in row
    assert row.endswith("attempt 2")


def test_a_pod_that_does_not_move_is_called_idle_and_has_no_speed() -> None:
    show = Show(2, expected_total=8 * MIB)
    first, second = pods(2)
    show.bars.started(first, 4 * MIB)
    show.bars.started(second, 4 * MIB)
    show.move(first, MIB)
    show.move(second, MIB, seconds=75)
    total, idle, moving = show.draw()
    assert idle.endswith("0 B/s idle 1m15s")
    assert "idle" not in moving
    assert "idle" not in total
    show.clock.now += 4
    assert show.draw()[0].endswith("0 B/s idle 4s")


def test_a_pod_that_has_everything_is_finishing() -> None:
    show = Show(2, expected_total=2 * MIB)
    show.bars.started(pod(), MIB)
    show.move(pod(), MIB + 1, seconds=1)
    assert re.match(r"web-1 +100%.*finishing$", show.draw()[1])


@pytest.mark.parametrize("total", [0, 1, None])
def test_an_empty_archive_can_be_shown(total: int | None) -> None:
    show = Show(2, expected_total=total and 0)
    show.bars.started(pod(), total)
    assert len(show.draw()) == 2
    assert show.close() == []


def test_a_single_pod_needs_no_second_bar() -> None:
    show = Show(1, expected_total=2 * MIB)
    assert show.draw()[0].startswith("0/1 pods")
    show.bars.started(pod(), 2 * MIB)
    show.move(pod(), MIB, seconds=1)
    (row,) = show.draw()
    assert re.match(r"web-1 +50%\|.*eta 1s$", row)


@pytest.mark.parametrize(("lines", "expected"), [(24, 8), (10, 6), (5, 1), (4, 0), (1, 0)])
def test_no_more_bars_than_fit(lines: int, expected: int) -> None:
    show = Show(300, lines=lines)
    for transfer in pods(300):
        show.bars.started(transfer, None)
    assert len(names(show.draw())) == expected


def test_a_bar_goes_to_the_next_that_waits_and_the_others_stay() -> None:
    show = Show(5, lines=7)
    running = pods(5)
    for transfer in running:
        show.bars.started(transfer, None)
    assert names(show.draw()) == ["web-1", "web-2", "web-3"]
    show.bars.finished(complete(running[1]))
    assert names(show.draw()) == ["web-1", "web-4", "web-3"]
    for index in (0, 4):
        show.bars.finished(complete(running[index]))
    assert names(show.draw()) == ["web-3", "web-4"]


@pytest.mark.parametrize(
    ("slots", "active", "room", "expected"),
    [
        ("", "abc", 2, "ab"),
        ("ab", "abc", 2, "ab"),
        ("ab", "bc", 2, "cb"),
        ("abc", "bc", 3, "cb"),
        ("abc", "c", 3, "c"),
        ("abc", "", 3, ""),
        ("abc", "abc", 1, "a"),
        ("abc", "abc", 0, ""),
        ("a", "abc", 3, "abc"),
    ],
)
def test_slots(slots: str, active: str, room: int, expected: str) -> None:
    assert "".join(assign(slots, active, room)) == expected


def test_a_failed_pod_leaves_its_line_a_complete_one_does_not() -> None:
    show = Show(3)
    for transfer in pods(3):
        show.bars.started(transfer, None)
    show.draw()
    show.bars.finished(complete(pod("web-1")))
    show.bars.finished(failed(pod("web-2"), hint="add tar to the image"))
    show.bars.finished(Result(pod("web-3"), Outcome.INTERRUPTED))  # who pressed ^C knows
    rows = show.draw()
    said = ["[2/3] default/web-2:/etc/app  failed: the container has no tar", "    add tar to the image"]
    assert rows[:2] == said
    assert rows[2].startswith("3/3 pods, 2 failed")
    assert show.close() == said


def test_a_partial_pod_leaves_its_line_with_what_was_left_out_and_is_not_called_failed() -> None:
    show = Show(3)
    show.bars.started(pod(), None)
    show.draw()
    show.bars.finished(Result(pod(), Outcome.PARTIAL, left_out=(LeftOut(b"log/pipe", "a FIFO"),)))
    rows = show.draw()
    assert rows[:2] == [
        "[1/3] default/web-1:/etc/app  partial: 1 entry left out  0 entries  0 B  0.0 s",
        "    left out log/pipe: a FIFO",
    ]
    assert rows[2].startswith("1/3 pods ")


def test_a_complete_pod_leaves_a_line_if_there_is_more_to_tell() -> None:
    show = Show(3)
    show.bars.finished(replace(complete(pod()), not_kept=(NotKept(b"bin/su", "set-id bits"),)))
    assert show.close() == [
        "[1/3] default/web-1:/etc/app  complete  200 entries  1.5 MiB  0.8 s",
        "    not kept: bin/su: set-id bits",
    ]


def test_three_hundred_pods_that_fail_alike_do_not_fill_the_screen() -> None:
    show = Show(300)
    for transfer in pods(300):
        show.bars.finished(failed(transfer, hint="add tar to the image"))
    rows = show.close()
    assert len(rows) == 12
    assert rows[-1] == "    more of this kind are counted at the end (-v names each)"


def test_verbose_leaves_a_line_for_a_complete_pod() -> None:
    show = Show(2, columns=120, verbose=1)
    show.bars.started(pod(), None)
    show.draw()
    show.bars.finished(complete(pod()))
    (line,) = show.close()
    assert line == "[1/2] default/web-1:/etc/app  complete  200 entries  1.5 MiB  0.8 s  1.5 MiB on the wire  v4"


def test_what_differs_is_in_the_name() -> None:
    show = Show(3, columns=120)
    show.bars.started(pod("web-1"), None)
    assert show.draw()[1].split()[0] == "web-1"
    show.bars.started(pod("web-1", "/var/log"), None)
    assert [row.split()[0] for row in show.draw()[1:]] == ["web-1:/etc/app", "web-1:/var/log"]
    show.bars.started(pod("web-1", namespace="prod"), None)
    assert show.draw()[3].split()[0] == "prod/web-1:/etc/app"


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("web-1", 5, "web-1"),
        ("payments-7c9d6b5f4-x2k4q", 12, "payme…-x2k4q"),
        ("日本語日本語日本語", 9, "日本…本語"),
        ("abc", 1, "…"),
    ],
)
def test_a_name_is_cut_in_the_middle(text: str, width: int, expected: str) -> None:
    assert shorten(text, width) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0s"), (59.9, "59s"), (60, "1m00s"), (599, "9m59s"), (600, "10m"), (3599, "59m"), (3600, "1h00m"),
     (36_000, "10h"), (360_000, "4d"), (1e9, "11574d")],
)  # fmt: skip
def test_durations_are_short(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize("width", [39, 63, 64, 79, 200])
@pytest.mark.parametrize("fraction", [None, 0.0, 0.999])
def test_a_line_keeps_its_width(width: int, fraction: float | None) -> None:
    row = Row("web-" + 40 * "x", fraction, 1023 * MIB, 1023 * MIB, "idle 2m05s")
    left, right = layout(row, name_limit(width), width)
    assert len(left) + len(right) <= width - (0 if fraction is None else 3)  # at least for the bar
    assert "100%" not in left


def test_speed_follows_a_change_and_falls_when_nothing_moves() -> None:
    speed = Speed(0.0)
    assert speed.measure(0.0, 0) == 0.0
    for second in range(1, 11):
        steady = speed.measure(second, second * 100)
    assert steady == pytest.approx(100)
    assert speed.measure(15.0, 1000) == pytest.approx(100 / 2.718, rel=0.2)
    assert speed.measure(60.0, 1000) < 1


@pytest.mark.parametrize("hostile", ["\x1b[2J\x1b[31m", "a\rb\nc", "\u202egpj", "\x9b31m", "{bar}{0}%s"])
def test_only_what_tqdm_needs_reaches_the_terminal(hostile: str) -> None:
    show = Show(3, columns=200, verbose=1)
    first = pod(f"web{hostile}", f"/tmp/{hostile}")
    show.bars.started(first, None)
    show.bars.started(pod("web-2"), None)
    show.draw()  # the screen refuses all other control characters
    show.bars.finished(failed(first, error=f"tar: {hostile}", hint=hostile))
    show.close()
    assert "\u202e" not in show.screen.text


def test_a_terminal_that_becomes_narrower_shows_no_rest_of_the_longer_lines() -> None:
    show = Show(20)
    for transfer in pods(3):
        show.bars.started(transfer, 10)
    show.draw()
    show.screen.resize(40, 24)
    assert names(show.draw()) == ["web-1", "web-2", "web-3"]
    assert len(show.screen.rows) == 4
    show.screen.resize(120, 24)
    assert "0 B/s" in show.draw()[3]
    show.screen.resize(50, 24)
    assert show.close() == []
    assert not show.screen.wrapped


def test_no_size_of_a_terminal_is_too_odd() -> None:
    show = Show(20)
    for transfer in pods(20):
        show.bars.started(transfer, 10)
    for columns, lines in ((60, 12), (40, 10), (10, 2), (1, 1), (0, 0), (300, 80)):
        show.screen.columns, show.screen.lines = columns, lines
        assert show.bars.frame()
    assert show.bars.last_frame()


def test_a_terminal_of_one_line_keeps_the_total_in_it() -> None:
    show = Show(20)
    show.bars.started(pod(), 10)
    show.draw()
    show.screen.lines = 1
    show.draw()
    assert "\n" not in show.bars.frame()


def test_the_echo_of_a_key_leaves_no_trace() -> None:
    show = Show(2)
    show.draw()
    show.screen.write("^C")
    assert show.draw()[0].startswith("0/2 pods")
    show.screen.write("^C")
    assert show.close() == []


def test_closing_twice_or_before_the_first_frame_is_harmless() -> None:
    show = Show(2)
    show.bars.finished(failed(pod()))
    assert len(show.close()) == 1
    assert show.bars.last_frame() == ""


def test_a_call_out_of_order_does_no_harm() -> None:
    show = Show(2)
    show.bars.advanced(pod(), 5)
    show.bars.finished(complete(pod()))
    show.bars.advanced(pod(), 5)
    assert len(show.draw()) == 1


def test_a_thousand_pods_cost_a_frame_no_more_than_eight() -> None:
    show = Show(1000)
    for transfer in pods(1000):
        show.bars.started(transfer, 10)
        show.bars.advanced(transfer, 5)
    show.draw()
    before = len(show.screen.text)
    show.draw()
    assert len(show.screen.text) - before < 1000


def test_a_terminal_without_unicode_gets_ascii() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    bars = Bars(stream, 2, expected_total=20, size=lambda: os.terminal_size((80, 24)))
    transfer = pod("payments-api-gateway-7c9d6b5f4-x2k4q")
    bars.started(transfer, 10)
    bars.advanced(transfer, 5)
    bars.started(pod(path="/日本"), 10)
    assert bars.frame().isascii()


def test_a_stream_that_tells_no_size_is_taken_for_80_by_24() -> None:
    assert terminal_size(io.StringIO()) == (80, 24)


def test_the_environment_cannot_change_the_bars_and_tqdm_starts_nothing() -> None:
    variables = {"DISABLE": "1", "NCOLS": "7", "COLOUR": "red", "ASCII": "1", "POSITION": "3", "GUI": "1", "DELAY": "9"}
    program = """
import os, sys, threading
from asynccp.ui.bars import Bars
bars = Bars(sys.stdout, 2, size=lambda: os.terminal_size((80, 24)))
sys.stdout.write(bars.frame())
assert threading.active_count() == 1, "tqdm's monitor runs"
assert "multiprocessing.synchronize" not in sys.modules, "tqdm made its lock between processes"
"""
    environment = {**os.environ, **{f"TQDM_{name}": value for name, value in variables.items()}, "PYTHONUTF8": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True)
    assert done.stderr == b""
    assert re.fullmatch(r"\r*0/2 pods   0%\| +\|        0 B        0 B/s +\r", done.stdout.decode())


CALLS = st.tuples(
    st.sampled_from(["started", "sized", "advanced", "finished", "failed", "draw", "wait"]),
    st.integers(0, 11),
    st.none() | st.integers(0, 1 << 40),
)


@settings(max_examples=60)
@given(st.lists(CALLS, max_size=60), st.integers(40, 120), st.integers(1, 30), st.none() | st.integers(0, 1 << 50))
def test_whatever_happens_no_bar_wraps_and_none_stays(
    calls: list[tuple[str, int, int | None]], columns: int, lines: int, expected_total: int | None
) -> None:
    show = Show(12, columns, lines, expected_total=expected_total)
    said = 0
    for call, number, size in calls:
        transfer = pod(f"{number}{'日x' * number}-web", path="/" + "p" * (number % 3))
        match call:
            case "started":
                show.bars.started(transfer, size)
            case "sized":
                show.bars.sized(transfer, size or 0)
            case "advanced":
                show.bars.advanced(transfer, size or 0)
            case "finished":
                show.bars.finished(complete(transfer))
            case "failed":
                show.bars.finished(Result(transfer, Outcome.FAILED))
                said += 1
            case "draw":
                shown = show.draw()
                assert sum("B/s" in row or "idle" in row or "eta" in row or "%|" in row for row in shown) <= 9
                assert not any("%|" in row and len(row) >= columns for row in shown)
            case _:
                show.clock.now += number
    rows = show.close()
    assert not any("%|" in row or "B/s" in row for row in rows)
    assert sum("  failed" in row or row.endswith("failed") for row in rows) <= said

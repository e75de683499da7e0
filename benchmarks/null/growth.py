"""Growth: how figures grow with a number, as curves, and whether they do so in proportion."""

from collections.abc import Callable, Mapping, Sequence

from benchmarks.compare import CLIENT_CPU, PEAK_MEMORY, TIME, Measure, described
from benchmarks.row import Curve, Row
from benchmarks.sample import Sample

MEASURES = (TIME, CLIENT_CPU, PEAK_MEMORY)
STRAIGHT = 0.8  # a unit beyond the last but one point costs at most a quarter more than those before it did
Points = list[tuple[float, Sample]]


def grown(at: Sequence[int], copy: Callable[[int], Sample], say: Callable[[str], None] = print) -> Points:
    """Copy once for each number. The shape of the curve is what is looked for, and no noise has that of a square."""
    points: Points = []
    for number in at:
        points.append((number, copy(number)))
        say(f"  {number}: {described(points[-1][1])}")
    return points


def curves(what: str, x: str, lines: Mapping[str, Points]) -> list[Curve]:
    """Return a curve of time, one of CPU and one of memory."""
    return [_curve(what, x, lines, measure) for measure in MEASURES]


def straight(what: str, unit: str, points: Points, measure: Measure = CLIENT_CPU) -> Row:
    """Return what one `unit` more costs on the last stretch of a curve, beside what it cost on all those before."""
    first, last_but_one, last = points[0], points[-2], points[-1]
    name, of, _ = measure
    late, early = 1000 * _slope(last_but_one, last, measure), 1000 * _slope(first, last_but_one, measure)
    return Row(
        f"{what}: 1,000 {unit} more, from {last_but_one[0]:,.0f} to {last[0]:,.0f}",
        name,
        late,
        early,
        of,
        f"asynccp, from {first[0]:,.0f} to {last_but_one[0]:,.0f}",
        STRAIGHT,
    )


def _curve(what: str, x: str, lines: Mapping[str, Points], measure: Measure) -> Curve:
    name, unit, value = measure
    drawn = {label: [[number, value(sample) or 0.0] for number, sample in points] for label, points in lines.items()}
    ends = "; ".join(
        f"{label}: {points[0][1]:.3g} {unit} at {points[0][0]:,.0f}, {points[-1][1]:.3g} at {points[-1][0]:,.0f}"
        for label, points in drawn.items()
    )
    return Curve(f"{what}, {name}", x, f"{name}, {unit}", drawn, f"{what}, {name}: {ends}.")


def _slope(one: tuple[float, Sample], other: tuple[float, Sample], measure: Measure) -> float:
    value = measure[2]
    return ((value(other[1]) or 0.0) - (value(one[1]) or 0.0)) / (other[0] - one[0])

"""Row: one figure of ours beside the best of the others. Curve: how figures grow."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of one scenario. Figures that don't exist, because no run of that side was complete, are infinite.

    scenario: what is copied to whom. measure: "time", "client CPU", "API server CPU", "CPU per GiB", "peak memory".
    unit: of both figures: "s", "CPU-s", "MiB", "CPU-s/GiB"; lower is better in all of them.
    against: whose figure `theirs` is. wanted: what the ratio should be at least; None when there is no aim.
    failures: how many runs of each side were short or failed. samples: every single figure of each side.
    """

    scenario: str
    measure: str
    ours: float
    theirs: float
    unit: str
    against: str
    wanted: float | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, list[float]] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """How many times better ours is."""
        if math.isinf(self.ours):
            return 0.0
        return self.theirs / self.ours if self.ours else math.inf

    @property
    def held(self) -> bool:
        """Whether the ratio is what is wanted, and no copy of ours was short: speed excuses nothing."""
        return not self.failures.get(OURS) and (self.wanted is None or self.ratio >= self.wanted)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"ratio": self.ratio, "held": self.held}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Row":
        return cls(**{key: value for key, value in document.items() if key not in ("ratio", "held")})


@dataclass(frozen=True, slots=True)
class Curve:
    """Figures that grow with something. x, y: labels of the axes, with their units. sentence: what it shows.

    lines: the points of each line, as [x, y].
    """

    title: str
    x: str
    y: str
    lines: Mapping[str, list[list[float]]]
    sentence: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Curve":
        return cls(**document)


OURS = "asynccp"  # the name of our side in every comparison

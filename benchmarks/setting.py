"""Setting: how thoroughly a scenario is to be measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    """runs: of every side. scale: 1.0 for what the scenario's docstring says, less for a rehearsal of it."""

    runs: int = 5
    scale: float = 1.0

    def scaled(self, count: int, at_least: int = 1) -> int:
        """Return a number of pods, files or bytes, shrunk by the scale."""
        return max(at_least, round(count * self.scale))

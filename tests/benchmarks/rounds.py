"""Rounds of slices, one of each kind: what disturbs the machine disturbs all kinds alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.figures import Direction, Figure
from tests.benchmarks.slices import Slice, Value

type Round = Mapping[str, Slice]
"""One slice of each kind, by its name."""

type Turn = Callable[[float], Round]
"""Does the work of one or more kinds for so many seconds."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """All rounds that count."""

    rounds: Sequence[Round]

    def figure(
        self,
        name: str,
        value: Callable[[Round], float],
        unit: str,
        *,
        goal: float | None = None,
        better: Direction = "lower",
    ) -> Figure:
        """The median of the rounds, and how far they lie apart."""
        found = [value(one) for one in self.rounds]
        extent = (min(found), max(found))
        return Figure(name, median(found), unit, goal=goal, better=better, extent=extent)

    def ratio(
        self,
        name: str,
        value: Value,
        above: str,
        below: str,
        *,
        goal: float | None = None,
        better: Direction = "higher",
    ) -> Figure:
        """One kind's value by another's, taken within each round."""

        def of_a_round(one: Round) -> float:
            return value(one[above]) / value(one[below])

        return self.figure(name, of_a_round, "x", goal=goal, better=better)

    def of(
        self,
        kind: str,
        value: Value,
        unit: str,
        *,
        what: str,
        goal: float | None = None,
        better: Direction = "lower",
    ) -> Figure:
        """What one kind of work took or did."""
        return self.figure(
            f"{kind}: {what}", lambda one: value(one[kind]), unit, goal=goal, better=better
        )


def in_turns(
    turns: Sequence[Turn], *, number: int, seconds: float, settle: Callable[[], None]
) -> Rounds:
    """So many rounds, after one that warms up, is settled, and counts for nothing."""
    _round(turns, seconds / 2)
    settle()
    return Rounds([_round(turns, seconds) for _ in range(number)])


def _round(turns: Sequence[Turn], seconds: float) -> Round:
    found: dict[str, Slice] = {}
    for turn in turns:
        found |= turn(seconds)
    return found

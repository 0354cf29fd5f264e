"""How sure a figure is. Pure, and the same for the same data."""

import math
import random
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
"""Share of such intervals that hold the true figure."""
Z = 1.959963984540054
"""How many standard deviations that is, on either side."""
RESAMPLES = 1_000
"""Draws of the bootstrap."""
CLUSTERS_MAX = 4_096
"""Beyond so many cards draws are no longer made: their sum is then normal, and known."""
SEED = 20_261_127
"""Of the draws: any number does, and it stays."""
_DRAW_BITS = 16
"""A draw of the bootstrap is made of so many random bits."""
_WEIGHT_MAX = 8
"""Fewer than one draw in a million has a greater weight: so many bits don't tell it."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true figure lies, as sure as CONFIDENCE."""

    low: float
    high: float


def wilson(successes: int, trials: int) -> Interval | None:
    """The interval of a rate (E. B. Wilson, 1927); None without a trial.

    It stays within 0 and 1 and holds for few trials and for rates near either end.
    """
    if not trials:
        return None
    rate, z2 = successes / trials, Z * Z
    centre = rate + z2 / (2 * trials)
    reach = Z * math.sqrt(rate * (1 - rate) / trials + z2 / (4 * trials * trials))
    scale = 1 + z2 / trials
    low = 0.0 if successes == 0 else (centre - reach) / scale
    high = 1.0 if successes == trials else (centre + reach) / scale
    return Interval(low, high)


def bootstrap(differences: Mapping[bytes, int]) -> Interval:
    """The interval of the sum of all `differences`, each of which is one card's.

    Cards are drawn anew with Poisson weights (Oza, 2001), as a whole: payments of one card are
    fraud together. Cards without a difference add nothing to any draw and may be left out.
    """
    # By the cards' names, which are hashes: the order in which they were seen is no matter.
    values = [value for _, value in sorted(differences.items()) if value]
    if len(values) > CLUSTERS_MAX:
        # Of a weight, mean and variance are 1.
        reach = Z * math.sqrt(sum(value * value for value in values))
        return Interval(sum(values) - reach, sum(values) + reach)
    sums = _drawn(values)
    tail = (1 - CONFIDENCE) / 2
    return Interval(_quantile(sums, tail), _quantile(sums, 1 - tail))


def _drawn(values: Sequence[int]) -> list[int]:
    """RESAMPLES sums, the least first."""
    sums = [0] * RESAMPLES
    draws = random.Random(SEED)  # noqa: S311 - reproducible, and nobody's secret
    for value in values:
        picked = array("H", draws.randbytes(2 * RESAMPLES))
        for index, pick in enumerate(picked):
            if pick >= _NOT_DRAWN:
                sums[index] += value * _WEIGHTS[pick]
    return sorted(sums)


def _quantile(ordered: Sequence[int], share: float) -> float:
    """Between the two nearest draws, in proportion."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _poisson_table() -> bytes:
    """For each number of _DRAW_BITS, how often it says that a card is drawn: Poisson of mean 1."""
    total = 1 << _DRAW_BITS
    shares = [math.exp(-1) / math.factorial(weight) for weight in range(_WEIGHT_MAX + 1)]
    table = b"".join(bytes([weight]) * round(share * total) for weight, share in enumerate(shares))
    return table.ljust(total, b"\x01")


_WEIGHTS = _poisson_table()
_NOT_DRAWN = _WEIGHTS.index(1)

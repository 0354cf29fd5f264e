"""The population stability index of a feature: how far one sample is from another. Pure.

PSI is the sum over bins of (a - e) * ln(a / e), where a and e are the bin's shares of the actual
and the expected sample: Jeffreys' divergence, which is zero for equal shares and never negative
(Siddiqi, Intelligent Credit Scoring, 2nd ed., 2017). By custom less than 0.1 is no change and more
than 0.25 a great one. Of two samples of n and m that differ by chance alone it is about
(1/n + 1/m) times chi-square with bins - 1 degrees of freedom (Yurdakul, Statistical Properties of
Population Stability Index, 2018), hence `LEAST_SAMPLE`.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from paynexus.fraud.model import Value

BINS = 10
"""Bins of numbers: deciles of the reference."""
CATEGORIES = 20
"""Values of text with a bin of their own: the reference's most frequent; the rest share one."""
LEAST_SAMPLE = 200
"""Values on each side; of fewer, chance alone makes a drift: (1/200 + 1/200) * 10 is 0.1."""
PRIOR = 0.5
"""Added to each bin's count, so that an empty one has a share: Jeffreys' prior of a multinomial
(Krichevsky and Trofimov, 1981). It fades as samples grow, unlike a least share."""

type Bin = int | str
MISSING: Bin = "missing"
"""Where what isn't known goes: that more of it is missing is drift, too."""
OTHER: Bin = "other"


@dataclass(frozen=True, slots=True)
class Drift:
    """How far `n` values are from the `reference_n` before them."""

    psi: float
    n: int
    reference_n: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """Bins by edges: an edge belongs to the bin above it."""

    edges: tuple[float, ...]

    def bin_of(self, value: Value) -> Bin:
        """The bin's place, from 0."""
        if isinstance(value, (int, float)) and not math.isnan(value):
            return bisect_right(self.edges, value)
        return MISSING

    @property
    def bins(self) -> list[Bin]:
        """All there are."""
        return [*range(len(self.edges) + 1), MISSING]


@dataclass(frozen=True, slots=True)
class Words:
    """Bins by value."""

    known: tuple[str, ...]

    def bin_of(self, value: Value) -> Bin:
        """The value's own bin, or the one of all others."""
        if value is None:
            return MISSING
        return f"={value}" if str(value) in self.known else OTHER

    @property
    def bins(self) -> list[Bin]:
        """All there are."""
        return [*(f"={value}" for value in self.known), OTHER, MISSING]


def drift(reference: Sequence[Value], actual: Sequence[Value]) -> Drift | None:
    """How far the values are from the reference's; None where either are too few to tell.

    The reference alone makes the bins. Where nothing is known in it, as of a feature that is new,
    there is nothing to be far from: None.
    """
    if min(len(reference), len(actual)) < LEAST_SAMPLE:
        return None
    bins = binning_of([value for value in reference if value is not None])
    if bins is None:
        return None
    expected, found = (_shares(values, bins) for values in (reference, actual))
    return Drift(psi(expected, found), len(actual), len(reference))


def psi(expected: Sequence[float], actual: Sequence[float]) -> float:
    """The index of two distributions over the same bins; every share is above zero."""
    terms = ((a - e) * math.log(a / e) for e, a in zip(expected, actual, strict=True))
    return math.fsum(terms)


def binning_of(values: Sequence[Value]) -> Numbers | Words | None:
    """Bins for values like these, none of them None; None of no values."""
    if not values:
        return None
    numbers = [value for value in values if isinstance(value, (int, float))]
    if len(numbers) == len(values) and not all(isinstance(value, bool) for value in values):
        return Numbers(_quantiles(sorted(numbers)))
    frequent = Counter(str(value) for value in values).most_common()
    # Of equally frequent ones always the same.
    ranked = sorted(frequent, key=lambda pair: (-pair[1], pair[0]))
    return Words(tuple(value for value, _ in ranked[:CATEGORIES]))


def _quantiles(values: Sequence[float]) -> tuple[float, ...]:
    """Edges between deciles; a value of several deciles has a bin of its own."""
    deciles = Counter(values[len(values) * place // BINS] for place in range(1, BINS))
    edges = set(deciles)
    for value, times in deciles.items():
        if times > 1:
            above = bisect_right(values, value)
            is_last = above == len(values)
            edges.add(math.nextafter(value, math.inf) if is_last else values[above])
    return tuple(sorted(edges))


def _shares(values: Iterable[Value], bins: Numbers | Words) -> list[float]:
    counts = Counter(bins.bin_of(value) for value in values)
    smoothed = [counts[name] + PRIOR for name in bins.bins]
    total = math.fsum(smoothed)
    return [count / total for count in smoothed]

"""The population stability index: known values, its properties, and how values are binned."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paynexus.fraud.drift.psi import (
    BINS,
    CATEGORIES,
    LEAST_SAMPLE,
    MISSING,
    OTHER,
    Numbers,
    Words,
    binning_of,
    drift,
    psi,
)

COUNTS = st.lists(st.integers(1, 10**6), min_size=2, max_size=30)


def _shares(counts: list[int]) -> list[float]:
    return [count / sum(counts) for count in counts]


def test_a_published_example() -> None:
    """The package strappy 0.0.3 publishes it with its test: 6 and 5 become 5 and 4."""
    assert round(psi([6 / 11, 5 / 11], [5 / 9, 4 / 9]), 5) == 0.00041


def test_an_example_by_hand() -> None:
    """A half becomes three quarters: a quarter of ln(1.5), less a quarter of ln(0.5)."""
    assert psi([0.5, 0.5], [0.75, 0.25]) == pytest.approx(0.25 * math.log(3))


@given(COUNTS)
def test_equal_distributions_are_no_distance_apart(counts: list[int]) -> None:
    """Exactly."""
    assert psi(_shares(counts), _shares(counts)) == 0


@given(COUNTS, st.randoms(use_true_random=False))
def test_it_is_never_negative_and_the_same_both_ways(counts: list[int], rng: random.Random) -> None:
    """Whatever the second distribution is."""
    other = [rng.randint(1, 10**6) for _ in counts]
    there, back = psi(_shares(counts), _shares(other)), psi(_shares(other), _shares(counts))

    assert there >= 0
    assert there == pytest.approx(back)
    assert (there > 1e-12) == (_shares(counts) != pytest.approx(_shares(other), rel=1e-9))


def test_chance_alone_is_as_far_as_theory_says() -> None:
    """About (1/n + 1/m) times chi-square, whose mean is its degrees of freedom: bins - 1."""
    rng = random.Random(7)  # noqa: S311 - a seeded sequence
    found = []
    for _ in range(200):
        reference = [rng.random() for _ in range(2_000)]
        actual = [rng.random() for _ in range(500)]
        one = drift(reference, actual)
        assert one is not None
        found.append(one.psi)
    expected = (BINS - 1) * (1 / 2_000 + 1 / 500)

    # Three standard errors of the mean, and a little for the empty bin of what is missing.
    assert sum(found) / len(found) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("size", [LEAST_SAMPLE - 1, 0])
def test_too_few_values_tell_nothing(size: int) -> None:
    """On either side."""
    enough, few = [1.0] * LEAST_SAMPLE, [1.0] * size

    assert drift(few, enough) is None
    assert drift(enough, few) is None
    assert drift(enough, enough) is not None


def test_a_feature_that_is_new_is_no_drift() -> None:
    """Nothing of it was known before; that it gets lost is a great one."""
    known, unknown = [3.0] * LEAST_SAMPLE, [None] * LEAST_SAMPLE

    assert drift(unknown, known) is None
    lost = drift(known, unknown)
    assert lost is not None
    assert lost.psi > 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([1] * 95 + [2, 3, 4, 5, 6], [1] * 50 + [2, 3, 4, 5, 6] * 10),
        ([7] * 100, [8] * 100),
        ([7] * 100, [6] * 100),
        ([False] * 90 + [True] * 10, [False] * 50 + [True] * 50),
        (["DE"] * 90 + ["FR"] * 10, ["DE"] * 50 + ["NG"] * 50),
        (["DE"] * 100, ["DE"] * 50 + [None] * 50),
        (list(range(100)), [value + 40 for value in range(100)]),
    ],
)
def test_what_moves_is_seen(before: list[object], after: list[object]) -> None:
    """Also where most values are one, or all; and the same values again are none."""
    reference, actual = ([*values] * 10 for values in (before, after))

    moved, same = drift(reference, actual), drift(reference, reference)  # type: ignore[arg-type]

    assert moved is not None
    assert same is not None
    assert moved.psi > 0.25
    assert same.psi == 0
    assert (moved.n, moved.reference_n) == (len(actual), len(reference))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=300))
def test_every_number_has_a_bin(values: list[float]) -> None:
    """That of the reference, and any other; what is no number is missing."""
    bins = binning_of(values)
    assert isinstance(bins, Numbers)

    for value in [*values, -1e308, 0.0, 1e308]:
        assert bins.bin_of(value) in bins.bins
    assert bins.bin_of(None) == bins.bin_of(math.nan) == MISSING
    assert list(bins.edges) == sorted(set(bins.edges))


def test_deciles_hold_a_tenth_each() -> None:
    """Of values that differ."""
    bins = binning_of(list(range(1_000)))
    assert isinstance(bins, Numbers)

    held = [bins.bin_of(value) for value in range(1_000)]
    assert [held.count(place) for place in range(BINS)] == [100] * BINS


def test_rare_words_share_a_bin() -> None:
    """So that a thousand domains are no thousand bins; which ones doesn't depend on their order."""
    values = [str(number) for number in range(30) for _ in range(40 - number)]
    bins = binning_of(values)

    assert isinstance(bins, Words)
    assert bins == binning_of(values[::-1])
    assert len(bins.known) == CATEGORIES
    assert bins.bin_of("29") == bins.bin_of("never seen") == OTHER
    assert bins.bin_of("0") not in {OTHER, MISSING}
    assert bins.bin_of("missing") == OTHER
    assert bins.bin_of(None) == MISSING

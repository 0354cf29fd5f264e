"""No decision of a replay depends on anything that comes after it."""

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paynexus.fraud.backtest.features import Features
from paynexus.fraud.backtest.replay import (
    FeatureReplay,
    Judgement,
    Label,
    Moment,
    Observed,
    OutOfOrder,
    Payment,
    replay,
)
from paynexus.fraud.model import Value, Verdict
from tests.backtest_world import START, Cards, Rule, labelled, paid

MINUTES = 20 * 24 * 60
"""Twenty days: windows of a day slide over payments, labels come, silence becomes genuine."""
NOTHING = Rule(lambda _payment, _features: False)


type Seen = tuple[Payment, Mapping[str, Value]]


@dataclass
class Both:
    """The product's features, and those of `Cards`, which heed each label."""

    product: Features = field(default_factory=Features)
    cards: Cards = field(default_factory=Cards)

    def observe(self, payment: Payment) -> Mapping[str, Value]:
        """All of both."""
        return {**self.product.observe(payment), **self.cards.observe(payment)}

    count = observe

    def learn(self, label: Label) -> None:
        """Both do."""
        self.product.learn(label)
        self.cards.learn(label)


@dataclass
class Witness:
    """Blocks by all that it sees, and remembers it."""

    seen: list[Seen] = field(default_factory=list)

    def judge(self, payment: Payment, features: Mapping[str, Value]) -> Judgement:
        """Any feature that is another may make it another verdict."""
        self.seen.append((payment, dict(features)))
        total = sum(int(value) for value in features.values() if isinstance(value, int | float))
        return Judgement(tuple(Verdict)[total % len(Verdict)])


def _told(moments: list[Moment], features: FeatureReplay) -> list[tuple[Judgement, Seen]]:
    witness = Witness()
    judged = replay(moments, features=features, base=witness, candidate=NOTHING, since=START)
    return [(one.base, seen) for one, seen in zip(judged, witness.seen, strict=True)]


@st.composite
def _payments(draw: st.DrawFn, *, since: float, first: int) -> list[Observed]:
    times = draw(st.lists(st.integers(math.ceil(since), math.ceil(since) + MINUTES), max_size=12))
    return [
        paid(
            first + index,
            minutes=minutes,
            amount=draw(st.integers(1, 99)),
            card=draw(st.sampled_from("abc")),
            was_charged=draw(st.booleans()),
        )
        for index, minutes in enumerate(times)
    ]


@st.composite
def _labels(draw: st.DrawFn, payments: list[Observed], *, since: float) -> list[Label]:
    if not payments:
        return []
    of = draw(st.lists(st.sampled_from(payments), max_size=8))
    return [
        labelled(
            one,
            minutes=max(since, (one.at - START) / dt.timedelta(minutes=1))
            + draw(st.integers(0, MINUTES)),
            is_fraud=draw(st.booleans()),
        )
        for one in of
    ]


def _sorted(*moments: Moment) -> list[Moment]:
    return sorted(moments, key=lambda one: (one.at, isinstance(one, Label)))


@st.composite
def _histories(draw: st.DrawFn) -> tuple[list[Moment], list[Moment], list[Moment]]:
    """What has happened up to a moment, and two ways in which it may go on."""
    payments = draw(_payments(since=0, first=1))
    moments = _sorted(*payments, *draw(_labels(payments, since=0)))
    past = moments[: draw(st.integers(0, len(moments)))]
    now = (past[-1].at - START) / dt.timedelta(minutes=1) if past else 0
    known = [one for one in past if isinstance(one, Observed)]
    later = draw(_payments(since=now, first=1_000))
    future = _sorted(*later, *draw(_labels([*known, *later], since=now)))
    return past, moments[len(past) :], future


@given(_histories())
def test_what_comes_after_a_moment_changes_nothing_before_it(
    history: tuple[list[Moment], list[Moment], list[Moment]],
) -> None:
    """Whether it is altered, or never happens: neither features nor decisions know."""
    past, future, another = history
    alone = _told(past, Both())

    assert _told(past + future, Both())[: len(alone)] == alone
    assert _told(past + another, Both())[: len(alone)] == alone


def test_what_did_look_ahead_would_be_found_out() -> None:
    """Features that hold the payments to come are not the same without them."""
    moments: list[Moment] = [paid(1), paid(2, minutes=1)]

    class Prophet(Cards):
        def __init__(self, future: list[Moment]) -> None:
            super().__init__()
            self._future = future

        def observe(self, payment: Payment) -> Mapping[str, Value]:
            return {**super().observe(payment), "future": len(self._future)}

    alone = _told(moments[:1], Prophet(moments[:1]))

    assert _told(moments, Prophet(moments))[:1] != alone


def test_a_payment_is_decided_before_the_next_moment_is_asked_for() -> None:
    """There is nothing to look at yet."""
    asked: list[int] = []

    def moments() -> Iterator[Moment]:
        for number in (1, 2, 3):
            asked.append(number)
            yield paid(number, minutes=number)

    judged = replay(moments(), features=Both(), base=NOTHING, candidate=NOTHING, since=START)

    for number in (1, 2, 3):
        next(judged)
        assert asked == list(range(1, number + 1))


@given(st.data())
def test_a_label_says_something_from_its_moment_on(data: st.DataObject) -> None:
    """And nothing of earlier payments, whichever payment it is of."""
    minute = data.draw(st.integers(1, 99))
    first, second, third = (paid(one, minutes=at) for one, at in ((1, 0), (2, minute), (3, 200)))
    label = labelled(first, minutes=data.draw(st.integers(0, 199)))

    told = _told(_sorted(first, second, third, label), Cards())

    frauds = [features["frauds"] for _, (_, features) in told]
    assert frauds == [0, int(label.at < second.at), 1]


def test_moments_out_of_order_are_refused() -> None:
    """What came after them would know the future."""
    moments: list[Moment] = [paid(1, minutes=1), paid(2, minutes=0)]

    with pytest.raises(OutOfOrder):
        _told(moments, Cards())


def test_hindsight_is_handed_to_nobody_who_decides() -> None:
    """Whether a payment was charged, features and judges can't see."""
    charged, not_charged = ([paid(1, was_charged=was)] for was in (True, False))

    assert _told(list(charged), Both()) == _told(list(not_charged), Both())

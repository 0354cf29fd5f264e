"""No feature knows the future: whatever comes after a moment, the features at it are the same."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from paynexus.fraud.history.features import Values, features
from paynexus.fraud.history.replay import DAY, Label, Paid, Replay
from paynexus.money import Money

DAYS = 60
TIMES = st.integers(0, DAYS * DAY)


@st.composite
def pasts(draw: st.DrawFn) -> list[Paid]:
    """Payments of a few cards at a few terminals, in order of time."""
    times = sorted(draw(st.lists(TIMES, min_size=1, max_size=40)))
    return [
        Paid(
            number,
            at,
            draw(st.sampled_from("abc")),
            draw(st.sampled_from("st")),
            draw(st.sampled_from(("EUR", "JPY"))),
            draw(st.integers(1, 50_000)),
        )
        for number, at in enumerate(times)
    ]


@st.composite
def labels_of(draw: st.DrawFn, payments: list[Paid]) -> list[Label]:
    """Of some of them, after their time."""
    chosen = draw(st.lists(st.sampled_from(payments), max_size=30))
    return [
        Label(paid, draw(st.booleans()), paid.at + draw(st.integers(1, 20 * DAY)))
        for paid in chosen
    ]


def told(payments: list[Paid], labels: list[Label]) -> list[Values]:
    """The features of each payment, in order of time."""
    replay, found = Replay(), []
    for paid in payments:
        found.append(features(Money(paid.amount, paid.currency), replay.history(paid)))
        replay.add(paid)
        for label in labels:
            if label.payment.id == paid.id:
                replay.label(label)
    return found


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_nothing_after_a_moment_changes_what_is_known_at_it(data: st.DataObject) -> None:
    """Later payments are altered, shuffled or gone, and so is every word not said by then."""
    payments = data.draw(pasts())
    labels = data.draw(labels_of(payments))
    judged = data.draw(st.integers(0, len(payments) - 1))
    now = payments[judged].at
    before = told(payments, labels)[: judged + 1]

    past = payments[: judged + 1]
    future = data.draw(st.lists(st.sampled_from(payments), max_size=10))
    other_times = sorted(data.draw(st.integers(now, DAYS * DAY)) for _ in future)
    altered = [
        replace(paid, id=len(payments) + number, at=at, amount=paid.amount + 1)
        for number, (paid, at) in enumerate(zip(future, other_times, strict=True))
    ]
    said = [label for label in labels if label.known_at < now and label.payment.at <= now]
    yet_to_be_said = [
        replace(label, is_fraud=not label.is_fraud, known_at=max(now, label.known_at))
        for label in labels
        if label.known_at >= now and label.payment.at <= now
    ]
    new = [
        Label(paid, is_fraud=True, known_at=now + data.draw(st.integers(1, DAY))) for paid in past
    ]

    assert told(past + altered, said + yet_to_be_said + new)[: judged + 1] == before


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_the_past_does_change_what_is_known(data: st.DataObject) -> None:
    """Or the property above would hold of features that know nothing."""
    paid = Paid(1, DAY, "a", "t", "EUR", 1000)
    judged = Paid(2, data.draw(st.integers(10 * DAY, 30 * DAY)), "a", "t", "EUR", 1000)
    fraud = Label(paid, is_fraud=True, known_at=9 * DAY)

    assert told([paid, judged], [])[1] != told([judged], [])[0]
    assert told([paid, judged], [])[1] != told([paid, judged], [fraud])[1]

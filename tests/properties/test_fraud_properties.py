"""More against a payment never helps it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from paynexus.fraud.rules import Limits, ListKind, Match, Signals, Verdict, decide
from paynexus.money import Money

MATCHES = st.builds(
    Match,
    id=st.uuids().map(str),
    kind=st.sampled_from(ListKind),
    verdict=st.sampled_from([Verdict.CHALLENGE, Verdict.BLOCK]),
    note=st.text(max_size=5),
)
SIGNALS = st.builds(
    Signals,
    money=st.builds(Money, st.integers(1, 2_000_000), st.just("EUR")),
    matches=st.lists(MATCHES, max_size=4).map(tuple),
    payments_last_hour=st.integers(0, 30),
)
NUMBERS = st.integers(0, 1_500_000)
LIMITS = st.builds(Limits, NUMBERS, NUMBERS, st.integers(0, 20))


def _severity(signals: Signals, limits: Limits) -> int:
    return decide(signals, limits).verdict.severity


@given(SIGNALS, LIMITS, MATCHES)
def test_a_further_match_never_lowers_the_verdict(
    signals: Signals, limits: Limits, further: Match
) -> None:
    """And it reaches at least the match's own."""
    more = replace(signals, matches=(*signals.matches, further))

    assert _severity(more, limits) >= max(_severity(signals, limits), further.verdict.severity)


@given(SIGNALS, LIMITS, st.integers(0, 1_000_000), st.integers(0, 10))
def test_a_larger_or_more_frequent_payment_is_never_judged_more_mildly(
    signals: Signals, limits: Limits, more: int, often: int
) -> None:
    """Whatever the limits, even contradictory ones."""
    worse = replace(
        signals,
        money=Money(signals.money.amount + more, "EUR"),
        payments_last_hour=signals.payments_last_hour + often,
    )

    assert _severity(worse, limits) >= _severity(signals, limits)


@given(SIGNALS, LIMITS)
def test_the_verdict_is_that_of_its_gravest_reason(signals: Signals, limits: Limits) -> None:
    """No verdict without a reason, no reason without effect, in whatever order lists answer."""
    decision = decide(signals, limits)
    backwards = decide(replace(signals, matches=signals.matches[::-1]), limits)
    severities = [reason.verdict.severity for reason in decision.reasons]

    assert max(severities, default=0) == decision.verdict.severity
    assert severities == sorted(severities, reverse=True)
    assert decision.verdict == backwards.verdict
    assert set(decision.reasons) == set(backwards.reasons)

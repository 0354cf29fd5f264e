"""Allowances against an exact model, the limiter of last resort, and what the headers say."""

import datetime as dt
from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paynexus.cache import Cache
from paynexus.errors import RateLimited
from paynexus.identity.allowance import (
    EXACT_DEBT_MAX,
    MINOR_UNITS,
    REQUESTS_PER_MINUTE_MAX,
    SHARE,
    VALUE_PER_MINUTE_MAX,
    Allowances,
    Charge,
    Policy,
    Rate,
    Verdict,
    judged,
)
from paynexus.identity.rate_limit import LOCAL_BUCKETS_MAX, LocalBuckets, RateLimiter
from paynexus.money import EXPONENTS, Money, limit_of

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
REQUEST = Charge(Policy("write", quota=40))
ALLOWED = REQUEST.policy.quota // SHARE
VALUE = Policy("value", quota=97, unit=MINOR_UNITS)
SECOND = dt.timedelta(seconds=1)

ASKED = st.tuples(st.integers(0, 20_000), st.integers(1, 130), st.sampled_from(["EUR", "JPY"]))
"""Milliseconds after the one before, an amount, a currency."""


@dataclass
class Tokens:
    """A bucket of tokens as textbooks draw it, in fractions: full at first, never above."""

    quota: int
    window_ms: int
    at: int = 0
    left: Fraction = field(init=False)

    def __post_init__(self) -> None:
        self.left = Fraction(self.quota)

    def refill(self, moment: int) -> None:
        """What came back until then."""
        back = Fraction((moment - self.at) * self.quota, self.window_ms)
        self.left, self.at = min(Fraction(self.quota), self.left + back), moment


def charges(amount: int, currency: str = "EUR") -> list[Charge]:
    """One request of so much money."""
    return [REQUEST, Charge(VALUE, amount, currency)]


def refused(verdict: Verdict) -> RateLimited:
    """What a refused client is told."""
    with pytest.raises(RateLimited) as caught:
        verdict.require_allowed()
    return caught.value


@given(asked=st.lists(ASKED, max_size=80))
def test_two_buckets_pass_exactly_what_the_exact_model_passes(
    asked: list[tuple[int, int, str]],
) -> None:
    """All or nothing, to the last unit and millisecond, and what remains is what the model has."""
    buckets, elapsed = LocalBuckets(), 0
    share = REQUEST.policy.share()
    requests = Tokens(share.quota, share.window)
    money = {one: Tokens(VALUE.quota, VALUE.share().window) for one in ("EUR", "JPY")}
    for gap, amount, currency in asked:
        elapsed += gap
        requests.refill(elapsed)
        money[currency].refill(elapsed)
        moment = NOW + dt.timedelta(milliseconds=elapsed)
        verdict = buckets.admit("c", charges(amount, currency), now=moment)

        passes = requests.left >= 1 and money[currency].left >= amount
        assert verdict.is_allowed == passes
        if passes:
            requests.left -= 1
            money[currency].left -= amount
        left = [requests.left, money[currency].left]
        assert [one.remaining for one in verdict.standings] == [one // 1 for one in left]


@given(asked=st.lists(ASKED, min_size=1, max_size=60))
def test_no_span_holds_more_than_the_quota_and_what_came_back(
    asked: list[tuple[int, int, str]],
) -> None:
    """Between any two requests that passed, in money."""
    buckets, elapsed = LocalBuckets(), 0
    passed: list[tuple[int, int]] = []
    for gap, amount, _ in asked:
        elapsed += gap
        moment = NOW + dt.timedelta(milliseconds=elapsed)
        if buckets.admit("c", charges(amount), now=moment).is_allowed:
            passed.append((elapsed, amount))

    window = VALUE.share().window
    for index, (first, _) in enumerate(passed):
        for end in range(index, len(passed)):
            span = passed[end][0] - first
            taken = sum(amount for _, amount in passed[index : end + 1])
            assert taken <= VALUE.quota + Fraction(span * VALUE.quota, window)


@given(
    debts=st.tuples(st.integers(0, REQUEST.policy.full), st.integers(0, Policy("value", 97).full)),
    amount=st.integers(1, VALUE.quota),
)
def test_a_refused_request_passes_after_the_time_it_was_told(
    debts: tuple[int, int], amount: int
) -> None:
    """The same request, whichever bucket refused it; a second earlier it does not."""
    asked = charges(amount)
    verdict = judged(asked, debts)
    if verdict.is_allowed:
        return
    told = refused(verdict).retry_after
    assert told is not None

    def after(seconds: int) -> bool:
        left = [
            max(0, debt - charge.policy.quota * 1_000 * seconds)
            for charge, debt in zip(asked, debts, strict=True)
        ]
        return judged(asked, left).is_allowed

    assert after(told)
    assert not after(told - 1)


def test_what_can_never_pass_is_told_no_time() -> None:
    """More than the whole quota: no Retry-After, and words that say so."""
    refusal = refused(judged(charges(VALUE.quota + 1), [0, 0]))

    assert (refusal.retry_after, refusal.param) == (None, "amount")
    assert "never passes" in refusal.detail
    assert judged(charges(VALUE.quota), [0, 0]).is_allowed


def test_the_refusal_names_the_amount_only_if_money_is_what_lacks() -> None:
    """A client that sends too often is not told of its amount."""
    full = REQUEST.policy.full

    assert refused(judged(charges(1), [full, 0])).param is None
    assert refused(judged(charges(1), [0, VALUE.full])).param == "amount"


@pytest.mark.parametrize("currency", ["JPY", "EUR", "KWD"])
def test_the_default_lets_the_largest_payment_pass_once_a_minute(currency: str) -> None:
    """Here and on an environment's own count; the smallest one more does not pass."""
    largest = Allowances().value(Money(limit_of(currency), currency))
    least = Allowances().value(Money(1, currency))
    buckets = LocalBuckets()

    verdict = judged([largest], [0])
    assert verdict.is_allowed
    assert not judged([least], [verdict.standings[0].debt]).is_allowed
    assert buckets.admit("c", [largest], now=NOW).is_allowed
    assert not buckets.admit("c", [least], now=NOW).is_allowed


def test_every_debt_is_exact_in_a_double() -> None:
    """Of the largest quotas that an installation can choose, and of every currency."""
    allowances = Allowances(
        requests_per_minute=REQUESTS_PER_MINUTE_MAX, value_per_minute=VALUE_PER_MINUTE_MAX
    )
    policies = [allowances.request(rate).policy for rate in Rate]
    for currency in EXPONENTS:
        charge = allowances.value(Money(limit_of(currency), currency))
        policies.append(charge.policy)
        assert charge.cost <= EXACT_DEBT_MAX

    assert all(policy.full <= EXACT_DEBT_MAX for policy in policies)
    assert all(float(2 * policy.full - 1) == 2 * policy.full - 1 for policy in policies)


def test_absent_redis_is_neither_an_open_door_nor_an_outage() -> None:
    """Without Redis a share of the quota passes, and the rest is refused."""
    limiter = RateLimiter(Cache(""))
    verdicts = [limiter.admit("client", [REQUEST], now=NOW) for _ in range(REQUEST.policy.quota)]

    assert [verdict.is_allowed for verdict in verdicts].count(True) == ALLOWED
    assert all(verdict.is_allowed for verdict in verdicts[:ALLOWED])


def test_clients_do_not_share_a_bucket_and_are_bounded() -> None:
    """One client's flood takes nothing from another, nor memory without end."""
    buckets = LocalBuckets()
    for number in range(2 * LOCAL_BUCKETS_MAX):
        verdict = buckets.admit(f"client {number}", [REQUEST], now=NOW)
        assert verdict.standings[0].remaining == ALLOWED - 1

    assert len(buckets._buckets) == LOCAL_BUCKETS_MAX


def test_a_clock_that_is_set_back_neither_gives_nor_locks() -> None:
    """Nothing comes back until it moves on, and then it does."""
    buckets = LocalBuckets()
    for _ in range(ALLOWED):
        assert buckets.admit("c", [REQUEST], now=NOW).is_allowed
    earlier = NOW - dt.timedelta(hours=1)

    assert not buckets.admit("c", [REQUEST], now=earlier).is_allowed
    assert not buckets.admit("c", [REQUEST], now=earlier + 5 * SECOND).is_allowed
    assert buckets.admit("c", [REQUEST], now=earlier + 6 * SECOND).is_allowed


def test_headers_say_what_is_left() -> None:
    """The letters of draft-ietf-httpapi-ratelimit-headers; money says its unit and currency."""
    verdict = judged(charges(7), [0, 0])

    assert verdict.headers() == {
        "RateLimit-Policy": '"write";q=40;w=60, "value";q=97;w=60;qu="minor-units";pk=:RVVS:',
        "RateLimit": '"write";r=39;t=2, "value";r=90;t=5;pk=:RVVS:',
    }

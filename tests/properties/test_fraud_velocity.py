"""Velocity has one meaning: its definition, the replay, the scripts and the SQL agree."""

import datetime as dt
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from paynexus.clock import system_clock
from paynexus.db import Database
from paynexus.fraud.velocity import store
from paynexus.fraud.velocity.counters import COLD, Counters
from paynexus.fraud.velocity.reference import Observation, Replay, counted, moment_of
from paynexus.fraud.velocity.scripts import LATENESS_SECONDS
from paynexus.fraud.velocity.windows import MEMBERS_MAX, MOST, WINDOWS
from tests.velocity_world import LONG_AGO, Shop, opened, patient

START = system_clock()
MICROSECOND = dt.timedelta(microseconds=1)
LATENESS = dt.timedelta(seconds=LATENESS_SECONDS)
MINUTE = dt.timedelta(minutes=1)

# Time stands still, or passes to just before, at or after a moment at which a count changes.
_EDGES = sorted({0, 60, LATENESS_SECONDS, *(window.seconds for window in WINDOWS)})
_passing = st.one_of(
    st.just(0 * MICROSECOND),
    st.builds(
        lambda seconds, by: max(dt.timedelta(seconds=seconds) + by * MICROSECOND, 0 * MICROSECOND),
        st.sampled_from(_EDGES),
        st.sampled_from((-1_000, -1, 0, 1, 1_000)),
    ),
    st.builds(lambda seconds: dt.timedelta(seconds=seconds), st.floats(0, 90_000)),
)
_named = st.one_of(st.none(), st.sampled_from("ab"))
_amounts = st.one_of(
    st.integers(1, 1_000),
    st.sampled_from((2**53 - 1, 2**53 + 1, 10**15, 10**15 + 1, 999_999_999, 10**9, MOST)),
)
_payments = st.fixed_dictionaries(
    {
        "amount": _amounts,
        "currency": st.sampled_from(("EUR", "KWD")),
        "card": st.sampled_from("ab"),
        "customer": _named,
        "email": _named,
        "ip": _named,
        "terminal": _named,
    }
)
_steps = st.lists(st.tuples(_passing, _passing, _payments), min_size=1, max_size=25)
type Steps = list[tuple[dt.timedelta, dt.timedelta, Mapping[str, object]]]

_HUGE = {"amount": MOST, "currency": "EUR", "card": "a", "customer": "a"}


@settings(max_examples=300, deadline=None)
@given(steps=_steps, again=st.sets(st.integers(0, 24)))
def test_a_replay_tells_what_is_defined(steps: Steps, again: set[int]) -> None:
    """In the order of time, each payment seen once or twice at its moment."""
    shop, replay, known, now = Shop(), Replay(), list[Observation](), START
    for number, (passed, _, payment) in enumerate(steps):
        now += passed
        observation = shop.payment(now, **payment)  # type: ignore[arg-type]
        expected = counted(observation, known)
        known.append(observation)

        assert replay.observe(observation) == expected
        if number in again:
            assert replay.observe(observation) == expected


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(steps=[(MINUTE, MINUTE, _HUGE)] * 4, again=set())
@given(steps=_steps, again=st.sets(st.integers(0, 24)))
def test_redis_and_postgres_tell_what_is_defined(
    redis_url: str, database: Database, steps: Steps, again: set[int]
) -> None:
    """Late, early, twice and in any order; Redis as soon as it may, which is not too late."""
    cache = patient(redis_url)
    cache._connected().flushall()
    opened(cache, since=START - LONG_AGO)
    shop, known, now = Shop(), list[Observation](), START
    for number, (passed, late, payment) in enumerate(steps):
        now += passed
        observation = shop.payment(now - late, **payment)  # type: ignore[arg-type]
        shop.log(database, observation)
        known.append(observation)
        asked = [observation, *(known[number // 2 :][:1] if number in again else ())]
        for one in asked:
            expected = counted(one, known)
            told = Counters(cache, clock=moment_of(now)).observe(one)

            assert told == (COLD if now - one.at > LATENESS else expected)
            with database.reading() as connection:
                assert store.count(connection, one) == expected


def test_what_the_latest_may_ask_is_kept(redis_url: str) -> None:
    """A payment as late as may be sees the first of its day, whatever was thrown away before."""
    opened(patient(redis_url), since=START - LONG_AGO)
    shop, now = Shop(), START + dt.timedelta(days=1) + LATENESS - MICROSECOND
    first, newest, late = (
        shop.payment(at, customer="ada", email="ada", ip="home")
        for at in (START, now, now - LATENESS)
    )
    counters = Counters(patient(redis_url), clock=moment_of(now))

    assert counters.feed([first, newest])
    assert counters.observe(late) == counted(late, [first, newest])
    assert counted(late, [first, newest])["email_count_24h"] == 2


@pytest.mark.parametrize("beyond", [0, 1, 3])
def test_the_newest_thousand_count(redis_url: str, database: Database, beyond: int) -> None:
    """Of a card that pays more, all answers are those of its newest thousand payments."""
    shop, replay, replayed = Shop(), Replay(), None
    counters = opened(patient(redis_url), since=START - LONG_AGO)
    payments = [
        shop.payment(START - dt.timedelta(seconds=2_000 - n), amount=10**15 + n, email=f"{n}")
        for n in range(MEMBERS_MAX + beyond)
    ]
    for start in range(0, len(payments), 50):
        assert counters.feed(payments[start : start + 50])
    shop.log(database, *payments)
    for one in payments:
        replayed = replay.observe(one)
    last = payments[-1]
    expected = counted(last, payments)

    assert counters.observe(last) == replayed == expected
    with database.reading() as connection:
        assert store.count(connection, last) == expected
    assert expected["card_count_24h"] == expected["card_emails_24h"] == MEMBERS_MAX
    assert expected["merchant_count_1h"] == MEMBERS_MAX + beyond
    assert expected["card_sum_24h"] == sum(one.amount for one in payments[-MEMBERS_MAX:])


def test_sums_beyond_a_double_are_exact_and_end_at_64_bits(
    redis_url: str, database: Database
) -> None:
    """2^53 + 1 isn't rounded, in the log of a card nor in a merchant's minutes."""
    shop = Shop()
    counters = opened(patient(redis_url), since=START - LONG_AGO)
    sums = []
    for amount in (2**53 + 1, 1, MOST - 2**53 - 3, 1, 1, MOST):
        payment = shop.payment(START, amount=amount)
        shop.log(database, payment)
        told = counters.observe(payment)
        assert told
        with database.reading() as connection:
            assert store.count(connection, payment) == told
        sums.append((told["card_sum_24h"], told["merchant_sum_24h"]))

    assert sums == [(one, one) for one in (2**53 + 1, 2**53 + 2, MOST - 1, MOST, MOST, MOST)]


def test_a_replay_refuses_to_go_back() -> None:
    """A payment that came before is no part of what a replay has told since."""
    shop, replay = Shop(), Replay()
    replay.observe(shop.payment(START))

    with pytest.raises(ValueError, match="order of time"):
        replay.observe(shop.payment(START - MICROSECOND))


def test_a_replay_forgets_whom_no_window_reaches() -> None:
    """Its memory is that of the longest window, however long the history."""
    shop, replay = Shop(), Replay()
    for n in range(30_000):
        replay.observe(shop.payment(START + n * MINUTE, ip=f"{n}", card=f"{n}"))

    assert len(replay._entities) < 2 * (2 * 7 * 24 * 60 + 1)

"""The limiter of last resort, and what the headers say."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from paynexus.cache import Cache
from paynexus.identity.rate_limit import (
    LOCAL_CLIENTS_MAX,
    LOCAL_SHARE,
    LocalBuckets,
    Policy,
    RateLimiter,
    Verdict,
)

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
POLICY = Policy("default", quota=40, window_seconds=60)
ALLOWED = POLICY.quota // LOCAL_SHARE


def test_absent_redis_is_neither_an_open_door_nor_an_outage() -> None:
    """Without Redis a share of the quota passes, and the rest is refused."""
    limiter = RateLimiter(Cache(""), POLICY)
    verdicts = [limiter.admit("client", now=NOW) for _ in range(POLICY.quota)]

    assert [verdict.is_allowed for verdict in verdicts].count(True) == ALLOWED
    assert all(verdict.is_allowed for verdict in verdicts[:ALLOWED])


@given(gaps=st.lists(st.integers(0, 20_000), min_size=1, max_size=60))
def test_no_window_holds_more_than_twice_the_quota(gaps: list[int]) -> None:
    """Whatever the arrivals: at most the burst plus what came back meanwhile."""
    buckets, moment, passed = LocalBuckets(), NOW, []
    for gap in gaps:
        moment += dt.timedelta(milliseconds=gap)
        if buckets.admit("client", POLICY, now=moment).is_allowed:
            passed.append(moment)

    window = dt.timedelta(seconds=POLICY.window_seconds)
    for first in passed:
        inside = [other for other in passed if first <= other < first + window]
        assert len(inside) <= 2 * ALLOWED


def test_a_refused_client_passes_after_the_time_it_was_told() -> None:
    """Retry-After is true, and a second earlier would have been too early."""
    buckets = LocalBuckets()
    while (verdict := buckets.admit("client", POLICY, now=NOW)).is_allowed:
        pass
    told = dt.timedelta(seconds=verdict.retry_after)

    early = buckets.admit("client", POLICY, now=NOW + told - dt.timedelta(seconds=1))
    assert not early.is_allowed
    assert buckets.admit("client", POLICY, now=NOW + told).is_allowed


def test_clients_do_not_share_a_bucket_and_are_bounded() -> None:
    """One client's flood takes nothing from another, nor memory without end."""
    buckets = LocalBuckets()
    for number in range(2 * LOCAL_CLIENTS_MAX):
        assert buckets.admit(f"client {number}", POLICY, now=NOW).remaining == ALLOWED - 1

    assert len(buckets._tats) == LOCAL_CLIENTS_MAX


def test_headers_say_what_is_left() -> None:
    """The letters of draft-ietf-httpapi-ratelimit-headers."""
    fresh = Verdict(POLICY, is_allowed=True, backlog=POLICY.interval)
    spent = Verdict(POLICY, is_allowed=False, backlog=POLICY.window)

    assert fresh.headers() == {
        "RateLimit-Policy": '"default";q=40;w=60',
        "RateLimit": '"default";r=39;t=2',
    }
    assert spent.headers() == {
        "RateLimit-Policy": '"default";q=40;w=60',
        "RateLimit": '"default";r=0;t=60',
        "Retry-After": "2",
    }

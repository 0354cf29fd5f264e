"""The fleet's rate limit on real Valkey."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest

from paynexus import runtime
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.identity.rate_limit import ADMIT, Policy, RateLimiter
from qr_api import handler as qr_api
from tests.integration.conftest import Caller, answer_of, gateway_event

A_DAY = Policy("default", quota=100, window_seconds=24 * 60 * 60)
"""Within a test's time, nothing of such a window comes back."""


def test_many_environments_share_one_exact_limit(redis_url: str, now: dt.datetime) -> None:
    """20 environments, 15 requests each: exactly the quota passes."""

    def environment(_number: int) -> list[bool]:
        limiter = RateLimiter(Cache(redis_url), A_DAY)
        return [limiter.admit("client", now=now).is_allowed for _ in range(15)]

    with ThreadPoolExecutor(20) as pool:
        verdicts = [one for several in pool.map(environment, range(20)) for one in several]

    assert verdicts.count(True) == A_DAY.quota
    assert len(verdicts) == 300


def test_remaining_counts_down_to_a_refusal(cache: Cache, now: dt.datetime) -> None:
    """The headers are true on every answer."""
    limiter = RateLimiter(cache, Policy("default", quota=3, window_seconds=3_600))
    verdicts = [limiter.admit("client", now=now) for _ in range(4)]

    assert [verdict.is_allowed for verdict in verdicts] == [True, True, True, False]
    assert [verdict.remaining for verdict in verdicts] == [2, 1, 0, 0]
    assert 1_199 <= verdicts[-1].retry_after <= 1_200
    assert limiter.admit("another", now=now).is_allowed


def test_a_forgotten_count_starts_afresh(redis_url: str, cache: Cache, now: dt.datetime) -> None:
    """FLUSHALL opens no hole larger than one more quota, and the script comes back by itself."""
    limiter = RateLimiter(cache, Policy("default", quota=2, window_seconds=3_600))
    assert [limiter.admit("c", now=now).is_allowed for _ in range(3)] == [True, True, False]
    cache.delete("rate:default:c")

    assert [limiter.admit("c", now=now).is_allowed for _ in range(3)] == [True, True, False]


def test_the_count_expires_with_its_window(cache: Cache, now: dt.datetime) -> None:
    """Nothing is kept of a client whose allowance is whole again."""
    policy = Policy("default", quota=2, window_seconds=60)
    cache.run(ADMIT, ["rate:default:c"], [policy.interval, policy.window])
    ttl = cache._connected().pttl("rate:default:c")

    assert 29_000 < ttl <= 30_001


def test_the_api_answers_429_with_true_headers(call: Caller, deployed: pytest.MonkeyPatch) -> None:
    """Every answer carries the rate, refusals too; a 429 is a problem that says when to come."""
    policy = Policy("default", quota=2, window_seconds=3_600)
    deployed.setattr(runtime.rate_limiter(), "_policy", policy)
    answers = [call(qr_api.handler, "GET", "/qr-codes/none") for _ in range(3)]
    rates = [answer.headers["RateLimit"].split(";")[1] for answer in answers]

    assert [answer.status for answer in answers] == [404, 404, 429]
    assert rates == ["r=1", "r=0", "r=0"]
    assert answers[2].json()["code"] == "rate_limited"
    assert answers[2].headers["Retry-After"] == "1800"
    assert answers[2].headers["Content-Type"] == "application/problem+json"


def test_what_is_refused_before_it_is_read_is_counted_too(call: Caller) -> None:
    """Bad bodies, unknown paths and wrong methods cost a request each, and say so."""
    answers = [
        call(qr_api.handler, "POST", "/qr-codes", text='{"amount":'),
        call(qr_api.handler, "POST", "/qr-codes", {"amount": "5"}),
        call(qr_api.handler, "GET", "/nothing"),
        call(qr_api.handler, "DELETE", "/qr-codes"),
    ]

    assert [answer.status for answer in answers] == [400, 400, 404, 405]
    assert all("RateLimit" in answer.headers for answer in answers)
    assert all("Request-Id" in answer.headers for answer in answers)


def test_no_principal_is_a_401(deployed: pytest.MonkeyPatch, database: Database) -> None:
    """A request that came around the authorizer is refused."""
    answer = answer_of(qr_api.handler(gateway_event("GET", "/qr-codes/none"), None))

    assert (answer.status, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.json()["request_id"] == answer.headers["Request-Id"]
    assert answer.headers["Content-Type"] == "application/problem+json"

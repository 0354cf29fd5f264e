"""The fleet's rate limit on real Valkey."""

import datetime as dt
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merchants_api import handler as merchants_api
from payments_api import handler as payments_api
from paynexus import cache as caches
from paynexus import jsontext, runtime
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.errors import ConfigurationError
from paynexus.identity.allowance import MINOR_UNITS, SHARE, Allowances, Charge, Policy, Rate
from paynexus.identity.rate_limit import ADMIT, RateLimiter
from qr_api import handler as qr_api
from tests.integration.conftest import Answer, Caller, answer_of, gateway_event

PROCESSES = 16
PATIENCE_SECONDS = 20.0
"""What counts here is what Redis answers, however busy the machine is with 16 processes."""
A_MINUTE = Charge(Policy("write", quota=100))
A_DAY = Charge(Policy("write", quota=100, window_seconds=24 * 60 * 60))
"""Within a test's time, nothing of such a window comes back."""
DAILY_MONEY = Policy("value", quota=1_000, window_seconds=24 * 60 * 60, unit=MINOR_UNITS)
ORDER = {"amount": 1250, "currency": "EUR", "payment_method": "tok_approve"}

_barrier: Barrier


def _meet(barrier: Barrier) -> None:
    global _barrier  # noqa: PLW0603 - how a pool's processes are handed what can't be pickled
    _barrier = barrier


def environment(order: tuple[str, list[list[Charge]]]) -> list[bool]:
    """In a process of its own: all of these requests, once every other process is ready."""
    url, requests = order
    caches.DEADLINE_SECONDS = PATIENCE_SECONDS
    limiter, now = RateLimiter(Cache(url)), dt.datetime.now(dt.UTC)  # noqa: TID251 - the tests' edge
    limiter.admit("another", [A_DAY], now=now)
    _barrier.wait(timeout=60)
    return [limiter.admit("client", charges, now=now).is_allowed for charges in requests]


def fleet(url: str, requests: list[list[Charge]]) -> list[list[bool]]:
    """What each of 16 processes was told of the same requests."""
    context = get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    with context.Pool(PROCESSES, initializer=_meet, initargs=(barrier,)) as pool:
        return pool.map(environment, [(url, requests)] * PROCESSES, chunksize=1)


def test_sixteen_processes_share_one_exact_limit(redis_url: str) -> None:
    """320 requests at once against 100 a day: 100 pass."""
    told = [one for several in fleet(redis_url, [[A_DAY]] * 20) for one in several]

    assert len(told) == 320
    assert told.count(True) == 100


@pytest.mark.long
def test_sixteen_processes_against_a_hundred_a_minute(redis_url: str, cache: Cache) -> None:
    """100, and exactly what came back on the server's clock until the last was refused."""
    told = [one for several in fleet(redis_url, [[A_MINUTE]] * 20) for one in several]
    debt, since = map(int, (cache.get("rate:{client}:write") or b"").split())
    policy = A_MINUTE.policy
    began = since - Fraction(told.count(True) * policy.window - debt, policy.quota)
    spent = since - began

    assert 100 <= told.count(True) <= 100 + Fraction(policy.quota) * spent / policy.window
    assert debt + policy.window > policy.full


@pytest.mark.long
def test_sixteen_processes_and_two_buckets(redis_url: str, cache: Cache) -> None:
    """Exact in requests and in money: what one bucket refuses takes nothing of the other."""
    sizes = [10, 30, 3, 1, 7] * 4
    requests = [[A_DAY, Charge(DAILY_MONEY, amount, "EUR")] for amount in sizes]
    told = fleet(redis_url, requests)
    passed = [
        amount
        for several in told
        for amount, is_allowed in zip(sizes, several, strict=True)
        if is_allowed
    ]
    debts = [
        int((cache.get(f"rate:{{client}}:{bucket}") or b"").split()[0])
        for bucket in ("write", "value:EUR")
    ]

    assert len(passed) <= 100
    assert sum(passed) <= 1_000
    # Either nothing of the least size fits any more, or no request does.
    assert len(passed) == 100 or sum(passed) == 1_000
    back = A_DAY.policy.quota * 60_000, DAILY_MONEY.quota * 60_000
    assert 0 <= len(passed) * A_DAY.policy.window - debts[0] < back[0]
    assert 0 <= sum(passed) * DAILY_MONEY.window - debts[1] < back[1]


@given(
    quotas=st.tuples(st.integers(1, 10**4), st.integers(1, 75 * 10**9)),
    shares=st.lists(st.integers(1, 10**6), min_size=1, max_size=12),
)
@settings(max_examples=40, deadline=None)
def test_the_script_counts_as_the_exact_model_does(
    valkey_server: Any,  # noqa: ANN401 - the tools' server
    quotas: tuple[int, int],
    shares: list[int],
) -> None:
    """Amounts up to 75 thousand million minor units, on the server's own clock."""
    cache = Cache(valkey_server.url)
    cache._connected().flushall()
    many, much = Policy("write", quotas[0]), Policy("value", quotas[1], unit=MINOR_UNITS)
    owed = [Fraction(0), Fraction(0)]
    before = None
    for share in shares:
        charges = [Charge(many), Charge(much, max(1, much.quota * share // 10**6), "KWD")]
        numbers = [
            number for one in charges for number in (one.policy.quota, one.policy.full, one.cost)
        ]
        allowed, *debts = cache.run(ADMIT, ["write", "value"], numbers)
        # A bucket that was paid back meanwhile is gone; the other tells the moment as well.
        stored = cache.get("write") or cache.get("value")
        if not stored:
            return
        moment = int(stored.split()[1])
        spent = 0 if before is None else moment - before
        before = moment
        for index, one in enumerate(charges):
            back = Fraction(spent * one.policy.quota, one.policy.window)
            owed[index] = max(Fraction(0), owed[index] - back)
            assert debts[index] == owed[index] * one.policy.window
        fits = all(o + c.amount <= c.policy.quota for o, c in zip(owed, charges, strict=True))
        assert allowed == int(fits)
        if fits:
            owed = [o + c.amount for o, c in zip(owed, charges, strict=True)]


def test_remaining_is_exactly_what_then_passes(cache: Cache, now: dt.datetime) -> None:
    """After any answer: so many requests, so much money, and not one more."""
    limiter = RateLimiter(cache)
    small = Charge(Policy("write", quota=5, window_seconds=24 * 60 * 60))

    def told(amount: int) -> list[int]:
        charges = [small, Charge(DAILY_MONEY, amount, "EUR")]
        return [one.remaining for one in limiter.admit("c", charges, now=now).standings]

    assert told(100) == [4, 900]
    assert told(901) == [4, 900]
    assert told(900) == [3, 0]
    assert told(1) == [3, 0]
    for left in (2, 1, 0, 0):
        verdict = limiter.admit("c", [small], now=now)
        assert [one.remaining for one in verdict.standings] == [left]
    assert not verdict.is_allowed
    assert limiter.admit("another", [small], now=now).is_allowed


def test_a_greeted_server_that_tells_the_truth_is_believed(
    now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the lies below are refused for what they say."""
    monkeypatch.setattr("paynexus.cache.DEADLINE_SECONDS", PATIENCE_SECONDS)
    with answering(b"*2\r\n:1\r\n:0\r\n", politely=True) as url:
        limiter = RateLimiter(Cache(url))
        told = [limiter.admit("c", [A_DAY], now=now).is_allowed for _ in range(40)]

    assert told.count(True) == 40


def test_a_forgotten_count_starts_afresh(cache: Cache, now: dt.datetime) -> None:
    """FLUSHALL opens no hole larger than one more quota, and the script comes back by itself."""
    limiter = RateLimiter(cache)
    charge = Charge(Policy("write", quota=2, window_seconds=3_600))
    assert [limiter.admit("c", [charge], now=now).is_allowed for _ in range(3)] == [
        True,
        True,
        False,
    ]
    cache._connected().flushall()
    cache._connected().script_flush()

    assert [limiter.admit("c", [charge], now=now).is_allowed for _ in range(3)] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("stored", ["", "x", "9 9 9", "-5 1", "1e3 5", "99999999999999999999 1"])
def test_a_bucket_that_holds_nonsense_is_no_outage(
    cache: Cache, now: dt.datetime, stored: str
) -> None:
    """It is counted as empty, or as full for a window at most, and is well after."""
    limiter = RateLimiter(cache)
    cache.set("rate:{c}:write", stored.encode(), ttl_seconds=1_000)
    limiter.admit("c", [A_DAY], now=now)
    verdict = limiter.admit("c", [A_DAY], now=now)

    assert 0 <= verdict.standings[0].debt <= A_DAY.policy.full
    assert verdict.standings[0].charge == A_DAY
    assert 0 < cache._connected().pttl("rate:{c}:write") <= A_DAY.policy.window + 1


def test_the_count_expires_with_its_debt(cache: Cache, now: dt.datetime) -> None:
    """Nothing is kept of a client whose allowance is whole again."""
    RateLimiter(cache).admit("c", [Charge(Policy("write", quota=2))], now=now)
    ttl = cache._connected().pttl("rate:{c}:write")

    assert 29_000 < ttl <= 30_001


GREETING = b"%1\r\n$5\r\nproto\r\n:3\r\n"


@contextmanager
def answering(words: bytes, *, politely: bool) -> Iterator[str]:
    """A server that answers with these bytes: everything, or, politely, scripts alone."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    threading.Thread(target=talk, args=(client,), daemon=True).start()

        def talk(client: socket.socket) -> None:
            with client, suppress(OSError):
                while heard := client.recv(65_536):
                    client.sendall(words if b"EVAL" in heard or not politely else polite(heard))

        def polite(heard: bytes) -> bytes:
            if b"HELLO" in heard:
                return GREETING
            return b"+OK\r\n" * len(re.findall(rb"\*\d+\r\n\$", heard))

        threading.Thread(target=serve, daemon=True).start()
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


LIES = [
    b"",
    b"+OK\r\n",
    b":1\r\n",
    b"$1\r\n1\r\n",
    b"$-1\r\n",
    b"*0\r\n",
    b"*1\r\n:1\r\n",
    b"*2\r\n:1\r\n:-1\r\n",
    b"*2\r\n:1\r\n:99999999999999999999999\r\n",
    b"*2\r\n:0\r\n:0\r\n",
    b"*2\r\n:7\r\n:0\r\n",
    b"*2\r\n:1\r\n$1\r\n0\r\n",
    b"*2\r\n:1\r\n$-1\r\n",
    b"*3\r\n:1\r\n:0\r\n:0\r\n",
    b":x\r\n",
    b"*x\r\n",
    b"$x\r\n",
    b"*99999999999\r\n:1\r\n",
    b"*" + b"1\r\n*" * 5_000 + b"1\r\n:1\r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"-ERR \xff\xfe\r\n",
    b"\xff\x00\r\n",
    b"-LOADING\r\n",
]


@pytest.mark.parametrize("politely", [True, False])
@pytest.mark.parametrize("lie", LIES, ids=range(len(LIES)))
def test_redis_that_lies_or_hangs_is_as_good_as_none(
    lie: bytes,
    politely: bool,  # noqa: FBT001 - a case, by pytest
    now: dt.datetime,
) -> None:
    """A share of the quota passes, no more and no less, and nothing is raised."""
    with answering(lie, politely=politely) as url:
        limiter = RateLimiter(Cache(url))
        told = [limiter.admit("c", [A_DAY], now=now).is_allowed for _ in range(40)]

    assert told.count(True) == A_DAY.policy.quota // SHARE


def limited(deployed: pytest.MonkeyPatch, **quotas: int) -> None:
    """From now on the installation has these limits."""
    for name, quota in quotas.items():
        deployed.setenv(f"PAYNEXUS_{name.upper()}", str(quota))
    runtime.settings.cache_clear()
    runtime.rate_limiter.cache_clear()


def standings(answer: Answer) -> dict[str, int]:
    """What remains by each policy that the answer names."""
    items = [item.split(";") for item in answer.headers["RateLimit"].split(", ")]
    return {item[0].strip('"'): int(item[1].removeprefix("r=")) for item in items}


def test_the_api_answers_429_with_true_headers(call: Caller, deployed: pytest.MonkeyPatch) -> None:
    """Every answer carries the rate, refusals too; a 429 is a problem that says when to come."""
    limited(deployed, requests_per_minute=2)
    answers = [call(qr_api.handler, "GET", "/qr-codes/none") for _ in range(3)]

    assert [answer.status for answer in answers] == [404, 404, 429]
    assert [standings(answer) for answer in answers] == [{"read": 1}, {"read": 0}, {"read": 0}]
    assert answers[2].headers["RateLimit-Policy"] == '"read";q=2;w=60'
    assert answers[2].json()["code"] == "rate_limited"
    assert 29 <= int(answers[2].headers["Retry-After"]) <= 30
    assert answers[2].headers["Content-Type"] == "application/problem+json"


def test_each_class_has_a_bucket_of_its_own(call: Caller) -> None:
    """Reading much takes nothing of writing, nor of configuring."""
    read = call(merchants_api.handler, "GET", "/merchant")
    written = call(qr_api.handler, "POST", "/qr-codes", {})
    configured = call(merchants_api.handler, "PATCH", "/merchant", {"unknown": 1})

    assert standings(read) == {"read": 5_999}
    assert standings(written) == {"write": 5_999}
    assert standings(configured) == {"configure": 119}


def pay(call: Caller, headers: dict[str, str] | None = None, **fields: object) -> Answer:
    """A payment without a key: the rate is asked, nothing is written."""
    return call(payments_api.handler, "POST", "/payments", {**ORDER, **fields}, headers=headers)


def test_a_payment_takes_its_amount_of_its_currency(
    call: Caller, deployed: pytest.MonkeyPatch
) -> None:
    """Money is refused with `amount` as its param, and a refusal costs nothing."""
    limited(deployed, value_per_minute=100)
    first = pay(call, amount=9_000)
    refused = pay(call, amount=9_000)
    other = pay(call, amount=9_000, currency="KWD")
    rest = pay(call, amount=500)
    never = pay(call, amount=10_001)

    assert standings(first) == {"write": 5_999, "value": 1_000}
    assert (refused.status, refused.json()["param"]) == (429, "amount")
    assert 47 <= int(refused.headers["Retry-After"]) <= 48
    assert standings(other)["value"] == 91_000
    assert rest.status == 400
    assert (never.status, never.json()["code"]) == (429, "rate_limited")
    assert "Retry-After" not in never.headers
    assert "pk=:RVVS:" in rest.headers["RateLimit"]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{",
        "[]",
        '{"amount": 5, "amount": 6, "currency": "EUR"}',
        *(json.dumps({**ORDER, "amount": amount}) for amount in ("5", 5.0, True)),
        *(json.dumps({**ORDER, "amount": amount}) for amount in (0, -5, 10**40, None)),
        *(json.dumps({**ORDER, "currency": currency}) for currency in ("XXX", ["EUR"], 7)),
    ],
)
def test_what_is_no_amount_costs_a_request_and_no_money(call: Caller, text: str | None) -> None:
    """It is refused later, as ever."""
    answer = call(payments_api.handler, "POST", "/payments", text=text)

    assert answer.status == 400
    assert standings(answer) == {"write": 5_999}


def test_who_may_not_pay_takes_no_money(call: Caller) -> None:
    """A narrowed token can't use up what its client may take."""
    reader = Caller(call.merchant_id, scope="payments:read")
    answer = pay(reader)

    assert answer.status == 403
    assert standings(answer) == {"write": 5_999}


def test_a_body_is_parsed_once(call: Caller, deployed: pytest.MonkeyPatch) -> None:
    """Also where the guard has read it for its amount."""
    parsed: list[str] = []
    parse: Callable[[str], object] = jsontext.parse

    def counting(text: str) -> object:
        parsed.append(text)
        return parse(text)

    deployed.setattr(jsontext, "parse", counting)
    assert "value" in standings(pay(call))
    assert len(parsed) == 1


@pytest.mark.parametrize("value", ["", "0", "-1", "1.5", "x", "75059994", "9" * 5_000, "¹"])
def test_a_limit_that_can_not_be_kept_is_a_configuration_error(
    deployed: pytest.MonkeyPatch, value: str
) -> None:
    """It names the variable, before the first request is let in."""
    deployed.setenv("PAYNEXUS_VALUE_PER_MINUTE", value)
    runtime.settings.cache_clear()

    with pytest.raises(ConfigurationError, match="PAYNEXUS_VALUE_PER_MINUTE"):
        runtime.rate_limiter()


def test_the_settings_are_the_products_own_limits(deployed: pytest.MonkeyPatch) -> None:
    """What a deployment does not say is what the code says."""
    limits, own = runtime.rate_limiter().allowances, Allowances()

    assert limits._value_per_minute == own._value_per_minute
    assert [limits.request(rate) for rate in Rate] == [own.request(rate) for rate in Rate]


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

"""Circuits and rate limits, beside the least that Redis can be asked, by processes."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import median

from paynexus.cache import Cache, Script
from paynexus.clock import system_clock
from paynexus.gateways.breaker import Breaker
from paynexus.gateways.circuit import Policy, Verdict
from paynexus.identity.allowance import REQUESTS_PER_MINUTE_MAX, Allowances, Rate
from paynexus.identity.rate_limit import RateLimiter
from paynexus.money import Money
from tests.benchmarks.figures import Figure
from tests.benchmarks.run import Part, Run

BARE = Script("return 1")
# As the product asks: by the script's digest, which is what EVAL comes to after its first time.
NAMES = {
    "bare": "bare EVALSHA",
    "admit": "circuit and bucket asked",
    "both": "asked and told",
    "request": "rate of requests asked",
    "money": "rates of requests and money asked",
}


@dataclass(frozen=True, slots=True)
class Order:
    """One kind of work on one Redis, for so long."""

    kind: str
    redis_url: str
    seconds: float


def measured(run: Run) -> Iterator[Part]:
    """At one client and at as many as the run has."""
    for clients in (1, run.settings.clients):
        yield Part(f"Circuits ({clients} processes)", _figures(run, clients))


def _figures(run: Run, clients: int) -> list[Figure]:
    rates: dict[str, list[float]] = {kind: [] for kind in NAMES}
    with get_context("spawn").Pool(clients) as pool:
        for _ in range(run.settings.rounds):
            for kind, found in rates.items():
                order = Order(kind, run.servers.redis_url, run.settings.seconds / 2)
                found.append(sum(pool.map(_rate, [order] * clients, chunksize=1)))
    of = f"{clients} clients" if clients > 1 else "1 client"
    figures = [
        Figure(f"{name}, {of}", median(rates[kind]), "/s", better="higher")
        for kind, name in NAMES.items()
    ]
    for kind in list(NAMES)[1:]:
        ratios = [one / bare for one, bare in zip(rates[kind], rates["bare"], strict=True)]
        extent = (min(ratios), max(ratios))
        name = f"{NAMES[kind]} / {NAMES['bare']}, {of}"
        figures.append(Figure(name, median(ratios), "", better="higher", extent=extent))
    return figures


def _rate(order: Order) -> float:
    """How often a second this process did it."""
    act = _act(order)
    act()
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < order.seconds:
        act()
        done += 1
    return done / (time.perf_counter() - began)


def _act(order: Order) -> Callable[[], object]:
    cache = Cache(order.redis_url)
    if order.kind == "bare":
        return lambda: cache.run(BARE, [], [])
    if order.kind in {"request", "money"}:
        return _asking_rates(cache, of_money=order.kind == "money")
    # The rate is the gateway's to limit, not what is measured here.
    policy = Policy(calls_per_second=1_000_000, burst=1_000_000)
    breaker = Breaker(cache, gateway="benchmark", policy=policy)
    if order.kind == "admit":
        return breaker.admit
    return lambda: breaker.record(breaker.admit(), Verdict.SUCCESS)


def _asking_rates(cache: Cache, *, of_money: bool) -> Callable[[], object]:
    allowances = Allowances(requests_per_minute=REQUESTS_PER_MINUTE_MAX)
    limiter = RateLimiter(cache, allowances)
    charges = [allowances.request(Rate.WRITE)]
    if of_money:
        charges.append(allowances.value(Money(1, "EUR")))
    return lambda: limiter.admit("benchmark", charges, now=system_clock())

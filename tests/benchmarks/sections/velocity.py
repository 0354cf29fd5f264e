"""Velocity: one call of Redis, the memory that a payment takes there, and Postgres in its place."""

import datetime as dt
import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, redirect_stdout

from paynexus.cache import Cache, Script
from paynexus.clock import system_clock
from paynexus.db import Database
from paynexus.fraud.velocity import service, store
from paynexus.fraud.velocity.counters import Counters
from paynexus.fraud.velocity.reference import Observation
from tests.benchmarks.figures import Figure
from tests.benchmarks.run import Part, Run
from tests.benchmarks.slices import MS, Slice
from tests.velocity_world import Shop, patient

BARE = Script("return 1")
PAYMENTS_A_SECOND = 2_000
"""Payments of each kind, by the length of a slice."""
EACH = 20
"""Payments of a card, a customer, an e-mail and an address that come again."""
TERMINALS = 50


def measured(run: Run) -> Iterator[Part]:
    """Payments of payers who are new, and of payers who have paid before."""
    number = max(EACH, int(PAYMENTS_A_SECOND * run.settings.seconds))
    database_url = run.servers.postgres.migrated("velocity")
    with closing(Database(lambda: database_url)) as database:
        cache, now = patient(run.servers.redis_url), system_clock()
        # Metrics go to standard output, which is the benchmark's table.
        with redirect_stdout(io.StringIO()):
            service.rebuild(database, cache, now)
            figures = _figures(database, cache, number, now)
        yield Part("Velocity", figures)
    run.audit(database_url)


def _figures(database: Database, cache: Cache, number: int, now: dt.datetime) -> list[Figure]:
    shop, counters = Shop(), Counters(cache)
    new = _payments(shop, number, payers=number, now=now)
    known = _payments(shop, number, payers=max(1, number // EACH), now=now)
    bare = _timed(lambda _: cache.run(BARE, [], []), new)
    figures = [_p50("bare EVALSHA", bare)]
    for kind, payments in (("new payers", new), (f"payers of {EACH} payments", known)):
        before = _memory(cache)
        taken = _timed(counters.observe, payments)
        bytes_each = (_memory(cache) - before) / len(payments)
        figures += [
            _p50(f"velocity by Redis, {kind}", taken),
            Figure(f"velocity by Redis, {kind}: p99", taken.percentile(99) * MS, "ms"),
            Figure(f"velocity by Redis, {kind}: memory of a payment", bytes_each, "B"),
        ]
    shop.log(database, *new, *known)
    figures.append(_p50("velocity by Postgres", _timed(_by_postgres(database), known[-200:])))
    return [*figures, _rebuilt(database, cache, 2 * number, now)]


def _payments(shop: Shop, number: int, *, payers: int, now: dt.datetime) -> list[Observation]:
    """Of the last quarter of an hour, oldest first, by so many payers in turn."""
    step = dt.timedelta(minutes=15) / number
    return [
        shop.payment(
            now - n * step,
            amount=12_50,
            terminal=f"{n % TERMINALS}",
            card=payer,
            customer=payer,
            email=payer,
            ip=payer,
        )
        for n in range(number, 0, -1)
        if (payer := f"{payers}-{n % payers}")
    ]


def _timed(act: Callable[[Observation], object], payments: Sequence[Observation]) -> Slice:
    latencies = []
    for one in payments:
        began = time.perf_counter()
        act(one)
        latencies.append(time.perf_counter() - began)
    return Slice(latencies=latencies, seconds=sum(latencies))


def _by_postgres(database: Database) -> Callable[[Observation], object]:
    def count(observation: Observation) -> object:
        with database.reading() as connection:
            return store.count(connection, observation)

    return count


def _rebuilt(database: Database, cache: Cache, number: int, now: dt.datetime) -> Figure:
    cache._connected().flushall()
    began = time.perf_counter()
    assert service.rebuild(database, cache, now)
    rate = number / (time.perf_counter() - began)
    return Figure("velocity rebuilt: payments", rate, "/s", better="higher")


def _memory(cache: Cache) -> int:
    used: int = cache._connected().info("memory")["used_memory"]
    return used


def _p50(name: str, taken: Slice) -> Figure:
    return Figure(f"{name}: p50", taken.percentile(50) * MS, "ms")

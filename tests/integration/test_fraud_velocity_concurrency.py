"""Many processes at once on one card: by Redis each count once, by Postgres never too few."""

import datetime as dt
from collections import Counter
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier

import pytest

from paynexus.cache import Cache
from paynexus.clock import system_clock
from paynexus.db import Database
from paynexus.fraud.velocity import service, store
from paynexus.fraud.velocity.reference import Observation
from tests.velocity_world import LONG_AGO, Shop, opened, patient

PROCESSES = 8
PAYMENTS = 50
"""Of each process."""
ALL = PROCESSES * PAYMENTS
LIMIT = 100
"""What a rule might let pass."""

_barrier: Barrier

type Told = tuple[dict[str, int], str, int]
"""The counts, who told, and how many payments had been committed just before it was asked."""


def _meet(barrier: Barrier) -> None:
    global _barrier  # noqa: PLW0603 - how a pool's processes are handed what can't be pickled
    _barrier = barrier


def environment(order: tuple[str, str, Shop, list[Observation]]) -> list[Told]:
    """In a process of its own: these payments, once every other process is ready."""
    database_url, redis_url, shop, payments = order
    database = Database(lambda: database_url)
    cache = patient(redis_url) if redis_url else Cache("")
    database.connection()
    told: list[Told] = []
    _barrier.wait(timeout=60)
    for payment in payments:
        shop.log(database, payment)
        row = database.connection().execute("SELECT count(*) FROM fraud_observations").fetchone()
        assert row
        found = service.observe_and_count(database, cache, payment, now=payment.at)
        values = {name: one for name, one in found.values.items() if one is not None}
        told.append((values, found.source, row[0]))
    database.close()
    return told


def fleet(
    database_url: str, redis_urls: list[str], payments: list[list[Observation]]
) -> list[Told]:
    """What all processes were told, each by its own Redis, if it has one."""
    orders = [
        (database_url, url, SHOP, some) for url, some in zip(redis_urls, payments, strict=True)
    ]
    context = get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    with context.Pool(PROCESSES, initializer=_meet, initargs=(barrier,)) as pool:
        found = pool.map(environment, orders, chunksize=1)
    return [one for several in found for one in several]


SHOP = Shop()


def payments_at(now: dt.datetime, *, email: str = "ada") -> list[list[Observation]]:
    """As many for each process, all at one time, of 7 cents each."""
    return [
        [SHOP.payment(now, amount=7, email=email, ip="home") for _ in range(PAYMENTS)]
        for _ in range(PROCESSES)
    ]


def test_each_count_is_told_once(database_url: str, redis_url: str) -> None:
    """400 payments of one card in 8 processes: 1 to 400, each once, in every window of it."""
    now = system_clock()
    opened(patient(redis_url), since=now - LONG_AGO)
    told = fleet(database_url, [redis_url] * PROCESSES, payments_at(now))

    assert {source for _, source, _ in told} == {"redis"}
    for name in ("card_count_10m", "card_count_24h", "email_count_24h", "merchant_count_1h"):
        assert sorted(values[name] for values, _, _ in told) == list(range(1, ALL + 1))
    for name in ("card_sum_24h", "merchant_sum_24h"):
        assert sorted(values[name] for values, _, _ in told) == list(range(7, 7 * ALL + 1, 7))
    assert {values["ip_cards_24h"] for values, _, _ in told} == {1}


def test_one_payment_in_all_processes_counts_once(database_url: str, redis_url: str) -> None:
    """A step that runs eight times at once, fifty times over."""
    now = system_clock()
    opened(patient(redis_url), since=now - LONG_AGO)
    same = payments_at(now)[0]
    told = fleet(database_url, [redis_url] * PROCESSES, [same] * PROCESSES)
    numbers = Counter(values["card_count_24h"] for values, _, _ in told)

    assert len(told) == ALL
    assert max(numbers) == max(values["merchant_count_1h"] for values, _, _ in told) == PAYMENTS
    assert max(values["card_sum_24h"] for values, _, _ in told) == 7 * PAYMENTS


@pytest.mark.parametrize("with_redis", [0, PROCESSES // 2])
def test_postgres_tells_never_fewer_than_were_committed(
    database_url: str, redis_url: str, with_redis: int
) -> None:
    """Without Redis, and with a Redis that is cold and that half of the fleet can't reach."""
    # Redis is cold: who reaches it is sent to Postgres as well.
    urls = [redis_url] * with_redis + [""] * (PROCESSES - with_redis)
    told = fleet(database_url, urls, payments_at(system_clock()))

    assert {source for _, source, _ in told} == {"postgres"}
    assert all(values["card_count_24h"] >= before for values, _, before in told)
    # Of the first so many commits at most so many can have seen no more than so many.
    assert sum(values["card_count_24h"] <= LIMIT for values, _, _ in told) <= LIMIT
    assert max(values["card_count_24h"] for values, _, _ in told) == ALL


def test_a_rebuild_under_way_miscounts_nothing(database_url: str, redis_url: str) -> None:
    """Rebuilt while 8 processes pay: in the end Redis tells what Postgres does, each once."""
    now = system_clock()
    database, cache = Database(lambda: database_url), patient(redis_url)
    context = get_context("spawn")
    barrier = context.Barrier(PROCESSES + 1)
    orders = [(database_url, redis_url, SHOP, some) for some in payments_at(now)]
    with context.Pool(PROCESSES, initializer=_meet, initargs=(barrier,)) as pool:
        told = pool.map_async(environment, orders, chunksize=1)
        barrier.wait(timeout=60)
        assert service.rebuild(database, cache, now)
        found = [one for several in told.get(timeout=60) for one in several]
    last = SHOP.payment(now, amount=7, email="ada", ip="home")
    SHOP.log(database, last)
    with database.reading() as connection:
        by_postgres = store.count(connection, last)
    by_redis = service.observe_and_count(database, cache, last, now=now)
    database.close()

    assert (by_redis.values, by_redis.source) == (by_postgres, "redis")
    assert by_postgres["card_count_24h"] == ALL + 1
    by_source = [values["card_count_24h"] for values, source, _ in found if source == "redis"]
    assert len(by_source) == len(set(by_source))

"""How often one payment waits for a server: counted on the wire, not in the code."""

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass

from psycopg.pq import Trace
from redis import Redis

from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.ids import MerchantId, PaymentId
from tests.benchmarks.payments import Till
from tests.benchmarks.servers import Servers

ANSWERED = {"Query", "Sync"}
"""The messages after which libpq waits for the server to be ready again."""


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """To Postgres and to Redis."""

    database: int
    cache: int


def of_a_payment(servers: Servers, merchant_id: MerchantId) -> dict[str, RoundTrips]:
    """By the flow's steps, in their order, on connections in use."""
    # Metrics go to standard output, which is the benchmark's table.
    with (
        redirect_stdout(io.StringIO()),
        _till(servers) as till,
        Redis.from_url(servers.redis_url) as redis,
    ):
        till.take(merchant_id)
        accepted: list[PaymentId] = []
        seen: list[str] = []
        steps: dict[str, Callable[[], object]] = {
            "accept": lambda: accepted.append(till.accept(merchant_id)),
            "score": lambda: seen.append(till.score(accepted[0])),
            "charge": lambda: seen.append(till.charge(accepted[0], seen[-1])),
            "finish": lambda: till.finish(accepted[0], seen[-1]),
        }
        return {name: counted(till.database, redis, act) for name, act in steps.items()}


@contextmanager
def _till(servers: Servers) -> Iterator[Till]:
    database = Database(lambda: servers.payments_url)
    try:
        yield Till(database, Cache(servers.redis_url))
    finally:
        database.close()


def counted(database: Database, redis: Redis, act: Callable[[], object]) -> RoundTrips:
    """How often `act` waited for each of the two, on connections in use."""
    wire = database.connection().pgconn
    before = _reads(redis)
    with tempfile.TemporaryFile("w+") as trace:
        wire.trace(trace.fileno())
        wire.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
        act()
        wire.untrace()
        trace.seek(0)
        # From us, length, kind, contents; a statement's further lines are contents, too.
        sent = [line.split("\t")[2].strip() for line in trace if line.startswith("F\t")]
    # The question itself is read, too, and counted before it is answered.
    return RoundTrips(sum(kind in ANSWERED for kind in sent), _reads(redis) - before - 1)


def _reads(redis: Redis) -> int:
    found: int = redis.info("stats")["total_reads_processed"]
    return found

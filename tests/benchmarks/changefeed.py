"""The changefeed beside the payments that it tells of: how fast it drains, how soon it tells."""

import datetime as dt
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

import psycopg

from paynexus import changefeed
from paynexus.changefeed import Source
from paynexus.changefeed.port import Entry, Refusal
from paynexus.clock import system_clock
from tests.benchmarks import pgbench, workloads
from tests.benchmarks.figures import Figure
from tests.benchmarks.pgbench import Work
from tests.benchmarks.servers import Servers
from tests.benchmarks.slices import MS, Slice

PEAK_CLIENTS = 8
PEAK_SECONDS = 2
DRAINS = 3
STEADY_RATE = 500
STEADY_SECONDS = 4


@dataclass(slots=True)
class CountingBus:
    """A bus that takes everything at once, and keeps when."""

    latencies: list[float] = field(default_factory=list)

    def publish(self, entries: Sequence[Entry]) -> Sequence[Refusal]:
        """All are taken. A fact's own time is before its commit: the delay is an upper bound."""
        now = system_clock()
        self.latencies += [(now - entry.time).total_seconds() for entry in entries]
        return ()


@dataclass(frozen=True, slots=True)
class Drained:
    """All facts of some payments, published after the payments were over."""

    facts: int
    seconds: float


def figures(servers: Servers) -> list[Figure]:
    """In a database of its own: facts drained beside payments made, and the delay of each."""
    shop = workloads.open_shop(servers.postgres.migrated("changefeed"))
    work = workloads.payments(shop)
    # Metrics go to standard output, which is the benchmark's table.
    with redirect_stdout(io.StringIO()):
        peak, drains = _drained(work)
        delays = _delays(work)
    seconds = median(one.seconds for one in drains)
    return [
        Figure(
            "changefeed drain / peak payments",
            peak.number / seconds / peak.rate,
            "x",
            goal=4,
            better="higher",
            extent=_extent([peak.number / one.seconds / peak.rate for one in drains]),
        ),
        Figure(
            f"p50: from commit to bus at {STEADY_RATE} payments/s",
            delays.percentile(50) * MS,
            "ms",
            goal=20,
        ),
        Figure(
            f"p99: from commit to bus at {STEADY_RATE} payments/s",
            delays.percentile(99) * MS,
            "ms",
            goal=250,
        ),
        Figure("changefeed: payments drained", peak.number / seconds, "/s", better="higher"),
        Figure("changefeed: facts drained", drains[0].facts / seconds, "/s", better="higher"),
        Figure("changefeed: peak payments", peak.rate, "/s", better="higher"),
    ]


def _drained(work: Work) -> tuple[Slice, list[Drained]]:
    """As many payments as go in a while; then all that they left in the log, several times."""
    with _slots(work.url, DRAINS) as slots:
        peak = pgbench.run(work, clients=PEAK_CLIENTS, seconds=PEAK_SECONDS)
        return peak, [_drain(work.url, slot) for slot in slots]


def _drain(url: str, slot: str) -> Drained:
    with closing(Source(lambda: url)) as source:
        before = perf_counter()
        report = changefeed.drain(source, CountingBus(), slot=slot, clock=system_clock)
        return Drained(report.published, perf_counter() - before)


def _delays(work: Work) -> Slice:
    """How long each fact took at a steady rate, once the reader is warm."""
    bus, seconds = CountingBus(), STEADY_SECONDS
    with _slots(work.url, 1) as slots, closing(Source(lambda: work.url)) as source:
        end = system_clock() + dt.timedelta(seconds=seconds + 1)
        with ThreadPoolExecutor(1) as pool:
            payments = pool.submit(
                pgbench.run, work, clients=PEAK_CLIENTS, seconds=seconds, rate=STEADY_RATE
            )
            changefeed.run(source, bus, slot=slots[0], clock=system_clock, deadline=end)
            payments.result()
    warm = bus.latencies[len(bus.latencies) // seconds :]
    return Slice(latencies=warm, seconds=seconds)


@contextmanager
def _slots(url: str, number: int) -> Iterator[list[str]]:
    """Slots from here on; the log is kept for none of them afterwards."""
    names = [f"bench_changefeed_{index}" for index in range(number)]
    with psycopg.connect(url, autocommit=True) as connection:
        for name in names:
            changefeed.create_slot(connection, name)
        try:
            yield names
        finally:
            for name in names:
                connection.execute("SELECT pg_drop_replication_slot(%s)", (name,))


def _extent(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)

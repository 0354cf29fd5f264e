"""Rounds of slices, one of each kind: what disturbs the machine disturbs all kinds alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import psycopg

from paynexus.ids import MerchantId
from tests.benchmarks import payments, pgbench
from tests.benchmarks.crew import Accept, Crew, Finish, Take
from tests.benchmarks.servers import Servers, cpu_seconds
from tests.benchmarks.slices import Slice, one_after_the_other

type Merchants = tuple[MerchantId, ...]


@dataclass(frozen=True, slots=True)
class Halves:
    """Complete payments: accepted all, then finished all."""

    accept: Slice
    finish: Slice

    @property
    def whole(self) -> Slice:
        """Both commits of each payment."""
        return one_after_the_other(self.accept, self.finish)


@dataclass(frozen=True, slots=True)
class Round:
    """One slice of each kind."""

    tpcb: Slice
    spread: Halves
    hot: Halves
    flow: Slice


@dataclass(frozen=True, slots=True)
class Rounds:
    """All rounds that count."""

    rounds: Sequence[Round]

    def median(self, value: Callable[[Round], float]) -> float:
        """The value in the middle; a ratio is thus taken within each round."""
        return median(value(one) for one in self.rounds)


class Bench:
    """Measures slices, with nothing else on the servers than what a slice is about."""

    def __init__(self, servers: Servers, crew: Crew, merchants: Merchants) -> None:
        self._servers = servers
        self._crew = crew
        self._spread = merchants
        self._hot = merchants[:1]
        self._admin = psycopg.connect(servers.payments_url, autocommit=True)

    def rounds(self, number: int, *, clients: int, seconds: float) -> Rounds:
        """So many rounds, after one that warms up and counts for nothing."""
        self._round(clients=clients, seconds=seconds / 2)
        self._settle()
        return Rounds([self._round(clients=clients, seconds=seconds) for _ in range(number)])

    def tpcb(self, *, clients: int, seconds: float) -> Slice:
        """A slice of TPC-B."""
        url = self._servers.tpcb_url
        return self._metered(lambda: pgbench.tpcb(url, clients=clients, seconds=seconds))

    def spread(self, *, clients: int, seconds: float) -> Halves:
        """Complete payments of many merchants."""
        return self._complete(self._spread, clients, seconds)

    def hot(self, *, clients: int, seconds: float) -> Halves:
        """Complete payments of one merchant."""
        return self._complete(self._hot, clients, seconds)

    def flow(self, *, clients: int, seconds: float) -> Slice:
        """Payments of many merchants, each from its acceptance to its end."""
        order = Take(self._spread, seconds)
        return self._metered(lambda: self._crew.follow(order, clients=clients))

    def close(self) -> None:
        """Its own connection is closed."""
        self._admin.close()

    def _round(self, *, clients: int, seconds: float) -> Round:
        return Round(
            tpcb=self.tpcb(clients=clients, seconds=seconds),
            spread=self.spread(clients=clients, seconds=seconds),
            hot=self.hot(clients=clients, seconds=seconds),
            flow=self.flow(clients=clients, seconds=seconds),
        )

    def _complete(self, merchants: Merchants, clients: int, seconds: float) -> Halves:
        # The gateway's attempts are recorded between the halves, where nothing is measured.
        # Half of the time is for accepting; finishing takes as long as it takes.
        order = Accept(merchants, seconds / 2)
        accept = self._metered(lambda: self._crew.follow(order, clients=clients))
        payments.record_approvals(self._admin)
        finish = self._metered(lambda: self._crew.follow(Finish(), clients=clients))
        return Halves(accept, finish)

    def _metered(self, act: Callable[[], Slice]) -> Slice:
        cpu, log = cpu_seconds(self._servers.postmaster), self._log_position()
        done = act()
        return replace(
            done,
            server_cpu_seconds=cpu_seconds(self._servers.postmaster) - cpu,
            log_bytes=self._log_position() - log,
        )

    def _log_position(self) -> int:
        row: Any = self._admin.execute(
            "SELECT (pg_current_wal_insert_lsn() - '0/0')::BIGINT"
        ).fetchone()
        position: int = row[0]
        return position

    def _settle(self) -> None:
        """What the warm-up left to do is done: no clean-up falls into some slice by chance."""
        for url in (self._servers.tpcb_url, self._servers.payments_url):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
                connection.execute("CHECKPOINT")

"""One run of the benchmarks: what it may use, and the parts that it is reported in."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from paynexus.db import Database
from paynexus.ledger import audit
from tests.benchmarks import payments, pgbench
from tests.benchmarks.figures import Figure, Unmeasured
from tests.benchmarks.pgbench import Work
from tests.benchmarks.rounds import Turn
from tests.benchmarks.servers import Postgres, Servers


@dataclass(frozen=True, slots=True)
class Settings:
    """How long, how often, by how many clients, and against whom."""

    seconds: float
    rounds: int
    clients: int
    handlers: Sequence[str]
    pgledger: Path | None = None
    """A checkout of it."""
    peers: Path | None = None
    """Where django-hordak and django-ledger may be installed; none: they are not measured."""
    entries: Sequence[int] = ()
    """How many ledger entries the large databases hold, ascending; none: they are not made."""


@dataclass(frozen=True, slots=True)
class Run:
    """Servers that are up, a folder on a disk, and what was found wrong with the books."""

    servers: Servers
    folder: Path
    settings: Settings
    breaches: Counter[str] = field(default_factory=Counter)

    def audit(self, url: str) -> None:
        """What breaks a rule in this database is on record."""
        # pgbench's payments end without having been charged; what lies between their two
        # commits is not measured, and is made up for here.
        with psycopg.connect(url, autocommit=True) as connection:
            payments.record_approvals(connection)
        with closing(Database(lambda: url)) as database:
            self.breaches.update(found.rule for found in audit.violations(database))


@dataclass(frozen=True, slots=True)
class Part:
    """Figures that stand together under a title."""

    title: str
    figures: Sequence[Figure]
    unmeasured: Sequence[Unmeasured] = ()


type Section = Callable[[Run], Iterator[Part]]


def pgbench_turns(
    run: Run, works: Mapping[str, Work], *, clients: int, server: Postgres | None = None
) -> list[Turn]:
    """Each work is done by pgbench in its turn; the run's own server is metered, or another."""
    metered = (server or run.servers.postgres).metered

    def turn_of(name: str, work: Work) -> Turn:
        return lambda seconds: {
            name: metered(lambda: pgbench.run(work, clients=clients, seconds=seconds))
        }

    return [turn_of(name, work) for name, work in works.items()]

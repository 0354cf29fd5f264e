"""Servers of the run's own, configured as the local stack's, and the databases on them."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from paynexus import db
from tests.benchmarks.slices import Slice
from tools.local_stack import postgres, process, valkey

MIGRATIONS = Path(__file__).parents[2] / "infra/database/migrations"

SQL_WRITTEN = """
SELECT sum(record_size)::BIGINT, sum(fpi_size)::BIGINT
FROM pg_get_wal_stats(%s, pg_current_wal_flush_lsn())
"""


@dataclass(frozen=True, slots=True)
class Postgres:
    """A Postgres that flushes to disk at each commit."""

    url: str
    postmaster: int

    def database(self, name: str) -> str:
        """A new and empty database."""
        with psycopg.connect(self.url, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        return make_conninfo(self.url, dbname=name)

    def migrated(self, name: str, migrations: Path = MIGRATIONS) -> str:
        """A new database with the product's schema."""
        url = self.database(name)
        with psycopg.connect(url, autocommit=True) as connection:
            db.migrate(connection, migrations)
        return url

    def unpartitioned(self, name: str) -> str:
        """A new database with the product's schema, but each table in one piece."""
        with tempfile.TemporaryDirectory() as folder:
            for path in MIGRATIONS.glob("*.sql"):
                Path(folder, path.name).write_text(_in_one_piece(path.read_text()))
            return self.migrated(name, Path(folder))

    def metered(self, act: Callable[[], Slice]) -> Slice:
        """What was done, with what it cost the server."""
        with psycopg.connect(self.url, autocommit=True) as admin:
            before: Any = admin.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
            cpu = self._cpu_seconds()
            done = act()
            cpu = self._cpu_seconds() - cpu
            admin.execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
            written: Any = admin.execute(SQL_WRITTEN, before).fetchone()
        records, pages = written
        return replace(done, server_cpu_seconds=cpu, log_bytes=records, log_page_bytes=pages)

    def _cpu_seconds(self) -> float:
        """What the server's processes have used so far, those that have ended among them."""
        ticks = 0
        for stat in process.PROC.glob("[0-9]*/stat"):
            try:
                text = stat.read_text()
            except OSError:
                continue
            fields = text[text.rindex(")") + 2 :].split()
            user, system, ended_user, ended_system = (int(field) for field in fields[11:15])
            if int(stat.parent.name) == self.postmaster:
                ticks += user + system + ended_user + ended_system
            elif int(fields[1]) == self.postmaster:
                ticks += user + system
        return ticks / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the product finds its servers, and pgbench its own database."""

    payments_url: str
    tpcb_url: str
    redis_url: str
    postgres: Postgres


@contextmanager
def running(state_dir: Path) -> Iterator[Servers]:
    """A Postgres with the product's database and pgbench's, and a Valkey."""
    with postgres_alone(state_dir) as server:
        cache = valkey.start(state_dir)
        try:
            yield Servers(
                payments_url=server.migrated("payments"),
                tpcb_url=server.database("tpcb"),
                redis_url=cache.url,
                postgres=server,
            )
        finally:
            cache.stop()


@contextmanager
def postgres_alone(state_dir: Path, *, preload: Path | None = None) -> Iterator[Postgres]:
    """A Postgres; its processes have a library loaded before all others, if one is given."""
    with _preloaded(preload):
        server = postgres.start(state_dir)
    try:
        yield Postgres(server.url, server.process.pid)
    finally:
        server.stop()


def settle(*urls: str) -> None:
    """What is left to do is done: no clean-up falls into some slice by chance."""
    for url in urls:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")


@contextmanager
def _preloaded(library: Path | None) -> Iterator[None]:
    if library is None:
        yield
        return
    os.environ["LD_PRELOAD"] = str(library)  # noqa: TID251 - for the server that is started now
    try:
        yield
    finally:
        del os.environ["LD_PRELOAD"]  # noqa: TID251


def _in_one_piece(migration: str) -> str:
    """The same tables without PARTITION BY; the default partitions stay empty, for the audit."""
    text = re.sub(r"\) PARTITION BY RANGE \(\w+\)", ")", migration)
    text = re.sub(r"(TABLE \w+_default) PARTITION OF (\w+) DEFAULT;", r"\1 (LIKE \2);", text)
    return re.sub(
        r"^SELECT (guard_partition|make_partitions)\(.*\);$", "", text, flags=re.MULTILINE
    )

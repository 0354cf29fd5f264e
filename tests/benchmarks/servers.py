"""A Postgres and a Valkey of the run's own: the product's database, and pgbench's beside it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from paynexus import db
from tools.local_stack import postgres, process, valkey

MIGRATIONS = Path(__file__).parents[2] / "infra/database/migrations"


@dataclass(frozen=True, slots=True)
class Servers:
    """Where both servers answer."""

    payments_url: str
    tpcb_url: str
    redis_url: str
    postmaster: int


@contextmanager
def running(state_dir: Path) -> Iterator[Servers]:
    """Both servers, configured as the local stack's are: flushed to disk at each commit."""
    server = postgres.start(state_dir)
    try:
        cache = valkey.start(state_dir)
        try:
            yield Servers(
                payments_url=_migrated(server.url),
                tpcb_url=_created(server.url, "tpcb"),
                redis_url=cache.url,
                postmaster=server.process.pid,
            )
        finally:
            cache.stop()
    finally:
        server.stop()


def cpu_seconds(postmaster: int) -> float:
    """What the server's processes have used so far, those that have ended among them."""
    ticks = 0
    for stat in process.PROC.glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        fields = text[text.rindex(")") + 2 :].split()
        user, system, ended_user, ended_system = (int(field) for field in fields[11:15])
        if int(stat.parent.name) == postmaster:
            ticks += user + system + ended_user + ended_system
        elif int(fields[1]) == postmaster:
            ticks += user + system
    return ticks / os.sysconf("SC_CLK_TCK")


def _migrated(url: str) -> str:
    own = _created(url, "payments")
    with psycopg.connect(own, autocommit=True) as connection:
        db.migrate(connection, MIGRATIONS)
    return own


def _created(url: str, name: str) -> str:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    return make_conninfo(url, dbname=name)

"""pgledger beside the product; its SQL is not ours to carry, so the run is told where it lies."""

from pathlib import Path
from typing import Any

import psycopg

from tests.benchmarks.pgbench import Work
from tests.benchmarks.servers import Postgres
from tests.benchmarks.workloads import MERCHANTS, text_of

WANTED = "make bench PGLEDGER=<a checkout of pgledger>"

SQL_OPEN = "SELECT id FROM pgledger_create_account('benchmark', 'EUR')"


def install(server: Postgres, checkout: Path) -> str:
    """A database of pgledger's own."""
    url = server.database("pgledger")
    # What it builds upon lies below vendor.
    files = [*sorted(checkout.glob("vendor/**/*.sql")), checkout / "pgledger.sql"]
    with psycopg.connect(url, autocommit=True) as connection:
        for path in files:
            connection.execute(path.read_text().encode())
    return url


def spread(url: str) -> Work:
    """The same accounts as the product's: a payable for each merchant, and the platform's two."""
    return _work(url, MERCHANTS)


def hot(url: str) -> Work:
    """One merchant's payable, and the platform's two."""
    return _work(url, 1)


def _work(url: str, merchants: int) -> Work:
    with psycopg.connect(url, autocommit=True) as connection:
        receivable, fees = _opened(connection), _opened(connection)
        payables = [_opened(connection) for _ in range(merchants)]
    return Work(url, [_script(receivable, payable, fees) for payable in payables])


def _opened(connection: psycopg.Connection[Any]) -> str:
    row: Any = connection.execute(SQL_OPEN).fetchone()
    return f"'{row[0]}'"


def _script(receivable: str, payable: str, fees: str) -> str:
    text = text_of("pgledger").replace(":receivable", receivable)
    return text.replace(":payable", payable).replace(":fees", fees)

"""Databases whose merchants wait for their money."""

import psycopg

from tests.benchmarks import history, servers
from tests.benchmarks.servers import Postgres
from tests.benchmarks.workloads import SQL_OPEN, text_of

ENTRIES_A_PAYMENT = 2
"""On its merchant's account: the payment, and its fee."""

SQL_MERCHANTS = """
INSERT INTO merchants (id, name)
SELECT uuidv7(), 'Merchant ' || n FROM generate_series(1, %s) AS n
RETURNING id
"""
SQL_PAYEES = """
INSERT INTO payout_accounts (merchant_id, currency, holder, iban)
SELECT id, 'EUR', name, 'DE89370400440532013000' FROM merchants
"""


def merchants_with(server: Postgres, name: str, *, entries: int, merchants: int) -> str:
    """The URL of a database in which so many merchants are owed so many posted entries."""
    url = server.migrated(name)
    with psycopg.connect(url) as connection:
        ids = [row[0] for row in connection.execute(SQL_MERCHANTS, (merchants,))]
        connection.execute(SQL_PAYEES)
        opened = [_open(connection, "merchant_payable", one) for one in ids]
        platform = [_open(connection, kind, None) for kind in ("gateway_receivable", "fees")]
        _open(connection, "settlement_in_transit", None)
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(text_of("unsettled").encode())
        connection.execute(
            "SELECT pg_temp.write_unsettled(%s, %s, %s, %s)",
            (entries // ENTRIES_A_PAYMENT, opened, *platform),
        )
    history.checkpoint(url)
    servers.settle(url)
    return url


def _open(connection: psycopg.Connection, kind: str, merchant_id: object) -> object:
    row = connection.execute(SQL_OPEN, (kind, merchant_id)).fetchone()
    assert row
    return row[0]

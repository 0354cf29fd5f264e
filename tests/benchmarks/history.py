"""Databases with a past: as many ledger entries as asked for, consistent, over three months."""

import psycopg

from tests.benchmarks import servers
from tests.benchmarks.servers import Postgres
from tests.benchmarks.workloads import Shop, open_shop, text_of

ENTRIES_A_PAYMENT = 6
"""Two of the hold, two of its post, two of the fee."""


def shop_with(server: Postgres, entries: int) -> Shop:
    """A shop whose books hold so many entries; cleaned up, as if they had come one by one."""
    shop = open_shop(server.migrated(f"entries_{entries}"))
    with psycopg.connect(shop.url) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(text_of("history").encode())
        connection.execute(
            "SELECT pg_temp.write_history(%s, %s, %s, %s)",
            (entries // ENTRIES_A_PAYMENT, list(shop.payables), shop.receivable, shop.fees),
        )
    checkpoint(shop.url)
    servers.settle(shop.url)
    return shop


def checkpoint(url: str) -> None:
    """What the product does by schedule is done: past balances are found quickly."""
    with psycopg.connect(url, autocommit=True) as connection:
        mark = connection.execute("SELECT marked_at, transaction FROM ledger_mark()").fetchone()
        assert mark
        connection.execute("SELECT ledger_checkpoint(%s, %s, NULL)", mark)

"""The SQL of retention."""

import datetime as dt

from paynexus.db import Connection

SQL_MAKE = "SELECT make_partitions(%s, %s, %s)"
SQL_FORGET_CALLBACKS = """
DELETE FROM gateway_callbacks WHERE id IN (
    SELECT id FROM gateway_callbacks
    WHERE state <> 'PENDING' AND received_at < %(before)s
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
"""


def make_partitions(tx: Connection, table: str, *, since: dt.date, months: int) -> int:
    """The table has a partition for each of these months; the number that were missing."""
    row = tx.execute(SQL_MAKE, (table, since, months)).fetchone()
    return row[0] if row else 0


def forget_callbacks(tx: Connection, *, before: dt.datetime, limit: int) -> int:
    """So many callbacks that came before then, and wait for nothing, are gone; their number."""
    return tx.execute(SQL_FORGET_CALLBACKS, {"before": before, "limit": limit}).rowcount

"""The SQL of retention."""

import datetime as dt

from paynexus.db import Connection

SQL_MAKE = "SELECT make_partitions(%s, %s, %s)"


def make_partitions(tx: Connection, table: str, *, since: dt.date, months: int) -> int:
    """The table has a partition for each of these months; the number that were missing."""
    row = tx.execute(SQL_MAKE, (table, since, months)).fetchone()
    return row[0] if row else 0

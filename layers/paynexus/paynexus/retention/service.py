"""Room for the months to come: partitions are made before they are needed."""

import datetime as dt

from paynexus.db import Database
from paynexus.observability import count
from paynexus.retention import store

PARTITIONED = ("transactions", "ledger_entries")
MONTHS_AHEAD = 4
"""The present month and the three after it: a job that fails for a quarter loses nothing."""


def make_room(db: Database, *, now: dt.datetime) -> int:
    """Every partitioned table has its coming months; the number of partitions made."""
    with db.transaction() as tx:
        made = sum(
            store.make_partitions(tx, table, since=now.date(), months=MONTHS_AHEAD)
            for table in PARTITIONED
        )
    count("PartitionsMade", made)
    return made

"""Room for the months to come is made before it is needed; what has expired is forgotten."""

import datetime as dt

from paynexus import idempotency
from paynexus.db import Database
from paynexus.observability import count
from paynexus.retention import store

PARTITIONED = ("transactions", "ledger_entries")
MONTHS_AHEAD = 4
"""The present month and the three after it: a job that fails for a quarter loses nothing."""
KEYS_PER_BATCH = 1_000
"""Rows of one transaction: short enough to disturb nobody."""
BATCHES_PER_RUN = 1_000
"""A run ends; a day's keys beyond a million are the next run's."""


def make_room(db: Database, *, now: dt.datetime) -> int:
    """Every partitioned table has its coming months; the number of partitions made."""
    with db.transaction() as tx:
        made = sum(
            store.make_partitions(tx, table, since=now.date(), months=MONTHS_AHEAD)
            for table in PARTITIONED
        )
    count("PartitionsMade", made)
    return made


def forget_keys(db: Database, *, now: dt.datetime) -> int:
    """No Idempotency-Key is kept past its time, or a million fewer are; how many are gone."""
    forgotten = 0
    for _ in range(BATCHES_PER_RUN):
        with db.transaction() as tx:
            batch = idempotency.forget(tx, now=now, limit=KEYS_PER_BATCH)
        forgotten += batch
        if batch < KEYS_PER_BATCH:
            break
    count("IdempotencyKeysForgotten", forgotten)
    return forgotten

"""Room for the months to come is made before it is needed; what has expired is forgotten."""

import datetime as dt
from collections.abc import Callable

from paynexus import idempotency
from paynexus.db import Connection, Database
from paynexus.observability import count
from paynexus.qr import service as qr
from paynexus.retention import store

PARTITIONED = ("transactions", "ledger_entries")
MONTHS_AHEAD = 4
"""The present month and the three after it: a job that fails for a quarter loses nothing."""
ROWS_PER_BATCH = 1_000
"""Rows of one transaction: short enough to disturb nobody."""
BATCHES_PER_RUN = 1_000
"""A run ends; a day's keys beyond a million are the next run's."""
CALLBACKS_KEPT = dt.timedelta(days=90)
"""Gateways repeat a callback for days, not months; what came of it stands in the payment."""
SCANS_KEPT = dt.timedelta(days=1)
"""After its five minutes a scan's token opens nothing; who asks why may still be told."""


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
    forgotten = _in_batches(db, lambda tx: idempotency.forget(tx, now=now, limit=ROWS_PER_BATCH))
    count("IdempotencyKeysForgotten", forgotten)
    return forgotten


def forget_callbacks(db: Database, *, now: dt.datetime) -> int:
    """No gateway's callback is kept past its time, save one that still waits; how many are gone.

    Should one come again after that, it is asked about once more, and changes nothing.
    """
    before = now - CALLBACKS_KEPT
    forgotten = _in_batches(
        db, lambda tx: store.forget_callbacks(tx, before=before, limit=ROWS_PER_BATCH)
    )
    count("GatewayCallbacksForgotten", forgotten)
    return forgotten


def forget_scans(db: Database, *, now: dt.datetime) -> int:
    """No scan of a QR code that nobody paid is kept past its time; how many are gone."""
    before = now - SCANS_KEPT
    forgotten = _in_batches(db, lambda tx: qr.forget_scans(tx, before=before, limit=ROWS_PER_BATCH))
    count("QrScansForgotten", forgotten)
    return forgotten


def _in_batches(db: Database, forget: Callable[[Connection], int]) -> int:
    forgotten = 0
    for _ in range(BATCHES_PER_RUN):
        with db.transaction() as tx:
            batch = forget(tx)
        forgotten += batch
        if batch < ROWS_PER_BATCH:
            break
    return forgotten

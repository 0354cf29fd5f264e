"""What the books need each minute: overdue holds voided, checkpoints made of what is settled."""

from collections.abc import Callable
from dataclasses import dataclass

from aws_lambda_powertools.metrics import MetricUnit

from paynexus.db import Connection, Database
from paynexus.ledger import reading, store
from paynexus.observability import count, gauge

BATCH = 500
"""Holds, or checkpoints, of one transaction: short enough to disturb nobody."""
BATCHES_PER_RUN = 40
"""A run ends; what is left is the next one's, a minute later."""


@dataclass(frozen=True, slots=True)
class Tended:
    """What one run did."""

    expired: int
    checkpoints: int


def tend(db: Database) -> Tended:
    """Holds whose time is up are void, and past balances are a short way from a checkpoint.

    Checkpoints go up to ten seconds before this run; none are made while a transaction from
    before it still writes.
    """
    with db.reading() as connection:
        mark = reading.mark(connection)
        gauge("AccountQueue", reading.longest_queue(connection), unit=MetricUnit.Count)
    expired = _in_batches(db, lambda tx: store.expire(tx, limit=BATCH))
    count("HoldExpired", expired)
    with db.reading() as connection:
        overdue = reading.overdue_seconds(connection)
    gauge("HoldOverdueSeconds", overdue, unit=MetricUnit.Seconds)
    checkpoints = _in_batches(db, lambda tx: reading.checkpoint(tx, mark, limit=BATCH))
    count("CheckpointMade", checkpoints)
    return Tended(expired, checkpoints)


def _in_batches(db: Database, act: Callable[[Connection], int | None]) -> int:
    """What all batches came to. One that is not full was the last."""
    done = 0
    for _ in range(BATCHES_PER_RUN):
        with db.transaction() as tx:
            batch = act(tx) or 0
        done += batch
        if batch < BATCH:
            break
    return done

"""Cases: what no machine may decide is told to a person, with a deadline."""

import datetime as dt
from enum import StrEnum
from uuid import UUID

from aws_lambda_powertools.metrics import MetricUnit

from paynexus.db import Connection, Database
from paynexus.ids import DisputeId, PaymentId
from paynexus.observability import count, gauge, logger
from paynexus.payments import ladder
from paynexus.payments.store import cases
from paynexus.payments.store.cases import Watch

OPEN_LIMIT = 1_000
"""Cases that one run opens; the next one is a minute away."""


class Kind(StrEnum):
    """Why a person is asked."""

    UNKNOWN_OUTCOME = "unknown_outcome"
    """Nobody could say for half a day what became of a call. Closed by whatever clears it up."""
    CONTRADICTION = "contradiction"
    """A gateway said the opposite of what it had said before."""
    DISPUTE_EXCESS = "dispute_excess"
    """A dispute took money that had gone back to the payer before. Closed when it is won."""
    LATE_APPROVAL_KEPT = "late_approval_kept"
    """Money taken for a payment that had ended: the gateway refuses to give it back."""


def open_case(
    tx: Connection,
    kind: Kind,
    attempt_id: UUID,
    payment_id: PaymentId,
    *,
    now: dt.datetime,
    dispute_id: DisputeId | None = None,
) -> None:
    """There is one case of this kind about the attempt, or the dispute of what it took.

    Whoever is responsible is told of it.
    """
    due_at = now + ladder.CASE_DUE
    if cases.open_one(
        tx, kind, attempt_id, payment_id, due_at=due_at, now=now, dispute_id=dispute_id
    ):
        logger.warning("case opened", payment_id=str(payment_id), kind=str(kind))
        count("CaseOpened", kind=str(kind))


def open_unknown(db: Database, *, now: dt.datetime) -> int:
    """There is a case about each outcome that is unknown for long; how many were opened."""
    with db.transaction() as tx:
        waiting = cases.waiting(tx, before=now - ladder.CASE_AFTER, limit=OPEN_LIMIT)
        for attempt_id, payment_id in waiting:
            open_case(tx, Kind.UNKNOWN_OUTCOME, attempt_id, payment_id, now=now)
    return len(waiting)


def close(tx: Connection, case_id: UUID, resolution: str, *, who: str, now: dt.datetime) -> bool:
    """The case is closed as `who` says; False when it was before, or is still an open question.

    What became of a call is closed by certainty alone (`authority.settle_unknown`).
    """
    is_closed = cases.close(tx, case_id, resolution, who=who, now=now)
    if is_closed:
        count("CaseClosed")
    return is_closed


def close_of_dispute(tx: Connection, dispute_id: DisputeId, *, now: dt.datetime) -> None:
    """Nothing of the dispute is left to a person: it was won, and its money is back."""
    closed = cases.close_of_dispute(tx, dispute_id, now=now)
    count("CaseClosed", closed)


def watch(db: Database, *, now: dt.datetime) -> Watch:
    """How much is unknown and how many cases are open, as metrics too: alarms watch them."""
    with db.reading() as connection:
        found = cases.watch(connection, now=now)
    gauge("OutcomesUnknown", found.unknown, unit=MetricUnit.Count)
    gauge("CasesOpen", found.open_cases, unit=MetricUnit.Count)
    gauge("CasesOverdue", found.overdue_cases, unit=MetricUnit.Count)
    return found

"""Cases in SQL: what a person has to look at, by when, and how it ended."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from paynexus import ids
from paynexus.db import Connection
from paynexus.ids import DisputeId, PaymentId

# The lock: an outcome that becomes certain meanwhile closes the case, or keeps it from opening.
SQL_WAITING = """
SELECT a.id, a.payment_id FROM attempts AS a
WHERE a.next_at IS NOT NULL AND a.created_at <= %(before)s
    AND NOT EXISTS (
        SELECT FROM cases AS c WHERE c.attempt_id = a.id AND c.kind = 'unknown_outcome'
    )
ORDER BY a.created_at LIMIT %(limit)s
FOR UPDATE OF a SKIP LOCKED
"""
SQL_OPEN = """
INSERT INTO cases (id, kind, payment_id, attempt_id, dispute_id, opened_at, due_at)
VALUES (
    %(id)s, %(kind)s, %(payment_id)s, %(attempt_id)s, %(dispute_id)s, %(now)s, %(due_at)s
)
ON CONFLICT (attempt_id, kind, dispute_id) DO NOTHING
"""
# A case about an unknown outcome is closed by certainty alone: by the trigger on attempts.
SQL_CLOSE = """
UPDATE cases AS c
SET state = 'CLOSED', closed_at = %(now)s, resolution = %(resolution)s, who = %(who)s
WHERE c.id = %(id)s AND c.state = 'OPEN' AND (c.kind <> 'unknown_outcome' OR NOT EXISTS (
    SELECT FROM attempts AS a WHERE a.id = c.attempt_id AND a.next_at IS NOT NULL
))
"""
SQL_CLOSE_OF_DISPUTE = """
UPDATE cases SET state = 'CLOSED', closed_at = %(now)s, resolution = 'WON', who = 'paynexus'
WHERE dispute_id = %(dispute_id)s AND kind = 'dispute_excess' AND state = 'OPEN'
"""
SQL_WATCH = """
SELECT
    (SELECT count(*) FROM attempts WHERE next_at IS NOT NULL),
    (SELECT count(*) FROM cases WHERE state = 'OPEN'),
    (SELECT count(*) FROM cases WHERE state = 'OPEN' AND due_at < %(now)s)
"""


@dataclass(frozen=True, slots=True)
class Watch:
    """How much is unknown, and how much of it is a person's business."""

    unknown: int
    open_cases: int
    overdue_cases: int


def waiting(tx: Connection, *, before: dt.datetime, limit: int) -> list[tuple[UUID, PaymentId]]:
    """Attempts from before then whose outcome is still unknown and in no case yet; held."""
    return tx.execute(SQL_WAITING, {"before": before, "limit": limit}).fetchall()


def open_one(
    tx: Connection,
    kind: str,
    attempt_id: UUID,
    payment_id: PaymentId,
    *,
    due_at: dt.datetime,
    now: dt.datetime,
    dispute_id: DisputeId | None = None,
) -> bool:
    """There is a case of this kind about the attempt, or its dispute; whether it is a new one."""
    values = {
        "id": ids.new_id(),
        "kind": kind,
        "payment_id": payment_id,
        "attempt_id": attempt_id,
        "dispute_id": dispute_id,
        "due_at": due_at,
        "now": now,
    }
    return tx.execute(SQL_OPEN, values).rowcount == 1


def close(tx: Connection, case_id: UUID, resolution: str, *, who: str, now: dt.datetime) -> bool:
    """The case is closed; False when it was before, or its outcome is still asked for."""
    values = {"id": case_id, "resolution": resolution, "who": who, "now": now}
    return tx.execute(SQL_CLOSE, values).rowcount == 1


def close_of_dispute(tx: Connection, dispute_id: DisputeId, *, now: dt.datetime) -> int:
    """No case is open about what the dispute took too much; how many were."""
    return tx.execute(SQL_CLOSE_OF_DISPUTE, {"dispute_id": dispute_id, "now": now}).rowcount


def watch(connection: Connection, *, now: dt.datetime) -> Watch:
    """The counts as they are."""
    row = connection.execute(SQL_WATCH, {"now": now}).fetchone()
    return Watch(*row) if row else Watch(0, 0, 0)

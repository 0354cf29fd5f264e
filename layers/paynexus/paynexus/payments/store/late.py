"""Late approvals in SQL: money taken for payments that had ended without it."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from paynexus.db import Connection
from paynexus.ids import PaymentId, TransferId
from paynexus.money import Money

SQL_INSERT = """
INSERT INTO late_approvals (
    id, payment_id, attempt_id, reference, amount, currency, transfer_id, found_at, taken_up_at
)
SELECT %(id)s, payment_id, id, reference, amount, currency, %(transfer_id)s, %(now)s, %(now)s
FROM attempts WHERE id = %(attempt_id)s
ON CONFLICT (attempt_id) DO NOTHING
"""
SQL_FIND = """
SELECT l.id, l.attempt_id, l.reference, l.amount, l.currency, l.transfer_id,
    l.returned_at IS NOT NULL, a.gateway
FROM late_approvals AS l
INNER JOIN attempts AS a ON a.id = l.attempt_id
WHERE l.id = %s
"""
SQL_RETURNED = """
UPDATE late_approvals SET returned_at = %s, reversal_id = %s
WHERE id = %s AND returned_at IS NULL
"""
# What a gateway refused to give back is a person's business.
SQL_TAKE_UP = """
UPDATE late_approvals SET taken_up_at = %(now)s
WHERE id IN (
    SELECT l.id FROM late_approvals AS l
    WHERE l.returned_at IS NULL AND l.taken_up_at < %(before)s
        AND NOT EXISTS (
            SELECT FROM attempts AS a WHERE a.operation_id = l.id AND a.next_at IS NOT NULL
        )
        AND NOT EXISTS (
            SELECT FROM cases AS c
            WHERE c.attempt_id = l.attempt_id AND c.kind = 'late_approval_kept'
        )
    ORDER BY l.taken_up_at LIMIT %(limit)s
    FOR UPDATE OF l SKIP LOCKED
)
RETURNING id, payment_id
"""
SQL_WAS_CANCELED = """
SELECT EXISTS (
    SELECT FROM attempts
    WHERE payment_id = %s AND operation = 'cancel' AND outcome = 'APPROVED'
)
"""


@dataclass(frozen=True, slots=True)
class LateApproval:
    """Money that is on its way back; `id` is that of the operation that returns it."""

    id: UUID
    attempt_id: UUID
    reference: str
    money: Money
    transfer_id: TransferId
    is_returned: bool
    gateway: str
    """Where it was taken."""


def insert(
    tx: Connection, late_id: UUID, attempt_id: UUID, transfer_id: TransferId, *, now: dt.datetime
) -> bool:
    """The late approval is on record; False when it was before."""
    values = {"id": late_id, "attempt_id": attempt_id, "transfer_id": transfer_id, "now": now}
    return tx.execute(SQL_INSERT, values).rowcount == 1


def find(connection: Connection, operation_id: UUID) -> LateApproval | None:
    """The late approval that the operation returns."""
    row = connection.execute(SQL_FIND, (operation_id,)).fetchone()
    if row is None:
        return None
    money = Money(row[3], row[4])
    return LateApproval(row[0], row[1], row[2], money, TransferId(row[5]), row[6], row[7])


def returned(tx: Connection, late_id: UUID, reversal_id: TransferId, *, now: dt.datetime) -> bool:
    """The money is back with its payer; False when it was before."""
    return tx.execute(SQL_RETURNED, (now, reversal_id, late_id)).rowcount == 1


def take_up(
    tx: Connection, *, before: dt.datetime, now: dt.datetime, limit: int
) -> list[tuple[UUID, PaymentId]]:
    """Late approvals whose return has to be begun, or gone on with."""
    values = {"before": before, "now": now, "limit": limit}
    return tx.execute(SQL_TAKE_UP, values).fetchall()


def was_canceled(connection: Connection, payment_id: PaymentId) -> bool:
    """Whether a gateway has confirmed a cancel of the payment's charge."""
    row = connection.execute(SQL_WAS_CANCELED, (payment_id,)).fetchone()
    return bool(row and row[0])

"""Refunds in SQL, run on the caller's connection."""

import datetime as dt
from typing import Any

from psycopg.rows import dict_row

from paynexus.db import Connection
from paynexus.ids import MerchantId, PaymentId, RefundId, TransferId
from paynexus.money import Money
from paynexus.payments.model import Failure, Refund, RefundStatus

SQL_GET = "SELECT * FROM refunds WHERE id = %s"
SQL_FIND = "SELECT * FROM refunds WHERE id = %s AND merchant_id = %s AND mode = %s"
SQL_TAKE_UP = """
UPDATE refunds SET updated_at = %(now)s
WHERE id IN (
    SELECT id FROM refunds
    WHERE status IN ('PENDING', 'UNKNOWN') AND updated_at < %(before)s
        AND NOT EXISTS (
            SELECT FROM attempts AS a
            WHERE a.operation_id = refunds.id AND a.next_at IS NOT NULL
        )
    ORDER BY updated_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
RETURNING id, payment_id
"""


def get(connection: Connection, refund_id: RefundId) -> Refund | None:
    """The refund of this id, whosever it is."""
    return _one(connection, SQL_GET, (refund_id,))


def find(
    connection: Connection, refund_id: RefundId, merchant_id: MerchantId, mode: str
) -> Refund | None:
    """The merchant's refund of this id."""
    return _one(connection, SQL_FIND, (refund_id, merchant_id, mode))


def take_up(
    tx: Connection, *, before: dt.datetime, now: dt.datetime, limit: int
) -> list[tuple[RefundId, PaymentId]]:
    """The refunds that waited longest since `before`, not final; their wait begins anew."""
    values = {"before": before, "now": now, "limit": limit}
    return tx.execute(SQL_TAKE_UP, values).fetchall()


def _one(connection: Connection, query: str, values: tuple[object, ...]) -> Refund | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query.encode(), values).fetchone()
    return from_row(row) if row else None


def from_row(row: dict[str, Any]) -> Refund:
    """The refund that the row holds."""
    code = row["failure_code"]
    return Refund(
        id=RefundId(row["id"]),
        payment_id=PaymentId(row["payment_id"]),
        merchant_id=MerchantId(row["merchant_id"]),
        mode=row["mode"],
        money=Money(row["amount"], row["currency"]),
        status=RefundStatus(row["status"]),
        transfer_id=TransferId(row["transfer_id"]),
        created_at=row["created_at"],
        reason=row["reason"],
        failure=Failure(code, row["failure_message"]) if code else None,
    )

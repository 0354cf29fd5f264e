"""Where an operation stands: all that a step decides by, in one query."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from paynexus.db import Connection
from paynexus.gateways.port import Operation
from paynexus.ids import PaymentId
from paynexus.payments.model import Payment, Refund
from paynexus.payments.store import payments, refunds
from paynexus.payments.store.attempts import Attempt

SQL_STANDING = """
SELECT t.*, c.payment_id IS NOT NULL AS has_customer, c.customer_id, c.email, c.country,
    a.id AS attempt_id, a.outcome, a.code, a.message, a.operation, a.number,
    a.created_at AS attempt_created_at, a.called_off_at,
    CASE WHEN t.id <> %(operation_id)s THEN (
        SELECT gateway_reference FROM attempts
        WHERE operation_id = t.id AND gateway_reference IS NOT NULL
        ORDER BY number DESC LIMIT 1
    ) END AS charge_gateway_reference,
    r.id AS refund_id, r.amount AS refund_amount, r.status AS refund_status,
    r.reason AS refund_reason, r.transfer_id AS refund_transfer_id,
    r.failure_code AS refund_failure_code, r.failure_message AS refund_failure_message,
    r.created_at AS refund_created_at
FROM transactions AS t
LEFT JOIN payment_customers AS c ON c.payment_id = t.id
LEFT JOIN LATERAL (
    SELECT id, outcome, code, message, operation, number, created_at, called_off_at
    FROM attempts
    WHERE operation_id = %(operation_id)s ORDER BY number DESC LIMIT 1
) AS a ON TRUE
LEFT JOIN refunds AS r ON r.id = %(operation_id)s
WHERE t.id = %(payment_id)s
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """A payment, the latest attempt of one operation on it, and the refund that this is."""

    payment: Payment
    attempt: Attempt | None
    refund: Refund | None
    charge_gateway_reference: str | None = None
    """What the gateway calls the charge that this operation speaks of, if that is known."""


def of_operation(
    connection: Connection, payment_id: PaymentId, operation_id: UUID
) -> Standing | None:
    """All that is known of one operation on a payment; None without the payment."""
    values = {"payment_id": payment_id, "operation_id": operation_id}
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(SQL_STANDING, values).fetchone()
    if row is None:
        return None
    return Standing(
        payments.from_row(row), _attempt(row), _refund(row), row["charge_gateway_reference"]
    )


def _attempt(row: dict[str, Any]) -> Attempt | None:
    if row["attempt_id"] is None:
        return None
    return Attempt(
        id=row["attempt_id"],
        outcome=row["outcome"],
        code=row["code"],
        message=row["message"],
        operation=Operation(row["operation"]),
        number=row["number"],
        began=row["attempt_created_at"],
        is_called_off=row["called_off_at"] is not None,
    )


def _refund(row: dict[str, Any]) -> Refund | None:
    if row["refund_id"] is None:
        return None
    own = {name.removeprefix("refund_"): v for name, v in row.items() if name[:7] == "refund_"}
    # A refund is in its payment's name and currency.
    shared = {name: row[name] for name in ("merchant_id", "mode", "currency")}
    return refunds.from_row(own | shared | {"payment_id": row["id"]})

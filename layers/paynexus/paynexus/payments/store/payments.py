"""The SQL of payments, run on the caller's connection."""

import datetime as dt
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.ids import MerchantId, PaymentId, QrCodeId, TransferId
from paynexus.money import Money
from paynexus.payments.model import (
    Challenge,
    Customer,
    Failure,
    OpenOperation,
    Payment,
    Status,
)

SQL_INSERT = """
INSERT INTO transactions (
    id, merchant_id, mode, amount, currency, status, capture, payment_method, fingerprint,
    fee_basis_points, fee_fixed_minor, transfer_id, reference, description, metadata,
    qr_code_id, idempotency_key, created_at, updated_at
) VALUES (
    %(id)s, %(merchant_id)s, %(mode)s, %(amount)s, %(currency)s, %(status)s, %(capture)s,
    %(payment_method)s, %(fingerprint)s, %(fee_basis_points)s, %(fee_fixed_minor)s,
    %(transfer_id)s, %(reference)s, %(description)s, %(metadata)s, %(qr_code_id)s,
    %(idempotency_key)s, %(now)s, %(now)s
)
"""
SQL_INSERT_CUSTOMER = """
INSERT INTO payment_customers (payment_id, customer_id, email, country) VALUES (%s, %s, %s, %s)
"""
SQL_UPDATE = """
UPDATE transactions SET
    status = %(status)s, captured_amount = %(captured_amount)s,
    refunded_amount = %(refunded_amount)s, refunding_amount = %(refunding_amount)s,
    fee_amount = %(fee_amount)s, challenge = %(challenge)s, failure_code = %(failure_code)s,
    failure_message = %(failure_message)s, open_operation = %(open_operation)s,
    open_operation_id = %(open_operation_id)s,
    open_operation_amount = %(open_operation_amount)s,
    gateway_response = (
        SELECT response FROM attempts WHERE operation_id = %(id)s ORDER BY number DESC LIMIT 1
    ),
    updated_at = %(now)s
WHERE id = %(id)s
"""
SQL_SELECT = """
SELECT t.*, c.payment_id IS NOT NULL AS has_customer, c.customer_id, c.email, c.country
FROM transactions AS t
LEFT JOIN payment_customers AS c ON c.payment_id = t.id
"""
SQL_FIND = SQL_SELECT + "WHERE t.id = %s AND t.merchant_id = %s AND t.mode = %s"
SQL_GET = SQL_SELECT + "WHERE t.id = %s"
SQL_LOCK = SQL_SELECT + "WHERE t.id = %s FOR UPDATE OF t"
SQL_LIST = (
    SQL_SELECT
    + """
WHERE t.merchant_id = %(merchant_id)s AND t.mode = %(mode)s
    AND (%(before)s::UUID IS NULL OR t.id < %(before)s)
ORDER BY t.id DESC
LIMIT %(limit)s
"""
)
SQL_TAKE_UP = """
UPDATE transactions SET updated_at = %(now)s
WHERE id IN (
    SELECT id FROM transactions
    WHERE (status IN ('PENDING', 'UNKNOWN') OR open_operation IS NOT NULL)
        AND updated_at < %(before)s
    ORDER BY updated_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
RETURNING id, open_operation, open_operation_id
"""
SQL_HISTORY = """
SELECT created_at AS at, 'event' AS entry, type AS what, NULL AS detail
FROM events WHERE object_id = %(object_id)s
UNION ALL
SELECT created_at, 'attempt', operation || '.' || lower(coalesce(outcome, 'running')),
    jsonb_build_object('gateway', gateway, 'number', number, 'reference', reference,
        'code', code)
FROM attempts WHERE payment_id = %(id)s
UNION ALL
SELECT created_at, 'fraud_decision', lower(verdict), reasons
FROM fraud_decisions WHERE payment_id = %(id)s
UNION ALL
SELECT created_at, 'transfer', kind || '.' || state,
    jsonb_build_object('amount', amount, 'currency', currency)
FROM transfers WHERE transaction_id = %(id)s
ORDER BY 1
"""


def insert(tx: Connection, payment: Payment) -> None:
    """The payment exists, its customer's data apart from it."""
    tx.execute(
        SQL_INSERT,
        {
            "id": payment.id,
            "merchant_id": payment.merchant_id,
            "mode": payment.mode,
            "amount": payment.money.amount,
            "currency": payment.money.currency,
            "status": payment.status,
            "capture": payment.capture,
            "payment_method": payment.payment_method,
            "fingerprint": payment.fingerprint,
            "fee_basis_points": payment.fee_basis_points,
            "fee_fixed_minor": payment.fee_fixed_minor,
            "transfer_id": payment.transfer_id,
            "reference": payment.reference,
            "description": payment.description,
            "metadata": Jsonb(payment.metadata),
            "qr_code_id": payment.qr_code_id,
            "idempotency_key": payment.idempotency_key,
            "now": payment.created_at,
        },
    )
    if payment.customer is not None:
        who = payment.customer
        tx.execute(SQL_INSERT_CUSTOMER, (payment.id, who.id, who.email, who.country))


def update(tx: Connection, payment: Payment, *, now: dt.datetime) -> None:
    """What may change of a payment is as `payment`, and the attempt of its charge, say."""
    operation = payment.open_operation
    tx.execute(
        SQL_UPDATE,
        {
            "id": payment.id,
            "status": payment.status,
            "captured_amount": payment.captured_amount,
            "refunded_amount": payment.refunded_amount,
            "refunding_amount": payment.refunding_amount,
            "fee_amount": payment.fee_amount,
            "challenge": payment.challenge,
            "failure_code": payment.failure.code if payment.failure else None,
            "failure_message": payment.failure.message if payment.failure else None,
            "open_operation": operation.name if operation else None,
            "open_operation_id": operation.id if operation else None,
            "open_operation_amount": operation.amount if operation else None,
            "now": now,
        },
    )


def find(
    connection: Connection, payment_id: PaymentId, merchant_id: MerchantId, mode: str
) -> Payment | None:
    """The merchant's payment of this id, or None: another merchant's is as good as none."""
    return _one(connection, SQL_FIND, (payment_id, merchant_id, mode))


def get(connection: Connection, payment_id: PaymentId) -> Payment | None:
    """The payment of this id, whosever it is."""
    return _one(connection, SQL_GET, (payment_id,))


def lock(tx: Connection, payment_id: PaymentId) -> Payment | None:
    """The payment, held by this transaction until it ends."""
    return _one(tx, SQL_LOCK, (payment_id,))


def page(
    connection: Connection,
    merchant_id: MerchantId,
    mode: str,
    *,
    limit: int,
    before: PaymentId | None,
) -> list[Payment]:
    """The merchant's payments, newest first, older than `before`."""
    values = {"merchant_id": merchant_id, "mode": mode, "limit": limit, "before": before}
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_payment(row) for row in cursor.execute(SQL_LIST, values)]


def take_up(
    tx: Connection, *, before: dt.datetime, now: dt.datetime, limit: int
) -> list[tuple[PaymentId, str | None, UUID | None]]:
    """The payments that waited longest since `before`, not at rest; their wait begins anew."""
    values = {"before": before, "now": now, "limit": limit}
    return tx.execute(SQL_TAKE_UP, values).fetchall()


def history(connection: Connection, payment_id: PaymentId, object_id: str) -> list[dict[str, Any]]:
    """Events, attempts and transfers of the payment, in order of time."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(SQL_HISTORY, {"id": payment_id, "object_id": object_id})
        return cursor.fetchall()


def _one(connection: Connection, query: str, values: tuple[object, ...]) -> Payment | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query.encode(), values).fetchone()
    return _payment(row) if row else None


def _payment(row: dict[str, Any]) -> Payment:
    return Payment(
        id=PaymentId(row["id"]),
        merchant_id=MerchantId(row["merchant_id"]),
        mode=row["mode"],
        money=Money(row["amount"], row["currency"]),
        status=Status(row["status"]),
        capture=row["capture"],
        payment_method=row["payment_method"],
        fingerprint=row["fingerprint"],
        fee_basis_points=row["fee_basis_points"],
        fee_fixed_minor=row["fee_fixed_minor"],
        transfer_id=TransferId(row["transfer_id"]),
        created_at=row["created_at"],
        idempotency_key=row["idempotency_key"],
        captured_amount=row["captured_amount"],
        refunded_amount=row["refunded_amount"],
        refunding_amount=row["refunding_amount"],
        fee_amount=row["fee_amount"],
        reference=row["reference"],
        description=row["description"],
        metadata=row["metadata"],
        customer=_customer(row),
        qr_code_id=QrCodeId(row["qr_code_id"]) if row["qr_code_id"] else None,
        challenge=Challenge(row["challenge"]),
        failure=_failure(row),
        open_operation=_open_operation(row),
    )


def _customer(row: dict[str, Any]) -> Customer | None:
    if not row["has_customer"]:
        return None
    return Customer(row["customer_id"], row["email"], row["country"])


def _failure(row: dict[str, Any]) -> Failure | None:
    code = row["failure_code"]
    return Failure(code, row["failure_message"]) if code else None


def _open_operation(row: dict[str, Any]) -> OpenOperation | None:
    name = row["open_operation"]
    if not name:
        return None
    return OpenOperation(name, row["open_operation_id"], row["open_operation_amount"])

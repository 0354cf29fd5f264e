"""The SQL of payments, run on the caller's connection."""

import datetime as dt
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from paynexus.db import Connection
from paynexus.ids import MerchantId, PaymentId, QrCodeId, TransferId
from paynexus.lists import store as lists
from paynexus.lists.model import Page
from paynexus.money import Money
from paynexus.payments.model import (
    Challenge,
    Customer,
    Failure,
    OpenOperation,
    Payment,
    Status,
)

SQL_SELECT = """
SELECT t.*, c.payment_id IS NOT NULL AS has_customer, c.customer_id, c.email, c.country,
    c.name, c.ip, c.card_bin
FROM transactions AS t
LEFT JOIN payment_customers AS c ON c.payment_id = t.id
"""
SQL_FIND = SQL_SELECT + "WHERE t.id = %s AND t.merchant_id = %s AND t.mode = %s"
SQL_GET = SQL_SELECT + "WHERE t.id = %s"
SQL_LOCK = "SELECT FROM transactions WHERE id = %s FOR UPDATE"
# The page first: customers are looked up for its payments alone.
SQL_LIST = """
SELECT t.*, c.payment_id IS NOT NULL AS has_customer, c.customer_id, c.email, c.country,
    c.name, c.ip, c.card_bin
FROM (
    SELECT * FROM transactions
    WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s
        AND id >= %(least)s AND id < %(above)s
        AND created_at >= %(since)s AND created_at < %(until)s
        {like}
    ORDER BY id DESC
    LIMIT %(limit)s
) AS t
LEFT JOIN payment_customers AS c ON c.payment_id = t.id
ORDER BY t.id DESC
"""
FILTERS: lists.Filters = {
    "status": "AND status = %(status)s",
    "currency": "AND currency = %(currency)s",
    "reference": "AND reference = %(reference)s",
}
# Whatever is not decided holds money: the open holds are few, and indexed anyway. What is
# unknown at the gateway has turns of its own.
SQL_TAKE_UP = """
UPDATE transactions SET updated_at = %(now)s
WHERE id IN (
    SELECT p.id
    FROM open_holds AS h
    INNER JOIN transfers AS t ON t.id = h.transfer_id
    INNER JOIN transactions AS p ON p.id = t.transaction_id AND p.transfer_id = t.id
    WHERE (p.status IN ('PENDING', 'UNKNOWN') OR p.open_operation IS NOT NULL)
        AND p.updated_at < %(before)s
        AND NOT EXISTS (
            SELECT FROM attempts AS a
            WHERE a.operation_id IN (p.id, p.open_operation_id) AND a.next_at IS NOT NULL
        )
    ORDER BY p.updated_at
    LIMIT %(limit)s
    FOR UPDATE OF p SKIP LOCKED
)
RETURNING id, open_operation, open_operation_id
"""
# As above. A challenged payment changes only by ceasing to be one, so its last change made it
# one. A gateway may have held the money as soon as it was first asked to.
SQL_EXPIRED = """
SELECT p.id
FROM open_holds AS h
INNER JOIN transfers AS t ON t.id = h.transfer_id
INNER JOIN transactions AS p ON p.id = t.transaction_id AND p.transfer_id = t.id
WHERE p.open_operation IS NULL AND (
    p.status = 'CHALLENGED' AND p.updated_at < %(challenged_before)s
    OR p.status = 'AUTHORIZED' AND p.updated_at < %(changed_before)s AND EXISTS (
        SELECT FROM attempts AS a
        WHERE a.payment_id = p.id AND a.operation = 'charge' AND a.outcome = 'APPROVED'
            AND a.created_at < %(authorized_before)s
    )
)
ORDER BY p.updated_at
LIMIT %(limit)s
FOR UPDATE OF p SKIP LOCKED
"""


def find(
    connection: Connection, payment_id: PaymentId, merchant_id: MerchantId, mode: str
) -> Payment | None:
    """The merchant's payment of this id, or None: another merchant's is as good as none."""
    return _one(connection, SQL_FIND, (payment_id, merchant_id, mode))


def get(connection: Connection, payment_id: PaymentId) -> Payment | None:
    """The payment of this id, whosever it is."""
    return _one(connection, SQL_GET, (payment_id,))


def lock(tx: Connection, payment_id: PaymentId) -> None:
    """The payment, if there is one, is held by this transaction until it ends."""
    tx.execute(SQL_LOCK, (payment_id,))


def page(
    connection: Connection, merchant_id: MerchantId, mode: str, page: Page[UUID]
) -> list[Payment]:
    """The merchant's payments on the page, newest first, and the one after them."""
    query = lists.statement(SQL_LIST, FILTERS, page)
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(query, lists.values(page, merchant_id, mode))
        return [from_row(row) for row in cursor]


def take_up(
    tx: Connection, *, before: dt.datetime, now: dt.datetime, limit: int
) -> list[tuple[PaymentId, str | None, UUID | None]]:
    """The payments that waited longest since `before`, not at rest; their wait begins anew."""
    values = {"before": before, "now": now, "limit": limit}
    return tx.execute(SQL_TAKE_UP, values).fetchall()


def expired(
    connection: Connection,
    *,
    challenged_before: dt.datetime,
    authorized_before: dt.datetime,
    changed_before: dt.datetime,
    limit: int,
) -> list[PaymentId]:
    """Payments whose challenge or authorisation is that old, and that nobody holds just now.

    Of authorised ones only those that nothing happened to since `changed_before`.
    """
    values = {
        "challenged_before": challenged_before,
        "authorized_before": authorized_before,
        "changed_before": changed_before,
        "limit": limit,
    }
    return [PaymentId(row[0]) for row in connection.execute(SQL_EXPIRED, values)]


def _one(connection: Connection, query: str, values: tuple[object, ...]) -> Payment | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query.encode(), values).fetchone()
    return from_row(row) if row else None


def from_row(row: dict[str, Any]) -> Payment:
    """The payment that the row holds, its customer beside it."""
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
        captures=row["captures"],
        refunded_amount=row["refunded_amount"],
        refunding_amount=row["refunding_amount"],
        disputed_amount=row["disputed_amount"],
        disputed_excess=row["disputed_excess"],
        fee_amount=row["fee_amount"],
        reference=row["reference"],
        description=row["description"],
        metadata=row["metadata"],
        customer=_customer(row),
        qr_code_id=QrCodeId(row["qr_code_id"]) if row["qr_code_id"] else None,
        challenge=Challenge(row["challenge"]),
        failure=_failure(row),
        open_operation=_open_operation(row),
        version=row["version"],
    )


def _customer(row: dict[str, Any]) -> Customer | None:
    if not row["has_customer"]:
        return None
    return Customer(
        id=row["customer_id"],
        email=row["email"],
        country=row["country"],
        name=row["name"],
        ip=str(row["ip"]) if row["ip"] is not None else None,
        card_bin=row["card_bin"],
    )


def _failure(row: dict[str, Any]) -> Failure | None:
    code = row["failure_code"]
    return Failure(code, row["failure_message"]) if code else None


def _open_operation(row: dict[str, Any]) -> OpenOperation | None:
    name = row["open_operation"]
    if not name:
        return None
    return OpenOperation(
        name,
        row["open_operation_id"],
        row["open_operation_amount"],
        row["open_operation_is_final"],
    )

"""Disputes in SQL, run on the caller's connection."""

import datetime as dt
from typing import Any, LiteralString
from uuid import UUID

from psycopg import sql
from psycopg.abc import Params
from psycopg.rows import dict_row

from paynexus.db import Connection
from paynexus.ids import DisputeId, MerchantId, PaymentId, TransferId
from paynexus.lists import store as lists
from paynexus.lists.model import Page
from paynexus.money import Money
from paynexus.payments.dispute import Dispute, DisputeStatus

SQL_KNOWN = "SELECT * FROM disputes WHERE gateway = %s AND gateway_reference = %s"
SQL_FIND = "SELECT * FROM disputes WHERE id = %s AND merchant_id = %s AND mode = %s"
SQL_LIST = """
SELECT * FROM disputes
WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s
    AND id >= %(least)s AND id < %(above)s
    AND created_at >= %(since)s AND created_at < %(until)s
    {like}
ORDER BY id DESC
LIMIT %(limit)s
"""
FILTERS: lists.Filters = {
    "status": "AND status = %(status)s",
    "currency": "AND currency = %(currency)s",
    "payment": "AND payment_id = %(payment)s",
}
SQL_PUT = """
INSERT INTO disputes (
    id, payment_id, merchant_id, mode, amount, covered_amount, currency, status, reason,
    respond_by, gateway, gateway_reference, cover_id, created_at, updated_at, asked_at
) VALUES (
    %(id)s, %(payment_id)s, %(merchant_id)s, %(mode)s, %(amount)s, %(covered_amount)s,
    %(currency)s, %(status)s, %(reason)s, %(respond_by)s, %(gateway)s, %(gateway_reference)s,
    %(cover_id)s, %(created_at)s, %(now)s, %(now)s
)
ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, covered_amount = excluded.covered_amount,
    updated_at = excluded.updated_at, asked_at = excluded.asked_at
"""
SQL_TAKE_UP = """
UPDATE disputes SET asked_at = %(now)s
WHERE id IN (
    SELECT id FROM disputes
    WHERE status = 'OPEN' AND asked_at < %(before)s
    ORDER BY asked_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING gateway, gateway_reference
"""


def known(connection: Connection, gateway: str, gateway_reference: str) -> Dispute | None:
    """The dispute that the gateway calls so, if it is on record."""
    found = _all(connection, SQL_KNOWN, (gateway, gateway_reference))
    return found[0] if found else None


def find(
    connection: Connection, dispute_id: DisputeId, merchant_id: MerchantId, mode: str
) -> Dispute | None:
    """The merchant's dispute of this id, or None: another merchant's is as good as none."""
    found = _all(connection, SQL_FIND, (dispute_id, merchant_id, mode))
    return found[0] if found else None


def page(
    connection: Connection, merchant_id: MerchantId, mode: str, page: Page[UUID]
) -> list[Dispute]:
    """The merchant's disputes on the page, newest first, and the one after them."""
    query = lists.statement(SQL_LIST, FILTERS, page)
    return _all(connection, query, lists.values(page, merchant_id, mode))


def put(tx: Connection, dispute: Dispute, *, now: dt.datetime) -> None:
    """The dispute is on record as it is; its payment says the same of it already."""
    values = {
        "id": dispute.id,
        "payment_id": dispute.payment_id,
        "merchant_id": dispute.merchant_id,
        "mode": dispute.mode,
        "amount": dispute.money.amount,
        "covered_amount": dispute.covered_amount,
        "currency": dispute.money.currency,
        "status": dispute.status,
        "reason": dispute.reason,
        "respond_by": dispute.respond_by,
        "gateway": dispute.gateway,
        "gateway_reference": dispute.gateway_reference,
        "cover_id": dispute.cover_id,
        "created_at": dispute.created_at,
        "now": now,
    }
    tx.execute(SQL_PUT, values)


def take_up(tx: Connection, *, before: dt.datetime, now: dt.datetime) -> tuple[str, str] | None:
    """The open dispute that was not asked about for longest, since `before`: gateway and name."""
    return tx.execute(SQL_TAKE_UP, {"before": before, "now": now}).fetchone()


def _all(
    connection: Connection, query: LiteralString | sql.Composed, values: Params
) -> list[Dispute]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_from_row(row) for row in cursor.execute(query, values)]


def _from_row(row: dict[str, Any]) -> Dispute:
    return Dispute(
        id=DisputeId(row["id"]),
        payment_id=PaymentId(row["payment_id"]),
        merchant_id=MerchantId(row["merchant_id"]),
        mode=row["mode"],
        money=Money(row["amount"], row["currency"]),
        covered_amount=row["covered_amount"],
        status=DisputeStatus(row["status"]),
        gateway=row["gateway"],
        gateway_reference=row["gateway_reference"],
        cover_id=TransferId(row["cover_id"]) if row["cover_id"] else None,
        created_at=row["created_at"],
        reason=row["reason"],
        respond_by=row["respond_by"],
    )

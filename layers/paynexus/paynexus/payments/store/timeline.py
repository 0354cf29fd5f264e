"""The SQL of a payment's timeline: every record that names the payment, as one list.

Each part finds its rows through an index that begins with what the payment is known by, so that
the whole costs what the payment has, however many others there are.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.ids import MerchantId, PaymentId

SQL_PARTS = """
SELECT 're', id FROM refunds WHERE payment_id = %(payment_id)s
UNION ALL
SELECT 'dp', id FROM disputes WHERE payment_id = %(payment_id)s
"""
# An entry's number begins with the microsecond of its transfer: between the two bounds lie the
# entries of one microsecond, and no index on the transfer is needed.
SQL_FACTS = """
WITH keys AS (
    SELECT * FROM idempotency_keys WHERE object_id = %(payment_id)s
    UNION ALL
    SELECT * FROM idempotency_keys
    WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s AND operation = ANY(%(operations)s)
), told AS (
    SELECT * FROM events WHERE object_id = ANY(%(objects)s) AND merchant_id = %(merchant_id)s
), paid AS (
    SELECT settlement_of_entry(e.account_id, e.id) AS settlement_id, sum(-e.delta) AS amount
    FROM transfers AS t
    INNER JOIN ledger_entries AS e ON e.account_id IN (t.debit_account_id, t.credit_account_id)
        AND e.id >= ledger_entry_id_at(t.created_at)
        AND e.id < ledger_entry_id_at(t.created_at) + 1024
        AND e.transfer_id = t.id AND e.type = 'posted'
    WHERE t.transaction_id = %(payment_id)s
    GROUP BY 1
), facts AS (
    SELECT created_at AS at, 0 AS rank, object_id::TEXT AS ref, 'request' AS kind,
        jsonb_build_object('operation', operation, 'key', key) AS fields
    FROM keys
    UNION ALL
    SELECT created_at, 1, id::TEXT, 'transfer', jsonb_build_object(
        'transfer', coalesce(pending_id, id), 'transfer_kind', kind, 'state', state,
        'amount', amount, 'currency', currency, 'object_id', object_id)
    FROM transfers WHERE transaction_id = %(payment_id)s
    UNION ALL
    SELECT created_at, 2, id::TEXT, 'event', jsonb_build_object(
        'event', id, 'type', type, 'object_id', object_id, 'sequence', sequence)
    FROM told
    UNION ALL
    SELECT created_at, 3, payment_id::TEXT, 'fraud_decision', jsonb_build_object(
        'verdict', verdict, 'reasons', reasons, 'trace', trace)
    FROM fraud_decisions WHERE payment_id = %(payment_id)s
    UNION ALL
    SELECT created_at, 4, id::TEXT, 'attempt', jsonb_build_object(
        'operation', operation, 'number', number, 'calls', calls, 'gateway', gateway,
        'reference', reference, 'amount', amount, 'currency', currency, 'outcome', outcome,
        'code', code, 'message', message, 'routing', routing, 'finished_at', finished_at)
    FROM attempts WHERE payment_id = %(payment_id)s
    UNION ALL
    SELECT finished_at, 5, object_id::TEXT, 'answer', jsonb_build_object(
        'operation', operation, 'key', key, 'status', status)
    FROM keys WHERE finished_at IS NOT NULL
    UNION ALL
    SELECT a.started_at, 6, a.delivery_id || ':' || a.number, 'webhook_attempt',
        jsonb_build_object('endpoint', d.endpoint_id, 'delivery', d.id, 'event', d.event_id,
            'type', d.event_type, 'number', a.number, 'status_code', a.status_code,
            'error', a.error, 'finished_at', a.finished_at)
    FROM told AS e
    INNER JOIN deliveries AS d ON d.event_id = e.id
    INNER JOIN delivery_attempts AS a ON a.delivery_id = d.id
    UNION ALL
    SELECT s.created_at, 7, s.id::TEXT, 'settlement', jsonb_build_object(
        'settlement', s.id, 'status', s.status, 'amount', p.amount, 'currency', s.currency,
        'finished_at', s.processed_at)
    FROM paid AS p
    INNER JOIN settlements AS s ON s.id = p.settlement_id
    UNION ALL
    SELECT f.processed_at, 8, encode(b.file_sha256, 'hex') || ':' || b.position, 'bank_line',
        jsonb_build_object('settlement', p.settlement_id,
            'line', CASE b.kind WHEN 'part' THEN 'entry' ELSE b.kind END,
            'reference', b.reference,
            'code', coalesce(nullif(concat_ws('/', b.code, b.reason_code), ''),
                CASE WHEN b.is_debit THEN 'DBIT' ELSE 'CRDT' END),
            'amount', b.amount, 'currency', b.currency, 'booked_on', b.booked_on)
    FROM paid AS p
    INNER JOIN settlements AS s ON s.id = p.settlement_id
    INNER JOIN bank_lines AS b ON b.matched = p.settlement_id
        -- What the bank said of the whole file.
        OR b.message_id = s.message_id AND b.kind = 'status' AND b.end_to_end_id IS NULL
    INNER JOIN bank_files AS f ON f.direction = 'in' AND f.sha256 = b.file_sha256
)
SELECT * FROM facts
WHERE %(after_at)s::TIMESTAMPTZ IS NULL
    OR (at, rank, ref COLLATE "C") > (%(after_at)s, %(after_rank)s::INTEGER, %(after_ref)s)
ORDER BY at, rank, ref COLLATE "C"
LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fact stands among the payment's: by time, then by kind, then by its own name."""

    at: dt.datetime
    rank: int
    ref: str


@dataclass(frozen=True, slots=True)
class FactRow:
    """One record that names the payment; `fields` as the database writes them."""

    at: dt.datetime
    rank: int
    ref: str
    kind: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a payment is known by: its own id, and what it is called in other records."""

    payment_id: PaymentId
    merchant_id: MerchantId
    mode: str
    objects: Sequence[str]
    operations: Sequence[str]


def parts_of(connection: Connection, payment_id: PaymentId) -> list[tuple[str, UUID]]:
    """The payment's refunds and disputes, each by the prefix of its name and its id."""
    return connection.execute(SQL_PARTS, {"payment_id": payment_id}).fetchall()


def facts(
    connection: Connection, subject: Subject, *, after: Place | None, limit: int
) -> list[FactRow]:
    """At most `limit` records that name the payment, in order of time, past `after`."""
    with connection.cursor(row_factory=class_row(FactRow)) as cursor:
        return cursor.execute(SQL_FACTS, values_of(subject, after=after, limit=limit)).fetchall()


def values_of(subject: Subject, *, after: Place | None, limit: int) -> dict[str, object]:
    """What SQL_FACTS is asked."""
    return {
        "payment_id": subject.payment_id,
        "merchant_id": subject.merchant_id,
        "mode": subject.mode,
        "objects": list(subject.objects),
        "operations": list(subject.operations),
        "after_at": after and after.at,
        "after_rank": after and after.rank,
        "after_ref": after and after.ref,
        "limit": limit,
    }

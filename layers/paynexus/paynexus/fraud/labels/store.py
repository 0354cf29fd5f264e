"""Labels in SQL, run on the caller's connection."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import LiteralString
from uuid import UUID

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.ids import PaymentId


class Source(StrEnum):
    """Who said what the payment was."""

    DISPUTE = "dispute"
    REFUND = "refund"
    CASE = "case"


@dataclass(frozen=True, slots=True)
class Label:
    """What a payment was, by whose word, and since when that is known."""

    is_fraud: bool
    source: str
    source_id: UUID
    known_at: dt.datetime


# A payment's clock and its dispute's are two: nothing is known before it has happened.
_COPY = """
INSERT INTO fraud_labels (
    payment_id, merchant_id, mode, is_fraud, source, source_id, known_at, card, terminal,
    observed_at
)
SELECT o.payment_id, o.merchant_id, o.mode, s.is_fraud, %(source)s, s.source_id,
    greatest(s.said_at, o.observed_at), o.card, o.terminal, o.observed_at
FROM said AS s INNER JOIN fraud_observations AS o ON o.payment_id = s.payment_id
WHERE NOT EXISTS (
    SELECT FROM fraud_labels AS l
    WHERE l.source_id = s.source_id AND l.payment_id = s.payment_id AND l.is_fraud = s.is_fraud
)
ORDER BY s.said_at, s.is_fraud DESC, s.source_id
LIMIT %(limit)s
ON CONFLICT ON CONSTRAINT a_source_labels_a_payment_one_way_once DO NOTHING
"""
# One that was won at once says both, in this order.
_DISPUTES = """
WITH said AS (
    SELECT d.payment_id, d.id AS source_id, w.is_fraud, w.said_at
    FROM disputes AS d
    CROSS JOIN LATERAL (
        SELECT TRUE AS is_fraud, d.created_at AS said_at
        UNION ALL SELECT FALSE, d.updated_at WHERE d.status = 'WON'
    ) AS w
    WHERE d.reason = 'fraudulent' AND d.updated_at >= %(since)s
)
"""
# The merchant's word stands, whatever becomes of the refund.
_REFUNDS = """
WITH said AS (
    SELECT payment_id, id AS source_id, TRUE AS is_fraud, created_at AS said_at
    FROM refunds WHERE reason = 'fraudulent' AND created_at >= %(since)s
)
"""
GATHERED: Mapping[Source, LiteralString] = MappingProxyType(
    {Source.DISPUTE: _DISPUTES + _COPY, Source.REFUND: _REFUNDS + _COPY}
)
"""How labels are gathered from each source that does not write its own."""
_CLOSING = """
WITH said AS (
    SELECT %(payment_id)s::UUID AS payment_id, %(source_id)s::UUID AS source_id,
        %(is_fraud)s::BOOLEAN AS is_fraud, %(said_at)s::TIMESTAMPTZ AS said_at
)
"""
SQL_ADD = _CLOSING + _COPY
SQL_LABEL_OF = """
SELECT is_fraud, source, source_id, known_at FROM fraud_labels
WHERE payment_id = %(payment_id)s AND known_at <= %(as_of)s
ORDER BY known_at DESC, id DESC
LIMIT 1
"""
SQL_BEGIN_PROGRESS = """
INSERT INTO fraud_label_progress (source, read_until) VALUES (%s, '1970-01-02T00:00:00Z')
ON CONFLICT DO NOTHING
"""
SQL_PROGRESS = "SELECT read_until FROM fraud_label_progress WHERE source = %s FOR UPDATE"
SQL_SET_PROGRESS = """
UPDATE fraud_label_progress SET read_until = greatest(read_until, %(read_until)s)
WHERE source = %(source)s
"""


def locked_progress(tx: Connection, source: Source) -> dt.datetime:
    """Up to when the source has been read; whoever else reads it waits for this transaction."""
    tx.execute(SQL_BEGIN_PROGRESS, (source,))
    row = tx.execute(SQL_PROGRESS, (source,)).fetchone()
    assert row is not None, "it was made just now"  # noqa: S101 - says why
    read_until: dt.datetime = row[0]
    return read_until


def set_progress(tx: Connection, source: Source, *, read_until: dt.datetime) -> None:
    """The source has been read up to then, or had been further before."""
    tx.execute(SQL_SET_PROGRESS, {"source": source, "read_until": read_until})


def gather(tx: Connection, source: Source, *, since: dt.datetime, limit: int) -> int:
    """So many of the labels that the source gave since then, and lacked; their number."""
    values = {"source": source, "since": since, "limit": limit}
    return tx.execute(GATHERED[source], values).rowcount


def add_of_case(
    tx: Connection,
    payment_id: PaymentId,
    *,
    is_fraud: bool,
    closing_id: UUID,
    known_at: dt.datetime,
) -> None:
    """The closing of a case labels its payment, if that was observed."""
    values = {
        "source": Source.CASE,
        "payment_id": payment_id,
        "source_id": closing_id,
        "is_fraud": is_fraud,
        "said_at": known_at,
        "limit": 1,
    }
    tx.execute(SQL_ADD, values)


def label_of(connection: Connection, payment_id: PaymentId, *, as_of: dt.datetime) -> Label | None:
    """The latest of the labels that were known at that moment."""
    with connection.cursor(row_factory=class_row(Label)) as cursor:
        values = {"payment_id": payment_id, "as_of": as_of}
        return cursor.execute(SQL_LABEL_OF, values).fetchone()

"""Decisions, in SQL: what they are made from, and what they were."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from paynexus.db import Connection, bounded
from paynexus.fraud.lists.rules import keys
from paynexus.fraud.model import EntityKind, Subject, entities_of
from paynexus.ids import PaymentId


@dataclass(frozen=True, slots=True)
class Gathered:
    """What Postgres knows about a payment before it is judged; or how it was judged before."""

    stored: dict[str, Any] | None
    limits: dict[str, Any]
    candidates: list[dict[str, Any]]
    snoozed: list[UUID]
    history: dict[str, Any]
    revisions: list[int]
    """The platform's, and the merchant's."""
    settings: dict[str, Any]
    """Model, its state and its thresholds."""
    has_gaps: bool
    """Whether Redis may have missed payments of the merchant: then its counts are not believed."""


SQL_GATHER = """
SELECT * FROM fraud_gather(
    %(payment_id)s, %(merchant_id)s, %(mode)s, %(currency)s, %(at)s, %(now)s, %(fingerprint)s,
    %(emails)s::TEXT [], %(ip)s, %(country)s, %(bin)s::TEXT [],
    %(name)s::BIGINT [], %(card)s, %(terminal)s, %(entities)s
)
"""


def gather(
    connection: Connection, subject: Subject, *, now: dt.datetime, timeout_ms: int
) -> Gathered:
    """All that a decision takes from Postgres, in one round trip.

    Raises QueryCanceled (psycopg) after `timeout_ms`.
    """
    values, rows = _asked(subject, now), class_row(Gathered)
    with bounded(
        connection, SQL_GATHER, values, milliseconds=timeout_ms, row_factory=rows
    ) as cursor:
        row: Gathered | None = cursor.fetchone()
    assert row is not None, "the function answers one row"  # noqa: S101 - says why
    return row


SQL_STORED = "SELECT verdict, trace FROM fraud_decisions WHERE payment_id = %s"


def stored(connection: Connection, payment_id: PaymentId) -> dict[str, Any] | None:
    """What was decided about the payment; None before that."""
    row = connection.execute(SQL_STORED, (payment_id,)).fetchone()
    return {"verdict": row[0], "trace": row[1]} if row else None


SQL_RECORD = """
INSERT INTO fraud_decisions
    (payment_id, merchant_id, mode, verdict, reasons, trace, created_at)
VALUES (%(payment_id)s, %(merchant_id)s, %(mode)s, %(verdict)s, %(reasons)s, %(trace)s, %(now)s)
ON CONFLICT (payment_id) DO NOTHING
"""


def record(
    tx: Connection,
    subject: Subject,
    *,
    verdict: str,
    reasons: Sequence[Mapping[str, object]],
    trace: Mapping[str, object],
    now: dt.datetime,
) -> bool:
    """The decision stands; false when another had been recorded first, which then stands."""
    values = {
        "payment_id": subject.payment_id,
        "merchant_id": subject.merchant_id,
        "mode": subject.mode,
        "verdict": verdict,
        "reasons": Jsonb(reasons),
        "trace": Jsonb(trace),
        "now": now,
    }
    return tx.execute(SQL_RECORD, values).rowcount == 1


def _asked(subject: Subject, now: dt.datetime) -> dict[str, object]:
    entities, listed = entities_of(subject), keys(subject)
    return {
        "payment_id": subject.payment_id,
        "merchant_id": subject.merchant_id,
        "mode": subject.mode,
        "currency": subject.money.currency,
        "at": subject.created_at,
        "now": now,
        "fingerprint": listed.fingerprint,
        "emails": listed.email,
        "ip": listed.ip,
        "country": listed.country,
        "bin": listed.bin,
        "name": listed.name_blocks,
        "card": entities[EntityKind.CARD],
        "terminal": entities.get(EntityKind.TERMINAL),
        "entities": list(entities.values()),
    }

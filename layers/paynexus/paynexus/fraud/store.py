"""Lists, counts and decisions, in SQL."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.ids import MerchantId, PaymentId


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is known about a payment before it is judged."""

    configuration: dict[str, Any]
    payments_last_hour: int
    matches: list[dict[str, str]]
    stored: list[Any] | None
    """Verdict and reasons, of a payment that was judged before."""


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision as it was recorded."""

    verdict: str
    reasons: list[dict[str, str]]


# One round trip for everything a decision needs.
SQL_GATHER = """
SELECT
    coalesce((SELECT configuration -> 'fraud' FROM merchants WHERE id = %(merchant_id)s), '{}')
        AS configuration,
    (
        SELECT count(*) FROM transactions
        WHERE fingerprint = %(fingerprint)s AND created_at > %(since)s
            AND merchant_id = %(merchant_id)s AND mode = %(mode)s
    ) AS payments_last_hour,
    coalesce((
        SELECT jsonb_agg(
            jsonb_build_object('id', id, 'kind', kind, 'verdict', verdict, 'note', note)
            ORDER BY id
        )
        FROM matchlists
        WHERE (merchant_id IS NULL OR merchant_id = %(merchant_id)s)
            AND (kind, value) IN (SELECT * FROM unnest(%(kinds)s::TEXT [], %(values)s::TEXT []))
    ), '[]') AS matches,
    (
        SELECT jsonb_build_array(verdict, reasons) FROM fraud_decisions
        WHERE payment_id = %(payment_id)s
    ) AS stored
"""


def gather(
    connection: Connection,
    *,
    payment_id: PaymentId,
    merchant_id: MerchantId,
    mode: str,
    fingerprint: str,
    since: dt.datetime,
    listed: Sequence[tuple[str, str]],
) -> Gathered:
    """Limits, velocity and list matches of one payment, or how it was judged before.

    `listed` are (kind, value) to look up.
    """
    values = {
        "payment_id": payment_id,
        "merchant_id": merchant_id,
        "mode": mode,
        "fingerprint": fingerprint,
        "since": since,
        "kinds": [kind for kind, _ in listed],
        "values": [value for _, value in listed],
    }
    with connection.cursor(row_factory=class_row(Gathered)) as cursor:
        row = cursor.execute(SQL_GATHER, values).fetchone()
    assert row is not None, "a SELECT without FROM has one row"  # noqa: S101 - says why
    return row


SQL_DECISION_OF = "SELECT verdict, reasons FROM fraud_decisions WHERE payment_id = %s"


def decision_of(tx: Connection, payment_id: PaymentId) -> StoredDecision | None:
    """What was decided about the payment; None before that."""
    with tx.cursor(row_factory=class_row(StoredDecision)) as cursor:
        return cursor.execute(SQL_DECISION_OF, (payment_id,)).fetchone()


SQL_RECORD = """
INSERT INTO fraud_decisions
    (payment_id, merchant_id, mode, verdict, reasons, signals, created_at)
VALUES (%(payment_id)s, %(merchant_id)s, %(mode)s, %(verdict)s, %(reasons)s, %(signals)s,
    %(now)s)
ON CONFLICT (payment_id) DO NOTHING
"""


def record(
    tx: Connection,
    *,
    payment_id: PaymentId,
    merchant_id: MerchantId,
    mode: str,
    verdict: str,
    reasons: Sequence[Mapping[str, str]],
    signals: Mapping[str, Any],
    now: dt.datetime,
) -> bool:
    """The decision stands; false when another had been recorded first, which then stands."""
    values = {
        "payment_id": payment_id,
        "merchant_id": merchant_id,
        "mode": mode,
        "verdict": verdict,
        "reasons": Jsonb(reasons),
        "signals": Jsonb(signals),
        "now": now,
    }
    return tx.execute(SQL_RECORD, values).rowcount == 1


SQL_LIST = """
INSERT INTO matchlists (kind, value, verdict, note, merchant_id)
VALUES (%(kind)s, %(value)s, %(verdict)s, %(note)s, %(merchant_id)s)
ON CONFLICT ON CONSTRAINT value_is_listed_once
DO UPDATE SET verdict = excluded.verdict, note = excluded.note
"""


def add_to_list(
    tx: Connection,
    *,
    kind: str,
    value: str,
    verdict: str,
    note: str,
    merchant_id: MerchantId | None,
) -> None:
    """The value is on the list with this verdict."""
    values = {
        "kind": kind,
        "value": value,
        "verdict": verdict,
        "note": note,
        "merchant_id": merchant_id,
    }
    tx.execute(SQL_LIST, values)

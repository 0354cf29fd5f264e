"""Gateways' callbacks in SQL, run on the caller's connection."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.gateways.port import Operation, Outcome
from paynexus.ids import PaymentId
from paynexus.payments.verdicts import Asked, State, Verdict

SQL_KEEP = """
INSERT INTO gateway_callbacks (
    id, gateway, callback_id, body, digest, received_at, updated_at, state, verdict, finished_at
) VALUES (
    %(id)s, %(gateway)s, %(callback_id)s, %(body)s, %(digest)s, %(now)s, %(now)s, %(state)s,
    %(verdict)s, %(finished_at)s
)
ON CONFLICT (gateway, callback_id) DO UPDATE SET deliveries = gateway_callbacks.deliveries + 1
RETURNING id, digest
"""
SQL_ASKED = """
SELECT id, payment_id, operation, operation_id, amount, currency, outcome
FROM attempts WHERE reference = %s AND gateway = %s
"""
SQL_FINISH = """
UPDATE gateway_callbacks SET state = %(state)s, verdict = %(verdict)s,
    attempt_id = %(attempt_id)s, updated_at = %(now)s, finished_at = %(now)s
WHERE id = %(id)s AND state = 'PENDING'
"""
SQL_TAKE_UP = """
UPDATE gateway_callbacks SET updated_at = %(now)s
WHERE id IN (
    SELECT id FROM gateway_callbacks
    WHERE state = 'PENDING' AND updated_at < %(before)s
    ORDER BY updated_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
RETURNING id, gateway, callback_id, body, digest
"""


@dataclass(frozen=True, slots=True)
class Callback:
    """A callback as it came."""

    id: UUID
    gateway: str
    callback_id: str
    body: str | None
    digest: bytes


def keep(
    connection: Connection, callback: Callback, *, verdict: Verdict | None, now: dt.datetime
) -> tuple[bool, bytes]:
    """The callback is on record, as one or as one more of the same id.

    Whether it is the first, and the digest of the first's body. With a verdict, nothing is left
    to be done about it.
    """
    values = {
        "id": callback.id,
        "gateway": callback.gateway,
        "callback_id": callback.callback_id,
        "body": callback.body,
        "digest": callback.digest,
        "now": now,
        "state": State.REFUSED if verdict else State.PENDING,
        "verdict": verdict,
        "finished_at": verdict and now,
    }
    row = connection.execute(SQL_KEEP, values).fetchone()
    assert row is not None, "an upsert returns its row"  # noqa: S101
    return row[0] == callback.id, bytes(row[1])


def asked(connection: Connection, gateway: str, reference: str) -> Asked | None:
    """What was asked of the gateway under our reference."""
    row = connection.execute(SQL_ASKED, (reference, gateway)).fetchone()
    if row is None:
        return None
    attempt_id, payment_id, operation, operation_id, amount, currency, outcome = row
    return Asked(
        attempt_id,
        PaymentId(payment_id),
        Operation(operation),
        operation_id,
        amount,
        currency,
        Outcome(outcome) if outcome else None,
    )


def finish(
    connection: Connection,
    callback_id: UUID,
    *,
    state: State,
    verdict: Verdict,
    attempt_id: UUID | None,
    now: dt.datetime,
) -> bool:
    """The callback is decided; false when it was before."""
    values = {
        "id": callback_id,
        "state": state,
        "verdict": verdict,
        "attempt_id": attempt_id,
        "now": now,
    }
    return connection.execute(SQL_FINISH, values).rowcount == 1


def take_up(tx: Connection, *, before: dt.datetime, now: dt.datetime, limit: int) -> list[Callback]:
    """The callbacks that waited longest since `before`; their wait begins anew."""
    values = {"before": before, "now": now, "limit": limit}
    with tx.cursor(row_factory=class_row(Callback)) as cursor:
        return cursor.execute(SQL_TAKE_UP, values).fetchall()

"""Attempts in SQL: what was asked of a gateway, under which reference, to what end."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.errors import ChangedMeanwhile
from paynexus.gateways.port import Instruction, Outcome, Result
from paynexus.ids import AttemptId
from paynexus.payments.model import Payment

# The payment's lock and version: what is decided meanwhile must not be charged all the same.
SQL_INSERT = """
INSERT INTO attempts (
    id, payment_id, operation, operation_id, number, gateway, reference, amount, currency,
    created_at, outcome, code, message, finished_at
)
SELECT %(id)s, id, %(operation)s, %(operation_id)s, 1, %(gateway)s, %(reference)s,
    %(amount)s, %(currency)s, %(now)s, %(outcome)s, %(code)s, %(message)s, %(finished_at)s
FROM transactions WHERE id = %(payment_id)s AND version = %(version)s FOR UPDATE
ON CONFLICT (operation_id, number) DO NOTHING
"""
SQL_CALL_AGAIN = """
UPDATE attempts SET calls = calls + 1
WHERE id = %s AND (outcome IS NULL OR outcome = 'UNKNOWN')
"""
SQL_OUTCOME = "SELECT outcome FROM attempts WHERE id = %s"
# A call that never left speaks for itself: another one under the same reference, made before
# it or at the same time by somebody else, may have arrived or may still do so.
SQL_FINISH = """
UPDATE attempts SET
    outcome = CASE WHEN %(outcome)s = 'NOT_SENT' AND calls > 1 THEN 'UNKNOWN'
        ELSE %(outcome)s END,
    gateway_reference = %(gateway_reference)s, code = %(code)s, message = %(message)s,
    response = %(response)s, finished_at = %(now)s
WHERE id = %(id)s AND (outcome IS NULL OR outcome = 'UNKNOWN')
RETURNING outcome
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to one gateway, or several under one reference, and what is known of it."""

    id: UUID
    outcome: str | None
    code: str | None
    message: str | None


def insert(
    connection: Connection,
    attempt_id: AttemptId,
    payment: Payment,
    operation_id: UUID,
    instruction: Instruction,
    *,
    gateway: str,
    result: Result | None,
    now: dt.datetime,
) -> None:
    """The call is on record before it is made; with a `result`, it never will be.

    Raises ChangedMeanwhile when the payment is no longer what was decided about, or somebody
    else has begun the operation.
    """
    values = {
        "id": attempt_id,
        "payment_id": payment.id,
        "version": payment.version,
        "operation": instruction.operation,
        "operation_id": operation_id,
        "gateway": gateway,
        "reference": instruction.reference,
        "amount": instruction.money.amount,
        "currency": instruction.money.currency,
        "now": now,
        "outcome": result and result.outcome,
        "code": result and result.code,
        "message": result and result.message,
        "finished_at": result and now,
    }
    if connection.execute(SQL_INSERT, values).rowcount != 1:
        raise ChangedMeanwhile("Another run of the same step was quicker.")


def call_again(connection: Connection, attempt_id: UUID) -> Outcome | None:
    """One more call under the attempt's reference is on record before it is made.

    Or it is not, since what became of the earlier ones is certain by now: that is returned.
    """
    if connection.execute(SQL_CALL_AGAIN, (attempt_id,)).rowcount:
        return None
    row = connection.execute(SQL_OUTCOME, (attempt_id,)).fetchone()
    return Outcome(row[0]) if row else None


def finish(
    connection: Connection, attempt_id: UUID, result: Result, *, now: dt.datetime
) -> Outcome:
    """The attempt has the outcome that the result is proof of, unless it had a certain one."""
    values = {
        "id": attempt_id,
        "outcome": result.outcome,
        "gateway_reference": result.gateway_reference,
        "code": result.code,
        "message": result.message,
        "response": Jsonb(result.response),
        "now": now,
    }
    row = connection.execute(SQL_FINISH, values).fetchone()
    return Outcome(row[0]) if row else result.outcome

"""Attempts in SQL: what was asked of a gateway, under which reference, to what end."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.gateways.port import Result
from paynexus.ids import AttemptId, PaymentId
from paynexus.money import Money

SQL_INSERT = """
INSERT INTO attempts (
    id, payment_id, operation, operation_id, number, gateway, reference, amount, currency,
    created_at
) VALUES (
    %(id)s, %(payment_id)s, %(operation)s, %(operation_id)s, 1, %(gateway)s, %(reference)s,
    %(amount)s, %(currency)s, %(now)s
)
"""
SQL_OF_OPERATION = """
SELECT id, operation, gateway, reference, amount, currency, outcome, code, message
FROM attempts WHERE operation_id = %s ORDER BY number DESC LIMIT 1
"""
SQL_CALL_AGAIN = "UPDATE attempts SET calls = calls + 1 WHERE id = %s"
SQL_CALLS = "SELECT calls FROM attempts WHERE id = %s"
SQL_FINISH = """
UPDATE attempts SET
    outcome = %(outcome)s, gateway_reference = %(gateway_reference)s, code = %(code)s,
    message = %(message)s, response = %(response)s, finished_at = %(now)s
WHERE id = %(id)s AND (outcome IS NULL OR outcome = 'UNKNOWN')
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to one gateway; `reference` is ours and the gateway's idempotency key."""

    id: UUID
    operation: str
    gateway: str
    reference: str
    amount: int
    currency: str
    outcome: str | None
    code: str | None
    message: str | None


def insert(
    tx: Connection,
    *,
    attempt_id: AttemptId,
    payment_id: PaymentId,
    operation: str,
    operation_id: UUID,
    gateway: str,
    reference: str,
    money: Money,
    now: dt.datetime,
) -> None:
    """The call is on record before it is made."""
    tx.execute(
        SQL_INSERT,
        {
            "id": attempt_id,
            "payment_id": payment_id,
            "operation": operation,
            "operation_id": operation_id,
            "gateway": gateway,
            "reference": reference,
            "amount": money.amount,
            "currency": money.currency,
            "now": now,
        },
    )


def of_operation(connection: Connection, operation_id: UUID) -> Attempt | None:
    """The operation's latest attempt."""
    with connection.cursor(row_factory=class_row(Attempt)) as cursor:
        return cursor.execute(SQL_OF_OPERATION, (operation_id,)).fetchone()


def call_again(tx: Connection, attempt_id: UUID) -> None:
    """One more call under the attempt's reference is on record before it is made."""
    tx.execute(SQL_CALL_AGAIN, (attempt_id,))


def is_only_call(tx: Connection, attempt_id: UUID) -> bool:
    """Whether no second call under the attempt's reference was ever begun."""
    return tx.execute(SQL_CALLS, (attempt_id,)).fetchone() == (1,)


def finish(tx: Connection, attempt_id: UUID, result: Result, *, now: dt.datetime) -> None:
    """The attempt has this outcome, unless it had a certain one before."""
    tx.execute(
        SQL_FINISH,
        {
            "id": attempt_id,
            "outcome": result.outcome,
            "gateway_reference": result.gateway_reference,
            "code": result.code,
            "message": result.message,
            "response": Jsonb(result.response),
            "now": now,
        },
    )

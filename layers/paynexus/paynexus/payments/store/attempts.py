"""Attempts in SQL: what was asked of a gateway, under which reference, to what end."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.errors import ChangedMeanwhile
from paynexus.gateways.port import Instruction, Operation, Outcome, Result
from paynexus.ids import AttemptId, PaymentId
from paynexus.payments.model import Payment

# The payment's lock and version: what is decided meanwhile must not be charged all the same.
SQL_HOLD = """
SELECT id FROM transactions WHERE id = %(payment_id)s AND version = %(version)s FOR UPDATE
"""
# What followed from the attempt before is not to be written any more: it would end the payment.
SQL_HOLD_ANEW = """
UPDATE transactions SET version = version + 1
WHERE id = %(payment_id)s AND version = %(version)s RETURNING id
"""
SQL_INSERT = """
WITH held AS ({hold})
INSERT INTO attempts (
    id, payment_id, operation, operation_id, number, gateway, reference, amount, currency,
    created_at, outcome, code, message, finished_at, routing
)
SELECT %(id)s, id, %(operation)s, %(operation_id)s, %(number)s, %(gateway)s, %(reference)s,
    %(amount)s, %(currency)s, %(now)s, %(outcome)s, %(code)s, %(message)s, %(finished_at)s,
    %(routing)s
FROM held
ON CONFLICT (operation_id, number) DO NOTHING
"""
SQL_FIRST = SQL_INSERT.format(hold=SQL_HOLD)
SQL_NEXT = SQL_INSERT.format(hold=SQL_HOLD_ANEW)
SQL_CALL_AGAIN = """
UPDATE attempts SET calls = calls + 1
WHERE id = %s AND (outcome IS NULL OR outcome = 'UNKNOWN')
"""
SQL_OUTCOME = "SELECT outcome FROM attempts WHERE id = %s"
# A call that never left speaks for itself: another one under the same reference, made before
# it or at the same time by somebody else, may have arrived or may still do so. And an approval
# says nothing while the charge is being called off: the cancel may strike right after it. All
# of this is asked of the row that is written, not of one that was read before.
SQL_FINISH = """
UPDATE attempts SET
    outcome = CASE WHEN {doubtful} THEN 'UNKNOWN' ELSE %(outcome)s END,
    next_at = CASE WHEN {doubtful} THEN %(next_at)s::TIMESTAMPTZ END,
    gateway_reference = %(gateway_reference)s, code = %(code)s, message = %(message)s,
    response = %(response)s, finished_at = %(now)s
WHERE id = %(id)s AND (outcome IS NULL OR outcome = 'UNKNOWN')
RETURNING outcome
""".format(
    doubtful="""(%(outcome)s = 'UNKNOWN' OR (%(outcome)s = 'NOT_SENT' AND calls > 1)
        OR (%(outcome)s = 'APPROVED' AND called_off_at IS NOT NULL))"""
)
SQL_DUE = """
SELECT id, payment_id, operation, operation_id, created_at, outcome FROM attempts
WHERE next_at <= %(now)s ORDER BY next_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
SQL_NEXT_TURN = """
UPDATE attempts SET next_at = turn.next_at, rung = turn.rung
FROM unnest(%s::UUID[], %s::TIMESTAMPTZ[], %s::INTEGER[]) AS turn (id, next_at, rung)
WHERE attempts.id = turn.id
"""
SQL_IS_OPEN = "SELECT EXISTS (SELECT FROM attempts WHERE operation_id = %s AND next_at IS NOT NULL)"
SQL_BY_REFERENCE = """
SELECT id, payment_id, operation, operation_id, created_at, outcome
FROM attempts WHERE reference = %s FOR UPDATE
"""
# The lock on the charge's row comes first: whoever finishes it waits, and then sees this.
SQL_CALL_OFF = """
UPDATE attempts SET called_off_at = coalesce(called_off_at, %s)
WHERE id = %s AND (outcome IS NULL OR outcome = 'UNKNOWN')
"""
SQL_CANCEL_AGAIN = """
INSERT INTO attempts (
    id, payment_id, operation, operation_id, number, gateway, reference, amount, currency,
    created_at
)
SELECT %(id)s, payment_id, 'cancel', id, 1, gateway, %(reference)s, amount, currency, %(now)s
FROM attempts WHERE id = %(charge_id)s
ON CONFLICT (operation_id, number) DO UPDATE SET
    calls = attempts.calls + CASE WHEN coalesce(attempts.outcome, 'UNKNOWN') = 'UNKNOWN'
        THEN 1 ELSE 0 END
RETURNING id, reference, outcome, code
"""
SQL_CANCEL_REFUSED = "UPDATE attempts SET called_off_at = NULL WHERE id = %s"
SQL_DECIDED_CHARGES = """
SELECT gateway, currency, count(*) FILTER (WHERE outcome = 'APPROVED'), count(*)
FROM attempts
WHERE created_at >= %s AND operation = 'charge' AND outcome IN ('APPROVED', 'DECLINED')
GROUP BY gateway, currency
"""
SQL_STANDING_OF = "SELECT outcome, code, message FROM attempts WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to one gateway, or several under one reference, and what is known of it."""

    id: UUID
    outcome: str | None
    code: str | None
    message: str | None
    operation: Operation
    number: int
    began: dt.datetime
    gateway: str
    reference: str
    is_called_off: bool = False

    @property
    def certain(self) -> Outcome | None:
        """The outcome once it is certain; None before."""
        if self.outcome is None or self.outcome == Outcome.UNKNOWN:
            return None
        return Outcome(self.outcome)


@dataclass(frozen=True, slots=True)
class Turn:
    """An attempt whose outcome is not known, and the operation that it was made for."""

    id: UUID
    payment_id: PaymentId
    operation: Operation
    operation_id: UUID
    began: dt.datetime
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Cancel:
    """The technical cancel of a charge, and what is known of it."""

    id: UUID
    reference: str
    outcome: Outcome | None
    code: str | None


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
    number: int = 1,
    routing: Mapping[str, object] | None = None,
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
        "number": number,
        "gateway": gateway,
        "reference": instruction.reference,
        "amount": instruction.money.amount,
        "currency": instruction.money.currency,
        "now": now,
        "outcome": result and result.outcome,
        "code": result and result.code,
        "message": result and result.message,
        "finished_at": result and now,
        "routing": Jsonb(routing) if routing else None,
    }
    query = SQL_FIRST if number == 1 else SQL_NEXT
    if connection.execute(query.encode(), values).rowcount != 1:
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
    connection: Connection,
    attempt_id: UUID,
    result: Result,
    *,
    next_at: dt.datetime | None,
    now: dt.datetime,
) -> Outcome:
    """The attempt has the outcome that the result is proof of, unless it had a certain one.

    One that stays UNKNOWN has its next turn at `next_at`.
    """
    values = {
        "id": attempt_id,
        "outcome": result.outcome,
        "gateway_reference": result.gateway_reference,
        "code": result.code,
        "message": result.message,
        "response": Jsonb(result.response),
        "next_at": next_at,
        "now": now,
    }
    row = connection.execute(SQL_FINISH.encode(), values).fetchone()
    return Outcome(row[0]) if row else result.outcome


def due(tx: Connection, *, now: dt.datetime, limit: int) -> list[Turn]:
    """Attempts whose turn has come, the longest due first, held by this transaction alone."""
    return [_turn(row) for row in tx.execute(SQL_DUE, {"now": now, "limit": limit})]


def put_off(tx: Connection, turns: Sequence[tuple[UUID, dt.datetime, int]]) -> None:
    """Each attempt has its next turn, on its rung, whatever comes of this one."""
    if not turns:
        return
    ids_, times, rungs = zip(*turns, strict=True)
    tx.execute(SQL_NEXT_TURN, (list(ids_), list(times), list(rungs)))


def is_open(connection: Connection, operation_id: UUID) -> bool:
    """Whether what became of the operation is still asked for."""
    row = connection.execute(SQL_IS_OPEN, (operation_id,)).fetchone()
    return bool(row and row[0])


def by_reference(tx: Connection, reference: str) -> Turn | None:
    """The attempt under our reference, held until the transaction ends."""
    row = tx.execute(SQL_BY_REFERENCE, (reference,)).fetchone()
    return _turn(row) if row else None


def decided_charges(
    connection: Connection, *, since: dt.datetime
) -> list[tuple[str, str, int, int]]:
    """By gateway and currency: how many charges were approved, of how many that were decided."""
    return connection.execute(SQL_DECIDED_CHARGES, (since,)).fetchall()


def call_off(
    tx: Connection, charge_id: UUID, cancel_id: AttemptId, reference: str, *, now: dt.datetime
) -> Result | Cancel:
    """One more cancel of the charge is on record before it is made: from now on it is given up.

    Or what is known of the charge by now, if somebody else was quicker.
    """
    if not tx.execute(SQL_CALL_OFF, (now, charge_id)).rowcount:
        return _known(tx, charge_id)
    values = {"id": cancel_id, "charge_id": charge_id, "reference": reference, "now": now}
    row = tx.execute(SQL_CANCEL_AGAIN, values).fetchone()
    assert row is not None, "it is inserted or updated"  # noqa: S101 - SQL's own promise
    return Cancel(row[0], row[1], Outcome(row[2]) if row[2] else None, row[3])


def cancel_refused(tx: Connection, charge_id: UUID) -> None:
    """The gateway does not cancel the charge: what it says of the charge counts again."""
    tx.execute(SQL_CANCEL_REFUSED, (charge_id,))


def _known(connection: Connection, attempt_id: UUID) -> Result:
    row = connection.execute(SQL_STANDING_OF, (attempt_id,)).fetchone()
    assert row is not None, "attempts are never deleted"  # noqa: S101 - nothing deletes them
    return Result(Outcome(row[0]), code=row[1], message=row[2])


def _turn(row: tuple[Any, ...]) -> Turn:
    outcome = Outcome(row[5]) if row[5] else None
    return Turn(row[0], PaymentId(row[1]), Operation(row[2]), row[3], row[4], outcome)

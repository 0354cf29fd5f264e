"""The night watch: what was left half-way, or is unknown at a gateway, has its turns.

Any number of sweepers may be at work at once: each turn is one's alone.
"""

import datetime as dt
from collections.abc import Callable
from uuid import UUID

from paynexus.db import Connection, Database
from paynexus.errors import PayNexusError
from paynexus.gateways.port import Operation
from paynexus.ids import PaymentId
from paynexus.observability import count, logger
from paynexus.payments import cases, ladder
from paynexus.payments.model import EXPIRY
from paynexus.payments.step import Step
from paynexus.payments.store import attempts, late, payments, refunds

LEFT_ALONE = dt.timedelta(minutes=1)
"""What nothing happened to for this long was left by the one who worked on it."""
SWEEP_LIMIT = 10
"""Of each kind, what is taken up at a time: what isn't reached any more waits for its next turn."""

type Runner = Callable[[Step], object]


def sweep(
    db: Database,
    run: Runner,
    *,
    now: dt.datetime,
    has_time: Callable[[], bool] = lambda: True,
) -> int:
    """Whatever waits was brought one step further, as long as there is time; its number.

    What fails again is logged and counted, and does not keep the others from their turn. What
    has been unknown for long is told to a person.
    """
    cases.open_unknown(db, now=now)
    swept = 0
    while steps := take_up(db, now=now):
        for step in steps:
            _run(run, step)
        swept += len(steps)
        if len(steps) < SWEEP_LIMIT or not has_time():
            break
    count("PaymentsSwept", swept)
    cases.watch(db, now=now)
    return swept


def take_up(db: Database, *, now: dt.datetime) -> list[Step]:
    """What to run again, now this sweep's alone.

    Whatever comes of it, its next turn is behind all that wait longer: what fails each time,
    or is never reached in time, can't keep the others from theirs.
    """
    before = now - LEFT_ALONE
    with db.transaction() as tx:
        unknown = _climb(tx, now)
        charges = payments.take_up(tx, before=before, now=now, limit=SWEEP_LIMIT)
        returns = refunds.take_up(tx, before=before, now=now, limit=SWEEP_LIMIT)
        kept = late.take_up(tx, before=before, now=now, limit=SWEEP_LIMIT)
    steps = [_step_of(*found) for found in charges]
    steps += [Step(payment_id, Operation.REFUND, refund_id) for refund_id, payment_id in returns]
    steps += [Step(payment_id, Operation.CANCEL, late_id) for late_id, payment_id in kept]
    return unknown + steps


def _climb(tx: Connection, now: dt.datetime) -> list[Step]:
    turns = attempts.due(tx, now=now, limit=SWEEP_LIMIT)
    attempts.put_off(
        tx,
        [
            (turn.id, ladder.next_at(turn.began, now), ladder.rung(now - turn.began))
            for turn in turns
        ],
    )
    return [Step(turn.payment_id, turn.operation, turn.operation_id) for turn in turns]


def _run(run: Runner, step: Step) -> None:
    try:
        run(step)
    except PayNexusError as error:
        logger.warning("sweep failed", payment_id=str(step.payment_id), code=error.code)
        count("SweepFailed")


def _step_of(payment_id: PaymentId, opened: str | None, operation_id: UUID | None) -> Step:
    if opened == EXPIRY and operation_id is not None:
        return Step(payment_id, Operation.CANCEL, operation_id)
    if opened in (Operation.CAPTURE, Operation.CANCEL) and operation_id is not None:
        return Step(payment_id, Operation(opened), operation_id)
    return Step(payment_id, Operation.CHARGE, payment_id)

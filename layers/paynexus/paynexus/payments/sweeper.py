"""The night watch: payments left half-way are run again, each step being safe to repeat."""

import datetime as dt
from collections.abc import Callable
from uuid import UUID

from paynexus.db import Database
from paynexus.errors import PayNexusError
from paynexus.gateways.port import Operation
from paynexus.ids import PaymentId
from paynexus.observability import count, logger
from paynexus.payments.steps import Step
from paynexus.payments.store import payments, refunds

LEFT_ALONE = dt.timedelta(minutes=1)
"""A payment that nothing happened to for this long was left by the one who worked on it."""
SWEEP_LIMIT = 100
"""Payments, and refunds, of one run: the next one is a minute away."""

type Runner = Callable[[Step], object]


def sweep(db: Database, run: Runner, *, now: dt.datetime) -> int:
    """Each abandoned payment and refund was brought one step further; their number.

    One that fails again is logged and counted, and does not keep the others from their turn.
    """
    steps = take_up(db, now=now)
    for step in steps:
        try:
            run(step)
        except PayNexusError as error:
            logger.warning("sweep failed", payment_id=str(step.payment_id), code=error.code)
            count("SweepFailed")
    count("PaymentsSwept", len(steps))
    return len(steps)


def take_up(db: Database, *, now: dt.datetime) -> list[Step]:
    """What to run again, now this sweep's alone.

    Whatever comes of it, its next turn is behind all that wait longer: what fails each time,
    or is never reached in time, can't keep the others from theirs.
    """
    before = now - LEFT_ALONE
    with db.transaction() as tx:
        charges = payments.take_up(tx, before=before, now=now, limit=SWEEP_LIMIT)
        returns = refunds.take_up(tx, before=before, now=now, limit=SWEEP_LIMIT)
    steps = [_step_of(*found) for found in charges]
    return steps + [
        Step(payment_id, Operation.REFUND, refund_id) for refund_id, payment_id in returns
    ]


def _step_of(payment_id: PaymentId, opened: str | None, operation_id: UUID | None) -> Step:
    if opened in (Operation.CAPTURE, Operation.CANCEL) and operation_id is not None:
        return Step(payment_id, Operation(opened), operation_id)
    return Step(payment_id, Operation.CHARGE, payment_id)

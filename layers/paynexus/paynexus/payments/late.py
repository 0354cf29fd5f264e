"""An approval that came too late: its money is booked in, sent back, and booked out again.

The payment stays as it ended. What the gateway owes us meanwhile stands in suspense, never on
the merchant's account.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.gateways.port import Gateway, Instruction, Operation, Outcome
from paynexus.ids import AttemptId, PaymentId, TransferId
from paynexus.ledger.model import Order
from paynexus.observability import count, logger
from paynexus.payments import pursuit
from paynexus.payments.bookings import late_transfer
from paynexus.payments.cases import Kind, open_case
from paynexus.payments.changes import Change
from paynexus.payments.endings import payment_told
from paynexus.payments.model import Status
from paynexus.payments.pursuit import Call
from paynexus.payments.store import attempts, commits, late, payments, standings
from paynexus.payments.store.attempts import Attempt
from paynexus.payments.store.late import LateApproval
from paynexus.payments.store.standings import Standing

WAYS_BACK = (Operation.CANCEL, Operation.REFUND)
"""In this order: a cancel costs nothing; what it is refused for may still be refunded."""


def is_late(connection: Connection, standing: Standing) -> bool:
    """Whether the latest charge was approved although its payment ended without it."""
    payment, attempt = standing.payment, standing.attempt
    if attempt is None or attempt.outcome != Outcome.APPROVED:
        return False
    if payment.status is Status.FAILED:
        return True
    return payment.status is Status.CANCELED and not late.was_canceled(connection, payment.id)


def record(db: Database, payment_id: PaymentId, attempt_id: UUID, *, now: dt.datetime) -> None:
    """The late approval is booked in and told of, once; the sweeper sends its money back."""
    late_id, transfer_id = ids.new_id(), TransferId(ids.new_id())
    with db.transaction() as tx:
        payments.lock(tx, payment_id)
        is_new = late.insert(tx, late_id, attempt_id, transfer_id, now=now)
        found = late.find(tx, late_id) if is_new else None
        payment = payments.get(tx, payment_id)
        if found is None or payment is None:
            return
        order = Order.single(late_transfer(payment, found.money, transfer_id))
        change = Change(payment, orders=(order,), told=payment_told(payment, "late_approved"))
        commits.end(tx, change, now=now)
    logger.warning("late approval", payment_id=str(payment_id))
    count("LateApproval")


def returning(
    connection: Connection, standing: Standing, operation_id: UUID
) -> LateApproval | None:
    """The late approval that this operation returns; None for all that a merchant asked for."""
    opened = standing.payment.open_operation
    if standing.refund is not None or (opened is not None and opened.id == operation_id):
        return None
    return late.find(connection, operation_id)


def prepare(
    connection: Connection,
    standing: Standing,
    found: LateApproval,
    gateways: Mapping[str, Gateway],
    *,
    now: dt.datetime,
) -> Call | Outcome:
    """The next call that brings the money back, on record; or how the last one ended.

    Raises ChangedMeanwhile when another run was quicker.
    """
    attempt = standing.attempt
    operation, gateway = _way_back(attempt), gateways.get(found.gateway)
    if found.is_returned or operation is None or gateway is None:
        return Outcome(attempt.outcome) if attempt and attempt.outcome else Outcome.UNKNOWN
    instruction = _instruction(found, operation)
    if attempt is not None and attempt.operation is operation:
        known = attempts.call_again(connection, attempt.id)
        return known or replace(pursuit.again(attempt, gateway, instruction), is_standing=True)
    attempt_id = AttemptId(ids.new_id())
    attempts.insert(
        connection,
        attempt_id,
        standing.payment,
        found.id,
        instruction,
        gateway=gateway.name,
        result=None,
        now=now,
        number=attempt.number + 1 if attempt else 1,
    )
    return Call(attempt_id, gateway, instruction, now, is_standing=True)


def finish(db: Database, payment_id: PaymentId, found: LateApproval, *, now: dt.datetime) -> None:
    """The return that the gateway has confirmed is booked and told of; a refused one is a case."""
    with db.transaction() as tx:
        payments.lock(tx, payment_id)
        standing = standings.of_operation(tx, payment_id, found.id)
        if standing is None or standing.attempt is None:
            return
        outcome = standing.attempt.outcome
        if outcome == Outcome.APPROVED:
            _book_return(tx, standing, found, now=now)
        elif outcome == Outcome.DECLINED and standing.attempt.operation is WAYS_BACK[-1]:
            open_case(tx, Kind.LATE_APPROVAL_KEPT, found.attempt_id, payment_id, now=now)


def _way_back(attempt: Attempt | None) -> Operation | None:
    if attempt is None:
        return WAYS_BACK[0]
    if attempt.outcome in {None, Outcome.UNKNOWN}:
        return attempt.operation
    if attempt.outcome == Outcome.DECLINED and attempt.operation is not WAYS_BACK[-1]:
        return WAYS_BACK[-1]
    return None


def _instruction(found: LateApproval, operation: Operation) -> Instruction:
    reference = pursuit.reference_of(operation, found.id)
    return Instruction(operation, reference, found.money, original_reference=found.reference)


def _book_return(
    tx: Connection, standing: Standing, found: LateApproval, *, now: dt.datetime
) -> None:
    reversal_id = TransferId(ids.new_id())
    if not late.returned(tx, found.id, reversal_id, now=now):
        return
    payment = standing.payment
    order = Order.reverse(found.transfer_id, id=reversal_id)
    told = payment_told(payment, "late_approval_returned")
    commits.end(tx, Change(payment, orders=(order,), told=told), now=now)
    count("LateApprovalReturned")

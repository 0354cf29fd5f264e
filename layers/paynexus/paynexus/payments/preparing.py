"""What a gateway is to be asked next about an operation: put on record before it is asked."""

import datetime as dt
from dataclasses import replace
from uuid import UUID

from paynexus import ids
from paynexus.db import Connection
from paynexus.gateways import routing
from paynexus.gateways.port import Instruction, Operation, Outcome, Result
from paynexus.ids import AttemptId
from paynexus.money import Money
from paynexus.payments import ladder, late, places, pursuit
from paynexus.payments.model import CHARGEABLE, RefundStatus
from paynexus.payments.places import Place, Sites
from paynexus.payments.pursuit import Call
from paynexus.payments.step import Step
from paynexus.payments.store import attempts
from paynexus.payments.store.attempts import Attempt
from paynexus.payments.store.standings import Standing

NO_GATEWAY = "gateway_not_configured"
NOWHERE = Result(
    Outcome.NOT_SENT,
    code=NO_GATEWAY,
    message="No gateway is configured for this payment, or its merchant's routing allows none.",
)


def prepare(
    connection: Connection, standing: Standing, sites: Sites, step: Step, *, now: dt.datetime
) -> Call | Outcome:
    """The next call, on record before it is made; or what is known, where none is to be made.

    Raises ChangedMeanwhile when the payment is no longer what `standing` says.
    """
    attempt = standing.attempt
    if step.operation is not Operation.CHARGE:
        found = late.returning(connection, standing, step.operation_id)
        if found is not None:
            return late.prepare(connection, standing, found, sites.gateways, now=now)
    known = attempt.certain if attempt else None
    if attempt is not None and known is None:
        return _prepare_again(connection, standing, attempt, sites, step, now=now)
    if attempt is not None and known and not _may_fail_over(standing, attempt, known, now):
        return known
    if not _may_begin(standing, step):
        return known or Outcome.NOT_SENT
    place = places.next_place(standing, sites, step.operation)
    if place is None and known is not None:
        return known
    return _begin(connection, standing, place, step, now=now)


def _begin(
    connection: Connection, standing: Standing, place: Place | None, step: Step, *, now: dt.datetime
) -> Call | Outcome:
    payment, number = standing.payment, len(standing.tried) + 1
    attempt_id = AttemptId(ids.new_id())
    instruction = _instruction(standing, step, attempt_id if number > 1 else step.operation_id)
    attempts.insert(
        connection,
        attempt_id,
        payment,
        step.operation_id,
        instruction,
        gateway=place.gateway.name if place else "none",
        result=None if place else NOWHERE,
        now=now,
        number=number,
        routing=place.why if place else None,
    )
    if place is None:
        return Outcome.NOT_SENT
    may_go_elsewhere = place.may_go_elsewhere
    return Call(
        attempt_id, place.gateway, instruction, began=now, may_go_elsewhere=may_go_elsewhere
    )


def _prepare_again(
    connection: Connection,
    standing: Standing,
    attempt: Attempt,
    sites: Sites,
    step: Step,
    *,
    now: dt.datetime,
) -> Call | Outcome:
    gateway = sites.gateways.get(attempt.gateway)
    if gateway is None:
        next_at = ladder.next_at(attempt.began, now)
        result = Result(Outcome.UNKNOWN, code=NO_GATEWAY)
        return attempts.finish(connection, attempt.id, result, next_at=next_at, now=now)
    known = attempts.call_again(connection, attempt.id)
    if known is not None:
        return known
    may_send = _may_begin(standing, step)
    return pursuit.again(
        attempt,
        gateway,
        replace(_instruction(standing, step, step.operation_id), reference=attempt.reference),
        may_send=may_send,
        may_go_elsewhere=may_send
        and places.next_place(standing, sites, step.operation) is not None,
    )


def _may_fail_over(standing: Standing, attempt: Attempt, known: Outcome, now: dt.datetime) -> bool:
    return (
        attempt.operation is Operation.CHARGE
        and standing.payment.status in CHARGEABLE
        and now - attempt.began < ladder.ELSEWHERE_BEFORE
        and routing.may_fail_over(known, attempt.code)
    )


def _may_begin(standing: Standing, step: Step) -> bool:
    # A late or repeated run must not begin what has been decided otherwise meanwhile.
    if step.operation is Operation.CHARGE:
        return standing.payment.status in CHARGEABLE
    if step.operation is Operation.REFUND:
        return standing.refund is not None and standing.refund.status is RefundStatus.PENDING
    opened = standing.payment.open_operation
    return opened is not None and opened.id == step.operation_id


def _instruction(standing: Standing, step: Step, reference_id: UUID) -> Instruction:
    payment, charge, opened = standing.payment, standing.charge, standing.payment.open_operation
    is_charge = step.operation is Operation.CHARGE
    return Instruction(
        operation=step.operation,
        reference=pursuit.reference_of(step.operation, reference_id),
        money=_money(standing, step),
        payment_method=payment.payment_method if is_charge else None,
        capture=payment.capture == "automatic",
        original_reference=charge.reference if charge else None,
        original_gateway_reference=charge.gateway_reference if charge else None,
        description=payment.description,
        is_final=opened is None or opened.is_final is not False,
    )


def _money(standing: Standing, step: Step) -> Money:
    payment, refund = standing.payment, standing.refund
    if step.operation is Operation.REFUND:
        return refund.money if refund else payment.money
    opened = payment.open_operation
    if step.operation is Operation.CAPTURE and opened and opened.amount:
        return Money(opened.amount, payment.money.currency)
    return payment.money

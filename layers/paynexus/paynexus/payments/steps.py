"""The workflow's steps: score, charge, finish. Each may be run again at any moment by anyone."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from paynexus import ids
from paynexus.clock import Clock
from paynexus.db import Connection, Database
from paynexus.errors import NotFound
from paynexus.fraud import service as fraud
from paynexus.fraud.rules import Verdict
from paynexus.fraud.service import Subject
from paynexus.gateways.port import Gateway, Instruction, Operation, Outcome, Result
from paynexus.ids import AttemptId, PaymentId
from paynexus.money import Money
from paynexus.payments import endings, ladder, late, pursuit
from paynexus.payments.changes import Change
from paynexus.payments.deciding import decide
from paynexus.payments.endings import Ended
from paynexus.payments.model import CHARGEABLE, Challenge, Payment, RefundStatus
from paynexus.payments.pursuit import Call
from paynexus.payments.store import attempts, commits, payments
from paynexus.payments.store.attempts import Attempt
from paynexus.payments.store.late import LateApproval
from paynexus.payments.store.standings import Standing

NO_GATEWAY = "gateway_not_configured"


class Next(StrEnum):
    """What the workflow does after scoring."""

    ALLOW = "ALLOW"
    CHALLENGE = "CHALLENGE"
    BLOCK = "BLOCK"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on one payment: a charge is its payment's, a refund has its own id."""

    payment_id: PaymentId
    operation: Operation
    operation_id: UUID

    def __post_init__(self) -> None:
        # A payment has one charge: under any other id it would be another one.
        if self.operation is Operation.CHARGE and self.operation_id != self.payment_id:
            raise ValueError("a charge is its payment's own operation")


def score(db: Database, payment_id: PaymentId, *, now: dt.datetime) -> Next:
    """The payment's fraud decision is stored; a challenged payment is CHALLENGED."""
    with db.reading() as connection:
        payment = payments.get(connection, payment_id)
        if payment is None:
            raise NotFound("There is no such payment.")
        if payment.status not in CHARGEABLE:
            # What has ended is still asked for where its charge may yet turn up.
            return Next.ALLOW if attempts.is_open(connection, payment_id) else Next.DONE
    decision = fraud.assess(db, _subject(payment), now=now)
    if decision.verdict is Verdict.ALLOW or (
        decision.verdict is Verdict.CHALLENGE and payment.challenge is Challenge.AUTHENTICATED
    ):
        return Next.ALLOW
    if decision.verdict is Verdict.BLOCK:
        return Next.BLOCK
    _challenge(db, payment_id, now)
    return Next.CHALLENGE


def call_gateway(
    db: Database,
    gateways: Mapping[str, Gateway],
    step: Step,
    *,
    clock: Clock,
    deadline_seconds: float,
) -> Outcome:
    """What is known of the operation at the gateway, recorded before and after the call.

    The first call sends; every later one inquires first, and sends again only under the same
    reference, which the gateway takes once, or calls the charge off (ladder.py). No transaction
    is open while the gateway works.
    """
    prepared = decide(
        db,
        step.payment_id,
        step.operation_id,
        lambda connection, standing: _prepare(connection, standing, gateways, step, now=clock()),
    )
    if isinstance(prepared, Outcome):
        return prepared
    return pursuit.carry_out(db, prepared, clock=clock, deadline_seconds=deadline_seconds)


def finish(db: Database, step: Step, *, blocked: bool, now: dt.datetime) -> str:
    """The payment, or the refund, is in the status that its attempt's outcome asks for.

    Status, books, stored answer and event are one commit. Without an outcome nothing changes.
    A charge that was approved when its payment had ended without it is booked in, to go back.
    """

    def act(connection: Connection, standing: Standing) -> str | Aftermath:
        aftermath = _aftermath(connection, standing, step)
        if aftermath is not None:
            return aftermath
        change = _ending(standing, step, blocked=blocked)
        if change is None:
            return _status(standing, step)
        commits.end(connection, change, now=now)
        return change.status

    found = decide(db, step.payment_id, step.operation_id, act)
    if isinstance(found, str):
        return found
    if isinstance(found.about, LateApproval):
        late.finish(db, step.payment_id, found.about, now=now)
    else:
        late.record(db, step.payment_id, found.about, now=now)
    return found.status


def _ending(standing: Standing, step: Step, *, blocked: bool) -> Change | None:
    payment, attempt = standing.payment, standing.attempt
    if step.operation is Operation.CHARGE and blocked:
        return endings.end_blocked(payment)
    if attempt is None or attempt.outcome is None:
        return None
    result = Result(Outcome(attempt.outcome), code=attempt.code, message=attempt.message)
    ended = Ended(payment, step.operation_id, standing.refund, result)
    return endings.END[step.operation](ended)


def _status(standing: Standing, step: Step) -> str:
    is_decided = standing.attempt is not None and standing.attempt.outcome is not None
    if step.operation is Operation.REFUND and is_decided and standing.refund is not None:
        return str(standing.refund.status)
    return str(standing.payment.status)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is left to do about a payment that had ended: a late approval, or its attempt."""

    about: LateApproval | UUID
    status: str


def _aftermath(connection: Connection, standing: Standing, step: Step) -> Aftermath | None:
    status = str(standing.payment.status)
    if step.operation is Operation.CHARGE:
        if standing.attempt is None or not late.is_late(connection, standing):
            return None
        return Aftermath(standing.attempt.id, status)
    found = late.returning(connection, standing, step.operation_id)
    return Aftermath(found, status) if found else None


def _subject(payment: Payment) -> Subject:
    customer = payment.customer
    return Subject(
        payment_id=payment.id,
        merchant_id=payment.merchant_id,
        mode=payment.mode,
        money=payment.money,
        fingerprint=payment.fingerprint,
        email=customer.email if customer else None,
        country=customer.country if customer else None,
    )


def _challenge(db: Database, payment_id: PaymentId, now: dt.datetime) -> None:
    def act(connection: Connection, standing: Standing) -> None:
        change = endings.challenged(standing.payment)
        if change is not None:
            commits.end(connection, change, now=now)

    decide(db, payment_id, payment_id, act)


def _prepare(
    connection: Connection,
    standing: Standing,
    gateways: Mapping[str, Gateway],
    step: Step,
    *,
    now: dt.datetime,
) -> Call | Outcome:
    payment, attempt = standing.payment, standing.attempt
    gateway = gateways.get(payment.mode)
    if step.operation is not Operation.CHARGE:
        found = late.returning(connection, standing, step.operation_id)
        if found is not None:
            return late.prepare(connection, standing, found, gateway, now=now)
    if attempt is not None and attempt.outcome not in (None, Outcome.UNKNOWN):
        return Outcome(attempt.outcome)
    if attempt is not None:
        return _prepare_again(connection, standing, attempt, gateway, step, now=now)
    if not _may_begin(standing, step):
        return Outcome.NOT_SENT
    instruction = _instruction(standing, step)
    attempt_id = AttemptId(ids.new_id())
    attempts.insert(
        connection,
        attempt_id,
        payment,
        step.operation_id,
        instruction,
        gateway=gateway.name if gateway else "none",
        result=None if gateway else _no_gateway(payment.mode),
        now=now,
    )
    if gateway is None:
        return Outcome.NOT_SENT
    return Call(attempt_id, gateway, instruction, began=now)


def _prepare_again(
    connection: Connection,
    standing: Standing,
    attempt: Attempt,
    gateway: Gateway | None,
    step: Step,
    *,
    now: dt.datetime,
) -> Call | Outcome:
    if gateway is None:
        next_at = ladder.next_at(attempt.began, now)
        result = Result(Outcome.UNKNOWN, code=NO_GATEWAY)
        return attempts.finish(connection, attempt.id, result, next_at=next_at, now=now)
    instruction, may_send = _instruction(standing, step), _may_begin(standing, step)
    known = attempts.call_again(connection, attempt.id)
    return known or pursuit.again(attempt, gateway, instruction, may_send=may_send)


def _may_begin(standing: Standing, step: Step) -> bool:
    # A late or repeated run must not begin what has been decided otherwise meanwhile.
    if step.operation is Operation.CHARGE:
        return standing.payment.status in CHARGEABLE
    if step.operation is Operation.REFUND:
        return standing.refund is not None and standing.refund.status is RefundStatus.PENDING
    opened = standing.payment.open_operation
    return opened is not None and opened.id == step.operation_id


def _instruction(standing: Standing, step: Step) -> Instruction:
    payment, is_charge = standing.payment, step.operation is Operation.CHARGE
    return Instruction(
        operation=step.operation,
        reference=pursuit.reference_of(step.operation, step.operation_id),
        money=_money(standing, step),
        payment_method=payment.payment_method if is_charge else None,
        capture=payment.capture == "automatic",
        original_reference=None
        if is_charge
        else pursuit.reference_of(Operation.CHARGE, payment.id),
        original_gateway_reference=standing.charge_gateway_reference,
        description=payment.description,
    )


def _money(standing: Standing, step: Step) -> Money:
    payment, refund = standing.payment, standing.refund
    if step.operation is Operation.REFUND:
        return refund.money if refund else payment.money
    opened = payment.open_operation
    if step.operation is Operation.CAPTURE and opened and opened.amount:
        return Money(opened.amount, payment.money.currency)
    return payment.money


def _no_gateway(mode: str) -> Result:
    return Result(
        Outcome.NOT_SENT,
        code=NO_GATEWAY,
        message=f"No gateway is configured for {mode} payments.",
    )

"""The workflow's steps: score, charge, finish. Each may be run again at any moment by anyone."""

import datetime as dt
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from paynexus import ids
from paynexus.clock import Clock
from paynexus.db import Connection, Database
from paynexus.errors import NotFound
from paynexus.fraud import service as fraud
from paynexus.fraud.rules import Verdict
from paynexus.fraud.service import Subject
from paynexus.gateways import routing
from paynexus.gateways.port import Fleet, Instruction, Operation, Outcome, Result
from paynexus.ids import AttemptId, PaymentId
from paynexus.money import Money
from paynexus.payments import endings, ladder, late, places, pursuit
from paynexus.payments.changes import Change
from paynexus.payments.deciding import decide
from paynexus.payments.endings import Ended
from paynexus.payments.model import CHARGEABLE, Challenge, Payment, RefundStatus
from paynexus.payments.places import Place, Sites
from paynexus.payments.pursuit import Call
from paynexus.payments.store import attempts, commits, payments
from paynexus.payments.store.attempts import Attempt
from paynexus.payments.store.late import LateApproval
from paynexus.payments.store.standings import Standing

NO_GATEWAY = "gateway_not_configured"
NOWHERE = Result(
    Outcome.NOT_SENT,
    code=NO_GATEWAY,
    message="No gateway is configured for this payment, or its merchant's routing allows none.",
)
PERHAPS_ELSEWHERE = frozenset({Outcome.DECLINED, Outcome.NOT_SENT})
"""With these a charge may be one for the next gateway: their codes decide."""
NEXT_GATEWAY_SHARE = 1 / 8
"""Of a step's time: with less of it left a charge ends as it stands."""


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
    fleet: Fleet,
    step: Step,
    *,
    clock: Clock,
    deadline_seconds: float,
) -> Outcome:
    """What is known of the operation at the gateway, recorded before and after each call.

    The first call sends; every later one inquires first, and sends again only under the same
    reference, which the gateway takes once, or calls the charge off (ladder.py). A charge that
    was certainly not taken is made at the next gateway, as long as there is time. No transaction
    is open while a gateway works.
    """
    until, left = clock() + dt.timedelta(seconds=deadline_seconds), deadline_seconds
    while True:
        prepared = _prepared(db, fleet, step, clock)
        if isinstance(prepared, Outcome):
            return prepared
        outcome = pursuit.carry_out(db, prepared, clock=clock, deadline_seconds=left)
        left = (until - clock()).total_seconds()
        is_over = not prepared.may_go_elsewhere or outcome not in PERHAPS_ELSEWHERE
        if is_over or left < deadline_seconds * NEXT_GATEWAY_SHARE:
            return outcome


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


def _prepared(db: Database, fleet: Fleet, step: Step, clock: Clock) -> Call | Outcome:
    # Before the database is asked: nothing else is waited for while a payment is held.
    health = fleet.health() if step.operation is Operation.CHARGE else {}

    def act(connection: Connection, standing: Standing) -> Call | Outcome:
        sites = Sites(fleet.of(standing.payment.mode), health)
        return _prepare(connection, standing, sites, step, now=clock())

    return decide(db, step.payment_id, step.operation_id, act)


def _challenge(db: Database, payment_id: PaymentId, now: dt.datetime) -> None:
    def act(connection: Connection, standing: Standing) -> None:
        change = endings.challenged(standing.payment)
        if change is not None:
            commits.end(connection, change, now=now)

    decide(db, payment_id, payment_id, act)


def _prepare(
    connection: Connection, standing: Standing, sites: Sites, step: Step, *, now: dt.datetime
) -> Call | Outcome:
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
    payment, charge = standing.payment, standing.charge
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
    )


def _money(standing: Standing, step: Step) -> Money:
    payment, refund = standing.payment, standing.refund
    if step.operation is Operation.REFUND:
        return refund.money if refund else payment.money
    opened = payment.open_operation
    if step.operation is Operation.CAPTURE and opened and opened.amount:
        return Money(opened.amount, payment.money.currency)
    return payment.money

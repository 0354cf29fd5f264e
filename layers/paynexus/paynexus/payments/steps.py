"""The workflow's steps after scoring: charge, finish. Anyone may run each again at any moment."""

import datetime as dt
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from paynexus.clock import Clock
from paynexus.db import Connection, Database
from paynexus.gateways.port import Fleet, Operation, Outcome, Result
from paynexus.payments import endings, late, pursuit
from paynexus.payments.changes import Change
from paynexus.payments.deciding import decide
from paynexus.payments.endings import Ended
from paynexus.payments.places import Sites
from paynexus.payments.preparing import prepare
from paynexus.payments.pursuit import Call
from paynexus.payments.step import Step
from paynexus.payments.store import commits
from paynexus.payments.store.attempts import Attempt
from paynexus.payments.store.late import LateApproval
from paynexus.payments.store.standings import Standing

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
class Called:
    """What is known of an operation at its gateway, and the payment with it as it was seen."""

    outcome: Outcome
    seen: Standing | None = None


def call_gateway(
    db: Database,
    fleet: Fleet,
    step: Step,
    *,
    clock: Clock,
    deadline_seconds: float,
    seen: Standing | None = None,
) -> Called:
    """What is known of the operation at the gateway, recorded before and after each call.

    The first call sends; every later one inquires first, and sends again only under the same
    reference, which the gateway takes once, or calls the charge off (ladder.py). A charge that
    was certainly not taken is made at the next gateway, as long as there is time. No transaction
    is open while a gateway works. What scoring has `seen` spares the first look.
    """
    # Only what nothing had happened to is still as it was, or can't be begun any more.
    seen = seen if seen is not None and seen.attempt is None else None
    until, left = clock() + dt.timedelta(seconds=deadline_seconds), deadline_seconds
    while True:
        prepared, standing = _prepared(db, fleet, step, clock, seen)
        if isinstance(prepared, Outcome):
            return Called(prepared)
        result = pursuit.carry_out(db, prepared, clock=clock, deadline_seconds=left)
        left = (until - clock()).total_seconds()
        is_over = not prepared.may_go_elsewhere or result.outcome not in PERHAPS_ELSEWHERE
        if is_over or left < deadline_seconds * NEXT_GATEWAY_SHARE:
            return Called(result.outcome, _with(standing, step, prepared, result))
        seen = None


def finish(
    db: Database,
    step: Step,
    *,
    blocked: bool,
    now: dt.datetime,
    seen: Standing | None = None,
) -> str:
    """The payment, or the refund, is in the status that its attempt's outcome asks for.

    Status, books, stored answer and event are one commit. Without an outcome nothing changes.
    What the call has `seen` spares a look: it is written only if all of that is so still.
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

    found = decide(db, step.payment_id, step.operation_id, act, seen=seen)
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


def _prepared(
    db: Database, fleet: Fleet, step: Step, clock: Clock, seen: Standing | None
) -> tuple[Call | Outcome, Standing]:
    # Before the database is asked: nothing else is waited for while a payment is held.
    health = fleet.health() if step.operation is Operation.CHARGE else {}

    def act(connection: Connection, standing: Standing) -> tuple[Call | Outcome, Standing]:
        sites = Sites(fleet.of(standing.payment.mode), health)
        return prepare(connection, standing, sites, step, now=clock()), standing

    return decide(db, step.payment_id, step.operation_id, act, seen=seen)


def _with(standing: Standing, step: Step, call: Call, result: Result) -> Standing | None:
    """What was seen, with a first charge's outcome; None where more has happened than that."""
    if step.operation is not Operation.CHARGE or standing.attempt is not None:
        return None
    attempt = Attempt(
        id=call.attempt_id,
        outcome=result.outcome,
        code=result.code,
        message=result.message,
        operation=step.operation,
        number=1,
        began=call.began,
        gateway=call.gateway.name,
        reference=call.instruction.reference,
    )
    return replace(standing, attempt=attempt, tried=(call.gateway.name,))

"""A call of a gateway whose end is not known is pursued: inquired, sent again, or called off."""

import datetime as dt
from dataclasses import dataclass, replace
from uuid import UUID

from paynexus import ids
from paynexus.clock import Clock
from paynexus.db import Database
from paynexus.gateways import routing
from paynexus.gateways.port import Gateway, Instruction, Operation, Outcome, Result, Sent
from paynexus.ids import AttemptId
from paynexus.payments import ladder
from paynexus.payments.ladder import Move
from paynexus.payments.store import attempts
from paynexus.payments.store.attempts import Attempt, Cancel

CALLED_OFF = Result(
    Outcome.DECLINED,
    code=routing.CALLED_OFF,
    message="The gateway could not say in time what became of the charge. It was canceled there "
    "and can not take effect any more.",
)
"""What is certain of a charge once the gateway has confirmed its cancel."""
REFERENCE_PREFIX = {
    Operation.CHARGE: "chg",
    Operation.CAPTURE: "cap",
    Operation.CANCEL: "can",
    Operation.REFUND: "ref",
}
CALL_OFF_PREFIX = "off"
"""The reference of a technical cancel: `off_` and the id of the charge's attempt."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of a gateway, on record as an attempt."""

    attempt_id: UUID
    gateway: Gateway
    instruction: Instruction
    began: dt.datetime
    is_first: bool = True
    may_send: bool = True
    """Whether its payment still waits for it."""
    is_called_off: bool = False
    is_standing: bool = False
    """Whether it stays in force until the gateway has decided: NOT_SENT is not its end."""
    may_go_elsewhere: bool = False
    """Whether another gateway could take the money, once this one has certainly not."""


def reference_of(operation: Operation, operation_id: UUID) -> str:
    """Our reference, which is also the gateway's idempotency key: the same on every run."""
    return ids.text(REFERENCE_PREFIX[operation], operation_id)


def again(
    attempt: Attempt,
    gateway: Gateway,
    instruction: Instruction,
    *,
    may_send: bool = True,
    may_go_elsewhere: bool = False,
) -> Call:
    """One more call of an attempt on record."""
    return Call(
        attempt.id,
        gateway,
        instruction,
        attempt.began,
        is_first=False,
        may_send=may_send,
        is_called_off=attempt.is_called_off,
        may_go_elsewhere=may_go_elsewhere,
    )


def carry_out(db: Database, call: Call, *, clock: Clock, deadline_seconds: float) -> Result:
    """What is known of the call, recorded. No transaction is open while the gateway works.

    The first call sends. Every later one inquires first, and then does what the ladder says.
    """
    if call.is_first:
        result = _begin(db, call, clock, deadline_seconds)
    else:
        result = _pursue(db, call, clock, deadline_seconds / 2)
    if call.is_standing and result.outcome is Outcome.NOT_SENT:
        result = replace(result, outcome=Outcome.UNKNOWN)
    now = clock()
    with db.statement() as connection:
        known = attempts.finish(
            connection,
            call.attempt_id,
            result,
            next_at=ladder.next_at(call.began, now),
            now=now,
        )
    return replace(result, outcome=known)


def _begin(db: Database, call: Call, clock: Clock, seconds: float) -> Result:
    if not call.may_go_elsewhere:
        return call.gateway.send(call.instruction, deadline_seconds=seconds)
    result = call.gateway.send(call.instruction, deadline_seconds=seconds / 2)
    if not routing.is_given_up(result):
        return result
    return _call_off(db, call, result, clock, seconds / 2)


def _pursue(db: Database, call: Call, clock: Clock, seconds: float) -> Result:
    gateway, instruction = call.gateway, call.instruction
    # To some gateways an inquiry is a repetition: it must not carry out what nobody wants now.
    is_wanted = call.may_send and not call.is_called_off
    sent = Sent(instruction, call.began) if is_wanted else None
    found = gateway.inquire(instruction.reference, deadline_seconds=seconds, sent=sent)
    move = ladder.move(
        instruction.operation,
        clock() - call.began,
        found,
        may_send=call.may_send,
        is_called_off=call.is_called_off,
        may_go_elsewhere=call.may_go_elsewhere,
    )
    if move is Move.SEND:
        return gateway.send(instruction, deadline_seconds=seconds)
    if move is Move.CALL_OFF:
        return _call_off(db, call, found, clock, seconds)
    return found or Result(Outcome.UNKNOWN)


def _call_off(
    db: Database, call: Call, found: Result | None, clock: Clock, seconds: float
) -> Result:
    """What is certain of the charge after its cancel, on record before and after it is sent."""
    reference = ids.text(CALL_OFF_PREFIX, call.attempt_id)
    with db.transaction() as tx:
        begun = attempts.call_off(
            tx, call.attempt_id, AttemptId(ids.new_id()), reference, now=clock()
        )
        if isinstance(begun, Cancel) and begun.outcome is Outcome.DECLINED:
            attempts.cancel_refused(tx, call.attempt_id)
    if isinstance(begun, Result):
        return begun
    if begun.outcome is Outcome.DECLINED:
        return found or Result(Outcome.UNKNOWN, code=begun.code)
    if begun.outcome is Outcome.APPROVED:
        return CALLED_OFF
    result = _send_cancel(call, reference, seconds)
    with db.transaction() as tx:
        attempts.finish(tx, begun.id, result, next_at=None, now=clock())
        if result.outcome is Outcome.DECLINED:
            attempts.cancel_refused(tx, call.attempt_id)
    return CALLED_OFF if result.outcome is Outcome.APPROVED else _still_unknown(result)


def _send_cancel(call: Call, reference: str, seconds: float) -> Result:
    cancel = Instruction(
        Operation.CANCEL,
        reference,
        call.instruction.money,
        original_reference=call.instruction.reference,
    )
    result = call.gateway.send(cancel, deadline_seconds=seconds)
    # One that never left is sent again in the charge's next turn, under the same reference.
    return _still_unknown(result) if result.outcome is Outcome.NOT_SENT else result


def _still_unknown(result: Result) -> Result:
    return Result(Outcome.UNKNOWN, code=result.code, message=result.message)

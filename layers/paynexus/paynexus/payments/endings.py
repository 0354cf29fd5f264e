"""What each outcome makes of a payment. Pure: from what is on record to the change it asks for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from uuid import UUID

from paynexus import ids
from paynexus.errors import NotFound
from paynexus.gateways.port import Operation, Outcome, Result
from paynexus.idempotency import Answer
from paynexus.ids import TransferId
from paynexus.ledger.model import Order
from paynexus.payments.bookings import fee_on, fee_transfer
from paynexus.payments.changes import Change, Told
from paynexus.payments.model import (
    CHARGEABLE,
    EXPIRY,
    FINAL_REFUND,
    Challenge,
    Fact,
    Failure,
    OpenOperation,
    Payment,
    Refund,
    RefundFact,
    Status,
)
from paynexus.payments.resource import (
    OK,
    answer_for_payment,
    answer_for_refund,
    payment_resource,
    refund_resource,
    refusal,
    to_answer,
)

BLOCKED = Failure("fraud_blocked", "The payment was blocked by the fraud rules.")
NOT_AUTHENTICATED = Failure("authentication_failed", "The payer did not pass the challenge.")
CHALLENGE_EXPIRED = Failure("challenge_expired", "The challenge was not answered in time.")
AUTHORIZATION_EXPIRED = Failure(
    "authorization_expired", "The authorization was not captured in time; its money is released."
)


@dataclass(frozen=True, slots=True)
class Ended:
    """An operation on a payment, and what came of it at the gateway."""

    payment: Payment
    operation_id: UUID
    refund: Refund | None
    """Of a refund's operation."""
    result: Result


type End = Callable[[Ended], Change | None]
"""None: nothing is to be changed; another run of the same step did it before."""


def end_charge(ended: Ended) -> Change | None:
    """The charge's outcome is the payment's status."""
    payment, result = ended.payment, ended.result
    if payment.status not in CHARGEABLE:
        return None
    if result.outcome is Outcome.UNKNOWN:
        change = _lose_sight(payment)
    elif result.outcome is not Outcome.APPROVED:
        change = refused(payment, _failure(result))
    elif payment.capture == "manual":
        change = changed(payment.after(Fact.AUTHORIZED), "authorized")
    else:
        change = _captured(payment, payment.money.amount, is_final=True)
    return replace(change, charged=result.outcome)


def end_blocked(payment: Payment) -> Change | None:
    """The payment failed before any gateway was asked."""
    return refused(payment, BLOCKED) if payment.status is Status.PENDING else None


def end_capture(ended: Ended) -> Change | None:
    """An approved capture takes its part, the last one completes the payment.

    A refused one leaves the payment as it was.
    """
    payment, opened = ended.payment, ended.payment.open_operation
    if opened is None or opened.id != ended.operation_id:
        return None
    if ended.result.outcome is Outcome.APPROVED:
        amount = opened.amount or payment.capturable_amount
        return _captured(payment, amount, is_final=opened.is_final is not False)
    return _without_effect(payment, opened, ended.result)


def end_cancel(ended: Ended) -> Change | None:
    """An approved cancel releases what was not captured; a refused one changes nothing.

    The payment is CANCELED, or COMPLETED with what was captured before.
    """
    payment, opened = ended.payment, ended.payment.open_operation
    if opened is None or opened.id != ended.operation_id:
        return None
    if ended.result.outcome is Outcome.APPROVED:
        return canceled(payment, is_expired=opened.name == EXPIRY)
    return _without_effect(payment, opened, ended.result)


def end_refund(ended: Ended) -> Change | None:
    """The refund's outcome is its status; its reservation is posted, void, or still open."""
    payment, refund, result = ended.payment, ended.refund, ended.result
    if refund is None:
        raise NotFound("There is no such refund.")
    if refund.status in FINAL_REFUND:
        return None
    if result.outcome is Outcome.UNKNOWN:
        return Change(payment, refund=refund.after(RefundFact.LOST_SIGHT))
    if result.outcome is Outcome.APPROVED:
        return _returned(payment, refund.after(RefundFact.RETURNED))
    failed = replace(refund.after(RefundFact.REFUSED), failure=_failure(result))
    return _refund_ended(_released(payment, refund), failed, _void(refund.transfer_id))


END: Mapping[Operation, End] = MappingProxyType(
    {
        Operation.CHARGE: end_charge,
        Operation.CAPTURE: end_capture,
        Operation.CANCEL: end_cancel,
        Operation.REFUND: end_refund,
    }
)


def challenged(payment: Payment) -> Change | None:
    """The payer is to be checked before the charge; a payment that was is left as it is."""
    if payment.status is not Status.PENDING or payment.challenge is not Challenge.NONE:
        return None
    return changed(
        replace(payment.after(Fact.CHALLENGED), challenge=Challenge.REQUIRED), "challenged"
    )


def refused(payment: Payment, failure: Failure) -> Change:
    """The payment FAILED, and its reservation is void."""
    failed = replace(payment.after(Fact.REFUSED), failure=failure)
    return changed(failed, "failed", _void(payment.transfer_id))


def canceled(payment: Payment, *, is_expired: bool = False) -> Change:
    """What was not captured is released: CANCELED, or COMPLETED with what was captured."""
    void = _void(payment.transfer_id)
    if payment.captured_amount:
        return changed(payment.after(Fact.RELEASED), "completed", void)
    if is_expired:
        expired = replace(payment.after(Fact.EXPIRED), failure=AUTHORIZATION_EXPIRED)
        return changed(expired, "canceled", void)
    return changed(payment.after(Fact.CANCELED), "canceled", void)


def expire(payment: Payment, operation_id: UUID) -> Change | None:
    """What the end of its time makes of a payment; None when it doesn't wait for anybody.

    No gateway was asked of a challenged payment: it has FAILED. An authorised one's cancel, of
    this id, is under way.
    """
    if payment.status is Status.CHALLENGED:
        failed = replace(payment.after(Fact.EXPIRED), failure=CHALLENGE_EXPIRED)
        return changed(failed, "failed", _void(payment.transfer_id))
    if payment.status is not Status.AUTHORIZED or payment.open_operation is not None:
        return None
    return Change(replace(payment, open_operation=OpenOperation(EXPIRY, operation_id)))


def changed(payment: Payment, event: str, *orders: Order) -> Change:
    """The changed payment, with its event and the answers that wait for it."""
    if payment.status in {Status.PENDING, Status.UNKNOWN}:
        return Change(payment, orders=orders, told=payment_told(payment, event))
    settled = replace(payment, open_operation=None)
    return Change(
        settled,
        orders=orders,
        told=payment_told(settled, event),
        answers=_answers(settled, payment.open_operation),
    )


def created(payment: Payment) -> Told:
    """The payment was accepted."""
    return payment_told(payment, "created")


def payment_told(payment: Payment, event: str) -> Told:
    """`payment.<event>.v1`."""
    return Told(f"payment.{event}.v1", ids.text("pay", payment.id), payment_resource(payment))


def refund_told(refund: Refund, event: str) -> Told:
    """`refund.<event>.v1`."""
    return Told(f"refund.{event}.v1", ids.text("re", refund.id), refund_resource(refund))


def _answers(payment: Payment, opened: OpenOperation | None) -> dict[UUID, Answer]:
    for_payment: dict[UUID, Answer] = {payment.id: answer_for_payment(payment)}
    if opened is None:
        return for_payment
    return for_payment | {opened.id: to_answer(OK, payment_resource(payment))}


def _captured(payment: Payment, amount: int, *, is_final: bool) -> Change:
    captured = replace(
        payment.after(Fact.CAPTURED if is_final else Fact.PARTLY_CAPTURED),
        captured_amount=payment.captured_amount + amount,
        captures=payment.captures + 1,
    )
    fee = fee_on(captured) - payment.fee_amount
    captured = replace(captured, fee_amount=payment.fee_amount + fee)
    orders = [Order.post(payment.transfer_id, id=_transfer_id(), amount=amount, is_final=is_final)]
    if fee:
        orders.append(Order.single(fee_transfer(captured, fee, _transfer_id())))
    return changed(captured, "completed" if is_final else "partially_captured", *orders)


def _lose_sight(payment: Payment) -> Change:
    lost = payment.after(Fact.LOST_SIGHT)
    return Change(lost) if payment.status is Status.UNKNOWN else changed(lost, "unknown")


def _without_effect(payment: Payment, opened: OpenOperation, result: Result) -> Change:
    if result.outcome is Outcome.UNKNOWN:
        return Change(payment)
    answer = refusal(opened.name, _failure(result))
    return Change(replace(payment, open_operation=None), answers={opened.id: answer})


def _returned(payment: Payment, refund: Refund) -> Change:
    back = payment.refunded_amount + refund.money.amount
    returned = replace(_released(payment, refund), refunded_amount=back)
    post = Order.post(refund.transfer_id, id=_transfer_id())
    return _refund_ended(returned, refund, post)


def _released(payment: Payment, refund: Refund) -> Payment:
    return replace(payment, refunding_amount=payment.refunding_amount - refund.money.amount)


def _refund_ended(payment: Payment, refund: Refund, order: Order) -> Change:
    return Change(
        payment,
        refund=refund,
        orders=(order,),
        told=refund_told(refund, str(refund.status).lower()),
        answers={refund.id: answer_for_refund(refund)},
    )


def _failure(result: Result) -> Failure:
    if result.outcome is Outcome.NOT_SENT:
        code = result.code or "gateway_unavailable"
        return Failure(code, result.message or "No gateway could be reached; nothing was charged.")
    return Failure(result.code or "declined", result.message or "The payment was declined.")


def _void(pending_id: TransferId) -> Order:
    return Order.void(pending_id, id=_transfer_id())


def _transfer_id() -> TransferId:
    return TransferId(ids.new_id())

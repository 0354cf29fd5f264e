"""What each outcome makes of a payment: status, books, stored answer and event, in one commit."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

from paynexus import idempotency, ids
from paynexus.changefeed import append_event
from paynexus.db import Connection
from paynexus.errors import NotFound
from paynexus.gateways.port import Operation, Outcome, Result
from paynexus.ids import RefundId, TransferId
from paynexus.ledger import store as ledger
from paynexus.payments.bookings import fee_on, fee_transfer
from paynexus.payments.model import (
    CHARGEABLE,
    Fact,
    Failure,
    OpenOperation,
    Payment,
    Refund,
    RefundStatus,
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
from paynexus.payments.service import append_payment_event
from paynexus.payments.store import payments, refunds

type End = Callable[[Connection, Payment, UUID, Result, dt.datetime], str]

BLOCKED = Failure("fraud_blocked", "The payment was blocked by the fraud rules.")
NOT_AUTHENTICATED = Failure("authentication_failed", "The payer did not pass the challenge.")


def end_charge(
    tx: Connection, payment: Payment, _operation_id: UUID, result: Result, now: dt.datetime
) -> str:
    """The charge's outcome is the payment's status; a repeated call changes nothing."""
    if payment.status not in CHARGEABLE:
        return str(payment.status)
    if result.outcome is Outcome.UNKNOWN:
        return _lose_sight(tx, payment, now)
    if result.outcome is not Outcome.APPROVED:
        return end_refused(tx, payment, _failure(result), now)
    if payment.capture == "manual":
        return commit_change(tx, payment.after(Fact.AUTHORIZED), "authorized", now=now)
    return _capture(tx, payment, payment.money.amount, now)


def end_blocked(tx: Connection, payment: Payment, now: dt.datetime) -> str:
    """The payment failed before any gateway was asked; a repeated call changes nothing."""
    if payment.status is not Status.PENDING:
        return str(payment.status)
    return end_refused(tx, payment, BLOCKED, now)


def end_refused(tx: Connection, payment: Payment, failure: Failure, now: dt.datetime) -> str:
    """The payment FAILED, and its reservation is void."""
    ledger.void_pending(tx, payment.transfer_id, id=_transfer_id())
    failed = replace(payment.after(Fact.REFUSED), failure=failure)
    return commit_change(tx, failed, "failed", now=now)


def end_capture(
    tx: Connection, payment: Payment, operation_id: UUID, result: Result, now: dt.datetime
) -> str:
    """An approved capture completes the payment; a refused one leaves it AUTHORIZED."""
    opened = payment.open_operation
    if opened is None or opened.id != operation_id:
        return str(payment.status)
    if result.outcome is Outcome.APPROVED:
        return _capture(tx, payment, opened.amount or payment.money.amount, now)
    return _end_without_effect(tx, payment, opened, result, now)


def end_cancel(
    tx: Connection, payment: Payment, operation_id: UUID, result: Result, now: dt.datetime
) -> str:
    """An approved cancel voids the reservation; a refused one leaves the payment AUTHORIZED."""
    opened = payment.open_operation
    if opened is None or opened.id != operation_id:
        return str(payment.status)
    if result.outcome is Outcome.APPROVED:
        return end_canceled(tx, payment, now)
    return _end_without_effect(tx, payment, opened, result, now)


def end_canceled(tx: Connection, payment: Payment, now: dt.datetime) -> str:
    """The payment is CANCELED, and its reservation is void."""
    ledger.void_pending(tx, payment.transfer_id, id=_transfer_id())
    return commit_change(tx, payment.after(Fact.CANCELED), "canceled", now=now)


def end_refund(
    tx: Connection, payment: Payment, operation_id: UUID, result: Result, now: dt.datetime
) -> str:
    """The refund's outcome is its status; its reservation is posted, void, or still open."""
    refund = refunds.get(tx, RefundId(operation_id))
    if refund is None:
        raise NotFound("There is no such refund.")
    if refund.status in {RefundStatus.COMPLETED, RefundStatus.FAILED}:
        return str(refund.status)
    if result.outcome is Outcome.UNKNOWN:
        refunds.update(tx, replace(refund, status=RefundStatus.UNKNOWN), now=now)
        return str(RefundStatus.UNKNOWN)
    return _decide_refund(tx, payment, refund, result, now)


END: Mapping[Operation, End] = MappingProxyType(
    {
        Operation.CHARGE: end_charge,
        Operation.CAPTURE: end_capture,
        Operation.CANCEL: end_cancel,
        Operation.REFUND: end_refund,
    }
)


def commit_change(tx: Connection, payment: Payment, event: str, *, now: dt.datetime) -> str:
    """The changed payment, its event and the answers that wait for it are in this commit."""
    opened = payment.open_operation
    settled = payment.status not in {Status.PENDING, Status.UNKNOWN}
    if settled:
        payment = replace(payment, open_operation=None)
    payments.update(tx, payment, now=now)
    append_payment_event(tx, payment, event)
    if settled:
        idempotency.finish(tx, payment.id, answer_for_payment(payment), now=now)
        if opened is not None:
            answer = to_answer(OK, payment_resource(payment))
            idempotency.finish(tx, opened.id, answer, now=now)
    return str(payment.status)


def append_refund_event(tx: Connection, refund: Refund, name: str) -> None:
    """`refund.<name>.v1` is committed with the fact it describes."""
    append_event(
        tx,
        source="payments.events",
        type=f"refund.{name}.v1",
        mode=refund.mode,
        merchant_id=refund.merchant_id,
        object_id=ids.text("re", refund.id),
        data=refund_resource(refund),
    )


def _capture(tx: Connection, payment: Payment, amount: int, now: dt.datetime) -> str:
    ledger.post_pending(tx, payment.transfer_id, id=_transfer_id(), amount=amount)
    captured = replace(payment.after(Fact.CAPTURED), captured_amount=amount)
    captured = replace(captured, fee_amount=fee_on(captured))
    if captured.fee_amount:
        ledger.post(tx, fee_transfer(captured, _transfer_id()))
    return commit_change(tx, captured, "completed", now=now)


def _lose_sight(tx: Connection, payment: Payment, now: dt.datetime) -> str:
    if payment.status is Status.UNKNOWN:
        payments.update(tx, payment, now=now)
        return str(payment.status)
    return commit_change(tx, payment.after(Fact.LOST_SIGHT), "unknown", now=now)


def _end_without_effect(
    tx: Connection, payment: Payment, opened: OpenOperation, result: Result, now: dt.datetime
) -> str:
    if result.outcome is Outcome.UNKNOWN:
        payments.update(tx, payment, now=now)
        return str(payment.status)
    payments.update(tx, replace(payment, open_operation=None), now=now)
    idempotency.finish(tx, opened.id, refusal(opened.name, _failure(result)), now=now)
    return str(payment.status)


def _decide_refund(
    tx: Connection, payment: Payment, refund: Refund, result: Result, now: dt.datetime
) -> str:
    is_returned = result.outcome is Outcome.APPROVED
    amount = refund.money.amount
    if is_returned:
        ledger.post_pending(tx, refund.transfer_id, id=_transfer_id())
        refund = replace(refund, status=RefundStatus.COMPLETED)
    else:
        ledger.void_pending(tx, refund.transfer_id, id=_transfer_id())
        refund = replace(refund, status=RefundStatus.FAILED, failure=_failure(result))
    changed = replace(
        payment,
        refunding_amount=payment.refunding_amount - amount,
        refunded_amount=payment.refunded_amount + (amount if is_returned else 0),
    )
    payments.update(tx, changed, now=now)
    refunds.update(tx, refund, now=now)
    append_refund_event(tx, refund, "completed" if is_returned else "failed")
    idempotency.finish(tx, refund.id, answer_for_refund(refund), now=now)
    return str(refund.status)


def _failure(result: Result) -> Failure:
    if result.outcome is Outcome.NOT_SENT:
        code = result.code or "gateway_unavailable"
        return Failure(code, result.message or "No gateway could be reached; nothing was charged.")
    return Failure(result.code or "declined", result.message or "The payment was declined.")


def _transfer_id() -> TransferId:
    return TransferId(ids.new_id())

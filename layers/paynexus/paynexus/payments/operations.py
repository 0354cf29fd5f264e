"""What a merchant may do with a payment after taking it: capture, cancel, confirm, refund."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from paynexus import idempotency, ids
from paynexus.db import Connection, Database
from paynexus.errors import InvalidRequest, InvalidState, NotFound
from paynexus.idempotency import Answer, Claim, Scope
from paynexus.ids import MerchantId, PaymentId, RefundId, TransferId
from paynexus.ledger.model import PARTS_LIMIT, Order
from paynexus.money import Money
from paynexus.payments import endings
from paynexus.payments.bookings import refund_transfer
from paynexus.payments.changes import Change
from paynexus.payments.deciding import decide
from paynexus.payments.model import (
    Challenge,
    Fact,
    OpenOperation,
    Payment,
    Refund,
    RefundStatus,
    Status,
)
from paynexus.payments.resource import (
    ACCEPTED,
    answer_for_refund,
    payment_resource,
    to_answer,
)
from paynexus.payments.service import own
from paynexus.payments.store import commits, payments, refunds
from paynexus.payments.store.standings import Standing


@dataclass(frozen=True, slots=True)
class Begun:
    """An operation on record; with an `answer`, there is nothing left for the workflow to do."""

    operation_id: UUID
    answer: Answer | None


def capture(
    db: Database,
    scope: Scope,
    payment_id: PaymentId,
    *,
    amount: int | None,
    is_final: bool = True,
    fingerprint: bytes,
    now: dt.datetime,
) -> Begun:
    """A capture of the authorised payment, of all that is left or of `amount`, is under way.

    Unless `is_final`, the rest stays authorised; but nothing follows the capture of all that
    is left, nor the 50th. Raises InvalidState unless the payment is AUTHORIZED and nothing
    else is under way, InvalidRequest for more than is left.
    """

    def begin(payment: Payment, operation_id: UUID) -> Change:
        _require(payment, Status.AUTHORIZED, "captured")
        opened = _new_capture(payment, operation_id, amount, is_final=is_final)
        return Change(replace(payment, open_operation=opened))

    return _begin(db, scope, payment_id, begin, fingerprint=fingerprint, now=now)


def cancel(
    db: Database, scope: Scope, payment_id: PaymentId, *, fingerprint: bytes, now: dt.datetime
) -> Begun:
    """A cancel is under way, or done where no gateway had been asked yet.

    Raises InvalidState unless the payment is AUTHORIZED or CHALLENGED.
    """

    def begin(payment: Payment, operation_id: UUID) -> Change:
        opened = replace(payment, open_operation=OpenOperation("cancel", operation_id))
        if payment.status is Status.CHALLENGED:
            return endings.canceled(opened)
        _require(payment, Status.AUTHORIZED, "canceled")
        return Change(opened)

    return _begin(db, scope, payment_id, begin, fingerprint=fingerprint, now=now)


def confirm(
    db: Database,
    scope: Scope,
    payment_id: PaymentId,
    *,
    is_authenticated: bool,
    fingerprint: bytes,
    now: dt.datetime,
) -> Begun:
    """The challenge is answered: the payment goes on to its charge, or it has FAILED.

    Raises InvalidState unless the payment is CHALLENGED.
    """

    def begin(payment: Payment, operation_id: UUID) -> Change:
        _require(payment, Status.CHALLENGED, "confirmed")
        opened = replace(payment, open_operation=OpenOperation("confirm", operation_id))
        if not is_authenticated:
            failed = replace(opened, challenge=Challenge.FAILED)
            return endings.refused(failed, endings.NOT_AUTHENTICATED)
        passed = replace(opened.after(Fact.AUTHENTICATED), challenge=Challenge.AUTHENTICATED)
        return Change(passed)

    return _begin(db, scope, payment_id, begin, fingerprint=fingerprint, now=now)


def refund(
    db: Database,
    scope: Scope,
    payment_id: PaymentId,
    *,
    amount: int | None,
    reason: str | None,
    fingerprint: bytes,
    now: dt.datetime,
) -> Begun:
    """A refund is PENDING and its amount reserved; without `amount` it returns all that is left.

    A partly captured payment is refunded as a completed one: what was captured may go back.
    Raises InvalidState when nothing was captured, InvalidRequest for more than is left.
    """

    def begin(payment: Payment, operation_id: UUID) -> Change:
        if not payment.captured_amount:
            _require(payment, Status.COMPLETED, "refunded")
        _require_rest(payment)
        made = _new_refund(payment, RefundId(operation_id), amount, reason, now)
        held = replace(payment, refunding_amount=payment.refunding_amount + made.money.amount)
        return Change(
            held,
            refund=made,
            orders=(Order.pending(refund_transfer(payment, made)),),
            told=endings.refund_told(made, "created"),
        )

    return _begin(db, scope, payment_id, begin, fingerprint=fingerprint, now=now)


def stored_answer(db: Database, operation_id: UUID, *, now: dt.datetime) -> Answer | None:
    """The operation's stored answer.

    Without one the operation is undecided, and free to be resumed by the next request under
    its key.
    """
    with db.transaction() as tx:
        answer = idempotency.answer_of(tx, operation_id)
        if answer is None:
            idempotency.release(tx, operation_id, now=now)
        return answer


def standing(db: Database, payment_id: PaymentId, operation_id: UUID) -> Answer:
    """Where an undecided operation stands: 202 with the refund or the payment. Not stored."""
    with db.reading() as connection:
        made = refunds.get(connection, RefundId(operation_id))
        if made is not None:
            return answer_for_refund(made)
        payment = payments.get(connection, payment_id)
    assert payment is not None, "payments are never deleted"  # noqa: S101 - a trigger's rule
    return to_answer(ACCEPTED, payment_resource(payment))


def find_refund(db: Database, refund_id: RefundId, merchant_id: MerchantId, mode: str) -> Refund:
    """The merchant's refund; NotFound for another's."""
    with db.reading() as connection:
        found = refunds.find(connection, refund_id, merchant_id, mode)
    if found is None:
        raise NotFound("There is no such refund.")
    return found


def _begin(
    db: Database,
    scope: Scope,
    payment_id: PaymentId,
    begin: Callable[[Payment, UUID], Change],
    *,
    fingerprint: bytes,
    now: dt.datetime,
) -> Begun:
    operation_id = ids.new_id()
    claim = idempotency.claim_values(
        scope, fingerprint=fingerprint, object_id=operation_id, now=now
    )

    def act(connection: Connection, standing: Standing) -> Begun:
        payment = own(standing.payment, scope.merchant_id, scope.mode)
        change = begin(payment, operation_id)
        claimed = commits.begin(connection, change, claim, now=now)
        if claimed.is_first:
            return Begun(operation_id, change.answers.get(operation_id))
        return _begun_before(claimed)

    try:
        return decide(db, payment_id, operation_id, act)
    except (InvalidState, InvalidRequest) as refusal:
        # What is refused now may have been done before, under the same key.
        with db.transaction() as tx:
            claimed = idempotency.claim(
                tx, scope, fingerprint=fingerprint, object_id=operation_id, now=now
            )
            if claimed.is_first:
                raise refusal from None
            return _begun_before(claimed)


def _begun_before(claimed: Claim) -> Begun:
    return Begun(claimed.object_id, claimed.answer.replayed() if claimed.answer else None)


def _require(payment: Payment, status: Status, participle: str) -> None:
    if payment.status is not status:
        raise InvalidState(
            f"Only a payment that is {status} can be {participle}; this one is {payment.status}.",
            operation_state=str(payment.status),
            operation_ref=ids.text("pay", payment.id),
            safe_new_key=True,
        )
    _require_rest(payment)


def _require_rest(payment: Payment) -> None:
    if payment.open_operation is not None:
        raise InvalidState(
            f"This payment's {payment.open_operation.name} is under way; wait for it to end.",
            operation_state="running",
            operation_ref=ids.text("pay", payment.id),
            safe_new_key=False,
        )


def _new_capture(
    payment: Payment, operation_id: UUID, amount: int | None, *, is_final: bool
) -> OpenOperation:
    left = payment.capturable_amount
    wanted = left if amount is None else amount
    if not 0 < wanted <= left:
        raise InvalidRequest(f"Capture between 1 and {left} minor units.", param="amount")
    is_last = wanted == left or payment.captures + 1 >= PARTS_LIMIT
    return OpenOperation("capture", operation_id, wanted, is_final=is_final or is_last)


def _new_refund(
    payment: Payment, refund_id: RefundId, amount: int | None, reason: str | None, now: dt.datetime
) -> Refund:
    left = payment.refundable_amount
    wanted = left if amount is None else amount
    if not 0 < wanted <= left:
        raise InvalidRequest(
            f"At most {left} minor units of this payment can still be refunded.", param="amount"
        )
    return Refund(
        id=refund_id,
        payment_id=payment.id,
        merchant_id=payment.merchant_id,
        mode=payment.mode,
        money=Money(wanted, payment.money.currency),
        status=RefundStatus.PENDING,
        transfer_id=TransferId(ids.new_id()),
        created_at=now,
        reason=reason,
    )

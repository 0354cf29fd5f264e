"""Taking a payment: accepted in one commit, then brought to its end by the workflow."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from paynexus import idempotency, ids
from paynexus.db import Connection, Database
from paynexus.errors import InvalidRequest, NotFound
from paynexus.idempotency import Answer, Claim, Scope
from paynexus.ids import MerchantId, PaymentId, TransferId
from paynexus.ledger.model import Order
from paynexus.lists.model import Page, cut
from paynexus.money import Money, limit_of
from paynexus.payments import endings
from paynexus.payments.bookings import payment_transfer
from paynexus.payments.model import Customer, Payment, Status
from paynexus.payments.store import commits
from paynexus.payments.store import payments as store
from paynexus.qr import service as qr

CARD_NUMBER_DIGITS = range(12, 20)
"""Lengths of card numbers (ISO/IEC 7812-1): tokens are taken, card numbers never."""


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What a merchant asks for, understood but not yet judged."""

    money: Money
    payment_method: str
    capture: str = "automatic"
    reference: str | None = None
    description: str | None = None
    customer: Customer | None = None
    qr_code: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A payment on record; with an `answer`, it was decided before and this is what was said."""

    payment_id: PaymentId
    answer: Answer | None


def accept(
    db: Database,
    scope: Scope,
    request: PaymentRequest,
    *,
    fingerprint: bytes,
    now: dt.datetime,
) -> Accepted:
    """The key is claimed, the payment PENDING, its money reserved, its event recorded: at once.

    Raises InvalidRequest for what can't be charged, QrRefused for a code that can't be spent,
    IdempotencyKeyReused and OperationRunning. A request that died is taken up where it stands.
    """
    require_chargeable(request)
    payment = _new_payment(scope, request, now)
    claim = idempotency.claim_values(scope, fingerprint=fingerprint, object_id=payment.id, now=now)
    if request.qr_code is None:
        with db.statement() as connection:
            claimed = _open(connection, payment, claim)
    else:
        claimed = _spend_and_open(db, scope, payment, request.qr_code, claim)
    return _accepted(claimed)


def require_chargeable(request: PaymentRequest) -> None:
    """The request breaks no rule that its sender can know; InvalidRequest names the field."""
    amount, limit = request.money.amount, limit_of(request.money.currency)
    if not 0 < amount <= limit:
        raise InvalidRequest(
            f"An amount in {request.money.currency} is between 1 and {limit} minor units.",
            param="amount",
        )
    digits = request.payment_method.replace(" ", "").replace("-", "")
    if digits.isascii() and digits.isdigit() and len(digits) in CARD_NUMBER_DIGITS:
        raise InvalidRequest(
            "This looks like a card number. Send the token your gateway made of it instead.",
            param="payment_method",
        )


def find(db: Database, payment_id: PaymentId, merchant_id: MerchantId, mode: str) -> Payment:
    """The merchant's payment; NotFound for another's."""
    with db.reading() as connection:
        return _required(store.find(connection, payment_id, merchant_id, mode))


def page(
    db: Database, merchant_id: MerchantId, mode: str, page: Page[UUID]
) -> tuple[list[Payment], bool]:
    """One page of the merchant's payments, newest first, and whether there are more."""
    with db.reading() as connection:
        return cut(store.page(connection, merchant_id, mode, page), page)


def own(payment: Payment, merchant_id: MerchantId, mode: str) -> Payment:
    """The payment; NotFound for another merchant's, or of the other mode."""
    if (payment.merchant_id, payment.mode) != (merchant_id, mode):
        raise NotFound("There is no such payment.")
    return payment


def _required(payment: Payment | None) -> Payment:
    if payment is None:
        raise NotFound("There is no such payment.")
    return payment


def _new_payment(scope: Scope, request: PaymentRequest, now: dt.datetime) -> Payment:
    return Payment(
        id=PaymentId(ids.new_id()),
        merchant_id=scope.merchant_id,
        mode=scope.mode,
        money=request.money,
        status=Status.PENDING,
        capture=request.capture,
        payment_method=request.payment_method,
        # A gateway's token stands for one instrument; only its digest is compared.
        fingerprint=hashlib.sha256(request.payment_method.encode()).hexdigest(),
        # What is agreed with the merchant stands in Postgres, which reads it as it accepts.
        fee_basis_points=0,
        fee_fixed_minor=0,
        transfer_id=TransferId(ids.new_id()),
        created_at=now,
        idempotency_key=scope.key,
        reference=request.reference,
        description=request.description,
        metadata=request.metadata,
        customer=request.customer,
    )


def _open(
    connection: Connection,
    payment: Payment,
    claim: Mapping[str, object],
    *,
    is_claimed: bool = False,
) -> Claim:
    return commits.accept(
        connection,
        payment,
        claim,
        hold=Order.pending(payment_transfer(payment)),
        told=endings.created(payment),
        is_claimed=is_claimed,
    )


def _accepted(claimed: Claim) -> Accepted:
    answer = claimed.answer.replayed() if claimed.answer else None
    return Accepted(PaymentId(claimed.object_id), answer)


def _spend_and_open(
    db: Database, scope: Scope, payment: Payment, token: str, claim: Mapping[str, Any]
) -> Claim:
    # Only the first spends the code: a repetition finds it spent, and is no refusal.
    now = payment.created_at
    with db.transaction() as tx:
        claimed = idempotency.claim(
            tx, scope, fingerprint=claim["fingerprint"], object_id=payment.id, now=now
        )
        if claimed.is_first:
            code_id = qr.spend(
                tx,
                token,
                merchant_id=payment.merchant_id,
                mode=payment.mode,
                money=payment.money,
                payment_id=payment.id,
                now=now,
            )
            _open(tx, replace(payment, qr_code_id=code_id), claim, is_claimed=True)
        return claimed

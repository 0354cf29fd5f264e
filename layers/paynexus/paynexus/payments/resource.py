"""Payments and refunds as merchants see them: in answers, in events, in stored replays."""

import datetime as dt
from typing import Any

from paynexus import ids, jsontext
from paynexus.idempotency import Answer
from paynexus.payments.dispute import Dispute
from paynexus.payments.model import Challenge, Failure, Payment, Refund, Status

OK = 200
CREATED = 201
ACCEPTED = 202
PAYMENT_REQUIRED = 402


def payment_resource(payment: Payment) -> dict[str, Any]:
    """The payment as JSON; amounts are minor units.

    Of its customer it names the merchant's own id alone: answers are kept and events outlive
    everything, while e-mail address and country must stay erasable.
    """
    currency = payment.money.currency
    return {
        "id": ids.text("pay", payment.id),
        "object": "payment",
        "status": str(payment.status),
        "amount": _amount(payment.money.amount, currency),
        "captured": _amount(payment.captured_amount, currency),
        "refunded": _amount(payment.refunded_amount, currency),
        "disputed": _amount(payment.disputed_amount, currency),
        "fee": _amount(payment.fee_amount, currency),
        "capture": payment.capture,
        "payment_method": payment.payment_method,
        "reference": payment.reference,
        "description": payment.description,
        "customer": {"id": payment.customer.id} if payment.customer else None,
        "qr_code": ids.text("qr", payment.qr_code_id) if payment.qr_code_id else None,
        "failure": _failure(payment.failure),
        "next_action": _next_action(payment),
        "metadata": payment.metadata,
        "mode": payment.mode,
        "created": timestamp(payment.created_at),
    }


def refund_resource(refund: Refund) -> dict[str, Any]:
    """The refund as JSON."""
    return {
        "id": ids.text("re", refund.id),
        "object": "refund",
        "payment": ids.text("pay", refund.payment_id),
        "status": str(refund.status),
        "amount": _amount(refund.money.amount, refund.money.currency),
        "reason": refund.reason,
        "failure": _failure(refund.failure),
        "mode": refund.mode,
        "created": timestamp(refund.created_at),
    }


def dispute_resource(dispute: Dispute) -> dict[str, Any]:
    """The dispute as JSON; `covered` is what its merchant bears unless it is won."""
    return {
        "id": ids.text("dp", dispute.id),
        "object": "dispute",
        "payment": ids.text("pay", dispute.payment_id),
        "status": str(dispute.status),
        "amount": _amount(dispute.money.amount, dispute.money.currency),
        "covered": _amount(dispute.covered_amount, dispute.money.currency),
        "reason": dispute.reason,
        "respond_by": timestamp(dispute.respond_by) if dispute.respond_by else None,
        "mode": dispute.mode,
        "created": timestamp(dispute.created_at),
    }


def answer_for_payment(payment: Payment) -> Answer:
    """The answer to the request that created the payment: 201 when decided, 202 when not yet."""
    undecided = payment.status in {Status.PENDING, Status.UNKNOWN, Status.CHALLENGED}
    return to_answer(ACCEPTED if undecided else CREATED, payment_resource(payment))


def answer_for_refund(refund: Refund) -> Answer:
    """The answer to the request that created the refund."""
    undecided = refund.status in {"PENDING", "UNKNOWN"}
    return to_answer(ACCEPTED if undecided else CREATED, refund_resource(refund))


def refusal(operation: str, failure: Failure) -> Answer:
    """The answer to an operation that the gateway refused: the payment is as it was before."""
    body = {
        "type": f"https://docs.paynexus.dev/errors#{operation}_refused",
        "title": "GatewayRefused",
        "status": PAYMENT_REQUIRED,
        "code": f"{operation}_refused",
        "detail": failure.message,
        "gateway_code": failure.code,
        "safe_new_key": True,
    }
    return Answer(
        PAYMENT_REQUIRED, jsontext.write(body), {"Content-Type": jsontext.PROBLEM_MEDIA_TYPE}
    )


def to_answer(status: int, resource: dict[str, Any]) -> Answer:
    """A stored answer with `resource` as its body."""
    return Answer(status, jsontext.write(resource), {})


def timestamp(moment: dt.datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    text = moment.astimezone(dt.UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _amount(amount: int, currency: str) -> dict[str, Any]:
    return {"amount": amount, "currency": currency}


def _failure(failure: Failure | None) -> dict[str, str] | None:
    return {"code": failure.code, "message": failure.message} if failure else None


def _next_action(payment: Payment) -> dict[str, str] | None:
    if payment.status is not Status.CHALLENGED or payment.challenge is not Challenge.REQUIRED:
        return None
    return {
        "type": "challenge",
        "confirm_path": f"/v1/payments/{ids.text('pay', payment.id)}/confirm",
    }

"""Payments over HTTP, after they were taken: capture, cancel, confirm, refund."""

import datetime as dt
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from payments_api.conclusion import conclude, own_payment_id, scope_of
from payments_api.schemas import CancelOrder, CaptureOrder, ConfirmOrder, RefundOrder
from paynexus import http, idempotency, ids, runtime
from paynexus.errors import NotFound
from paynexus.gateways.port import Operation
from paynexus.ids import PaymentId, RefundId
from paynexus.payments import operations, resource
from paynexus.payments.step import Step

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open

# An empty body is one without fields, where none is needed.
WHOLE_CAPTURE, CANCEL, WHOLE_REFUND = CaptureOrder(), CancelOrder(), RefundOrder()


@router.post("/payments/<payment_id>/capture", summary="Capture a payment")
def capture_payment(
    payment_id: str, body: Annotated[CaptureOrder, Body()] = WHOLE_CAPTURE
) -> Response[str]:
    """An AUTHORIZED payment is captured: in parts, or for good, which completes it."""
    own_id, scope, fingerprint, now = _begin(payment_id, "capture", body)
    db = runtime.database()
    begun = operations.capture(
        db,
        scope,
        own_id,
        amount=body.amount,
        is_final=body.final_capture,
        fingerprint=fingerprint,
        now=now,
    )
    step = Step(own_id, Operation.CAPTURE, begun.operation_id)
    return conclude(step, scope, fingerprint=fingerprint, answer=begun.answer)


@router.post("/payments/<payment_id>/cancel", summary="Cancel a payment")
def cancel_payment(payment_id: str, body: Annotated[CancelOrder, Body()] = CANCEL) -> Response[str]:
    """An AUTHORIZED or CHALLENGED payment is given up: nothing more is taken."""
    own_id, scope, fingerprint, now = _begin(payment_id, "cancel", body)
    begun = operations.cancel(runtime.database(), scope, own_id, fingerprint=fingerprint, now=now)
    step = Step(own_id, Operation.CANCEL, begun.operation_id)
    return conclude(step, scope, fingerprint=fingerprint, answer=begun.answer)


@router.post("/payments/<payment_id>/confirm", summary="Answer a payment's challenge")
def confirm_payment(payment_id: str, body: Annotated[ConfirmOrder, Body()]) -> Response[str]:
    """A CHALLENGED payment goes on to its charge, or fails."""
    own_id, scope, fingerprint, now = _begin(payment_id, "confirm", body)
    begun = operations.confirm(
        runtime.database(),
        scope,
        own_id,
        is_authenticated=body.authentication == "authenticated",
        fingerprint=fingerprint,
        now=now,
    )
    return conclude(
        charge_of(own_id),
        scope,
        fingerprint=fingerprint,
        answer=begun.answer,
        operation_id=begun.operation_id,
    )


@router.post("/payments/<payment_id>/refunds", summary="Refund a payment", status_code=201)
def refund_payment(
    payment_id: str, body: Annotated[RefundOrder, Body()] = WHOLE_REFUND
) -> Response[str]:
    """Captured money goes back, whole or in part, as often as some is left."""
    own_id, scope, fingerprint, now = _begin(payment_id, "refunds", body)
    begun = operations.refund(
        runtime.database(),
        scope,
        own_id,
        amount=body.amount,
        reason=body.reason,
        fingerprint=fingerprint,
        now=now,
    )
    step = Step(own_id, Operation.REFUND, begun.operation_id)
    return conclude(step, scope, fingerprint=fingerprint, answer=begun.answer)


@router.get("/refunds/<refund_id>", summary="Read a refund")
def read_refund(refund_id: str) -> Response[str]:
    """The refund as it stands."""
    who = runtime.principal(router)
    try:
        own_id = RefundId(ids.parse("re", refund_id))
    except ValueError:
        raise NotFound("There is no such refund.") from None
    found = operations.find_refund(runtime.database(), own_id, who.merchant_id, who.mode)
    return http.reply(200, resource.refund_resource(found))


def charge_of(payment_id: PaymentId) -> Step:
    """The step that charges the payment."""
    return Step(payment_id, Operation.CHARGE, payment_id)


def _begin(
    payment_id: str, operation: str, body: http.Strict
) -> tuple[PaymentId, idempotency.Scope, bytes, dt.datetime]:
    own_id = own_payment_id(payment_id)
    target = f"/payments/{payment_id}/{operation}"
    scope = scope_of(router, f"POST {target}")
    fingerprint = idempotency.fingerprint_of(target, body.model_dump())
    return own_id, scope, fingerprint, runtime.clock()()

"""Payments over HTTP: take."""

from collections.abc import Mapping
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from payments_api import disputes, operations, reading
from payments_api.conclusion import conclude, scope_of
from payments_api.schemas import PaymentOrder
from paynexus import http, idempotency, runtime
from paynexus.payments import service

app = runtime.merchant_api()
app.include_router(operations.router)
app.include_router(reading.router)
app.include_router(disputes.router)


@app.post("/payments", summary="Take a payment", status_code=201)
def take_payment(body: Annotated[PaymentOrder, Body()]) -> Response[str]:
    """201 when it is decided, 202 when not yet. Needs an Idempotency-Key."""
    scope = scope_of(app, "POST /payments")
    fingerprint = idempotency.fingerprint_of("/payments", body.model_dump())
    now = runtime.clock()()
    known = idempotency.remembered(runtime.cache(), scope, fingerprint=fingerprint, now=now)
    if known is not None:
        return http.raw_reply(known.status, known.body, headers=known.headers)
    accepted = service.accept(
        runtime.database(),
        scope,
        body.to_request(),
        fingerprint=fingerprint,
        now=now,
    )
    step = operations.charge_of(accepted.payment_id)
    return conclude(step, scope, fingerprint=fingerprint, answer=accepted.answer)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.resolve(event, context)

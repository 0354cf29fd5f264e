"""Payments over HTTP: take, read, list."""

from collections.abc import Mapping
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from payments_api import operations
from payments_api.conclusion import conclude, own_payment_id, scope_of
from payments_api.schemas import PaymentOrder
from paynexus import http, idempotency, ids, runtime
from paynexus.errors import InvalidRequest
from paynexus.ids import PaymentId
from paynexus.payments import resource, service

app = runtime.merchant_api()
app.include_router(operations.router)


@app.post("/payments", summary="Take a payment", status_code=201)
def take(body: Annotated[PaymentOrder, Body()]) -> Response[str]:
    """201 when it is decided, 202 when not yet. Needs an Idempotency-Key."""
    scope = scope_of(app, "POST /payments")
    fingerprint = idempotency.fingerprint_of("/payments", body.model_dump())
    known = idempotency.remembered(runtime.cache(), scope, fingerprint=fingerprint)
    if known is not None:
        return http.raw_reply(known.status, known.body, headers=known.headers)
    accepted = service.accept(
        runtime.database(),
        runtime.cache(),
        scope,
        body.to_request(),
        fingerprint=fingerprint,
        now=runtime.clock()(),
    )
    step = operations.charge_of(accepted.payment_id)
    return conclude(step, scope, fingerprint=fingerprint, answer=accepted.answer)


@app.get("/payments", summary="List payments")
def list_payments(
    limit: Annotated[int, Query(ge=1, le=http.PAGE_SIZE_LIMIT)] = http.PAGE_SIZE_DEFAULT,
    starting_after: Annotated[str | None, Query(max_length=64)] = None,
) -> Response[str]:
    """Newest first; `starting_after` is the id of the last payment that was seen."""
    principal = runtime.principal(app)
    found, has_more = service.page(
        runtime.database(),
        principal.merchant_id,
        principal.mode,
        limit=limit,
        before=_cursor(starting_after),
    )
    page = [resource.payment_resource(payment) for payment in found]
    return http.reply(200, http.page(page, has_more=has_more))


@app.get("/payments/<payment_id>", summary="Read a payment")
def read(payment_id: str) -> Response[str]:
    """The payment as it stands."""
    who = runtime.principal(app)
    own_id = own_payment_id(payment_id)
    payment = service.find(runtime.database(), own_id, who.merchant_id, who.mode)
    return http.reply(200, resource.payment_resource(payment))


@app.get("/payments/<payment_id>/timeline", summary="Read a payment's timeline")
def read_timeline(payment_id: str) -> Response[str]:
    """All that happened to the payment: events, attempts at gateways, transfers."""
    who = runtime.principal(app)
    own_id = own_payment_id(payment_id)
    entries = service.timeline(runtime.database(), own_id, who.merchant_id, who.mode)
    return http.reply(200, http.page(entries, has_more=False))


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.resolve(event, context)


def _cursor(text: str | None) -> PaymentId | None:
    try:
        return PaymentId(ids.parse("pay", text)) if text else None
    except ValueError:
        raise InvalidRequest("No such payment id.", param="starting_after") from None

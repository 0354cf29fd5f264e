"""QR codes over HTTP: issue, read, draw, scan."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from paynexus import http, idempotency, runtime
from paynexus.merchants.service import profile_of
from paynexus.qr import image, service, views
from paynexus.qr.model import Order, QrCode
from qr_api.schemas import QrCodeOrder, ScanOrder

app = runtime.merchant_api()


@app.post("/qr-codes", summary="Issue a QR code", status_code=201)
def issue(body: Annotated[QrCodeOrder, Body()]) -> Response[str]:
    """A signed code that one payment can spend. Needs an Idempotency-Key."""
    principal = runtime.principal(app)
    key = idempotency.key_of(app.current_event.headers)
    lifetime = dt.timedelta(seconds=body.expires_in)
    answer = service.issue(
        runtime.database(),
        runtime.qr_keys(),
        Order(body.amount, body.currency, body.reference, lifetime),
        scope=idempotency.Scope(principal.merchant_id, principal.mode, "POST /qr-codes", key),
        fingerprint=idempotency.fingerprint_of("/qr-codes", body.model_dump()),
        now=runtime.clock()(),
    )
    return http.raw_reply(answer.status, answer.body, headers=answer.headers)


@app.get("/qr-codes/<qr_code_id>", summary="Read a QR code")
def read(qr_code_id: str) -> Response[str]:
    """The code and what became of it."""
    code = _own_code(qr_code_id)
    return http.reply(200, views.resource(code, now=runtime.clock()()))


# Without validation: Powertools would read a picture's bytes as text.
@app.get(
    "/qr-codes/<qr_code_id>/image",
    summary="Draw a QR code",
    enable_validation=False,
    responses={200: {"description": "The picture", "content": {image.SVG: {}, image.PNG: {}}}},
)
def draw(qr_code_id: str) -> Response[Any]:
    """SVG, or PNG for `Accept: image/png`."""
    code = _own_code(qr_code_id)
    media_type, picture = image.draw(code.payload, app.current_event.headers.get("accept") or "")
    return Response(status_code=200, content_type=media_type, body=picture)


@app.post("/qr-codes/scan", summary="Scan a QR code")
def scan(body: Annotated[ScanOrder, Body()]) -> Response[str]:
    """What is asked for, and the `qr_code` token that a payment spends."""
    principal = runtime.principal(app)
    found = service.scan(
        runtime.database(),
        runtime.qr_keys(),
        body.payload,
        merchant_id=principal.merchant_id,
        mode=principal.mode,
        now=runtime.clock()(),
    )
    profile = profile_of(runtime.database(), principal.merchant_id)
    return http.reply(200, views.scan_resource(found, merchant_name=profile.merchant.name))


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.resolve(event, context)


def _own_code(qr_code_id: str) -> QrCode:
    who = runtime.principal(app)
    return service.find(runtime.database(), qr_code_id, merchant_id=who.merchant_id, mode=who.mode)

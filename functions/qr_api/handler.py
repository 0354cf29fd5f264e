"""QR codes over HTTP: issue, read, scan."""

from collections.abc import Mapping
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from paynexus import http, idempotency, runtime
from paynexus.qr import service, views
from qr_api import pictures
from qr_api.pictures import merchant_name, own_code
from qr_api.schemas import QrCodeOrder, ScanOrder

app = runtime.merchant_api()
app.include_router(pictures.router)


@app.post("/qr-codes", summary="Issue a QR code", status_code=201)
def issue(body: Annotated[QrCodeOrder, Body()]) -> Response[str]:
    """A signed code that one payment can spend, or many. Needs an Idempotency-Key."""
    principal = runtime.principal(app)
    key = idempotency.key_of(app.current_event.headers)
    answer = service.issue(
        runtime.database(),
        runtime.qr_keys(),
        body.to_order(),
        scope=idempotency.Scope(principal.merchant_id, principal.mode, "POST /qr-codes", key),
        fingerprint=idempotency.fingerprint_of("/qr-codes", body.model_dump()),
        now=runtime.clock()(),
    )
    return http.raw_reply(answer.status, answer.body, headers=answer.headers)


@app.get("/qr-codes/<qr_code_id>", summary="Read a QR code")
def read(qr_code_id: str) -> Response[str]:
    """The code and what became of it."""
    code = own_code(app, qr_code_id)
    return http.reply(200, views.resource(code, now=runtime.clock()()))


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
    return http.reply(200, views.scan_resource(found, merchant_name=merchant_name(found.code)))


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.resolve(event, context)

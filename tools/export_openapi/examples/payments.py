"""Examples of payments and what follows them, of QR codes, and of gateways' callbacks."""

from tools.export_openapi.examples.exchange import (
    EUR_12_50,
    ID,
    PAYMENT,
    TRANSFER,
    Example,
    one_page,
    said,
)

_ORDER = {
    "amount": 1250,
    "currency": "EUR",
    "payment_method": "tok_approve",
    "reference": "order-4711",
    "description": "Two coffees and a croissant",
    "customer": {"id": "customer-42"},
    "metadata": {"table": "7"},
}
_COMPLETED, _CHALLENGED = said("payment.completed.v1"), said("payment.challenged.v1")
_DEAR = {"amount": 75000, "currency": "EUR"}
_AUTHORIZED = said("payment.authorized.v1")
_CAPTURED = _COMPLETED | {"capture": "manual"}
_PENDING = said("refund.created.v1") | {"status": "UNKNOWN"}
_QR = {
    "id": f"qr_{ID}",
    "object": "qr_code",
    "status": "active",
    "payload": "00020101021226…6304A1B2",
    "amount": EUR_12_50,
    "currency": "EUR",
    "reference": "table-7",
    "usage": "single",
    "expires": "2026-11-22T16:55:00+00:00",
    "scanned": None,
    "payment": None,
    "mode": "test",
    "created": "2026-11-22T16:50:00.123456+00:00",
}
_TIMELINE = (
    {
        "id": f"1795366200123456-0-{ID}",
        "at": "2026-11-22T16:50:00.123Z",
        "kind": "request",
        "key": "order-4711",
        "operation": "POST /payments",
    },
    {
        "id": f"1795366200123456-1-{ID}",
        "at": "2026-11-22T16:50:00.123Z",
        "kind": "transfer",
        "amount": EUR_12_50,
        "object_id": PAYMENT,
        "state": "pending",
        "transfer": TRANSFER,
        "transfer_kind": "payment",
    },
)

PAYMENTS: dict[str, tuple[Example, ...]] = {
    "take_payment": (
        Example("Paid at once", _COMPLETED, 201, _ORDER),
        Example(
            "Held, to be captured later",
            _AUTHORIZED,
            201,
            _ORDER | {"capture": "manual"},
        ),
        Example(
            "The payer has to prove who they are",
            _CHALLENGED | {"amount": _DEAR},
            202,
            _ORDER | {"amount": 75000},
        ),
    ),
    "list_payments": (Example("One payment", one_page(_COMPLETED), query={"limit": "20"}),),
    "read_payment": (Example("A payment", _COMPLETED),),
    "read_payment_timeline": (Example("Its first items", one_page(*_TIMELINE)),),
    "capture_payment": (
        Example("All of it", _CAPTURED, request={}),
        Example(
            "A part, with more to follow",
            said("payment.partially_captured.v1"),
            request={"amount": 500, "final_capture": False},
        ),
        Example("The gateway has not said yet", _AUTHORIZED, 202, {}),
    ),
    "cancel_payment": (
        Example("Released", said("payment.canceled.v1"), request={}),
        Example("The gateway has not said yet", _AUTHORIZED, 202, {}),
    ),
    "confirm_payment": (
        Example(
            "The payer has proved it",
            _COMPLETED | {"amount": _DEAR, "captured": _DEAR},
            request={"authentication": "authenticated"},
        ),
        Example(
            "The gateway has not said yet",
            said("payment.unknown.v1") | {"amount": _DEAR},
            202,
            {"authentication": "authenticated"},
        ),
    ),
    "refund_payment": (
        Example(
            "A part goes back",
            said("refund.completed.v1"),
            201,
            {"amount": 450, "reason": "The croissant was sold out"},
        ),
        Example(
            "The gateway has not said yet",
            _PENDING,
            202,
            {"amount": 450, "reason": "The croissant was sold out"},
        ),
    ),
    "read_refund": (Example("A refund", said("refund.completed.v1")),),
    "list_disputes": (Example("One dispute", one_page(said("dispute.opened.v1"))),),
    "read_dispute": (Example("A dispute", said("dispute.opened.v1")),),
    "issue_qr_code": (
        Example(
            "A code for one order",
            _QR,
            201,
            {"amount": 1250, "currency": "EUR", "reference": "table-7"},
        ),
        Example(
            "A code for a counter, paid by many",
            _QR | {"amount": None, "usage": "static", "expires": None},
            201,
            {"currency": "EUR", "usage": "static", "reference": "counter"},
        ),
    ),
    "publish_qr_keys": (
        Example(
            "One key",
            {
                "keys": [
                    {
                        "kty": "OKP",
                        "crv": "Ed25519",
                        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                        "kid": "21fe31df",
                        "use": "sig",
                        "alg": "EdDSA",
                    }
                ]
            },
        ),
    ),
    "read_qr_code": (Example("A code", _QR),),
    "draw_qr_code": (Example("A picture", "<svg …/>", media_type="image/svg+xml"),),
    "scan_qr_code": (
        Example(
            "What the payer is shown",
            {
                "object": "qr_scan",
                "qr_code": "qrt_dGhpcyBpcyBub3QgYSB0b2tlbiE",
                "id": f"qr_{ID}",
                "merchant": {"id": f"mer_{ID}", "name": "Café Müller"},
                "amount": EUR_12_50,
                "currency": "EUR",
                "reference": "table-7",
                "usage": "single",
                "expires": "2026-11-22T16:55:00.123456+00:00",
                "mode": "test",
            },
            request={"payload": _QR["payload"]},
        ),
    ),
    "take_callback": (
        Example(
            "A charge was approved",
            {"received": True},
            request={
                "id": f"cb_{ID}",
                "operation": {"reference": ID, "operation": "charge", "status": "approved"},
            },
        ),
    ),
}
"""By operation."""

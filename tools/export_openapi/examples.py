"""Believable requests and answers, by operation. tests/integration/api sends each of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from paynexus.events import FACTS
from paynexus.http import JSON
from tools.export_openapi.answers import CSV

_ID = "01jd3x8k5v7wqs2r9h4mc6t0ne"
_CREATED = "2026-11-22T16:50:00.123456Z"
_EUR_12_50 = {"amount": 1250, "currency": "EUR"}
_PAYMENT, _TRANSFER, _SETTLEMENT = f"pay_{_ID}", f"tr_{_ID}", f"set_{_ID}"


@dataclass(frozen=True, slots=True)
class Example:
    """One exchange: what is sent, if anything, and what comes back with which status."""

    title: str
    answer: Any
    status: int = 200
    request: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    media_type: str = JSON


def _said(kind: str) -> dict[str, Any]:
    """The object as the fact's sample tells of it."""
    return dict(FACTS[kind].sample["data"])


def _one(*items: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    return {"data": list(items), "has_more": False}


_ORDER = {
    "amount": 1250,
    "currency": "EUR",
    "payment_method": "tok_approve",
    "reference": "order-4711",
    "description": "Two coffees and a croissant",
    "customer": {"id": "customer-42"},
    "metadata": {"table": "7"},
}
_COMPLETED, _CHALLENGED = _said("payment.completed.v1"), _said("payment.challenged.v1")
_DEAR = {"amount": 75000, "currency": "EUR"}
_AUTHORIZED = _said("payment.authorized.v1")
_CAPTURED = _COMPLETED | {"capture": "manual"}
_PENDING = _said("refund.created.v1") | {"status": "UNKNOWN"}
_SETTLED = _said("settlement.paid.v1")
_QR = {
    "id": f"qr_{_ID}",
    "object": "qr_code",
    "status": "active",
    "payload": "00020101021226…6304A1B2",
    "amount": _EUR_12_50,
    "currency": "EUR",
    "reference": "table-7",
    "usage": "single",
    "expires": "2026-11-22T16:55:00+00:00",
    "scanned": None,
    "payment": None,
    "mode": "test",
    "created": "2026-11-22T16:50:00.123456+00:00",
}
_MERCHANT = {
    "id": f"mer_{_ID}",
    "object": "merchant",
    "name": "Café Müller",
    "country": "DE",
    "configuration": {"fraud": {"challenge_above_minor": 50000}},
    "fees": [{"currency": "EUR", "basis_points": 150, "fixed": {"amount": 25, "currency": "EUR"}}],
    "payout_accounts": [
        {"currency": "EUR", "holder": "Café Müller", "iban": "DE89…3000", "bic": None}
    ],
    "mode": "test",
    "created": "2026-11-01T09:00:00.123456+00:00",
}
_ENDPOINT = {
    "id": f"we_{_ID}",
    "object": "webhook_endpoint",
    "url": "https://merchant.example/hooks/paynexus",
    "description": "The till's back office",
    "event_types": ["payment.completed.v1", "refund.completed.v1"],
    "status": "enabled",
    "disabled_reason": None,
    "mode": "test",
    "created": _CREATED,
}
_SECRET = _ENDPOINT | {"secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}
_DELIVERY = {
    "id": f"del_{_ID}",
    "object": "delivery",
    "event": f"evt_{_ID}",
    "event_type": "payment.completed.v1",
    "endpoint": f"we_{_ID}",
    "object_id": _PAYMENT,
    "sequence": 2,
    "state": "pending",
    "next_attempt": _CREATED,
    "attempts": [],
    "mode": "test",
    "created": _CREATED,
}
_BALANCE = {
    "object": "balance",
    "currency": "EUR",
    "pending": {"amount": 0, "currency": "EUR"},
    "posted": {"amount": 1206, "currency": "EUR"},
    "available": {"amount": 1206, "currency": "EUR"},
}
_LINE = {
    "entry": "1795366200123456000",
    "kind": "payment",
    "object_id": _PAYMENT,
    "payment": _PAYMENT,
    "amount": _EUR_12_50,
    "created": "2026-11-22T16:50:00.123456+00:00",
}
_TIMELINE = (
    {
        "id": f"1795366200123456-0-{_ID}",
        "at": "2026-11-22T16:50:00.123Z",
        "kind": "request",
        "key": "order-4711",
        "operation": "POST /payments",
    },
    {
        "id": f"1795366200123456-1-{_ID}",
        "at": "2026-11-22T16:50:00.123Z",
        "kind": "transfer",
        "amount": _EUR_12_50,
        "object_id": _PAYMENT,
        "state": "pending",
        "transfer": _TRANSFER,
        "transfer_kind": "payment",
    },
)

EXAMPLES: Mapping[str, tuple[Example, ...]] = MappingProxyType(
    {
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
        "list_payments": (Example("One payment", _one(_COMPLETED), query={"limit": "20"}),),
        "read_payment": (Example("A payment", _COMPLETED),),
        "read_payment_timeline": (Example("Its first items", _one(*_TIMELINE)),),
        "capture_payment": (
            Example("All of it", _CAPTURED, request={}),
            Example(
                "A part, with more to follow",
                _said("payment.partially_captured.v1"),
                request={"amount": 500, "final_capture": False},
            ),
            Example("The gateway has not said yet", _AUTHORIZED, 202, {}),
        ),
        "cancel_payment": (
            Example("Released", _said("payment.canceled.v1"), request={}),
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
                _said("payment.unknown.v1") | {"amount": _DEAR},
                202,
                {"authentication": "authenticated"},
            ),
        ),
        "refund_payment": (
            Example(
                "A part goes back",
                _said("refund.completed.v1"),
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
        "read_refund": (Example("A refund", _said("refund.completed.v1")),),
        "list_disputes": (Example("One dispute", _one(_said("dispute.opened.v1"))),),
        "read_dispute": (Example("A dispute", _said("dispute.opened.v1")),),
        "issue_qr_code": (
            Example(
                "A code for one order",
                _QR,
                201,
                {"amount": 1250, "currency": "EUR", "reference": "table-7"},
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
                    "id": f"qr_{_ID}",
                    "merchant": {"id": f"mer_{_ID}", "name": "Café Müller"},
                    "amount": _EUR_12_50,
                    "currency": "EUR",
                    "reference": "table-7",
                    "expires": "2026-11-22T16:55:00.123456+00:00",
                    "mode": "test",
                },
                request={"payload": _QR["payload"]},
            ),
        ),
        "read_merchant": (Example("The merchant", _MERCHANT),),
        "change_merchant": (
            Example(
                "A limit of its own",
                _MERCHANT,
                request={"configuration": {"fraud": {"challenge_above_minor": 50000}}},
            ),
        ),
        "read_balances": (
            Example("What is owed now", _one(_BALANCE)),
            Example(
                "What was owed then",
                _one(_BALANCE | {"at": "2026-11-22T17:00:00+00:00", "known_at": _CREATED}),
                query={"at": "2026-11-22T17:00:00+00:00"},
            ),
        ),
        "list_ledger_entries": (
            Example(
                "One entry",
                _one(
                    {
                        "id": _LINE["entry"],
                        "object": "ledger_entry",
                        "transfer": _TRANSFER,
                        "kind": "payment",
                        "type": "posted",
                        "amount": _EUR_12_50,
                        "balance_after": _EUR_12_50,
                        "object_id": _PAYMENT,
                        "created": "2026-11-22T16:50:00.123456+00:00",
                    }
                ),
            ),
        ),
        "list_settlements": (Example("One settlement", _one(_SETTLED)),),
        "read_settlement": (Example("A settlement", _SETTLED),),
        "read_settlement_statement": (
            Example(
                "What it is made of",
                {
                    "object": "settlement_statement",
                    "settlement": _SETTLED,
                    "lines": [_LINE],
                    "total": _EUR_12_50,
                },
            ),
            Example(
                "The same as CSV",
                "entry,created,kind,object,payment,amount,currency\r\n",
                media_type=CSV,
            ),
        ),
        "create_webhook_endpoint": (
            Example(
                "Two kinds of events",
                _SECRET,
                201,
                {name: _ENDPOINT[name] for name in ("url", "description", "event_types")},
            ),
        ),
        "list_webhook_endpoints": (Example("One endpoint", _one(_ENDPOINT)),),
        "read_webhook_endpoint": (Example("An endpoint", _ENDPOINT),),
        "change_webhook_endpoint": (
            Example(
                "Stopped for a while",
                _ENDPOINT | {"status": "disabled", "disabled_reason": "merchant"},
                request={"status": "disabled"},
            ),
        ),
        "delete_webhook_endpoint": (
            Example(
                "It is gone",
                {"id": f"we_{_ID}", "object": "webhook_endpoint", "deleted": True},
            ),
        ),
        "rotate_webhook_secret": (Example("The new secret", _SECRET),),
        "list_events": (Example("One event", _one(dict(FACTS["payment.completed.v1"].sample))),),
        "read_event": (Example("An event", dict(FACTS["payment.completed.v1"].sample)),),
        "list_deliveries": (Example("One delivery", _one(_DELIVERY)),),
        "retry_delivery": (Example("It is attempted at once", _DELIVERY, 202),),
        "take_callback": (
            Example(
                "A charge was approved",
                {"received": True},
                request={
                    "id": f"cb_{_ID}",
                    "operation": {"reference": _ID, "operation": "charge", "status": "approved"},
                },
            ),
        ),
        "issue_token": (
            Example(
                "A token",
                {
                    "access_token": "eyJhbGciOiJFUzI1NiIs…",
                    "token_type": "Bearer",
                    "expires_in": 900,
                    "scope": "payments:read payments:write",
                },
                request={
                    "grant_type": "client_credentials",
                    "scope": "payments:read payments:write",
                },
            ),
        ),
        "publish_keys": (
            Example(
                "One key",
                {
                    "keys": [
                        {
                            "kty": "EC",
                            "crv": "P-256",
                            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                            "kid": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
                            "use": "sig",
                            "alg": "ES256",
                        }
                    ]
                },
            ),
        ),
        "answer_health": (Example("Alive", {"status": "ok"}),),
    }
)

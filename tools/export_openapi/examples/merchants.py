"""Examples of a merchant's record, money, settlements, webhooks and tokens."""

from paynexus import versions
from paynexus.events import FACTS
from paynexus.settlement.merchant.forms import CSV, XML
from tools.export_openapi.examples.exchange import (
    CREATED,
    EUR_12_50,
    ID,
    PAYMENT,
    TRANSFER,
    Example,
    one_page,
    said,
)

_COMPLETED = dict(FACTS["payment.completed.v1"].sample)
_SETTLED = said("settlement.paid.v1")
_SHARE = {"count": 0, "amount": {"amount": 0, "currency": "EUR"}}
_DETAIL = {
    **_SETTLED,
    "summary": {
        "payments": {"count": 81, "amount": {"amount": 101250, "currency": "EUR"}},
        "refunds": {"count": 1, "amount": {"amount": -1250, "currency": "EUR"}},
        "fees": {"count": 81, "amount": {"amount": -1845, "currency": "EUR"}},
        "disputes": _SHARE,
        "adjustments": _SHARE,
        "returned_payouts": _SHARE,
        "reserves_released": _SHARE,
    },
    "carried_over": _SHARE,
    "reserve_release": None,
    "paid": CREATED,
    "returned": None,
}
_RESERVE = {"basis_points": 0, "days": 0}
_NEXT = {
    "object": "next_settlement",
    "currency": "EUR",
    "mode": "test",
    "amount": {"amount": 1206, "currency": "EUR"},
    "cutoff": "2026-11-22T23:00:00+00:00",
    "instructed_on": "2026-11-23",
    "expected_on": "2026-11-24",
    "minimum": {"amount": 2000, "currency": "EUR"},
    "reserve": _RESERVE,
    "payout_account": {"holder": "Café Müller", "iban": "DE89…3000", "bic": None},
    "waits_for": [
        {
            "code": "below_minimum",
            "message": "It is less than the minimum: it is paid with later sales.",
            "until": None,
        }
    ],
}
_TERMS = {
    "currency": "EUR",
    "frequency": "daily",
    "weekday": None,
    "month_day": None,
    "cutoff_time": "00:00",
    "time_zone": "Europe/Berlin",
    "calendar": "TARGET2",
    "minimum": {"amount": 0, "currency": "EUR"},
    "reserve": _RESERVE,
}
_MERCHANT = {
    "id": f"mer_{ID}",
    "object": "merchant",
    "name": "Café Müller",
    "country": "DE",
    "city": "Berlin",
    "category_code": "5812",
    "configuration": {"fraud": {"challenge_above_minor": 50000}},
    "fees": [{"currency": "EUR", "basis_points": 150, "fixed": {"amount": 25, "currency": "EUR"}}],
    "payout_accounts": [
        {"currency": "EUR", "holder": "Café Müller", "iban": "DE89…3000", "bic": None}
    ],
    "settlement_terms": [_TERMS],
    "mode": "test",
    "created": "2026-11-01T09:00:00.123456+00:00",
}
_ENDPOINT = {
    "id": f"we_{ID}",
    "object": "webhook_endpoint",
    "url": "https://merchant.example/hooks/paynexus",
    "description": "The till's back office",
    "event_types": ["payment.completed.v1", "refund.completed.v1"],
    "status": "enabled",
    "disabled_reason": None,
    "mode": "test",
    "created": CREATED,
}
_SECRET = _ENDPOINT | {"secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}
_DELIVERY = {
    "id": f"del_{ID}",
    "object": "delivery",
    "event": f"evt_{ID}",
    "event_type": "payment.completed.v1",
    "endpoint": f"we_{ID}",
    "object_id": PAYMENT,
    "sequence": 2,
    "state": "pending",
    "next_attempt": CREATED,
    "attempts": [],
    "mode": "test",
    "created": CREATED,
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
    "object_id": PAYMENT,
    "payment": PAYMENT,
    "amount": EUR_12_50,
    "carried_over": False,
    "created": "2026-11-22T16:50:00.123456+00:00",
}
_CLIENT = {
    "id": "pnx_test_4fQ2mB7sT9xKd0Zr1LhWvN",
    "object": "client",
    "name": "Till 4",
    "scopes": ["payments:read", "payments:write"],
    "api_version": versions.NEWEST,
    "former_secret_expires": None,
    "mode": "test",
    "created": CREATED,
}
_CREDENTIALS = _CLIENT | {"client_secret": "pnx_secret_test_…"}
MERCHANTS: dict[str, tuple[Example, ...]] = {
    "create_client": (
        Example(
            "For a till",
            _CREDENTIALS,
            201,
            {"name": "Till 4", "scopes": ["payments:read", "payments:write"]},
        ),
    ),
    "list_clients": (Example("One client", one_page(_CLIENT)),),
    "read_client": (Example("A client", _CLIENT),),
    "revoke_client": (
        Example("It is revoked", {"id": _CLIENT["id"], "object": "client", "revoked": True}),
    ),
    "rotate_client_secret": (
        Example(
            "Both are honoured for an hour",
            _CREDENTIALS | {"former_secret_expires": CREATED},
            request={"former_expires_in": 3600},
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
        Example("What is owed now", one_page(_BALANCE)),
        Example(
            "What was owed then",
            one_page(_BALANCE | {"at": "2026-11-22T17:00:00+00:00", "known_at": CREATED}),
            query={"at": "2026-11-22T17:00:00+00:00"},
        ),
    ),
    "list_ledger_entries": (
        Example(
            "One entry",
            one_page(
                {
                    "id": _LINE["entry"],
                    "object": "ledger_entry",
                    "transfer": TRANSFER,
                    "kind": "payment",
                    "type": "posted",
                    "amount": EUR_12_50,
                    "balance_after": EUR_12_50,
                    "object_id": PAYMENT,
                    "created": "2026-11-22T16:50:00.123456+00:00",
                }
            ),
        ),
    ),
    "list_settlements": (Example("One settlement", one_page(_SETTLED)),),
    "read_next_settlements": (Example("What is paid next", one_page(_NEXT)),),
    "read_settlement": (Example("A settlement", _DETAIL),),
    "read_settlement_statement": (
        Example(
            "What it is made of",
            {
                "object": "settlement_statement",
                "settlement": _SETTLED,
                "lines": [_LINE],
                "has_more": False,
                "total": _SETTLED["amount"],
            },
        ),
        Example(
            "The same as CSV",
            "entry,created,kind,object,payment,amount,currency,carried_over\r\n",
            media_type=CSV,
        ),
        Example(
            "The same as camt.053",
            '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">…</Document>',
            media_type=XML,
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
    "list_webhook_endpoints": (Example("One endpoint", one_page(_ENDPOINT)),),
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
            {"id": f"we_{ID}", "object": "webhook_endpoint", "deleted": True},
        ),
    ),
    "rotate_webhook_secret": (Example("The new secret", _SECRET),),
    "list_events": (Example("One event", one_page(_COMPLETED)),),
    "read_event": (Example("An event", _COMPLETED),),
    "list_deliveries": (Example("One delivery", one_page(_DELIVERY)),),
    "retry_delivery": (Example("It is attempted at once", _DELIVERY, 202),),
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
"""By operation."""

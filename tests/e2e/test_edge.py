"""The deployed edge: scopes, bodies that are none or no JSON, methods that a path lacks."""

import base64
import json

import pytest

from tests.e2e.client import Answer, Client, card

pytestmark = pytest.mark.e2e

ORDER = {"amount": 1250, "currency": "EUR", "payment_method": "tok_approve"}
PROBLEM = "application/problem+json"


def narrowed(merchant: Client, scope: str) -> str:
    """A token of the merchant's that allows this much."""
    basic = base64.b64encode(f"{merchant.client_id}:{merchant.client_secret}".encode()).decode()
    answer = merchant.raw(
        "POST",
        "/oauth/token",
        text=f"grant_type=client_credentials&scope={scope}",
        authorization=f"Basic {basic}",
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.json["scope"] == scope, answer
    token: str = answer.json["access_token"]
    return token


def asked(merchant: Client, token: str, method: str, path: str) -> Answer:
    """The answer to a request under this token."""
    return merchant.raw(method, path, authorization=f"Bearer {token}")


def test_a_narrowed_token_opens_its_routes_and_no_others(merchant: Client) -> None:
    """Also when API Gateway has kept the authorizer's answer: it knows the scope, not the route."""
    token = narrowed(merchant, "payments:read")

    read = asked(merchant, token, "GET", "/payments")
    paths = {
        "POST /payments": "payments:write",
        "POST /payments/pay_x/refunds": "refunds:write",
        "GET /balances": "settlements:read",
        "GET /events": "webhooks:*",
        "POST /qr-codes": "qr:*",
        "PATCH /merchant": "admin",
    }

    assert read.status == 200, read
    for route, scope in paths.items():
        refused = asked(merchant, token, *route.split(" "))
        assert (refused.status, refused.headers["Content-Type"]) == (403, PROBLEM), refused
        assert refused.json["scope"] == scope
    assert asked(merchant, token, "GET", "/payments").status == 200


def test_no_body_is_an_empty_one_where_no_field_is_needed(merchant: Client) -> None:
    """As API Gateway hands it over: null."""
    held = merchant.pay(capture="manual").json["id"]
    captured = merchant.send("POST", f"/payments/{held}/capture", headers={"idempotency-key": held})
    refunded = merchant.send(
        "POST", f"/payments/{held}/refunds", headers={"idempotency-key": f"{held}/r"}
    )
    other = merchant.pay(capture="manual").json["id"]
    canceled = merchant.send(
        "POST", f"/payments/{other}/cancel", headers={"idempotency-key": other}
    )
    nothing = merchant.send("POST", "/payments", headers={"idempotency-key": "nothing"})

    assert (captured.status, captured.json["status"]) == (200, "COMPLETED"), captured
    assert (refunded.status, refunded.json["status"]) == (201, "COMPLETED"), refunded
    assert (canceled.status, canceled.json["status"]) == (200, "CANCELED"), canceled
    assert (nothing.status, nothing.json["detail"]) == (
        400,
        "The body is empty; send a JSON object.",
    )


@pytest.mark.parametrize(
    "media_type", ["application/x-www-form-urlencoded", "text/plain", "image/png"]
)
def test_a_body_that_is_no_json_is_refused(merchant: Client, media_type: str) -> None:
    """Also of the type that API Gateway sends on as base64."""
    order = {**ORDER, "payment_method": card()}
    answer = merchant.send(
        "POST",
        "/payments",
        text=json.dumps(order),
        headers={"content-type": media_type, "idempotency-key": media_type},
    )

    assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type"), answer
    assert answer.headers["Content-Type"] == PROBLEM


@pytest.mark.parametrize("field", ["description", "reference"])
def test_a_card_number_is_refused_wherever_it_stands(merchant: Client, field: str) -> None:
    """400 names the field."""
    answer = merchant.post("/payments", {**ORDER, field: "4242 4242 4242 4242"})

    assert (answer.status, answer.json["param"]) == (400, field), answer


def test_no_web_page_may_call_unless_its_origin_is_configured(merchant: Client) -> None:
    """A preflight is answered without a token, and allows no origin."""
    preflight = merchant.raw(
        "OPTIONS",
        "/payments",
        origin="https://shop.example",
        access_control_request_method="POST",
    )

    assert preflight.headers.get("Access-Control-Allow-Origin", "") == "", preflight

"""A merchant's day on the deployed stack, each part of it on its own."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xml.etree import ElementTree as ET

import jwt
import pytest
import urllib3

from tests.e2e.client import Answer, Client, card
from tests.e2e.facts import require_order, verified
from tests.e2e.stack import Stack, charge_of
from tests.e2e.waiting import eventually
from tests.e2e.webhooks import Endpoint, listen
from tests.qr_reader import read_picture

pytestmark = pytest.mark.e2e

RACERS = 8
DAYS_TO_THE_STATEMENT = 4
"""Over the longest weekend of the bank's calendar."""


@pytest.fixture(scope="module")
def endpoint(stack: Stack, merchant: Client) -> Endpoint:
    """Where this module's merchant is told of everything."""
    return listen(stack, merchant)


@pytest.fixture
def seller(stack: Stack) -> Iterator[Client]:
    """A merchant whose books are empty when the test begins."""
    client = stack.merchant(f"Seller {secrets.token_hex(6)}")
    yield client
    client.close()


def test_client_credentials_buy_a_token_that_the_published_keys_verify(merchant: Client) -> None:
    """OAuth client credentials, and the keys for whoever wants to look."""
    token = merchant.ask_token()
    keys = merchant.raw("GET", "/.well-known/jwks.json")

    assert token.json["token_type"] == "Bearer"
    assert token.json["expires_in"] == 900
    access = token.json["access_token"]
    # The one that signs, and the one that will.
    assert len(keys.json["keys"]) == 2
    key = jwt.PyJWKSet.from_dict(keys.json)[jwt.get_unverified_header(access)["kid"]]
    claims = jwt.decode(access, key, algorithms=["ES256"], audience="paynexus-api")
    assert claims["sub"] == merchant.client_id
    assert merchant.raw("GET", "/health").json == {"status": "ok"}


def test_a_payment_is_approved_and_its_repetition_answered_byte_for_byte(
    merchant: Client,
) -> None:
    """1.5 % of 12.50 and 25 cents are its fee."""
    key, method = secrets.token_hex(12), card()

    first = merchant.pay(1250, key=key, payment_method=method)
    again = merchant.pay(1250, key=key, payment_method=method)

    payment = first.json
    assert (first.status, payment["status"]) == (201, "COMPLETED")
    assert payment["captured"] == {"amount": 1250, "currency": "EUR"}
    assert payment["fee"] == {"amount": 19 + 25, "currency": "EUR"}
    assert (again.status, again.body) == (first.status, first.body)
    assert (first.is_replay, again.is_replay) == (False, True)
    assert merchant.get(f"/payments/{payment['id']}").json == payment


def test_a_key_does_not_stand_for_two_payments(merchant: Client) -> None:
    """Not even if one cent differs."""
    key, method = secrets.token_hex(12), card()
    merchant.pay(1250, key=key, payment_method=method)

    other = merchant.pay(1251, key=key, payment_method=method)

    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")


def test_one_key_sent_by_eight_at_once_is_one_payment(stack: Stack, merchant: Client) -> None:
    """Whoever comes first pays; all are told the same in the end."""
    charged_before = len(stack.charges())
    order = {"amount": 1250, "currency": "EUR", "payment_method": card()}
    key = secrets.token_hex(12)

    with ThreadPoolExecutor(RACERS) as racers:
        racing = [
            racers.submit(merchant.settle, "/payments", order, key=key) for _ in range(RACERS)
        ]
    answers = [one.result() for one in racing]

    assert {(answer.status, answer.body) for answer in answers} == {(201, answers[0].body)}
    charges = [charge["reference"] for charge in stack.charges()[charged_before:]]
    assert charges == [charge_of(answers[0].json["id"])]


def test_of_racing_refunds_only_what_was_paid_goes_back(merchant: Client) -> None:
    """Four times 1000 out of 3000."""
    path = f"/payments/{merchant.pay(3000).json['id']}"

    with ThreadPoolExecutor(4) as racers:
        racing = [
            racers.submit(merchant.settle, f"{path}/refunds", {"amount": 1000}) for _ in range(4)
        ]

    assert sorted(one.result().status for one in racing) == [201, 201, 201, 400]
    assert merchant.get(path).json["refunded"]["amount"] == 3000


def test_a_payment_is_declined(merchant: Client) -> None:
    """A decline is an answer, not an error."""
    answer = merchant.pay(1250, payment_method=card("decline_insufficient_funds"))

    assert (answer.status, answer.json["status"]) == (201, "FAILED")
    assert answer.json["failure"]["code"] == "insufficient_funds"
    assert answer.json["captured"]["amount"] == 0


@pytest.mark.parametrize(
    ("authentication", "status"), [("authenticated", "COMPLETED"), ("failed", "FAILED")]
)
def test_a_large_payment_is_challenged_and_goes_as_the_answer_goes(
    merchant: Client, authentication: str, status: str
) -> None:
    """Above 500.00 the payer is asked."""
    challenged = merchant.pay(60_000)
    path = f"/payments/{challenged.json['id']}"
    assert (challenged.status, challenged.json["status"]) == (202, "CHALLENGED")
    assert challenged.json["next_action"]["confirm_path"] == f"/v1{path}/confirm"

    answer = merchant.post(f"{path}/confirm", {"authentication": authentication})

    assert (answer.status, answer.json["status"]) == (200, status)
    assert merchant.get(path).json["status"] == status


def test_a_huge_payment_is_blocked_before_any_gateway_hears_of_it(
    stack: Stack, merchant: Client
) -> None:
    """Above 10,000.00 nobody is asked."""
    answer = merchant.pay(2_000_000)

    assert (answer.status, answer.json["status"]) == (201, "FAILED")
    assert answer.json["failure"]["code"] == "fraud_blocked"
    assert stack.charge(answer.json["id"]) is None


def test_an_authorized_payment_is_captured_in_part(stack: Stack, merchant: Client) -> None:
    """The rest is never taken."""
    authorized = merchant.pay(5000, capture="manual")
    path = f"/payments/{authorized.json['id']}"
    assert (authorized.status, authorized.json["status"]) == (201, "AUTHORIZED")

    answer = merchant.post(f"{path}/capture", {"amount": 2000})

    assert (answer.status, answer.json["status"]) == (200, "COMPLETED")
    assert answer.json["captured"]["amount"] == 2000
    charge = stack.charge(authorized.json["id"])
    assert charge is not None
    assert charge["captured"] == 2000


def test_an_authorized_payment_is_canceled(stack: Stack, merchant: Client) -> None:
    """Nothing is taken, and nothing can be any more."""
    authorized = merchant.pay(5000, capture="manual")
    path = f"/payments/{authorized.json['id']}"

    answer = merchant.post(f"{path}/cancel")

    assert (answer.status, answer.json["status"]) == (200, "CANCELED")
    charge = stack.charge(authorized.json["id"])
    assert charge is not None
    assert charge["canceled"]
    assert merchant.post(f"{path}/capture").json["code"] == "invalid_state"


def test_a_payment_is_refunded_in_parts_and_never_beyond(merchant: Client) -> None:
    """Without an amount, all that is left."""
    path = f"/payments/{merchant.pay(3000).json['id']}"

    part = merchant.post(f"{path}/refunds", {"amount": 1000, "reason": "one was broken"})
    rest = merchant.post(f"{path}/refunds")
    more = merchant.post(f"{path}/refunds", {"amount": 1})

    assert [part.status, rest.status, more.status] == [201, 201, 400]
    assert [part.json["amount"]["amount"], rest.json["amount"]["amount"]] == [1000, 2000]
    assert part.json["status"] == rest.json["status"] == "COMPLETED"
    assert merchant.get(f"/refunds/{part.json['id']}").json == part.json
    assert merchant.get(path).json["refunded"]["amount"] == 3000


def test_a_qr_code_is_issued_drawn_scanned_and_spent_once(merchant: Client) -> None:
    """The picture is read by an independent decoder."""
    code = merchant.post("/qr-codes", {"amount": 700, "currency": "EUR", "reference": "table 4"})
    assert code.status == 201, code
    path = f"/qr-codes/{code.json['id']}"
    svg = merchant.get(f"{path}/image", accept="image/svg+xml")
    picture = merchant.get(f"{path}/image", accept="image/png")
    assert ET.fromstring(svg.body).tag.endswith("svg")  # noqa: S314 - our own picture

    scan = merchant.post("/qr-codes/scan", {"payload": _read(picture)})
    token = scan.json["qr_code"]
    paid = merchant.pay(700, qr_code=token)
    second = merchant.pay(700, qr_code=token)

    assert scan.json["amount"] == {"amount": 700, "currency": "EUR"}
    assert paid.json["status"] == "COMPLETED"
    assert paid.json["qr_code"] == code.json["id"]
    assert (second.status, second.json["code"]) == (422, "qr_spent")
    assert merchant.get(path).json["payment"] == paid.json["id"]


def test_webhooks_tell_of_a_payment_signed_and_in_order(
    stack: Stack, merchant: Client, endpoint: Endpoint
) -> None:
    """The signature is checked by the standard's own library."""
    payment = merchant.pay(1250).json
    merchant.post(f"/payments/{payment['id']}/refunds", {"amount": 250})

    def told() -> list[dict[str, Any]]:
        heard = [verified(request, endpoint.secret) for request in stack.webhooks(endpoint.path)]
        about = [one for one in heard if payment["id"] in {one["object_id"], _of(one)}]
        assert len(about) >= 4, [one["type"] for one in about]
        return about

    about = eventually(told, what="four webhooks")

    assert [one["type"] for one in about if one["object_id"] == payment["id"]] == [
        "payment.created.v1",
        "payment.completed.v1",
    ]
    assert [one["type"] for one in about if one["object_id"] != payment["id"]] == [
        "refund.created.v1",
        "refund.completed.v1",
    ]
    require_order(about)
    assert merchant.get(f"/events/{about[0]['id']}").json == about[0]


def test_a_timeline_tells_all_that_happened_to_a_payment(merchant: Client) -> None:
    """Requests, events, attempts and transfers, by time."""
    payment = merchant.pay(1250).json["id"]

    items = merchant.get(f"/payments/{payment}/timeline").json["data"]

    events = [item["type"] for item in items if item["kind"] == "event"]
    assert sorted(events) == ["payment.completed.v1", "payment.created.v1"], items
    attempts = [(one["operation"], one["outcome"]) for one in items if one["kind"] == "attempt"]
    assert attempts == [("charge", "APPROVED")], items
    assert [item["at"] for item in items] == sorted(item["at"] for item in items)
    kinds = {item["kind"] for item in items} - {"webhook_attempt"}
    assert kinds == {"request", "answer", "event", "fraud_decision", "attempt", "transfer"}


def test_what_was_earned_is_on_the_balance_and_then_paid_by_the_bank(
    stack: Stack, seller: Client
) -> None:
    """Sales less fee and refund; what is only reserved is not paid out."""
    endpoint = listen(stack, seller)
    sold = seller.pay(10_000).json["id"]
    seller.pay(5000, payment_method=card("decline_stolen"))
    seller.pay(3000, capture="manual")
    seller.post(f"/payments/{sold}/refunds", {"amount": 2000})
    earned = 10_000 - (150 + 25) - 2000
    assert _balance(seller) == {"posted": earned, "pending": 3000, "available": earned}

    stack.invoke("settle_merchants")

    [settlement] = seller.get("/settlements").json["data"]
    assert settlement["amount"] == {"amount": earned, "currency": "EUR"}
    assert _balance(seller) == {"posted": 0, "pending": 3000, "available": 0}
    path = f"/settlements/{settlement['id']}"
    statement = seller.get(f"{path}/statement").json
    assert sorted(line["amount"]["amount"] for line in statement["lines"]) == [-2000, -175, 10_000]
    _require_paid(stack, seller, path)
    require_settlement_webhooks(stack, endpoint, settlement["id"])
    assert stack.violations() == 0


def require_settlement_webhooks(stack: Stack, endpoint: Endpoint, settlement: str) -> None:
    """The merchant was told of each step of its settlement."""

    def told() -> list[str]:
        heard = [verified(request, endpoint.secret) for request in stack.webhooks(endpoint.path)]
        types = [one["type"] for one in heard if one["object_id"] == settlement]
        steps = ("created", "instructed", "accepted", "paid")
        assert types == [f"settlement.{step}.v1" for step in steps], types
        return types

    eventually(told, what="settlement webhooks")


def _require_paid(stack: Stack, seller: Client, path: str) -> None:
    eventually(
        lambda: seller.get(path).json["status"] == "ACCEPTED", what="the bank took the order"
    )
    with urllib3.PoolManager(retries=False) as http:
        url = f"{stack.described['bank_url']}/_mock/advance?days={DAYS_TO_THE_STATEMENT}"
        answer = http.request("POST", url)
    assert answer.status == 200, answer.data
    eventually(lambda: seller.get(path).json["status"] == "PAID", what="the bank paid")


def _balance(merchant: Client) -> dict[str, int]:
    [balance] = merchant.get("/balances").json["data"]
    return {name: balance[name]["amount"] for name in ("posted", "pending", "available")}


def _of(envelope: dict[str, Any]) -> str | None:
    payment: str | None = envelope["data"].get("payment")
    return payment


def _read(answer: Answer) -> str:
    assert answer.headers["Content-Type"] == "image/png"
    _, _, text = read_picture(answer.body)
    return text

"""The acquirer tells the deployed API of its own accord what became of operations."""

import json

import pytest

from tests.e2e.client import Client, card
from tests.e2e.stack import Stack, charge_of
from tests.e2e.waiting import eventually

pytestmark = pytest.mark.e2e

SQL_KEPT = """
SELECT state, verdict, deliveries FROM gateway_callbacks
WHERE gateway = 'sandbox' AND body::jsonb #>> '{operation,reference}' = %s
"""


def test_a_lost_answer_is_found_by_the_acquirers_callback(stack: Stack, merchant: Client) -> None:
    """Without the merchant's asking again."""
    taken = merchant.pay(payment_method=card("error_after"))
    payment = taken.json["id"]

    def completed() -> bool:
        return bool(merchant.get(f"/payments/{payment}").json["status"] == "COMPLETED")

    assert taken.status in {201, 202}, taken
    eventually(completed, what="the payment is completed")
    eventually(
        lambda: stack.rows(SQL_KEPT, charge_of(payment)) == [("APPLIED", "confirmed", 1)],
        what="the callback is applied",
    )


def test_a_callback_that_comes_twice_is_one(stack: Stack, merchant: Client) -> None:
    """As the acquirer sends it: the payment is booked once, the callback kept once."""
    payment = merchant.pay(payment_method=card("duplicate_callback")).json["id"]

    eventually(
        lambda: stack.rows(SQL_KEPT, charge_of(payment)) == [("APPLIED", "confirmed", 2)],
        what="both have come",
    )
    assert merchant.get(f"/payments/{payment}").json["status"] == "COMPLETED"
    assert stack.violations() == 0


def test_a_dispute_is_known_from_the_acquirers_callbacks(stack: Stack, merchant: Client) -> None:
    """Opened and lost right after the payment; none of it can be refunded besides."""
    payment = merchant.pay(payment_method=card("dispute_lost")).json

    def ends() -> list[tuple[str, str, int]]:
        found = merchant.get("/disputes").json["data"]
        return [(one["payment"], one["status"], one["covered"]["amount"]) for one in found]

    lost = (payment["id"], "LOST", payment["amount"]["amount"])
    eventually(lambda: ends() == [lost], what="the dispute is lost")
    refused = merchant.post(f"/payments/{payment['id']}/refunds")
    assert (refused.status, refused.json["code"]) == (400, "invalid_request"), refused
    assert stack.violations() == 0


@pytest.mark.parametrize("signature", ["", "t=1795348800,v1=" + "0" * 64])
def test_what_the_acquirer_did_not_sign_is_refused_at_the_edge(
    stack: Stack, merchant: Client, signature: str
) -> None:
    """No token is asked for; without the signature, nothing is kept."""
    reference = f"chg_forged_{len(signature)}"
    body = json.dumps({"id": reference, "operation": {"reference": reference}})
    answer = merchant.raw(
        "POST", "/gateways/sandbox/callbacks", text=body, acquirer_signature=signature
    )

    assert (answer.status, answer.json["code"]) == (401, "signature_refused"), answer
    assert stack.rows(SQL_KEPT, reference) == []

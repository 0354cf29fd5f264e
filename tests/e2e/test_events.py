"""Each payment's facts are on the bus, exactly and in order, and every webhook arrives."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests.e2e.client import Client, card
from tests.e2e.facts import (
    COMPLETED,
    FAILED,
    BusRecorder,
    Story,
    require_facts_on_bus,
    require_webhooks,
    story_of,
)
from tests.e2e.stack import Stack
from tests.e2e.webhooks import listen

pytestmark = pytest.mark.e2e

TOLD = "payments.events"
"""What merchants are told of; the rest is for the house."""

CHALLENGED: Story = {
    "payments.events": [["payment.created.v1", "payment.challenged.v1", "payment.completed.v1"]],
    "fraud.alerts": [["fraud.case_opened.v1"], ["fraud.challenged.v1"]],
    "ledger.changes": COMPLETED["ledger.changes"],
}
BLOCKED: Story = {
    **FAILED,
    "fraud.alerts": [["fraud.blocked.v1"], ["fraud.case_opened.v1"]],
}
CAPTURED_IN_PART: Story = {
    "payments.events": [["payment.created.v1", "payment.authorized.v1", "payment.completed.v1"]],
    "ledger.changes": COMPLETED["ledger.changes"],
}
CANCELED: Story = {
    "payments.events": [["payment.created.v1", "payment.authorized.v1", "payment.canceled.v1"]],
    "ledger.changes": FAILED["ledger.changes"],
}


def test_each_payment_has_exactly_its_facts_on_the_bus_and_in_webhooks(
    stack: Stack, merchant: Client, recorder: BusRecorder
) -> None:
    """Every way a payment can go, told once, in order, by both."""
    endpoint = listen(stack, merchant)
    stories: dict[str, Story] = {}
    for _ in range(5):
        stories[merchant.pay(1999).json["id"]] = COMPLETED
    stories[merchant.pay(payment_method=card("decline_expired")).json["id"]] = FAILED
    stories[_challenged(merchant)] = CHALLENGED
    stories[merchant.pay(1_000_001).json["id"]] = BLOCKED
    stories[_captured(merchant)] = CAPTURED_IN_PART
    stories[_canceled(merchant)] = CANCELED

    envelopes = require_facts_on_bus(recorder, list(stories))

    told = {payment: story_of(envelopes, payment) for payment in stories}
    assert told == stories
    webhooks = require_webhooks(stack, endpoint, list(stories))
    assert _by_id(webhooks) == _by_id(one for one in envelopes if one["source"] == TOLD)


def _by_id(envelopes: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {envelope["id"]: envelope for envelope in envelopes}


def _challenged(merchant: Client) -> str:
    payment: str = merchant.pay(50_001).json["id"]
    answer = merchant.post(f"/payments/{payment}/confirm", {"authentication": "authenticated"})
    assert answer.json["status"] == "COMPLETED", answer
    return payment


def _captured(merchant: Client) -> str:
    payment: str = merchant.pay(2000, capture="manual").json["id"]
    answer = merchant.post(f"/payments/{payment}/capture", {"amount": 1500})
    assert answer.json["status"] == "COMPLETED", answer
    return payment


def _canceled(merchant: Client) -> str:
    payment: str = merchant.pay(2000, capture="manual").json["id"]
    answer = merchant.post(f"/payments/{payment}/cancel")
    assert answer.json["status"] == "CANCELED", answer
    return payment

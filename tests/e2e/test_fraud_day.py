"""A merchant against fraud, on the deployed stack: shadow, back-test, gate, promotion, revert."""

import datetime as dt
import json
import secrets
from typing import Any

import pytest

from tests.e2e.client import Client
from tests.e2e.stack import Stack
from tests.e2e.waiting import eventually

pytestmark = pytest.mark.e2e

AMOUNT = 33_333
RING = 3


def test_a_rule_goes_from_shadow_through_the_gate_and_back(stack: Stack, merchant: Client) -> None:
    """What it would have done is known before it does it, and one call takes it back."""
    _confirm_and_close(merchant)
    rule = _in_shadow(merchant)
    version = rule["newest"]["id"]

    ring = [merchant.pay(AMOUNT).json for _ in range(RING)]

    assert {payment["status"] for payment in ring} == {"COMPLETED"}
    assert [_shadow_hits(merchant, payment["id"]) for payment in ring] == [[rule["code"]]] * RING
    for payment in ring:
        merchant.post(f"/payments/{payment['id']}/refunds", {"reason": "fraudulent"})
    backtest = _replayed(stack, merchant, rule["id"], version)
    report = backtest["report"]
    assert report["flipped"]["count"] == RING
    assert report["money"][0]["fraud_stopped"] == RING * AMOUNT
    assert report["money"][0]["genuine_stopped"] == 0
    refused = merchant.post("/fraud/promotions", {"backtest": backtest["id"]})
    assert (refused.status, refused.json["code"]) == (409, "gate_closed")
    gate = json.dumps({"gate": {"payments_min": 1, "flipped_max": 1}})
    assert merchant.send("PATCH", "/fraud/settings", text=gate).status == 200
    promotion = merchant.post("/fraud/promotions", {"backtest": backtest["id"]})
    assert promotion.status == 201, promotion
    assert merchant.pay(AMOUNT).json["failure"]["code"] == "fraud_blocked"
    reverted = merchant.post(f"/fraud/promotions/{promotion.json['id']}/revert")
    assert reverted.status == 200, reverted
    assert merchant.pay(AMOUNT).json["status"] == "COMPLETED"
    told = eventually(
        lambda: _statistics(stack, merchant, rule["id"]), what="statistics hold every hit"
    )
    assert (told["hits_allowed"], told["hits_blocked"]) == (RING, 1)
    assert told["hits_labelled_fraud"] == RING


def _confirm_and_close(merchant: Client) -> None:
    """A payment that was challenged is known to be genuine."""
    genuine = merchant.pay(60_000).json["id"]
    merchant.post(f"/payments/{genuine}/confirm", {"authentication": "authenticated"})
    (case,) = merchant.get("/fraud/cases?state=OPEN").json["data"]
    assert (case["payment"], case["verdict"]) == (genuine, "CHALLENGE")
    closed = merchant.post(f"/fraud/cases/{case['id']}/close", {"outcome": "false_positive"})
    assert closed.json["state"] == "CLOSED"


def _in_shadow(merchant: Client) -> dict[str, Any]:
    wanted = {
        "code": f"ring_{secrets.token_hex(4)}",
        "expression": f"amount == {AMOUNT}",
        "action": "block",
        "message": "A ring of stolen cards pays this amount.",
    }
    rule: dict[str, Any] = merchant.post("/fraud/rules", wanted).json
    shadow = {"version": rule["newest"]["id"]}
    assert merchant.post(f"/fraud/rules/{rule['id']}/shadow", shadow).json["state"] == "shadow"
    return rule


def _shadow_hits(merchant: Client, payment_id: str) -> list[str]:
    items = merchant.get(f"/payments/{payment_id}/timeline?limit=100").json["data"]
    (decision,) = (one for one in items if one["kind"] == "fraud_decision")
    hits = decision["trace"]["hits"]
    return [hit["code"] for hit in hits if hit["is_shadow"] and hit["source"] == "rule"]


def _replayed(stack: Stack, merchant: Client, rule: str, version: str) -> dict[str, Any]:
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 - the merchant's own clock
    stack.invoke("tend_fraud")
    ordered = merchant.post(
        "/fraud/backtests",
        {
            "change": {"type": "rule", "rule": rule, "version": version},
            "from": (now - dt.timedelta(hours=1)).isoformat(),
            "to": now.isoformat(),
        },
    )
    assert ordered.status == 201, ordered

    def completed() -> dict[str, Any]:
        stack.invoke("tend_fraud")
        found: dict[str, Any] = merchant.get(f"/fraud/backtests/{ordered.json['id']}").json
        assert found["status"] == "COMPLETED", found
        return found

    return eventually(completed, what="the back-test has its report")


def _statistics(stack: Stack, merchant: Client, rule: str) -> dict[str, Any]:
    stack.invoke("tend_fraud")
    told: list[dict[str, Any]] = merchant.get(f"/fraud/rules/{rule}").json["statistics"]
    assert [one["hits"] for one in told] == [RING + 1], told
    return told[0]

"""The demo's fraud desk: a case, a rule that runs in shadow, its back-test and its promotion."""

import datetime as dt
import secrets
from dataclasses import dataclass, field
from typing import Any

from tools.demo.stack import DemoError, Merchant, Operator, eventually, require

AMOUNT = 44_444
"""What a ring of stolen cards pays again and again, in minor units; it is under every limit."""
RING = 3
GATE = {"payments_min": 5, "flipped_max": 0.9}
"""What a shop of one day asks: the usual gate wants a thousand payments."""


@dataclass
class FraudDesk:
    """What a merchant does against fraud, step by step; each method shows its result."""

    merchant: Merchant
    operator: Operator
    rule: dict[str, Any] = field(default_factory=dict)
    backtest: dict[str, Any] = field(default_factory=dict)

    def case(self, payment_id: str) -> str:
        """A challenged payment opened a case; the payer was who they said, so it was a mistake."""
        cases = self.merchant.get("/fraud/cases?state=OPEN&limit=100").json["data"]
        case = next(one for one in cases if one["payment"] == payment_id)
        body = {"outcome": "false_positive", "text": "The payer proved who they are."}
        closed = self._posted(f"/fraud/cases/{case['id']}/close", body, 200)
        return f"{closed['id']} {closed['state']}: {closed['outcome']}"

    def shadow(self) -> str:
        """A rule runs beside the others and decides nothing; what it would have hit is fraud."""
        body = {
            "code": f"ring_{secrets.token_hex(4)}",
            "expression": f"amount == {AMOUNT} && currency == 'EUR'",
            "action": "block",
            "message": "A ring of stolen cards pays this amount.",
        }
        self.rule = self._posted("/fraud/rules", body, 201)
        version = self.rule["newest"]["id"]
        self._posted(f"/fraud/rules/{self.rule['id']}/shadow", {"version": version}, 200)
        for _ in range(RING):
            paid = self._paid("COMPLETED")
            refund = {"reason": "fraudulent"}
            self.merchant.act(f"/payments/{paid['id']}/refunds", refund)
        hits = [hit for hit in self._trace(paid["id"])["hits"] if hit["is_shadow"]]
        codes = ", ".join(hit["code"] for hit in hits if hit["source"] == "rule")
        return f"{body['expression']} in shadow: {RING} payments pass, {codes} on record"

    def replayed(self) -> str:
        """What the rule would have done to the past day, by the code that decides."""
        self.operator.invoke("tend_fraud")
        now = dt.datetime.now(dt.UTC)  # noqa: TID251 - the merchant's own clock
        order = {
            "change": {
                "type": "rule",
                "rule": self.rule["id"],
                "version": self.rule["newest"]["id"],
            },
            "from": (now - dt.timedelta(days=1)).isoformat(),
            "to": (now - dt.timedelta(seconds=1)).isoformat(),
        }
        path = f"/fraud/backtests/{self._posted('/fraud/backtests', order, 201)['id']}"

        def completed() -> dict[str, Any] | None:
            self.operator.invoke("tend_fraud")
            found: dict[str, Any] = self.merchant.get(path).json
            return found if found["status"] in {"COMPLETED", "FAILED"} else None

        self.backtest = eventually("report of the back-test", completed)
        report = self.backtest["report"]
        if report is None:
            raise DemoError(f"The back-test failed: {self.backtest}")
        flipped, money = report["flipped"], report["money"][0]
        return (
            f"{report['payments']} payments replayed, {flipped['count']} decided otherwise; "
            f"fraud stopped {money['fraud_stopped'] / 100:.2f} {money['currency']}, "
            f"genuine payments stopped {money['genuine_stopped'] / 100:.2f}"
        )

    def promoted(self) -> str:
        """The gate refuses a day's evidence until the merchant asks for less; and back again."""
        order = {"backtest": self.backtest["id"]}
        refused = self.merchant.post("/fraud/promotions", order)
        require(refused.json.get("code") == "gate_closed", refused)
        self.merchant.patch("/fraud/settings", {"gate": GATE})
        promotion = self._posted("/fraud/promotions", order, 201)
        blocked = self._paid("FAILED")["failure"]["code"]
        self._posted(f"/fraud/promotions/{promotion['id']}/revert", {}, 200)
        passed = self._paid("COMPLETED")["status"]
        return f"gate_closed → {promotion['id']}: {blocked}; reverted: {passed}"

    def statistics(self) -> str:
        """What the rule did, in shadow and live, folded off the path of payments."""

        def folded() -> dict[str, Any] | None:
            self.operator.invoke("tend_fraud")
            rule = self.merchant.get(f"/fraud/rules/{self.rule['id']}").json
            found = [one for one in rule["statistics"] if one["hits"] > RING]
            return found[0] if found else None

        told = eventually("statistics of the rule", folded)
        names = ("evaluated", "hits", "hits_allowed", "hits_blocked", "hits_labelled_fraud")
        return ", ".join(f"{name} {told[name]}" for name in names)

    def _posted(self, path: str, body: dict[str, Any], status: int) -> dict[str, Any]:
        reply = self.merchant.post(path, body)
        require(reply.status == status, reply)
        made: dict[str, Any] = reply.json
        return made

    def _paid(self, status: str) -> dict[str, Any]:
        card = f"tok_approve_{secrets.token_hex(4)}"
        body = {"amount": AMOUNT, "currency": "EUR", "payment_method": card}
        reply = self.merchant.act("/payments", body)
        payment: dict[str, Any] = reply.json
        require(payment.get("status") == status, reply)
        return payment

    def _trace(self, payment_id: str) -> dict[str, Any]:
        items = self.merchant.get(f"/payments/{payment_id}/timeline?limit=100").json["data"]
        trace: dict[str, Any] = next(one for one in items if one["kind"] == "fraud_decision")[
            "trace"
        ]
        return trace

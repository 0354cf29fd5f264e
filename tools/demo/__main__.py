"""`make demo`: a merchant's day, printed step by step; exit status 1 when a step fails."""

import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook

from tools.demo.fraud import FraudDesk
from tools.demo.settlement import BANK_DAYS, SettlementDesk
from tools.demo.stack import (
    DemoError,
    Merchant,
    Operator,
    Reply,
    described,
    eventually,
    require,
)

CREATED = 201
ACCEPTED = 202


class Day:
    """One day of one merchant; each method is a step that shows its result."""

    def __init__(self, stack: dict[str, Any]) -> None:
        self.merchant = Merchant(stack)
        self.operator = Operator(stack)
        self.run = secrets.token_hex(4)
        self.hook_path = f"/demo-{self.run}"
        self.hook_url = stack["webhook_sink_url"] + self.hook_path
        self.endpoint: dict[str, Any] = {}
        self.paid: dict[str, Any] = {}
        self.checked: dict[str, Any] = {}
        self.desk = FraudDesk(self.merchant, self.operator)
        self.books = SettlementDesk(self.merchant, self.operator, self.run)

    def token(self) -> str:
        """Client credentials become a token of 15 minutes."""
        reply = self.merchant.log_in()
        return f"{reply.json['token_type']} token for {reply.json['expires_in']} s"

    def webhook_endpoint(self) -> str:
        """The merchant wants to be told of everything."""
        reply = self.merchant.post("/webhook-endpoints", {"url": self.hook_url})
        require(reply.status == CREATED, reply)
        self.endpoint = reply.json
        return f"{self.endpoint['id']} → {self.hook_url}"

    def approved(self) -> str:
        """A payment is taken, and its repetition answered byte for byte."""
        body = {
            "amount": 1250,
            "currency": "EUR",
            "payment_method": self.card("tok_approve"),
            "reference": "order 1",
        }
        key = f"order-1-{self.run}"
        self.paid = self.expect("COMPLETED", self.merchant.act("/payments", body, key=key))
        first = self.merchant.post("/payments", body, key=key)
        second = self.merchant.post("/payments", body, key=key)
        is_same = (first.status, first.body) == (second.status, second.body)
        require(is_same and second.headers.get("Idempotent-Replayed") == "true", second)
        return (
            f"{money(self.paid['amount'])}, fee {money(self.paid['fee'])}; same key again: "
            f"{len(second.body)} bytes, identical, Idempotent-Replayed: true"
        )

    def declined(self) -> str:
        """A decline is an answer, not an error."""
        reply = self.pay(900, "tok_decline_insufficient_funds")
        return str(self.expect("FAILED", reply)["failure"]["code"])

    def challenged(self) -> str:
        """A large payment asks the payer for proof."""
        reply = self.pay(90_000, "tok_approve")
        self.checked = payment = self.expect("CHALLENGED", reply)
        require(reply.status == ACCEPTED, reply)
        path = f"/payments/{payment['id']}/confirm"
        confirmed = self.merchant.act(path, {"authentication": "authenticated"})
        return (
            f"{money(payment['amount'])} CHALLENGED → {self.expect('COMPLETED', confirmed)['id']}"
        )

    def blocked(self) -> str:
        """A very large one is refused before any gateway is asked."""
        return str(self.expect("FAILED", self.pay(2_000_000, "tok_approve"))["failure"]["code"])

    def case(self) -> str:
        """Whoever looks at the challenged payment's case finds that it was genuine."""
        return self.desk.case(self.checked["id"])

    def qr(self) -> str:
        """A code is issued, drawn, scanned, paid, and can't be paid twice."""
        issued = self.merchant.post("/qr-codes", {"amount": 480, "currency": "EUR"})
        require(issued.status == CREATED, issued)
        code = issued.json
        image = self.merchant.get(f"/qr-codes/{code['id']}/image", accept="image/png")
        require(image.body.startswith(b"\x89PNG"), image)
        scanned = self.merchant.post("/qr-codes/scan", {"payload": code["payload"]})
        token = scanned.json["qr_code"]
        paid = self.pay(480, "tok_approve", qr_code=token)
        again = self.pay(480, "tok_approve", qr_code=token)
        require(again.json.get("code") == "qr_spent", again)
        return (
            f"issued → drawn ({len(image.body)} bytes of PNG) → scanned → "
            f"{self.expect('COMPLETED', paid)['id']}; again: qr_spent"
        )

    def failed_over(self) -> str:
        """What one gateway did not take the next one does, and a silent one is called off first."""
        told = []
        for token in ("tok_decline_issuer_unavailable_at_sandbox", "tok_error_after_at_sandbox"):
            paid = self.expect("COMPLETED", self.pay(700, token))
            told.append(" → ".join(self.attempts(paid)))
        return "\n".join(told)

    def at_stripe(self) -> str:
        """A token of Stripe's goes to a Stripe, by configuration alone."""
        body = {"amount": 1500, "currency": "EUR", "payment_method": "pm_card_visa"}
        paid = self.expect("COMPLETED", self.merchant.act("/payments", body))
        return " → ".join(self.attempts(paid))

    def attempts(self, payment: dict[str, Any]) -> list[str]:
        """Where the payment's charge was made, and to what end."""
        items = self.merchant.get(f"/payments/{payment['id']}/timeline?limit=100").json["data"]
        made = [one for one in items if one["kind"] == "attempt"]
        return [
            f"{one['operation']} at {one['gateway']}: {one['code'] or one['outcome']}"
            for one in made
        ]

    def refunded(self) -> str:
        """Part of the first payment goes back."""
        path = f"/payments/{self.paid['id']}/refunds"
        refund = self.merchant.act(path, {"amount": 250, "reason": "one cup was cold"})
        return f"{money(self.expect('COMPLETED', refund)['amount'])}"

    def disputed(self) -> str:
        """A payer has their money back through their bank, and it is the merchant's loss."""
        paid = self.expect("COMPLETED", self.pay(600, "tok_dispute_lost"))

        def lost() -> dict[str, Any] | None:
            found: list[dict[str, Any]] = self.merchant.get("/disputes").json["data"]
            of_it = [
                one for one in found if (one["payment"], one["status"]) == (paid["id"], "LOST")
            ]
            return of_it[0] if of_it else None

        dispute = eventually("end of the dispute", lost)
        refund = self.merchant.post(f"/payments/{paid['id']}/refunds", {})
        require(refund.json.get("code") == "invalid_request", refund)
        return f"{money(dispute['amount'])} LOST, {dispute['reason']}; a refund besides: refused"

    def balances(self) -> str:
        """What the merchant is owed now."""
        lines = [
            f"{money(one['posted'])} posted, {money(one['available'])} available"
            for one in self.merchant.get("/balances").json["data"]
        ]
        return "; ".join(lines)

    def settled(self) -> str:
        """All of it goes to the merchant's bank account."""
        made = self.operator.invoke("settle_merchants")
        newest = self.merchant.get("/settlements?limit=1").json["data"][0]
        path = f"/settlements/{newest['id']}"
        eventually("answer from the bank", self.status_is(path, "ACCEPTED", "PAID"))
        self.operator.let_bank_days_pass(BANK_DAYS)
        paid = eventually("payout", self.status_is(path, "PAID"))
        return f"{made['made']} made; {newest['id']}: {money(paid['amount'])} PAID by the bank"

    def told(self) -> str:
        """Every webhook carries a signature that the public verifier accepts."""
        verifier = Webhook(self.endpoint["secret"])

        def all_told() -> list[str] | None:
            received = self.operator.webhooks(self.hook_path)
            types = [verified(verifier, one)["type"] for one in received]
            return types if "settlement.paid.v1" in types else None

        types = eventually("settlement.paid webhook", all_told)
        self.merchant.delete(f"/webhook-endpoints/{self.endpoint['id']}")
        lines = [f"{types.count(kind):>3} x {kind}" for kind in sorted(set(types))]
        return f"{len(types)} received, every signature verified\n" + "\n".join(lines)

    def audited(self) -> str:
        """Every invariant of the books holds."""
        found = self.operator.invoke("audit_ledger")
        if found["violations"]:
            raise DemoError(f"The audit found violations: {found}")
        return f"{found['violations']} violations of {found['rules']} rules"

    def pay(self, amount: int, token: str, **more: str) -> Reply:
        """The answer to a payment with a card of its own."""
        body = {"amount": amount, "currency": "EUR", "payment_method": self.card(token), **more}
        return self.merchant.act("/payments", body)

    def card(self, token: str) -> str:
        """A card that was not used before: the rules count how often one is."""
        return f"{token}_{secrets.token_hex(4)}"

    def status_is(self, path: str, *statuses: str) -> Callable[[], dict[str, Any] | None]:
        """Looks whether what is at `path` has reached one of these statuses."""

        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.merchant.get(path).json
            return found if found["status"] in statuses else None

        return look

    @staticmethod
    def expect(status: str, reply: Reply) -> dict[str, Any]:
        """The resource, which must have this status."""
        resource: dict[str, Any] = reply.json
        require(resource.get("status") == status, reply)
        return resource


STEPS: tuple[tuple[str, Callable[[Day], str]], ...] = (
    ("Access token", Day.token),
    ("Webhook endpoint", Day.webhook_endpoint),
    ("Payment approved", Day.approved),
    ("Payment declined", Day.declined),
    ("Payment challenged, confirmed", Day.challenged),
    ("Payment blocked", Day.blocked),
    ("Fraud case closed", Day.case),
    ("Fraud rule in shadow", lambda day: day.desk.shadow()),
    ("Fraud back-test", lambda day: day.desk.replayed()),
    ("Fraud rule promoted, reverted", lambda day: day.desk.promoted()),
    ("Failover", Day.failed_over),
    ("Stripe", Day.at_stripe),
    ("QR code", Day.qr),
    ("Refund", Day.refunded),
    ("Dispute", Day.disputed),
    ("Fraud rule's statistics", lambda day: day.desk.statistics()),
    ("Balances", Day.balances),
    ("Acquirers' files, one at fault", lambda day: day.books.file_with_a_fault()),
    ("Break resolved by two", lambda day: day.books.resolved()),
    ("Acquirers pay", lambda day: day.books.acquirers_pay()),
    ("Settlement", Day.settled),
    ("Every cent explained", lambda day: day.books.explained()),
    ("Webhooks", Day.told),
    ("Audit", Day.audited),
)


def main() -> int:
    """Live the day."""
    state = Path(os.environ.get("STATE_DIR") or ".local")  # noqa: TID251 - a tool's own border
    try:
        day = Day(described(state))
        for title, step in STEPS:
            result = step(day).replace("\n", "\n" + " " * 32)
            print(f"{title:<30}  {result}", flush=True)
    except DemoError as error:
        print(f"The demo stopped: {error}", file=sys.stderr)
        return 1
    return 0


def money(amount: dict[str, Any]) -> str:
    """Two decimals are right for the demo's currencies."""
    return f"{amount['amount'] / 100:.2f} {amount['currency']}"


def verified(verifier: Webhook, request: dict[str, Any]) -> dict[str, Any]:
    """The webhook's event; raises when its signature is wrong."""
    event: dict[str, Any] = verifier.verify(request["body"], request["headers"])
    return event


if __name__ == "__main__":
    sys.exit(main())

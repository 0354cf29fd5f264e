"""Objects of every kind that the API shows, made as merchants make them; and who asks for them."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import gateway_callbacks.handler as gateway_callbacks
from paynexus import ids, runtime
from paynexus.db import Database
from paynexus.fraud.backtest import worker
from paynexus.fraud.lists import rescreening
from paynexus.gateways.port import Operation
from paynexus.gateways.sandbox_callbacks import signature_of
from paynexus.identity.model import Mode
from paynexus.ids import EventId, MerchantId, PaymentId
from paynexus.notification import store as notifications
from paynexus.notification.model import LOOK_BACK
from paynexus.payments import pursuit
from paynexus.settlement import service as settlement
from tests.integration.api import edge
from tests.integration.conftest import Answer, Caller, answer_of, gateway_event
from tests.sandbox import KEY, Sandbox
from tools.export_openapi.examples import EXAMPLES
from tools.sandbox_acquirer.disputes import Asked

ORDER = EXAMPLES["take_payment"][0].request
RULE = EXAMPLES["create_fraud_rule"][0].request
RULES = 80
"""Of one merchant there may be a hundred, for ever: then old ones serve again."""
LIST = EXAMPLES["create_fraud_list"][0].request
LISTS = 40
"""Of one merchant there may be fifty: then old ones serve again."""
CODE = EXAMPLES["issue_qr_code"][0].request
ENDPOINT = EXAMPLES["create_webhook_endpoint"][0].request | {"url": "https://93.184.215.14/hook"}
"""Its address is written out: no name is looked up from a test."""


@dataclass
class Bank:
    """A bank that takes every file and never answers."""

    outbox: dict[str, bytes] = field(default_factory=dict)

    def instruct(self, name: str, document: bytes) -> None:
        """The file is in the outbox."""
        self.outbox[name] = document

    def receive(self, name: str) -> BinaryIO:
        """There is none."""
        raise KeyError(name)


@dataclass
class World:
    """One merchant and its objects, over the functions that are deployed."""

    call: Caller
    acquirer: Sandbox
    database: Database
    mode: Mode = Mode.TEST

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        caller: Caller | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        text: str | None = None,
    ) -> Answer:
        """The answer to a request under a fresh Idempotency-Key, unless `key` names one."""
        route = edge.route_of(method, path)
        assert route is not None, f"the template deploys no {method} {path}"
        sent = {"Idempotency-Key": key or ids.new_id().hex, **(headers or {})}
        who = caller or self.call
        return who(edge.handler_of(route), method, path, body, headers=sent, query=query, text=text)

    def made(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """What a request of the merchant made; each by another client, none beyond its rate."""
        caller = replace(self.call, client_id=f"pnx_test_{ids.new_id().hex[-22:]}")
        answer = self.ask(method, path, body, caller=caller, query=query)
        assert answer.status in {200, 201, 202}, (method, path, answer)
        resource: dict[str, Any] = answer.json()
        return resource

    def payment(self, token: str = "tok_approve", **order: object) -> str:
        """A payment with a card of its own."""
        method = f"{token}_{ids.new_id().hex[-8:]}"
        return str(
            self.made("POST", "/payments", {**ORDER, "payment_method": method, **order})["id"]
        )

    def held(self, token: str = "tok_approve") -> str:
        """A payment that can be captured or canceled."""
        return self.payment(token, capture="manual")

    def challenged(self, token: str = "tok_approve") -> str:
        """A payment whose payer has to prove who they are."""
        return self.payment(token, amount=75_000)

    def refundable(self) -> str:
        """A payment of which nothing has gone back."""
        return self.payment()

    def refund(self) -> str:
        """A refund."""
        return str(self.made("POST", f"/payments/{self.payment()}/refunds", {"amount": 1})["id"])

    def dispute(self) -> str:
        """A dispute that the acquirer has told of."""
        payment_id = PaymentId(ids.parse("pay", self.payment()))
        reference = pursuit.reference_of(Operation.CHARGE, payment_id)
        self.acquirer.server.acquirer.open_dispute(reference, Asked(None, "fraudulent"))
        for _, body in self.acquirer.store.pending_callbacks():
            if "dispute" in json.loads(body):
                assert self.tell(body).status == 200
        return str(self.made("GET", "/disputes")["data"][0]["id"])

    def tell(self, body: str, *, name: str = "sandbox", key: str = KEY) -> Answer:
        """The answer to a gateway's callback."""
        signature = signature_of(body, key=key, at=runtime.clock()())
        path = f"/gateways/{name}/callbacks"
        headers = {"Acquirer-Signature": signature}
        event = gateway_event("POST", path, text=body, headers=headers)
        return answer_of(gateway_callbacks.handler(event, None))

    def gateway(self) -> str:
        """The name of a gateway that calls back."""
        return self.acquirer.name

    def qr_code(self) -> str:
        """A code that nobody has scanned."""
        return str(self.made("POST", "/qr-codes", CODE)["id"])

    def scan(self) -> str:
        """The token of a scanned code."""
        payload = self.made("POST", "/qr-codes", CODE)["payload"]
        return str(self.made("POST", "/qr-codes/scan", {"payload": payload})["qr_code"])

    def endpoint(self, **order: object) -> str:
        """A webhook endpoint; sixteen are allowed, so the oldest make room."""
        for old in self.made("GET", "/webhook-endpoints")["data"][10:]:
            self.made("DELETE", f"/webhook-endpoints/{old['id']}")
        return str(self.made("POST", "/webhook-endpoints", {**ENDPOINT, **order})["id"])

    def client(self) -> str:
        """A client; fifty are allowed, so the oldest of those made here make room."""
        order = EXAMPLES["create_client"][0].request
        known = self.made("GET", "/clients")["data"]
        for old in [one for one in known if one["name"]][:-10]:
            self.made("DELETE", f"/clients/{old['id']}")
        return str(self.made("POST", "/clients", order)["id"])

    def event(self) -> str:
        """What was told last of a payment."""
        self.payment()
        return str(self.made("GET", "/events")["data"][0]["id"])

    def delivery(self) -> str:
        """An event on its way to an endpoint, not yet attempted."""
        self.endpoint(event_types=[])
        event_id = EventId(ids.parse("evt", self.event()))
        with self.database.transaction() as tx:
            notifications.fan_out(tx, event_id, now=runtime.clock()(), look_back=LOOK_BACK)
        return str(self.made("GET", "/deliveries")["data"][0]["id"])

    def delivered(self, what: str) -> str:
        """The `event` or the `endpoint` of a delivery."""
        self.delivery()
        return str(self.made("GET", "/deliveries")["data"][0][what])

    def settlement(self) -> str:
        """A payout that the bank was told of."""
        self.payment()
        now = runtime.clock()()
        later = now + dt.timedelta(minutes=1)
        settlement.settle(self.database, Bank(), now=later, cutoff=later)
        return str(self.made("GET", "/settlements")["data"][0]["id"])

    def configured(self) -> str:
        """The merchant, who has chosen a limit of its own."""
        change = EXAMPLES["change_merchant"][0].request
        return str(self.made("PATCH", "/merchant", change)["id"])

    def ledger_entry(self) -> str:
        """An entry of the merchant's account."""
        self.payment()
        return str(self.made("GET", "/ledger-entries")["data"][0]["id"])

    def rule(self) -> str:
        """A fraud rule whose version runs in shadow."""
        known = self.made("GET", "/fraud/rules", query={"limit": "100"})["data"]
        if len(known) >= RULES:
            return str(known[0]["id"])
        order = {**RULE, "code": f"r{ids.new_id().hex}"}
        rule = self.made("POST", "/fraud/rules", order)
        self.made("POST", f"/fraud/rules/{rule['id']}/shadow", {"version": rule["newest"]["id"]})
        return str(rule["id"])

    def rule_version(self) -> str:
        """A version of a fraud rule."""
        return str(self.made("GET", f"/fraud/rules/{self.rule()}")["newest"]["id"])

    def snooze(self) -> str:
        """A snooze of a fraud rule."""
        return str(self.made("POST", f"/fraud/rules/{self.rule()}/snoozes", snooze_order())["id"])

    def snoozed(self) -> str:
        """A fraud rule with a snooze."""
        rule = self.rule()
        self.made("POST", f"/fraud/rules/{rule}/snoozes", snooze_order())
        return rule

    def fraud_list(self) -> str:
        """A list of e-mail addresses."""
        known = self.made("GET", "/fraud/lists", query={"limit": "100"})["data"]
        if len(known) >= LISTS:
            return str(known[0]["id"])
        order = {**LIST, "name": ids.new_id().hex, "action": "review"}
        return str(self.made("POST", "/fraud/lists", order)["id"])

    def list_entry(self) -> str:
        """An entry of such a list."""
        entry = {"value": f"{ids.new_id().hex}@mail.example"}
        return str(self.made("POST", f"/fraud/lists/{self.fraud_list()}/entries", entry)["id"])

    def filled_list(self) -> str:
        """A list with an entry."""
        made = self.fraud_list()
        entry = {"value": f"{ids.new_id().hex}@mail.example"}
        return str(self.made("POST", f"/fraud/lists/{made}/entries", entry)["list"])

    def screened_list(self) -> str:
        """A list that has met a past payment."""
        value = f"{ids.new_id().hex}@mail.example"
        self.payment(customer={"email": value})
        made = self.fraud_list()
        self.made("POST", f"/fraud/lists/{made}/entries", {"value": value})
        rescreening.rescreen(self.database, ids.parse("fls", made), now=runtime.clock()())
        return made

    def rescreening(self) -> str:
        """A re-screening of a list."""
        path = f"/fraud/lists/{self.screened_list()}/rescreenings"
        return str(self.made("GET", path)["data"][0]["id"])

    def past_hit(self) -> str:
        """A past payment that a list has met."""
        path = f"/fraud/lists/{self.screened_list()}/hits"
        return str(self.made("GET", path)["data"][0]["id"])

    def case(self) -> str:
        """A fraud case, of a payment that was challenged."""
        self.challenged()
        return str(self.made("GET", "/fraud/cases")["data"][0]["id"])

    def closed_case(self) -> str:
        """A fraud case that can be opened again."""
        case = self.case()
        self.made("POST", f"/fraud/cases/{case}/close", {"outcome": "unclear"})
        return case

    def genuine(self) -> str:
        """A payment that a person found genuine: the gate has something to go by."""
        case = self.case()
        self.made("POST", f"/fraud/cases/{case}/close", {"outcome": "false_positive"})
        return case

    def change(self) -> dict[str, object]:
        """A change of what decides: a rule of the merchant's, in shadow so far."""
        rule = self.made("GET", f"/fraud/rules/{self.rule()}")
        return {"type": "rule", "rule": rule["id"], "version": rule["newest"]["id"]}

    def backtest(self) -> str:
        """A back-test that has its report; twenty may wait, so none does."""
        self.genuine()
        now = runtime.clock()()
        period = {"from": (now - dt.timedelta(days=1)).isoformat(), "to": now.isoformat()}
        made = self.made("POST", "/fraud/backtests", {"change": self.change(), **period})
        worker.run_pending(self.database, now=runtime.clock()())
        return str(made["id"])

    def promotable(self) -> str:
        """A back-test that the gate lets through."""
        gate = {"payments_min": 1, "flipped_max": 1, "false_positive_increase_max": 1}
        gate |= {"money_floor_minor": -(10**9)}
        self.made("PATCH", "/fraud/settings", {"gate": gate})
        return self.backtest()

    def promotion(self) -> str:
        """A promotion that nothing came after."""
        backtest = self.promotable()
        return str(self.made("POST", "/fraud/promotions", {"backtest": backtest})["id"])

    def timeline_item(self) -> str:
        """An item of a payment's timeline."""
        return str(self.made("GET", f"/payments/{self.payment()}/timeline")["data"][0]["id"])


def snooze_order() -> dict[str, object]:
    """A snooze until tomorrow, as the example has it."""
    order: dict[str, object] = EXAMPLES["snooze_fraud_rule"][0].request
    return {**order, "ends_at": (runtime.clock()() + dt.timedelta(days=1)).isoformat()}


def other_merchant(database: Database) -> MerchantId:
    """Another merchant, on the same terms."""
    merchant_id = MerchantId(ids.new_id())
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Bar Nine')", (merchant_id,))
        tx.execute(
            "INSERT INTO merchant_fees SELECT %s, unnest(ARRAY['EUR', 'USD']), 150, 25",
            (merchant_id,),
        )
        tx.execute(
            "INSERT INTO payout_accounts (merchant_id, currency, holder, iban)"
            " VALUES (%s, 'EUR', 'Bar Nine', 'DE75512108001245126199')",
            (merchant_id,),
        )
    return merchant_id


def in_mode(caller: Caller, mode: str) -> Caller:
    """The same merchant's client of the other mode."""
    return replace(caller, mode=mode, client_id=f"pnx_{mode}_1111111111111111111111")

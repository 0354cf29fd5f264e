"""Failover at two sandbox acquirers: the next one only once the first has surely not charged."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, override

import pytest

from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.gateways import breaker
from paynexus.gateways.circuit import Health, State
from paynexus.gateways.port import Gateway, Instruction, Operation, Outcome, Result, Sent
from paynexus.ids import MerchantId, PaymentId
from paynexus.merchants import service as merchants
from paynexus.payments import authority, operations, rates, sweeper, timeline
from paynexus.payments.authority import Settled
from tests.flow import Flow
from tests.sandbox import Sandbox


@dataclass
class Line:
    """One gateway, and what its answers to sends come to instead."""

    inner: Gateway
    name: str
    instead: Result | None = None
    reaches: bool = True
    """Whether what is sent arrives all the same."""
    cancels: bool = True
    """Whether cancels go through."""

    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        """As the gateway answers, or as it is said to."""
        is_cancel = instruction.operation is Operation.CANCEL
        if self.instead is None or (is_cancel and self.cancels):
            return self.inner.send(instruction, deadline_seconds=deadline_seconds)
        if self.reaches and not is_cancel:
            self.inner.send(instruction, deadline_seconds=deadline_seconds)
        return self.instead

    def inquire(
        self, reference: str, *, deadline_seconds: float, sent: Sent | None = None
    ) -> Result | None:
        """As the gateway answers, while it can be asked."""
        if self.instead is not None and self.instead.outcome is Outcome.UNKNOWN:
            return self.instead
        return self.inner.inquire(reference, deadline_seconds=deadline_seconds, sent=sent)

    def is_healthy(self) -> bool:
        """As the gateway answers."""
        return self.inner.is_healthy()


@dataclass
class Market:
    """A merchant with two gateways."""

    flow: Flow
    one: Line
    two: Line
    books: dict[str, Sandbox]

    def charged(self, payment_id: PaymentId) -> dict[str, str]:
        """At which acquirer the payment's money is, and how its charges stand there."""
        found = {}
        for name, sandbox in self.books.items():
            for _, charge, *_ in sandbox.store.charges(after=0, limit=1000):
                if charge.reference in self.references(payment_id):
                    found[name] = str(charge.status)
        return found

    def references(self, payment_id: PaymentId) -> list[str]:
        """Under which the payment's charges were sent."""
        return [row[0] for row in self.ask("reference", payment_id)]

    def attempts(self, payment_id: PaymentId) -> list[tuple[Any, ...]]:
        """The charges, in their order: where, to what end, why there."""
        return self.ask("gateway, outcome, code, routing ->> 'reason'", payment_id)

    def ask(self, columns: str, payment_id: PaymentId) -> list[tuple[Any, ...]]:
        """Of the payment's charges."""
        query = f"SELECT {columns} FROM attempts WHERE operation_id = %s ORDER BY number"  # noqa: S608 - the test's own columns
        return self.flow.database.connection().execute(query.encode(), (payment_id,)).fetchall()

    def later(self, by: dt.timedelta) -> None:
        """Time passes, and a sweeper comes by."""
        self.flow.now += by
        sweeper.sweep(self.flow.database, self.flow.run, now=self.flow.now)


@pytest.fixture(name="market")
def _market(
    database: Database, cache: Cache, merchant: MerchantId, now: dt.datetime, tmp_path: Path
) -> Iterator[Market]:
    books = {name: Sandbox(tmp_path / name, name=name) for name in ("sandbox", "sandbox_two")}
    lines = []
    for name, sandbox in books.items():
        sandbox.start()
        lines.append(Line(sandbox.gateway, name))
    flow = Flow(database, cache, {"test": lines}, merchant, now)
    one, two = lines
    yield Market(flow, one, two, books)
    for sandbox in books.values():
        sandbox.stop()


NOT_SENT = Result(Outcome.NOT_SENT, code="connect_refused")
BUSY = Result(Outcome.DECLINED, code="issuer_unavailable")
POOR = Result(Outcome.DECLINED, code="insufficient_funds")
SILENT = Result(Outcome.UNKNOWN, code="answer_timed_out")
AT_WORK = Result(Outcome.UNKNOWN, code="processing")


@pytest.mark.parametrize("instead", [NOT_SENT, BUSY])
def test_the_next_gateway_charges_what_the_first_did_not_take(
    market: Market, instead: Result
) -> None:
    """Each attempt says why it was made there; refunds go where the money was taken."""
    market.one.instead, market.one.reaches = instead, False
    payment_id, answer = market.flow.take()
    refunded = market.flow.operate(
        Operation.REFUND, payment_id, operations.refund, amount=None, reason=None
    )

    assert (answer.status, refunded.status) == (201, 201)
    assert market.attempts(payment_id) == [
        ("sandbox", instead.outcome, instead.code, "priority"),
        ("sandbox_two", "APPROVED", None, "failover"),
    ]
    assert list(market.charged(payment_id)) == ["sandbox_two"]
    assert market.flow.payment(payment_id).refunded_amount == 1000


def test_a_refusal_of_the_card_is_the_end(market: Market) -> None:
    """No other gateway is asked to change it."""
    market.one.instead, market.one.reaches = POOR, False
    payment_id, _ = market.flow.take()

    assert market.flow.payment(payment_id).status == "FAILED"
    assert len(market.attempts(payment_id)) == 1


@pytest.mark.parametrize("reaches", [True, False])
def test_a_silent_gateway_is_called_off_before_the_next_is_asked(
    market: Market, *, reaches: bool
) -> None:
    """Whether it had charged or not: its cancel is confirmed first."""
    market.one.instead, market.one.reaches = SILENT, reaches
    payment_id, answer = market.flow.take()

    assert answer.status == 201
    assert [row[:3] for row in market.attempts(payment_id)] == [
        ("sandbox", "DECLINED", "charge_called_off"),
        ("sandbox_two", "APPROVED", None),
    ]
    charged = market.charged(payment_id)
    assert charged.get("sandbox") in {None, "canceled"}
    assert charged["sandbox_two"] == "captured"


def test_without_a_confirmed_cancel_nobody_else_is_asked(market: Market) -> None:
    """UNKNOWN it stays, until the cancel is confirmed; then the payment goes on by itself."""
    market.one.instead, market.one.cancels = SILENT, False
    payment_id, answer = market.flow.take()
    status = market.flow.payment(payment_id).status
    before = (answer.status, len(market.attempts(payment_id)), status)
    market.one.cancels = True
    market.later(dt.timedelta(seconds=6))

    assert before == (202, 1, "UNKNOWN")
    assert market.flow.payment(payment_id).status == "COMPLETED"
    assert market.charged(payment_id) == {"sandbox": "canceled", "sandbox_two": "captured"}


def test_nobody_is_asked_elsewhere_ten_minutes_later(market: Market) -> None:
    """Its payer has gone: the payment has failed, proven void."""
    market.one.instead, market.one.cancels = SILENT, False
    payment_id, _ = market.flow.take()
    market.one.cancels = True
    market.later(dt.timedelta(minutes=11))

    payment = market.flow.payment(payment_id)
    assert payment.failure is not None
    assert (payment.status, payment.failure.code) == ("FAILED", "charge_called_off")
    assert len(market.attempts(payment_id)) == 1


def test_a_gateway_at_work_is_waited_for(market: Market) -> None:
    """It is well, and may yet approve."""
    market.one.instead = AT_WORK
    payment_id, answer = market.flow.take()
    market.one.instead = None
    market.later(dt.timedelta(seconds=6))

    assert answer.status == 202
    assert market.charged(payment_id) == {"sandbox": "captured"}


def test_what_was_called_off_and_comes_all_the_same_goes_back_where_it_was_taken(
    market: Market,
) -> None:
    """The payment that another gateway completed stays as it is."""
    market.one.instead = SILENT
    payment_id, _ = market.flow.take()
    market.one.instead = None
    first = market.references(payment_id)[0]
    settled = authority.settle_unknown(
        market.flow.database, first, Result(Outcome.APPROVED), now=market.flow.now
    )
    market.later(dt.timedelta(minutes=2))

    assert settled is Settled.LATE
    assert market.flow.payment(payment_id).status == "COMPLETED"
    late = market.flow.database.connection().execute(
        "SELECT returned_at IS NOT NULL FROM late_approvals"
    )
    assert late.fetchall() == [(True,)]
    assert market.charged(payment_id) == {"sandbox": "canceled", "sandbox_two": "captured"}


def test_an_open_circuit_is_passed_over_and_the_attempt_says_so(market: Market) -> None:
    """It is not asked at all."""
    market.flow.health = {"sandbox": Health(State.OPEN)}
    payment_id, _ = market.flow.take()
    items, _ = timeline.page(
        market.flow.database, payment_id, market.flow.merchant, "test", limit=50
    )
    [told] = [item["routing"] for item in items if item["kind"] == "attempt"]

    assert [row[0] for row in market.attempts(payment_id)] == ["sandbox_two"]
    assert told["passed_over"] == {"sandbox": "circuit_open"}


def test_the_merchants_rules_choose(market: Market) -> None:
    """From its configuration to the attempt."""
    rule = {"name": "small", "when": {"amount": {"at_most": 500}}, "gateways": ["sandbox_two"]}
    merchants.change(
        market.flow.database, market.flow.merchant, configuration={"routing": {"rules": [rule]}}
    )
    small, _ = market.flow.take(amount=500)
    large, _ = market.flow.take(amount=501)

    assert [row[0] for row in market.attempts(small)] == ["sandbox_two"]
    assert [row[0] for row in market.attempts(large)] == ["sandbox"]


def test_a_rule_for_payers_of_a_country_chooses(market: Market) -> None:
    """Though the country travels with no payment from step to step."""
    rule = {"name": "fr", "when": {"countries": ["FR"]}, "gateways": ["sandbox_two"]}
    merchants.change(
        market.flow.database, market.flow.merchant, configuration={"routing": {"rules": [rule]}}
    )
    taken = [market.flow.take(country=country)[0] for country in ("FR", "DE", None)]

    chosen = [[row[0] for row in market.attempts(one)] for one in taken]
    assert chosen == [["sandbox_two"], ["sandbox"], ["sandbox"]]


def test_success_rates_are_of_the_last_hour_and_known_to_the_fleet(
    market: Market, cache: Cache
) -> None:
    """Of twenty decided charges at least; Redis may forget them."""
    for number in range(rates.LEAST_CHARGES):
        market.flow.take("tok_approve" if number % 4 else "tok_decline")
    found = rates.refresh(market.flow.database, cache, now=market.flow.now)
    health = breaker.health(cache, ["sandbox", "sandbox_two"])
    later = market.flow.now + rates.LATELY + dt.timedelta(minutes=1)

    assert found == {"sandbox": {"EUR": 0.75}}
    assert (health["sandbox"].success_rates, health["sandbox_two"].success_rates) == (
        {"EUR": 0.75},
        {},
    )
    assert rates.refresh(market.flow.database, cache, now=later) == {}


def test_a_run_that_saw_the_first_decline_can_not_end_what_goes_on_elsewhere(
    market: Market,
) -> None:
    """The payment is another one as soon as its next attempt is on record."""
    market.one.instead, market.one.reaches = BUSY, False
    market.two = Watched(market.two, "sandbox_two", database=market.flow.database)
    market.flow.gateways = {"test": [market.one, market.two]}
    market.flow.take()

    assert market.two.versions == [2]


@dataclass
class Watched(Line):
    """A gateway that looks at the only payment's version while it is asked."""

    database: Database = field(kw_only=True)
    versions: list[int] = field(default_factory=list)

    @override
    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        rows = self.database.connection().execute("SELECT version FROM transactions")
        self.versions += [row[0] for row in rows]
        return super().send(instruction, deadline_seconds=deadline_seconds)

"""Charges, captures and refunds whose answer never came, by the hundreds and for a whole day.

Time is the test's own: what is counted in minutes and hours here takes seconds.
"""

import datetime as dt
import json
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from paynexus import ids
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.gateways.breaker import Breaker
from paynexus.gateways.circuit import Policy
from paynexus.gateways.port import Gateway, Instruction, Operation, Result, Sent
from paynexus.gateways.service import GuardedGateway
from paynexus.ids import MerchantId, PaymentId
from paynexus.ledger import audit
from paynexus.payments import ladder, operations, sweeper
from tests.flow import Flow
from tests.sandbox import Sandbox
from tools.sandbox_acquirer.rules import Charge

pytestmark = pytest.mark.proof

MINUTE = dt.timedelta(minutes=1)
EACH = 500
"""Charges that fail before their effect, and as many after it."""
KINDS_OF_A_DAY = 20
"""Payments of each kind that the acquirer is gone for."""
SWEEPERS = 8
DUE_AT_ONCE = 60


@dataclass
class Counting:
    """The gateway, with all that it was asked counted by reference."""

    inner: Gateway
    inquired: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    name: str = "sandbox"

    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        """As the gateway answers."""
        self.sent[instruction.reference] += 1
        return self.inner.send(instruction, deadline_seconds=deadline_seconds)

    def inquire(
        self, reference: str, *, deadline_seconds: float, sent: Sent | None = None
    ) -> Result | None:
        """As the gateway answers."""
        self.inquired[reference] += 1
        return self.inner.inquire(reference, deadline_seconds=deadline_seconds, sent=sent)

    def is_healthy(self) -> bool:
        """As the gateway answers."""
        return self.inner.is_healthy()


@pytest.fixture(name="flow")
def _flow(
    database: Database, cache: Cache, merchant: MerchantId, now: dt.datetime, sandbox: Sandbox
) -> Flow:
    return Flow(database, cache, {"test": Counting(sandbox.gateway)}, merchant, now)


@pytest.mark.long
def test_a_thousand_lost_answers_end_within_a_quarter_of_an_hour(
    flow: Flow, sandbox: Sandbox, record_property: Callable[[str, object], None]
) -> None:
    """500 that were charged and 500 that were not: each ends as the acquirer's books have it."""
    after = [flow.take("tok_disconnect_after")[0] for _ in range(EACH)]
    before = [flow.take("tok_disconnect_before")[0] for _ in range(EACH)]
    assert statuses(flow, after + before) == {"UNKNOWN": 2 * EACH}

    minutes = 0
    while "UNKNOWN" in statuses(flow, after + before):
        minutes += 1
        flow.now += MINUTE
        sweeper.sweep(flow.database, flow.run, now=flow.now)

    charges = charges_of(sandbox)
    assert minutes <= 15
    assert statuses(flow, after) == {"COMPLETED": EACH}
    assert statuses(flow, before) == {"FAILED": EACH}
    cards = Counter(charge.payment_method for charge in charges.values())
    assert set(charges) == {ids.text("chg", one) for one in after}
    assert set(cards.values()) == {1}
    assert all(charge.captured and not charge.canceled for charge in charges.values())
    assert count(flow, "SELECT count(*) FROM cases") == 0
    record_property("charges whose answer was lost", 2 * EACH)
    record_property("virtual minutes until the last was final", minutes)
    record_property("double charges", cards.total() - len(cards))


def test_a_charge_that_arrives_at_the_second_send_is_taken_once(
    flow: Flow, sandbox: Sandbox
) -> None:
    """The acquirer never saw it: within ten minutes it is sent again, under its reference."""
    payment_id, _ = flow.take("tok_disconnect_before_once")

    flow.now += MINUTE
    sweeper.sweep(flow.database, flow.run, now=flow.now)

    assert statuses(flow, [payment_id]) == {"COMPLETED": 1}
    assert list(charges_of(sandbox)) == [ids.text("chg", payment_id)]


def test_an_acquirer_that_is_gone_for_a_day_fails_nothing(
    flow: Flow,
    sandbox: Sandbox,
    cache: Cache,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Asked for at the ladder's pace and told to people; cleared up once it is back."""
    charged = [flow.take("tok_disconnect_after")[0] for _ in range(KINDS_OF_A_DAY)]
    lost = [flow.take("tok_disconnect_before")[0] for _ in range(KINDS_OF_A_DAY)]
    captured = [_captured_blindly(flow) for _ in range(KINDS_OF_A_DAY)]
    refunded = [_refunded_blindly(flow) for _ in range(KINDS_OF_A_DAY)]
    payments = charged + lost + captured + refunded
    standing = statuses(flow, payments)
    sandbox.stop()
    breaker = Breaker(cache, gateway="sandbox", policy=Policy())
    guarded = GuardedGateway(sandbox.gateway, breaker=breaker)
    counting = Counting(guarded)
    flow.gateways = {"test": counting}

    _let_pass(flow, minutes=24 * 60)

    assert statuses(flow, payments) == standing
    assert cases(flow) == {"OPEN": len(payments)}
    assert max(counting.inquired.values()) <= ladder.rung(dt.timedelta(days=1))
    metrics = _metrics(capsys.readouterr().out)
    assert (metrics["CaseOpened"], metrics["CasesOpen"]) == (len(payments), len(payments))

    sandbox.start()
    guarded.probe()
    _let_pass(flow, minutes=62)

    assert cases(flow) == {"CLOSED": len(payments)}
    assert statuses(flow, captured + refunded) == {"COMPLETED": 2 * KINDS_OF_A_DAY}
    _require_called_off(flow, sandbox, charged + lost)
    assert _metrics(capsys.readouterr().out)["CasesOpen"] == 0
    assert audit.violations(flow.database) == []
    record_property("payments whose acquirer was gone for a day", len(payments))
    record_property("inquiries in that day", sum(counting.inquired.values()))
    record_property("cases opened, and closed by themselves", len(payments))


def test_any_number_of_sweepers_make_each_inquiry_once(
    flow: Flow,
    another_database: Callable[[], Database],
    record_property: Callable[[str, object], None],
) -> None:
    """All at the same moment, twice: what is due is asked for once each time."""
    taken = [flow.take("tok_disconnect_before")[0] for _ in range(DUE_AT_ONCE)]
    references = [ids.text("chg", one) for one in taken]
    counting = flow.gateways["test"]
    assert isinstance(counting, Counting)

    for times, minutes in ((1, 1), (2, 2)):
        now = flow.now + minutes * MINUTE
        _sweep_together(flow, [another_database() for _ in range(SWEEPERS)], now)
        assert {counting.inquired[one] for one in references} == {times}

    record_property("inquiries that eight sweepers shared", sum(counting.inquired.values()))


def statuses(flow: Flow, payments: list[PaymentId]) -> Counter[str]:
    """How many of the payments stand where."""
    rows = flow.database.connection().execute(
        "SELECT status::TEXT, count(*) FROM transactions WHERE id = ANY(%s) GROUP BY 1", (payments,)
    )
    return Counter(dict(rows.fetchall()))


def cases(flow: Flow) -> dict[str, int]:
    """How many cases are in which state."""
    query = "SELECT state, count(*)::INTEGER FROM cases GROUP BY 1"
    return dict(flow.database.connection().execute(query).fetchall())


def count(flow: Flow, query: str) -> int:
    """The one number that the query returns."""
    row = flow.database.connection().execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def charges_of(sandbox: Sandbox) -> dict[str, Charge]:
    """All charges in the acquirer's books, by reference; each is there once."""
    rows = sandbox.store.charges(after=0, limit=100_000)
    found = {charge.reference: charge for _, charge, _ in rows}
    assert len(found) == len(rows)
    return found


def _let_pass(flow: Flow, *, minutes: int) -> None:
    for _ in range(minutes):
        flow.now += MINUTE
        sweeper.sweep(flow.database, flow.run, now=flow.now)


def _captured_blindly(flow: Flow) -> PaymentId:
    payment_id, _ = flow.take("tok_capture_disconnect_after", capture="manual")
    flow.operate(Operation.CAPTURE, payment_id, operations.capture, amount=None)
    return payment_id


def _refunded_blindly(flow: Flow) -> PaymentId:
    payment_id, _ = flow.take("tok_refund_disconnect_after")
    flow.operate(Operation.REFUND, payment_id, operations.refund, amount=300, reason=None)
    return payment_id


def _require_called_off(flow: Flow, sandbox: Sandbox, payments: list[PaymentId]) -> None:
    """Each has FAILED because its acquirer holds nothing of it any more, and says so."""
    books = charges_of(sandbox)
    for payment_id in payments:
        payment = flow.payment(payment_id)
        assert payment.failure is not None
        assert (str(payment.status), payment.failure.code) == ("FAILED", "charge_called_off")
        charge = books.get(ids.text("chg", payment_id))
        assert charge is None or charge.canceled
        assert sandbox.store.is_canceled_before_arrival(ids.text("chg", payment_id)) or charge


def _sweep_together(flow: Flow, databases: list[Database], now: dt.datetime) -> None:
    barrier = threading.Barrier(len(databases))

    def work(database: Database) -> None:
        with closing(database):
            mine = Flow(database, flow.cache, flow.gateways, flow.merchant, now)
            barrier.wait()
            sweeper.sweep(database, mine.run, now=now)

    threads = [threading.Thread(target=work, args=(one,)) for one in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _metrics(printed: str) -> dict[str, float]:
    """Of each metric the sum, or of a gauge the last; without those told by dimension."""
    found: dict[str, float] = {}
    for line in printed.splitlines():
        told = json.loads(line)
        [described] = told.get("_aws", {}).get("CloudWatchMetrics", [{}])
        if described.get("Dimensions") not in ([[]], [["service"]]):
            continue
        for metric in described["Metrics"]:
            name = metric["Name"]
            before = found.get(name, 0) if name == "CaseOpened" else 0
            found[name] = before + told[name][0]
    return found

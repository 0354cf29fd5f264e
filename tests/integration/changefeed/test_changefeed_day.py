"""A day of real payments, as the bus sees it: every fact in order, valid by its schema."""

import datetime as dt
import json
from itertools import pairwise
from typing import Any

from paynexus import events, ids
from paynexus.db import Database
from paynexus.events import FACTS
from paynexus.gateways.announcing import announcing
from paynexus.gateways.circuit import Change, State
from paynexus.gateways.port import Operation, Outcome, Result
from paynexus.ids import PaymentId
from paynexus.payments import authority, operations, sweeper
from tests.disputing import Bank
from tests.flow import Flow
from tests.integration.changefeed.recording import Drain, RecordingBus
from tests.sandbox import Sandbox
from tools.sandbox_acquirer.disputes import Outcome as End

ELSEWHERE = (
    *("settlement.", "transfer.expired."),
    *("fraud.skipped.", "fraud.case_closed.", "fraud.promoted.", "fraud.reverted."),
)
"""What no payment tells here: none of their holds has a time-out, nobody looks into cases."""


def _refund(flow: Flow, payment_id: PaymentId) -> None:
    flow.operate(Operation.REFUND, payment_id, operations.refund, amount=400, reason="Cold")


def _come_late(flow: Flow) -> PaymentId:
    """Called off, approved all the same, and sent back."""
    payment_id, _ = flow.take("tok_disconnect_before")
    flow.now += dt.timedelta(minutes=11)
    sweeper.sweep(flow.database, flow.run, now=flow.now)
    reference = ids.text("chg", payment_id)
    authority.settle_unknown(flow.database, reference, Result(Outcome.APPROVED), now=flow.now)
    flow.now += dt.timedelta(minutes=2)
    sweeper.sweep(flow.database, flow.run, now=flow.now)
    return payment_id


def test_each_payment_is_told_as_it_went(flow: Flow, sandbox: Sandbox, drain: Drain) -> None:
    """Approved, refunded, refused, challenged, blocked, captured, canceled, unknown, disputed."""
    refunded, _ = flow.take(email="ada@example.com")
    _refund(flow, refunded)
    _refund(flow, flow.take("tok_refund_decline")[0])
    declined, _ = flow.take("tok_decline_insufficient_funds")
    challenged, _ = flow.take(amount=50_001)
    flow.operate(Operation.CHARGE, challenged, operations.confirm, is_authenticated=True)
    blocked, _ = flow.take(amount=1_000_001)
    captured, _ = flow.take(capture="manual")
    flow.operate(Operation.CAPTURE, captured, operations.capture, amount=300, is_final=False)
    flow.operate(Operation.CAPTURE, captured, operations.capture, amount=300)
    canceled, _ = flow.take(capture="manual")
    flow.operate(Operation.CANCEL, canceled, operations.cancel)
    unknown, _ = flow.take("tok_error_after")
    sweeper.sweep(flow.database, flow.run, now=flow.now + dt.timedelta(minutes=2))
    late = _come_late(flow)
    for end in (End.WON, End.LOST):
        Bank(flow, sandbox).dispute(refunded, 100, end)
    states = (State.CLOSED, State.OPEN, State.HALF_OPEN, State.CLOSED)
    for at, (before, after) in enumerate(pairwise(states)):
        announcing(flow.database, mode="test")("sandbox", Change(before, after, at))
    bus = RecordingBus()

    drain(bus)

    facts = [json.loads(entry.detail) for entry in bus.taken]
    _are_as_promised(facts, [entry.source for entry in bus.taken])
    stories = {
        refunded: "created completed",
        declined: "created failed",
        challenged: "created challenged completed",
        blocked: "created failed",
        captured: "created authorized partially_captured completed",
        canceled: "created authorized canceled",
        unknown: "created unknown completed",
        late: "created unknown failed late_approved late_approval_returned",
    }
    assert {one: _story(facts, one) for one in stories} == stories
    assert "ada@example.com" not in json.dumps(facts)
    _is_in_order_and_complete(facts, flow.database)
    assert {kind for kind in FACTS if not kind.startswith(ELSEWHERE)} <= {
        fact["type"] for fact in facts
    }


def _are_as_promised(facts: list[dict[str, Any]], sources: list[str]) -> None:
    for fact in facts:
        events.require_valid(fact)
    assert [FACTS[fact["type"]].topic for fact in facts] == sources


def _story(facts: list[dict[str, Any]], payment: PaymentId) -> str:
    mine = [fact["type"] for fact in facts if fact["object_id"] == ids.text("pay", payment)]
    return " ".join(kind.split(".")[1] for kind in mine)


def _is_in_order_and_complete(facts: list[dict[str, Any]], database: Database) -> None:
    """Each row of both tables once, and each object's facts by their sequence, from 1 on."""
    rows = database.connection().execute("SELECT id FROM events UNION ALL SELECT id FROM transfers")
    assert sorted(ids.text("evt", row[0]) for row in rows) == sorted(fact["id"] for fact in facts)
    last = dict[str, int]()
    for fact in facts:
        one = fact["object_id"]
        assert fact["sequence"] == last.get(one, 0) + 1
        last[one] = fact["sequence"]

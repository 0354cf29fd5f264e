"""What rows of the log become on the bus."""

import datetime as dt
import json
from uuid import UUID

import pytest

from paynexus import events, ids
from paynexus.changefeed.facts import LEDGER_SOURCE, TRANSFER_FACTS, UnknownFact, entry_of
from paynexus.changefeed.pgoutput import Row
from paynexus.events import FACTS

HOLD = UUID("01930000-0000-7000-8000-000000000001")
POST = UUID("01930000-0000-7000-8000-000000000002")
PAYMENT = UUID("01930000-0000-7000-8000-000000000003")
MERCHANT = UUID("01930000-0000-7000-8000-000000000004")


def _transfer(**changes: str | None) -> Row:
    values: dict[str, str | None] = {
        "id": str(HOLD),
        "state": "pending",
        "pending_id": None,
        "kind": "payment",
        "debit_account_id": str(ids.new_id()),
        "credit_account_id": str(ids.new_id()),
        "amount": "1250",
        "currency": "EUR",
        "mode": "live",
        "merchant_id": str(MERCHANT),
        "object_id": ids.text("pay", PAYMENT),
        "transaction_id": str(PAYMENT),
        "sequence": "1",
        "created_at": "2026-11-22 16:50:00.5+00",
    }
    return Row("transfers", values | changes)


def test_an_event_row_becomes_its_envelope() -> None:
    """What a room appended arrives as it was, under its own topic and time."""
    fact = FACTS["payment.completed.v1"]
    sample = fact.sample
    row = Row(
        "events",
        {
            "id": str(ids.parse("evt", sample["id"])),
            "source": fact.topic,
            "type": sample["type"],
            "mode": sample["mode"],
            "merchant_id": str(ids.parse("mer", sample["merchant_id"])),
            "object_id": sample["object_id"],
            "sequence": "2",
            "data": json.dumps(sample["data"]),
            "created_at": "2026-11-22 16:50:00.123456+00",
        },
    )

    entry = entry_of(row)

    assert json.loads(entry.detail) == sample
    assert (entry.id, entry.source, entry.type) == (sample["id"], fact.topic, sample["type"])
    assert entry.time == dt.datetime(2026, 11, 22, 16, 50, 0, 123456, dt.UTC)


@pytest.mark.parametrize("state", sorted(TRANSFER_FACTS))
def test_each_state_of_a_transfer_is_a_valid_fact(state: str) -> None:
    """Every row that the books can hold is an event that its schema accepts."""
    resolves = state in {"post", "void"}
    row = _transfer(state=state, id=str(POST), pending_id=str(HOLD) if resolves else None)

    entry = entry_of(row)

    events.require_valid(json.loads(entry.detail))
    assert entry.source == LEDGER_SOURCE
    assert entry.type == TRANSFER_FACTS[state]


def test_both_steps_of_a_transfer_are_one_object_and_two_events() -> None:
    """A consumer follows the hold by its id and tells the steps apart by theirs."""
    hold = entry_of(_transfer())
    post = entry_of(_transfer(id=str(POST), pending_id=str(HOLD), state="post", sequence="2"))

    assert hold.object_id == post.object_id == ids.text("tr", HOLD)
    assert [hold.id, post.id] == [ids.text("evt", HOLD), ids.text("evt", POST)]


def test_a_payout_belongs_to_no_payment_and_may_be_the_platforms_own() -> None:
    """What is absent is null, and the cause is still named."""
    settlement = ids.text("set", ids.new_id())
    row = _transfer(
        state="single",
        kind="payout_paid",
        merchant_id=None,
        transaction_id=None,
        object_id=settlement,
    )

    fact = json.loads(entry_of(row).detail)

    events.require_valid(fact)
    assert fact["merchant_id"] is None
    assert (fact["data"]["payment"], fact["data"]["cause"]) == (None, settlement)


@pytest.mark.parametrize(
    "row",
    [
        Row("users", {}),
        _transfer(state="dissolved"),
        _transfer(amount=None),
        _transfer(id="no-uuid"),
        Row("transfers", {}),
    ],
)
def test_a_row_that_can_not_be_told_is_an_error_of_its_own(row: Row) -> None:
    """The feed sets it aside by that error instead of stopping."""
    with pytest.raises(UnknownFact, match=row.table):
        entry_of(row)

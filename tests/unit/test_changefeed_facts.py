"""What rows of the log become on the bus."""

import datetime as dt
import json
from uuid import UUID

import pytest

from paynexus import events, ids
from paynexus.changefeed.facts import LEDGER_SOURCE, TRANSFER_FACTS, UnknownFact, entry_of
from paynexus.changefeed.pairs import Pairs
from paynexus.changefeed.pgoutput import Row
from paynexus.events import FACTS
from paynexus.ledger.model import TransferKind

HOLD = UUID("01930000-0000-7000-8000-000000000001")
POST = UUID("01930000-0000-7000-8000-000000000002")
PAYMENT = UUID("01930000-0000-7000-8000-000000000003")
DEBIT = UUID("01930000-0000-7000-8000-000000000005")
CREDIT = UUID("01930000-0000-7000-8000-000000000006")
MERCHANT = UUID("01930000-0000-7000-8000-000000000004")


def _transfer(**changes: str | None) -> Row:
    values: dict[str, str | None] = {
        "id": str(HOLD),
        "state": "pending",
        "pending_id": None,
        "kind": "payment",
        "debit_account_id": str(DEBIT),
        "credit_account_id": str(CREDIT),
        "amount": "1250",
        "currency": "EUR",
        "mode": "live",
        "merchant_id": str(MERCHANT),
        "object_id": ids.text("pay", PAYMENT),
        "transaction_id": str(PAYMENT),
        "sequence": "1",
        "is_final": "t",
        "released": "0",
        "reverses": None,
        "debit_slot": "11",
        "credit_slot": "0",
        "effective_at": "2026-11-22 16:50:00.5+00",
        "created_at": "2026-11-22 16:50:00.5+00",
        "debit_balance_after": "1250",
        "credit_balance_after": "-1250",
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
    resolves = state in {"post", "void", "expire"}
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


@pytest.mark.parametrize("kind", TransferKind)
def test_each_kind_of_transfer_is_a_valid_fact(kind: TransferKind) -> None:
    """The schema names every kind that the books know."""
    events.require_valid(json.loads(entry_of(_transfer(kind=kind)).detail))


def test_a_part_of_a_hold_says_that_the_rest_stays() -> None:
    """As the log writes it and as the tables are read; and what is dated otherwise is so told."""
    changes = {"state": "post", "pending_id": str(HOLD), "released": "400", "reverses": str(POST)}
    dated = {"effective_at": "2026-11-20 00:00:00+00"}
    first = entry_of(_transfer(is_final="f", **changes, **dated))
    again = entry_of(_transfer(is_final="false", **changes, **dated))
    last = entry_of(_transfer(is_final="true", **changes))

    assert first == again
    data = [json.loads(entry.detail)["data"] for entry in (first, last)]
    assert [one["final"] for one in data] == [False, True]
    assert data[0]["effective"] == "2026-11-20T00:00:00.000000Z"
    assert (data[0]["released"], data[0]["reverses"]) == (400, ids.text("tr", POST))


def _written(*transfers: str, missing: bool = False) -> list[Row]:
    """The rows of one transaction: transfers, each followed by its entries, and an event."""
    rows = []
    for number, transfer in enumerate(transfers):
        row = _transfer(id=transfer)
        values = {k: v for k, v in row.values.items() if not k.endswith("_balance_after")}
        sides = (values["debit_account_id"], values["credit_account_id"])
        entries = [
            {"transfer_id": transfer, "account_id": side, "balance_after": f"{sign}{number}"}
            for side, sign in zip(sides, ("", "-"), strict=True)
        ]
        rows += [Row("transfers", values), *(Row("ledger_entries", entry) for entry in entries)]
    if missing:
        rows.pop()
    return [*rows, Row("events", {"id": "the event"})]


def test_a_transfer_is_told_with_the_balances_of_its_entries() -> None:
    """Each with its own, in order; what comes behind it waits, and no longer than it must."""
    pairs, rows = Pairs(), _written(str(HOLD), str(POST))
    told = [[row.values for row in pairs.add(row)] for row in rows]

    assert [len(step) for step in told] == [0, 0, 1, 0, 0, 1, 1]
    first, second = told[2][0], told[5][0]
    assert (first["id"], first["debit_balance_after"], first["credit_balance_after"]) == (
        str(HOLD),
        "0",
        "-0",
    )
    assert (second["id"], second["debit_balance_after"]) == (str(POST), "1")
    assert list(pairs.end()) == []


def test_a_transfer_without_its_entries_is_told_to_be_so() -> None:
    """It blocks nothing behind it beyond its own transaction."""
    pairs = Pairs()
    assert [row for row in _written(str(HOLD), missing=True) for row in pairs.add(row)] == []

    transfer, event = pairs.end()

    assert event.table == "events"
    with pytest.raises(UnknownFact, match="credit_balance_after"):
        entry_of(transfer)
    assert [row.table for row in _written(str(POST)) for row in pairs.add(row)] == [
        "transfers",
        "events",
    ]


@pytest.mark.parametrize(
    "row",
    [
        Row("users", {}),
        _transfer(state="dissolved"),
        _transfer(amount=None),
        _transfer(debit_balance_after=None),
        _transfer(id="no-uuid"),
        Row("transfers", {}),
    ],
)
def test_a_row_that_can_not_be_told_is_an_error_of_its_own(row: Row) -> None:
    """The feed sets it aside by that error instead of stopping."""
    with pytest.raises(UnknownFact, match=row.table):
        entry_of(row)

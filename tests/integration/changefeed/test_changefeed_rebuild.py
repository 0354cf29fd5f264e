"""When the log is lost, the tables still tell every fact."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from paynexus import changefeed, ids
from paynexus.changefeed.port import Entry, Refusal
from paynexus.clock import system_clock
from paynexus.db import Connection, Database
from paynexus.errors import BusUnavailable
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import store as books
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.money import Money
from tests.integration.changefeed.recording import (
    Drain,
    RecordingBus,
    append_each,
    rejected,
)

PAST = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


@pytest.fixture(name="told")
def _told(database: Database, merchant: MerchantId, drain: Drain) -> list[Entry]:
    """Facts of both tables, as the log told them."""
    bus = RecordingBus()
    append_each(database, merchant, 12)
    hold = Transfer(
        id=TransferId(ids.new_id()),
        kind=TransferKind.PAYMENT,
        debit=Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR"),
        credit=Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", merchant),
        money=Money(1250, "EUR"),
        object_id=ids.text("pay", ids.new_id()),
    )
    with database.transaction() as tx:
        books.reserve(tx, hold)
        books.post_pending(tx, hold.id, id=TransferId(ids.new_id()), amount=100, is_final=False)
    with database.transaction() as tx:
        books.void_pending(tx, hold.id, id=TransferId(ids.new_id()))
        books.post(tx, replace(hold, id=TransferId(ids.new_id())), at=PAST)
    drain(bus)
    return bus.taken


def test_every_fact_is_told_again_as_it_was(told: list[Entry], reader: Connection) -> None:
    """To the byte: id, time, sequence and data."""
    again = RecordingBus()
    start = system_clock() - dt.timedelta(minutes=3)
    hour = dt.timedelta(hours=1)

    reached = changefeed.republish(
        reader, again, since=start, clock=system_clock, deadline=start + hour
    )

    by_id: Callable[[Entry], str] = lambda entry: entry.id  # noqa: E731 - a sort key
    assert sorted(told, key=by_id) == sorted(again.taken, key=by_id)
    assert reached > max(entry.time for entry in told)


def test_the_deadline_leaves_the_time_to_go_on_from(told: list[Entry], reader: Connection) -> None:
    """Two calls tell what one would have."""
    again, start = RecordingBus(), system_clock() - dt.timedelta(minutes=3)
    end, late = start + dt.timedelta(minutes=4), start + dt.timedelta(hours=9)
    moments = iter([end, end, end, late])
    deadline = start + dt.timedelta(hours=8)
    reached = changefeed.republish(
        reader, again, since=start, clock=lambda: next(moments), deadline=deadline
    )
    assert reached == start + dt.timedelta(minutes=2)

    changefeed.republish(reader, again, since=reached, clock=system_clock, deadline=deadline)

    assert {entry.id for entry in told} == {entry.id for entry in again.taken}


def test_a_refusal_names_the_time_to_go_on_from(told: list[Entry], reader: Connection) -> None:
    """Nothing is left out in silence."""

    def refuse(_: Sequence[Entry]) -> Sequence[Refusal]:
        return [Refusal(0, "ThrottlingException", "slow down")]

    start = told[0].time - dt.timedelta(seconds=1)
    hour = dt.timedelta(hours=1)
    with pytest.raises(BusUnavailable, match="go on from 2"):
        changefeed.republish(
            reader, RecordingBus(refuse), since=start, clock=system_clock, deadline=start + hour
        )


def test_what_can_not_be_told_again_stops_nothing(
    told: list[Entry], reader: Connection, database: Database
) -> None:
    """A transfer of a later version's state is kept for that version."""
    reader.execute("ALTER TYPE transfer_state ADD VALUE 'dissolved'")
    odd = """
        INSERT INTO transfers
        SELECT (jsonb_populate_record(t, jsonb_build_object('id', uuidv7(), 'state', 'dissolved',
            'part', 9))).*
        FROM transfers AS t WHERE state = 'void'
    """
    reader.execute("SET session_replication_role = replica")
    reader.execute(odd)
    again, hour = RecordingBus(), dt.timedelta(hours=1)
    start = system_clock() - dt.timedelta(minutes=3)

    changefeed.republish(reader, again, since=start, clock=system_clock, deadline=start + hour)

    assert {entry.id for entry in told} == {entry.id for entry in again.taken}
    assert [code for _, code in rejected(database)] == ["UnknownFact"]
    reader.execute("DELETE FROM transfers WHERE state = 'dissolved'")

"""Balances, holds, entries, statements as merchants are told them: theirs, and nothing else."""

import datetime as dt
from dataclasses import dataclass, replace
from functools import partial

import pytest

from paynexus import ids
from paynexus.db import Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import reading, store
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Balance, Entry, Order, Transfer, TransferKind
from paynexus.ledger.reading import Hold, Owed, Period, Sums
from paynexus.lists.model import Page
from paynexus.money import Money

HOUR = dt.timedelta(hours=1)
SQL_TIMES = "SELECT created_at, expires_at FROM transfers WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Desk:
    """Books between the gateway's accounts and this merchant's."""

    database: Database
    merchant: MerchantId

    def incoming(self, amount: int, currency: str = "EUR", mode: str = "test") -> Transfer:
        """A payment to the merchant."""
        return Transfer(
            TransferId(ids.new_id()),
            TransferKind.PAYMENT,
            Account(AccountType.GATEWAY_RECEIVABLE, mode, currency),
            Account(AccountType.MERCHANT_PAYABLE, mode, currency, self.merchant),
            Money(amount, currency),
            f"pay_{amount}",
        )

    def outgoing(self, amount: int, currency: str = "EUR") -> Transfer:
        """A refund by the merchant."""
        there = self.incoming(amount, currency)
        money, refund = there.money, TransferKind.REFUND
        return Transfer(there.id, refund, there.credit, there.debit, money, f"ref_{amount}")

    def book(self, *orders: Order) -> None:
        """All of the orders are booked."""
        with self.database.transaction() as tx:
            for result in store.transfers(tx, orders, with_balances=False):
                result.require_booked()

    def owed(self, mode: str = "test", **holds: int) -> list[Owed]:
        """What the merchant is told that it is owed."""
        return reading.balances(self.database.connection(), self.merchant, mode, **holds)

    def times(self, transfer: Transfer) -> tuple[dt.datetime, dt.datetime | None]:
        """When it was recorded, and when its time is up."""
        [(recorded, expires)] = self.database.connection().execute(SQL_TIMES, (transfer.id,))
        return recorded, expires


@pytest.fixture(name="desk")
def _desk(database: Database, merchant: MerchantId) -> Desk:
    return Desk(database, merchant)


@pytest.fixture(name="other")
def _other(database: Database) -> Desk:
    """Another merchant's."""
    other = MerchantId(ids.new_id())
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Other')", (other,))
    return Desk(database, other)


def test_each_currency_has_a_balance_with_its_open_holds(desk: Desk, other: Desk) -> None:
    """The oldest first, each side of them by itself; of this merchant, in this mode."""
    usd, eur = desk.incoming(30, "USD"), desk.incoming(50)
    refund, more = desk.outgoing(7), desk.outgoing(4)
    desk.book(Order.single(desk.incoming(1_000)), Order.single(desk.incoming(2, mode="live")))
    desk.book(Order.pending(usd), Order.pending(eur, timeout=HOUR), Order.pending(refund))
    desk.book(Order.pending(more, timeout=HOUR))
    other.book(Order.single(other.incoming(9_000)), Order.pending(other.incoming(800)))

    in_euros, in_dollars = desk.owed(holds=2)

    assert in_euros.balance == Balance("EUR", posted=1_000, pending_in=50, pending_out=11)
    assert in_euros.balance.available == 1_000 - 11
    assert in_euros.holds == [
        Hold(eur.id, "payment", "pay_50", False, 50, desk.times(eur)[1]),  # noqa: FBT003
        Hold(refund.id, "refund", "ref_7", True, 7, None),  # noqa: FBT003
    ]
    assert in_dollars.balance == Balance("USD", posted=0, pending_in=30, pending_out=0)
    assert [(one.transfer_id, one.amount) for one in in_dollars.holds] == [(usd.id, 30)]
    assert [(one.balance, one.holds) for one in desk.owed()] == [
        (in_euros.balance, []),
        (in_dollars.balance, []),
    ]
    assert desk.owed("live") == [Owed(Balance("EUR", 2, 0, 0), [])]


def test_a_past_balance_counts_what_counted_then_and_was_known_then(
    desk: Desk, other: Desk, now: dt.datetime
) -> None:
    """By currency, of this merchant, in this mode: by effective time and by recorded time."""
    connection, hold = desk.database.connection(), desk.outgoing(7)
    desk.book(
        Order.single(desk.incoming(100, "USD"), effective_at=now - 3 * HOUR),
        Order.single(desk.incoming(20), effective_at=now - 2 * HOUR),
        Order.single(desk.incoming(5, mode="live"), effective_at=now - 2 * HOUR),
        Order.pending(hold, effective_at=now - 2 * HOUR),
    )
    late = desk.incoming(3)
    desk.book(Order.pending(late, effective_at=now - HOUR))
    other.book(Order.single(other.incoming(9_000), effective_at=now - 2 * HOUR))
    before_late, long_after = desk.times(hold)[0], now + 24 * HOUR
    assert before_late < desk.times(late)[0]

    def told(at: dt.datetime, known_at: dt.datetime, mode: str = "test") -> list[Balance]:
        return reading.balances_at(connection, desk.merchant, mode, at=at, known_at=known_at)

    dollars = Balance("USD", posted=100, pending_in=0, pending_out=0)
    euros = Balance("EUR", posted=20, pending_in=0, pending_out=7)
    with_late = Balance("EUR", posted=20, pending_in=3, pending_out=7)
    nothing = [Balance("EUR", 0, 0, 0), Balance("USD", 0, 0, 0)]
    assert told(now - 4 * HOUR, long_after) == told(long_after, now - 4 * HOUR) == nothing
    assert told(now - 3 * HOUR, long_after) == [nothing[0], dollars]
    assert told(now - 2 * HOUR, long_after) == [euros, dollars]
    assert told(now - HOUR, before_late) == [euros, dollars]
    assert told(now - HOUR, long_after) == [with_late, dollars]
    assert told(now, long_after, "live") == [Balance("EUR", 5, 0, 0)]


def test_entries_are_told_from_either_end(desk: Desk, other: Desk) -> None:
    """Each with what it came from, and the balance that it left: posted or pending."""
    transfers = [desk.incoming(100), desk.outgoing(30), desk.incoming(5)]
    desk.book(Order.single(transfers[0]), Order.pending(transfers[1]), Order.single(transfers[2]))
    desk.book(Order.single(desk.incoming(2, mode="live")))
    other.book(Order.single(other.incoming(9_000)))
    connection = desk.database.connection()
    whole = reading.entries(connection, desk.merchant, "test", Page(9))

    assert whole == [
        Entry(
            id=found.id,
            transfer_id=transfer.id,
            kind=transfer.kind,
            type=type_,
            amount=amount,
            balance_after=after,
            currency="EUR",
            object_id=transfer.object_id,
            created_at=desk.times(transfer)[0],
        )
        for found, transfer, type_, amount, after in zip(
            whole,
            transfers[::-1],
            ("posted", "pending", "posted"),
            (5, -30, 100),
            (105, -30, 100),
            strict=True,
        )
    ]
    newest, middle, oldest = whole
    told = partial(reading.entries, connection, desk.merchant, "test")
    assert told(Page(0)) == [newest]
    assert told(Page(0, before=newest.id)) == told(Page(0), after=oldest.id) == [middle]
    assert told(Page(0), after=newest.id) == []


def test_a_statement_tells_the_same_entries_in_the_order_in_which_they_count(
    desk: Desk, now: dt.datetime
) -> None:
    """Of a period, page by page; what began before it is in the opening balance."""
    connection = desk.database.connection()
    first, last, hold = desk.incoming(100), desk.outgoing(30), desk.incoming(5)
    desk.book(
        Order.single(last, effective_at=now - HOUR),
        Order.single(first, effective_at=now - 3 * HOUR),
        Order.pending(hold, effective_at=now - 2 * HOUR),
        Order.single(desk.incoming(7), effective_at=now - 9 * HOUR),
        Order.single(desk.incoming(2), effective_at=now),
    )
    [(account,)] = connection.execute(
        "SELECT id FROM accounts WHERE merchant_id = %s", (desk.merchant,)
    )
    period = Period(now - 3 * HOUR, now, now + 24 * HOUR)

    told = reading.statement(connection, account, period, limit=9)

    assert (told.opening, told.closing) == (Sums(7, 0), Sums(77, 5))
    assert [(one.transfer_id, one.effective_at, one.change, one.balance) for one in told.lines] == [
        (first.id, now - 3 * HOUR, Sums(100, 0), Sums(107, 0)),
        (hold.id, now - 2 * HOUR, Sums(0, 5), Sums(107, 5)),
        (last.id, now - HOUR, Sums(-30, 0), Sums(77, 5)),
    ]
    entries = reading.entries(connection, desk.merchant, "test", Page(9))
    assert {
        (one.id, one.transfer_id, one.kind, one.type, one.object_id, one.created_at)
        for one in told.lines
    } == {
        (one.id, one.transfer_id, one.kind, one.type, one.object_id, one.created_at)
        for one in entries
        if one.transfer_id in {first.id, hold.id, last.id}
    }
    page = reading.statement(connection, account, period, limit=1, after=told.lines[0])
    assert page == replace(told, lines=told.lines[1:2])

"""Money that was taken reaches the merchant's bank once, and every step is on the books."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from paynexus import ids
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.errors import InvalidState, NotFound
from paynexus.events import SettlementData
from paynexus.gateways.port import Operation, Outcome, Result
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import store as ledger
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.chart import BOOKINGS
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.lists.model import Page
from paynexus.money import Money
from paynexus.payments import authority, operations
from paynexus.settlement import service, store
from paynexus.settlement.merchant import service as merchants
from paynexus.settlement.merchant import views
from paynexus.settlement.merchant.table import table
from paynexus.settlement.model import Status
from tests.disputing import Bank
from tests.flow import Flow
from tests.sandbox import Sandbox
from tests.settlement_world import (
    SettlementWorld,
    debit,
    file_report,
    report,
    statement,
)
from tools.sandbox_acquirer.disputes import Outcome as End

DAY = dt.timedelta(days=1)


def test_a_settlement_pays_what_was_posted_less_fees_and_refunds(books: SettlementWorld) -> None:
    """From posted entries to PAID: amount, lines, file, bookings and facts agree to the cent."""
    books.take(10_000, fee=175)
    books.take(2_500, fee=63)
    books.take(-1_000)

    run = books.settle()
    [settlement] = books.settlements()

    assert (run.made, run.instructed, run.failed) == (1, 1, 0)
    assert settlement.amount == 10_000 - 175 + 2_500 - 63 - 1_000
    assert settlement.status == "INSTRUCTED"
    assert list(books.bank.outbox) == [f"test/{settlement.message_id}.xml"]
    assert books.balance() == 0
    assert books.posted(AccountType.SETTLEMENT_IN_TRANSIT) == -settlement.amount

    books.hear(report(settlement, "ACCP"))

    assert books.status(settlement) == "ACCEPTED"

    done = books.hear(statement(debit(settlement)))
    [paid] = books.settlements()

    assert done.unmatched == 0
    assert (paid.status, paid.processed_at) == ("PAID", books.now)
    assert books.posted(AccountType.SETTLEMENT_IN_TRANSIT) == 0
    assert books.posted(AccountType.CASH) == -settlement.amount
    assert books.facts(settlement) == ["created", "instructed", "accepted", "paid"]
    assert books.breaks() == []


def test_the_statement_of_a_settlement_sums_to_its_amount(books: SettlementWorld) -> None:
    """The merchant can add up the lines, as JSON and as CSV, and see which payment each is of."""
    books.take(10_000, fee=175)
    books.take(-300)
    books.settle()
    [settlement] = books.settlements()
    found = merchants.statement(
        books.database, settlement.object_id, merchant_id=books.merchant, mode="test"
    )
    lines, shown = found.lines, views.statement(found)

    assert [line.kind for line in lines] == ["payment", "fee", "refund"]
    assert shown["total"] == {"amount": settlement.amount, "currency": "EUR"}
    assert all(str(line["payment"]).startswith("pay_") for line in shown["lines"])  # type: ignore[attr-defined]
    assert len(table(found).splitlines()) == 4


def test_runs_of_one_cutoff_make_one_settlement(books: SettlementWorld) -> None:
    """Running again, also after more was posted for the same cut-off, changes nothing."""
    books.take(5_000)
    books.settle()
    books.take(700)
    books.settle()

    assert [one.amount for one in books.settlements()] == [5_000]

    books.settle(after=DAY)

    assert sorted(one.amount for one in books.settlements()) == [700, 5_000]


def test_runs_at_once_make_one_settlement(
    books: SettlementWorld, another_database: Callable[[], Database]
) -> None:
    """Five runs at once, with one cut-off or with five, pay every entry once, in one file."""
    for _ in range(20):
        books.take(1_000)
    worlds = [
        replace(books, database=another_database(), now=books.now + dt.timedelta(seconds=n // 2))
        for n in range(5)
    ]
    with ThreadPoolExecutor(5) as pool:
        runs = [pool.submit(one.settle) for one in worlds]
        made = sum(run.result().made for run in runs)
    [settlement] = books.settlements()

    assert made == 1
    assert settlement.amount == 20_000
    assert len(books.bank.outbox) == 1
    assert books.facts(settlement) == ["created", "instructed"]


@pytest.mark.parametrize("by_group", [True, False])
def test_a_rejected_settlement_returns_the_money_and_is_paid_by_the_next(
    books: SettlementWorld,
    by_group: bool,  # noqa: FBT001 - a parameter of the case
) -> None:
    """REJECTED gives the amount back to the balance; the next settlement says where it is from."""
    first = books.paid(5_000)
    books.hear(
        file_report(first.message_id, "RJCT", "FF01") if by_group else report(first, "RJCT", "AC04")
    )
    [failed] = books.settlements()

    assert (failed.status, failed.failure_code) == ("REJECTED", "FF01" if by_group else "AC04")
    assert books.balance() == 5_000
    assert books.facts(failed)[-1] == "failed"
    assert books.breaks() == [("returned", "settlement", 5_000, "RESOLVED")]

    if not by_group:
        assert books.settle(after=DAY).carried == {"account_refused": 1}
        with books.database.transaction() as tx:
            tx.execute("UPDATE payout_accounts SET iban = 'NL30MOCK0000000005', updated_at = now()")
    books.settle(after=DAY)
    second, _ = books.settlements()
    lines = merchants.statement(
        books.database, second.object_id, merchant_id=books.merchant, mode="test"
    ).lines

    assert [(line.kind, line.amount) for line in lines] == [("payout_rejected", 5_000)]
    assert lines[0].object_id == failed.object_id


def test_every_fact_is_what_its_schema_says(books: SettlementWorld) -> None:
    """Consumers read settlements by the published schema, whatever became of them."""
    for status in ("ACCP", "RJCT"):
        books.hear(report(books.paid(1_000), status, "AC04"))
    rows = books.database.connection().execute("SELECT data FROM events").fetchall()

    assert [SettlementData.model_validate(row[0]).id for row in rows]
    assert len(rows) == 6


def test_what_can_not_be_paid_is_carried(books: SettlementWorld) -> None:
    """A balance below zero, a currency without an account, a mode without a house account."""
    books.take(1_000)
    books.take(-1_500)
    books.take(900, currency="USD")
    books.take(800, mode="live")
    run = books.settle()

    assert (run.made, books.bank.outbox) == (0, {})
    assert run.carried == {"no_payout_account": 1, "no_house_account": 1}

    books.take(2_000)
    books.settle(after=dt.timedelta(minutes=1))

    assert [one.amount for one in books.settlements()] == [1_500]


def test_entries_after_the_cutoff_wait(books: SettlementWorld) -> None:
    """Only what was posted before the cut-off is settled."""
    books.take(1_000)
    run = service.settle(
        books.database, books.bank, now=books.now, cutoff=books.now - dt.timedelta(hours=2)
    )

    assert run.made == 0


def test_a_settlement_is_its_merchants_own(books: SettlementWorld) -> None:
    """Another merchant, the other mode, and a malformed id all get NotFound."""
    database, merchant = books.database, books.merchant
    own = books.paid(1_000).object_id
    for settlement_id, owner, mode in (
        (own, MerchantId(ids.new_id()), "test"),
        (own, merchant, "live"),
        ("set_nonsense", merchant, "test"),
    ):
        with pytest.raises(NotFound):
            merchants.settlement(database, settlement_id, merchant_id=owner, mode=mode)

    assert merchants.settlement(database, own, merchant_id=merchant, mode="test").amount == 1_000


def test_lists_page_from_the_newest(books: SettlementWorld) -> None:
    """Settlements sort by their cut-off, and a page goes on where the last one ended."""
    for day in range(3):
        books.take(1_000 + day)
        books.settle(after=DAY)
    first, more = merchants.list_settlements(
        books.database, Page(2), merchant_id=books.merchant, mode="test"
    )
    rest, end = merchants.list_settlements(
        books.database, Page(2, before=first[-1].id), merchant_id=books.merchant, mode="test"
    )

    assert [one.amount for one in first + rest] == [1_002, 1_001, 1_000]
    assert (more, end) == (True, False)


@pytest.mark.parametrize(
    "status", [Status.ACCEPTED, Status.PAID, Status.REJECTED, Status.RETURNED, Status.PENDING]
)
def test_the_database_keeps_to_the_table_of_statuses(
    books: SettlementWorld, status: Status
) -> None:
    """A settlement whose file was not sent goes nowhere but to INSTRUCTED."""
    books.take(1_000)
    books.bank.is_closed = True
    books.settle()
    [settlement] = books.settlements()
    with pytest.raises(InvalidState), books.database.transaction() as tx:
        store.move(tx, status, [(settlement.id, TransferId(ids.new_id()), None)], now=books.now)


def test_what_refunds_have_reserved_is_not_paid_out(books: SettlementWorld) -> None:
    """Entries are paid the oldest first, as far as the balance is available; the rest later."""
    database = books.database
    books.take(500)
    books.take(300)
    refund = Transfer(
        TransferId(ids.new_id()),
        TransferKind.REFUND,
        Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", books.merchant),
        Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR"),
        Money(100, "EUR"),
        "re_test",
    )
    with database.transaction() as tx:
        ledger.reserve(tx, refund)

    first = books.settle()

    assert [one.amount for one in books.settlements()] == [500]
    with database.transaction() as tx:
        more = replace(refund, id=TransferId(ids.new_id()), money=Money(10, "EUR"))
        ledger.reserve(tx, more)
    second = books.settle(after=DAY)
    assert (first.carried, second.carried) == ({}, {"reserved": 1})
    with database.transaction() as tx:
        ledger.void_pending(tx, refund.id, id=TransferId(ids.new_id()))
        ledger.void_pending(tx, more.id, id=TransferId(ids.new_id()))
    books.settle(after=DAY)
    assert sorted(one.amount for one in books.settlements()) == [300, 500]
    assert books.balance() == 0


def test_a_day_is_booked_as_the_chart_of_accounts_says(
    books: SettlementWorld, cache: Cache, tmp_path: Path
) -> None:
    """Payment, fee, refund, payout, paid, returned, late, disputed: between their accounts."""
    database, now, sandbox = books.database, books.now, Sandbox(tmp_path / "acquirer")
    sandbox.start()
    flow = Flow(database, cache, {"test": sandbox.gateway}, books.merchant, now)
    try:
        for _ in range(2):
            payment, _ = flow.take()
            flow.operate(Operation.REFUND, payment, operations.refund, amount=400, reason=None)
            books.settle(after=dt.timedelta(hours=1))
        declined, _ = flow.take("tok_decline")
        disputed, _ = flow.take()
        flow.operate(Operation.REFUND, disputed, operations.refund, amount=400, reason=None)
        for end in (End.WON, End.LOST):
            Bank(flow, sandbox).dispute(disputed, None, end)
    finally:
        sandbox.stop()
    late = ids.text("chg", declined)
    authority.settle_unknown(database, late, Result(Outcome.APPROVED), now=now)
    first, second = books.settlements()
    books.hear(statement(debit(first)), report(second, "RJCT", "AC04"))
    booked = database.connection().execute(
        "SELECT DISTINCT t.kind::TEXT, d.type, c.type FROM transfers AS t"
        " INNER JOIN accounts AS d ON d.id = t.debit_account_id"
        " INNER JOIN accounts AS c ON c.id = t.credit_account_id"
    )

    assert {row[0]: (row[1], row[2]) for row in booked}.items() <= BOOKINGS.items()

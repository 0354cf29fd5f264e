"""The books, on real Postgres: what is booked adds up, and can't be unbooked."""

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

import psycopg
import pytest

from paynexus import errors, ids
from paynexus.db import Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import audit, reading, store
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Balance, Transfer, TransferKind
from paynexus.money import EXPONENTS, Money

GATEWAY = Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR")


def payment(merchant: MerchantId, amount: int = 1000) -> Transfer:
    """A transfer from the gateway's account to the merchant's."""
    return Transfer(
        id=TransferId(ids.new_id()),
        kind=TransferKind.PAYMENT,
        debit=GATEWAY,
        credit=Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", merchant),
        money=Money(amount, "EUR"),
        object_id="pay_test",
    )


def balance(database: Database, merchant: MerchantId) -> Balance:
    """The merchant's balance in EUR."""
    (found,) = reading.balances(database.connection(), merchant, "test")
    return found.balance


def new_transfer_id() -> TransferId:
    """A transfer id not used before."""
    return TransferId(ids.new_id())


def test_posted_transfer_is_owed(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """A single transfer is in the posted balance at once, and its entries sum to zero."""
    with database.transaction() as tx:
        store.post(tx, payment(merchant, 1250), at=now)

    assert Balance("EUR", 1250, 0, 0) == balance(database, merchant)


def test_pending_then_posted(database: Database, merchant: MerchantId, now: dt.datetime) -> None:
    """A pending transfer is reserved until it is posted, then it is owed."""
    transfer = payment(merchant)
    with database.transaction() as tx:
        store.reserve(tx, transfer, at=now)

    assert Balance("EUR", 0, 1000, 0) == balance(database, merchant)

    with database.transaction() as tx:
        store.post_pending(tx, transfer.id, id=new_transfer_id(), at=now)

    assert Balance("EUR", 1000, 0, 0) == balance(database, merchant)


def test_partial_post_releases_the_rest(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """Posting less than was pending releases the difference."""
    transfer = payment(merchant)
    with database.transaction() as tx:
        store.reserve(tx, transfer, at=now)
        store.post_pending(tx, transfer.id, id=new_transfer_id(), at=now, amount=400)

    assert Balance("EUR", 400, 0, 0) == balance(database, merchant)


def test_voided_transfer_leaves_nothing(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """A voided transfer returns the balances to what they were."""
    transfer = payment(merchant)
    with database.transaction() as tx:
        store.reserve(tx, transfer, at=now)
        store.void_pending(tx, transfer.id, id=new_transfer_id(), at=now)

    assert Balance("EUR", 0, 0, 0) == balance(database, merchant)


def test_pending_is_resolved_once(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """What was posted can't be voided, and the other way round."""
    posted, voided = payment(merchant), payment(merchant)
    with database.transaction() as tx:
        store.reserve(tx, posted, at=now)
        store.reserve(tx, voided, at=now)
        store.post_pending(tx, posted.id, id=new_transfer_id(), at=now)
        store.void_pending(tx, voided.id, id=new_transfer_id(), at=now)

    with (
        pytest.raises(errors.PendingTransferAlreadyPosted),
        database.transaction() as tx,
    ):
        store.void_pending(tx, posted.id, id=new_transfer_id(), at=now)
    with (
        pytest.raises(errors.PendingTransferAlreadyVoided),
        database.transaction() as tx,
    ):
        store.post_pending(tx, voided.id, id=new_transfer_id(), at=now)
    with pytest.raises(errors.PendingTransferNotFound), database.transaction() as tx:
        store.post_pending(tx, new_transfer_id(), id=new_transfer_id(), at=now)
    more = payment(merchant)
    with database.transaction() as tx:
        store.reserve(tx, more, at=now)
    with pytest.raises(errors.LedgerError), database.transaction() as tx:
        store.post_pending(tx, more.id, id=new_transfer_id(), at=now, amount=1001)


def test_same_transfer_twice_is_booked_once(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """Repeating a booking changes nothing; the same id with other values is refused."""
    transfer, resolution = payment(merchant), new_transfer_id()
    for _ in range(2):
        with database.transaction() as tx:
            store.reserve(tx, transfer, at=now)
            store.post_pending(tx, transfer.id, id=resolution, at=now)

    assert Balance("EUR", 1000, 0, 0) == balance(database, merchant)

    different = Transfer(
        transfer.id, transfer.kind, transfer.debit, transfer.credit, Money(1, "EUR"), "pay_test"
    )
    with pytest.raises(errors.TransferExistsWithDifference), database.transaction() as tx:
        store.reserve(tx, different, at=now)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET delta = delta + 1",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries",
        "UPDATE transfers SET amount = amount + 1",
        "DELETE FROM transfers",
        "TRUNCATE transfers",
    ],
)
def test_history_is_immutable(
    database: Database, merchant: MerchantId, now: dt.datetime, statement: str
) -> None:
    """No statement changes or removes what was booked."""
    with database.transaction() as tx:
        store.post(tx, payment(merchant), at=now)

    with pytest.raises(psycopg.Error, match="never changed or deleted"):
        database.connection().execute(statement)


def test_every_id_has_a_slot(database: Database, merchant: MerchantId, now: dt.datetime) -> None:
    """Also the id whose hash is the least integer, which has no absolute value."""
    database.connection().execute("SELECT make_partitions('ledger_entries', '2025-12-01', 1)")
    unlucky = TransferId(UUID("019b0000-0000-7000-8000-db0e68070000"))
    with database.transaction() as tx:
        assert tx.execute("SELECT hashtext(%s::TEXT)", (unlucky,)).fetchone() == (-(2**31),)
        store.post(tx, replace(payment(merchant), id=unlucky), at=now)

    assert balance(database, merchant).posted == 1000


def test_unbalanced_entries_are_refused(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """Entries that do not sum to zero, or have no transfer, can't be inserted."""
    transfer = payment(merchant)
    with database.transaction() as tx:
        store.post(tx, transfer, at=now)
    insert = (
        "INSERT INTO ledger_entries"
        " (id, account_id, delta, balance_after, type, transfer_id, currency, slot)"
        " SELECT id + 1, account_id, %s, 0, 'posted', %s, 'EUR', 0 FROM ledger_entries LIMIT 1"
    )

    with pytest.raises(psycopg.Error, match="must sum to zero"):
        database.connection().execute(insert, (5, transfer.id))


def test_concurrent_transfers_lose_nothing(
    database: Database,
    another_database: Callable[[], Database],
    merchant: MerchantId,
    now: dt.datetime,
) -> None:
    """Eight writers on the same two accounts, in both directions: no deadlock, no lost update."""
    local = threading.local()

    def book(number: int) -> None:
        if not hasattr(local, "database"):
            local.database = another_database()
        forward = payment(merchant, 10)
        transfer = (
            forward
            if number % 4
            else Transfer(
                forward.id, forward.kind, forward.credit, forward.debit, Money(1, "EUR"), "x"
            )
        )
        with local.database.transaction() as tx:
            store.post(tx, transfer, at=now)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(book, range(200)))

    assert Balance("EUR", 150 * 10 - 50, 0, 0) == balance(database, merchant)


def test_first_transfers_in_opposite_directions_open_their_accounts_in_one_order(
    another_database: Callable[[], Database], now: dt.datetime
) -> None:
    """Eight writers meet on accounts that do not exist yet, forty times over: no deadlock."""
    databases = [another_database() for _ in range(8)]
    together = threading.Barrier(8)

    def book(writer: int) -> None:
        for currency in sorted(EXPONENTS)[:40]:
            debit, credit = (
                Account(kind, "test", currency)
                for kind in sorted((AccountType.CASH, AccountType.FEES), reverse=writer % 2 == 0)
            )
            transfer = Transfer(
                new_transfer_id(), TransferKind.PAYMENT, debit, credit, Money(1, currency), "x"
            )
            together.wait(timeout=30)
            with databases[writer].transaction() as tx:
                store.post(tx, transfer, at=now)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(book, range(8)))


def test_audit_names_what_was_tampered_with(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """A balance changed behind the ledger's back is a violation."""
    with database.transaction() as tx:
        store.post(tx, payment(merchant), at=now)
    change = (
        "UPDATE account_balances SET debits_posted = debits_posted + %s WHERE debits_posted > 0"
    )
    database.connection().execute(change, (1,))

    found = {violation.rule for violation in audit.violations(database)}

    assert found >= {"balance_differs_from_its_entries", "debits_differ_from_credits"}

    database.connection().execute(change, (-1,))


def test_audit_reports_every_row_that_breaks_a_rule_up_to_a_limit(
    database: Database, merchant: MerchantId, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As text, for a log; a thousand rows of one rule would say no more than the first."""
    with database.transaction() as tx:
        store.post(tx, payment(merchant), at=now)
    connection = database.connection()
    change = "UPDATE account_balances SET debits_posted = debits_posted + %s WHERE slot = 0"
    connection.execute(change, (1,))

    whole = audit.violations(database)
    monkeypatch.setattr(audit, "REPORTED_ROWS_LIMIT", 1)
    limited = audit.violations(database)

    broken = Counter(one.rule for one in whole)
    assert broken["balance_differs_from_its_entries"] > 1
    assert Counter(one.rule for one in limited) == dict.fromkeys(broken, 1)
    accounts = connection.execute("SELECT account_id::TEXT FROM account_balances WHERE slot = 0")
    assert {
        one.row["account_id"] for one in whole if one.rule == "balance_differs_from_its_entries"
    } == {row[0] for row in accounts}

    connection.execute(change, (-1,))

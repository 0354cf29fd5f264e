"""Reading the books, on real Postgres: checkpoints, statements, holds, past balances."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import reading, store, upkeep
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Balance, Order, Transfer, TransferKind
from paynexus.money import Money
from tend_ledger.handler import handler
from tools import ledger_account

GATEWAY = Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR")
FAR = dt.datetime(2199, 1, 1, tzinfo=dt.UTC)
MARGIN = dt.timedelta(seconds=10)
"""Checkpoints keep this far behind the clock: a test asks for them that much later."""


def payment(merchant: MerchantId, amount: int = 1000) -> Transfer:
    """A transfer from the gateway's account to the merchant's."""
    payable = Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", merchant)
    id_, money = TransferId(ids.new_id()), Money(amount, "EUR")
    return Transfer(id_, TransferKind.PAYMENT, GATEWAY, payable, money, "pay_test")


def book(database: Database, *orders: Order) -> None:
    """All of the orders are booked."""
    with database.transaction() as tx:
        for result in store.transfers(tx, orders, with_balances=False):
            result.require_booked()


def account_of(connection: Connection, merchant: MerchantId | None) -> UUID:
    """The merchant's payable account, or the gateway's."""
    [(account,)] = connection.execute(
        "SELECT id FROM accounts WHERE merchant_id IS NOT DISTINCT FROM %s", (merchant,)
    ).fetchall()
    return UUID(str(account))


def make_checkpoints(connection: Connection) -> int | None:
    """All that are due; None when a transaction is in their way."""
    [(at, mark)] = connection.execute("SELECT marked_at, transaction FROM ledger_mark()").fetchall()
    [(made,)] = connection.execute(
        "SELECT ledger_checkpoint(%s, %s::XID8, 10000)", (at + MARGIN, mark)
    ).fetchall()
    return None if made is None else int(made)


def checkpoints(connection: Connection) -> set[tuple[UUID, int]]:
    """The entries that have one."""
    query = "SELECT account_id, through_id FROM balance_checkpoints"
    return {(row[0], row[1]) for row in connection.execute(query)}


def samples(connection: Connection) -> set[tuple[UUID, int]]:
    """The entries that should get one: chance says which."""
    query = "SELECT account_id, id FROM ledger_entries WHERE id % 101 = 0"
    return {(row[0], row[1]) for row in connection.execute(query)}


def test_each_sampled_entry_gets_a_checkpoint_and_no_balance_changes(
    database: Database, merchant: MerchantId
) -> None:
    """About one of 101, once; each is the sum of what lies below it (the audit looks)."""
    connection = database.connection()
    for _ in range(4):
        book(database, *(Order.single(payment(merchant, n + 1)) for n in range(500)))
    before = [
        connection.execute(
            "SELECT ledger_balance_at(%s, 'infinity')", (account_of(connection, owner),)
        ).fetchone()
        for owner in (merchant, None)
    ]

    made = make_checkpoints(connection)

    assert made == len(samples(connection))
    assert checkpoints(connection) == samples(connection)
    assert make_checkpoints(connection) == 0
    after = [
        connection.execute(
            "SELECT ledger_balance_at(%s, 'infinity')", (account_of(connection, owner),)
        ).fetchone()
        for owner in (merchant, None)
    ]
    assert after == before


def test_no_checkpoint_passes_a_transaction_that_still_runs(
    database: Database, another_database: Callable[[], Database], merchant: MerchantId
) -> None:
    """Its entries are numbered already and not yet seen: the checkpoint waits until they are."""
    slow, job = another_database(), database.connection()
    book(database, Order.single(payment(merchant)))
    job.execute("SELECT ledger_spread_account(%s, 64)", (account_of(job, merchant),))
    with slow.transaction() as tx:
        store.transfers(tx, [Order.single(payment(merchant)) for _ in range(500)])
        reader = another_database()
        with reader.transaction() as reading:
            # One who only reads holds nobody up, however long it takes.
            reading.execute("SELECT count(*) FROM ledger_entries")

            assert make_checkpoints(job) is None

    assert make_checkpoints(job) == len(samples(job))
    assert checkpoints(job) == samples(job)


def test_overdue_holds_are_void_after_one_run(database: Database, merchant: MerchantId) -> None:
    """Until then they count as released already; what is not due stays."""
    connection = database.connection()
    due, later = payment(merchant, 5), payment(merchant, 7)
    book(
        database,
        Order.pending(due, timeout=dt.timedelta(seconds=1)),
        Order.pending(later, timeout=dt.timedelta(hours=1)),
    )
    connection.execute(
        "UPDATE open_holds SET expires_at = clock_timestamp() WHERE transfer_id = %s", (due.id,)
    )
    [before] = reading.balances(connection, merchant, "test", holds=9)

    assert upkeep.tend(database).expired == 1

    [after] = reading.balances(connection, merchant, "test", holds=9)
    assert before == after
    assert before.balance == Balance("EUR", posted=0, pending_in=7, pending_out=0)
    assert [(hold.transfer_id, hold.amount) for hold in before.holds] == [(later.id, 7)]
    assert reading.balances_at(connection, merchant, "test", at=FAR, known_at=FAR) == [
        after.balance
    ]


def test_the_queue_on_a_hot_account_is_seen(
    database: Database, another_database: Callable[[], Database], merchant: MerchantId
) -> None:
    """Three writers behind one that does not end: two wait for the row, the first for its owner."""
    book(database, Order.single(payment(merchant)))
    account = account_of(database.connection(), None)
    database.connection().execute("SELECT ledger_spread_account(%s, 1)", (account,))
    others = [another_database() for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        with database.transaction() as tx:
            store.transfers(tx, [Order.single(payment(merchant))])
            waiting = [pool.submit(book, one, Order.single(payment(merchant))) for one in others]
            observer = another_database().connection()
            while not (queues := observer.execute("SELECT * FROM ledger_queues()").fetchall()):
                assert not any(one.done() for one in waiting)
        for one in waiting:
            one.result()

    assert queues[0][0] == account
    assert queues[0][1] in {1, 2}


def test_operators_see_and_change_accounts(
    database: Database,
    database_url: str,
    merchant: MerchantId,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Listed, spread, limited, closed, opened again, and told as a statement that adds up."""
    connection = database.connection()
    book(database, Order.single(payment(merchant, 40)), Order.single(payment(merchant, 2)))
    account = str(account_of(connection, merchant))

    def run(*arguments: str) -> list[list[str]]:
        monkeypatch.setattr("sys.argv", ["", "--database-url", database_url, *arguments])
        assert ledger_account.main() == 0
        return [line.split("\t") for line in capsys.readouterr().out.splitlines()]

    run("spread", account, "8")
    run("limit", account, "debits")
    run("close", account)
    [row] = run("list", "--merchant", ids.text("mer", merchant))
    run("reopen", account)
    [open_again] = run("list", "--currency", "EUR", "--merchant", ids.text("mer", merchant))
    far = ("--from", "2020-01-01", "--until", "2100-01-01", "--known", "2100-01-01")
    statement = [line[0].split(",") for line in run("statement", account, *far)]

    assert row[0] == account
    assert row[1:4] == ["merchant_payable", "test", "EUR"]
    assert row[5:] == ["8", "closed", "42", "0", "42"]
    assert open_again[6] == "debits limited"
    assert [line[-1] for line in statement] == ["balance", "0", "40", "42", "42"]
    assert run("queues") == []
    monkeypatch.setattr("sys.argv", ["", "--database-url", database_url, "close", str(merchant)])
    assert ledger_account.main() == 1


def test_the_schedule_tends_the_books(
    deployed: pytest.MonkeyPatch, database: Database, merchant: MerchantId
) -> None:
    """As it is invoked; on young books there is nothing to do."""
    book(database, Order.single(payment(merchant)))

    assert handler({}, None) == {"expired": 0, "checkpoints": 0}

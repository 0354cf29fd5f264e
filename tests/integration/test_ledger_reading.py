"""Reading the books, on real Postgres: checkpoints, statements, holds, past balances."""

import datetime as dt
from collections.abc import Callable
from uuid import UUID

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import store
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Order, Transfer, TransferKind
from paynexus.money import Money

GATEWAY = Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR")
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
    query = "SELECT account_id, id FROM ledger_entries WHERE id % 251 = 0"
    return {(row[0], row[1]) for row in connection.execute(query)}


def test_each_sampled_entry_gets_a_checkpoint_and_no_balance_changes(
    database: Database, merchant: MerchantId
) -> None:
    """About one of 251, once; each is the sum of what lies below it (the audit looks)."""
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

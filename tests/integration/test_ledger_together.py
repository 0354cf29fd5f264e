"""Many orders in one call: booked in a few statements, they come to what each alone comes to."""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from paynexus import ids
from paynexus.db import Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import store
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Order, Transfer, TransferKind
from paynexus.ledger.results import Result, Status
from paynexus.money import Money

WRITERS = 4
BATCHES = 20
LIMIT = "debits_must_not_exceed_credits"
RECEIVABLE = Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR")
SUSPENSE = Account(AccountType.SUSPENSE, "test", "EUR")
SQL_ACCOUNT = "(SELECT id FROM ledger_account(%s, %s, %s, %s))"
SQL_RUNNING = """
SELECT balance_after, sum(delta) OVER (ORDER BY e.id)::BIGINT FROM ledger_entries AS e
INNER JOIN accounts AS a ON a.id = e.account_id WHERE a.merchant_id = %s ORDER BY e.id
"""


def payable(merchant: MerchantId) -> Account:
    """The merchant's account."""
    return Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", merchant)


def moving(debit: Account, credit: Account, amount: int = 10) -> Transfer:
    """A new transfer between the two."""
    id_ = TransferId(ids.new_id())
    return Transfer(id_, TransferKind.ADJUSTMENT, debit, credit, Money(amount, "EUR"), "x")


def book(database: Database, *orders: Order) -> list[Result]:
    """What the orders came to, in one call and commit."""
    with database.transaction() as tx:
        return store.transfers(tx, orders)


def change(database: Database, function: str, account: Account, *values: object) -> None:
    """The account is closed, limited or spread."""
    name = (account.type, account.mode, account.currency, account.merchant_id)
    marks = "".join(", %s" for _ in values)
    database.connection().execute(f"SELECT {function}({SQL_ACCOUNT}{marks})", (*name, *values))


def statuses(results: list[Result]) -> list[Status]:
    """In their order."""
    return [result.status for result in results]


def test_each_of_many_has_the_balances_after_itself(
    database: Database, merchant: MerchantId
) -> None:
    """Holds, posts, voids and single transfers, and entries that say the same as the results."""
    holds = [moving(RECEIVABLE, payable(merchant), amount) for amount in (100, 200)]
    book(database, *(Order.pending(hold) for hold in holds))

    results = book(
        database,
        Order.single(moving(RECEIVABLE, payable(merchant), 7)),
        Order.post(holds[0].id, id=TransferId(ids.new_id())),
        Order.void(holds[1].id, id=TransferId(ids.new_id())),
        Order.single(moving(payable(merchant), SUSPENSE, 50)),
    )

    assert statuses(results) == [Status.CREATED] * 4
    assert [result.amount for result in results] == [7, 100, 200, 50]
    sides = [result.credit for result in results[:3]] + [results[3].debit]
    assert [(side.posted, side.pending) for side in sides if side] == [
        (-7, -300),
        (-107, -200),
        (-107, 0),
        (-57, 0),
    ]


def test_of_many_on_one_account_the_entries_run_on(
    database: Database, merchant: MerchantId
) -> None:
    """Their numbers rise in the orders' order, and each balance is that after its entry."""
    orders = [Order.single(moving(RECEIVABLE, payable(merchant), n)) for n in range(1, 200)]

    assert {*statuses(book(database, *orders))} == {Status.CREATED}
    running = database.connection().execute(SQL_RUNNING, (merchant,)).fetchall()

    assert [after for after, _ in running] == [total for _, total in running]
    assert [after for after, _ in running][:3] == [-1, -3, -6]


def test_id_that_failed_or_is_known_is_named_and_the_others_are_booked(
    database: Database, merchant: MerchantId
) -> None:
    """Also when the order would now be a common one."""
    failed, known = moving(payable(merchant), SUSPENSE), moving(RECEIVABLE, SUSPENSE)
    book(database, Order.single(moving(RECEIVABLE, payable(merchant), 5)), Order.single(known))
    change(database, "ledger_limit_account", payable(merchant), LIMIT)
    assert statuses(book(database, Order.single(failed))) == [Status.EXCEEDS_CREDITS]
    change(database, "ledger_limit_account", payable(merchant), None)
    other = dataclasses.replace(known, money=Money(11, "EUR"))
    fresh = [moving(RECEIVABLE, SUSPENSE) for _ in range(3)]

    found = [
        statuses(book(database, *(Order.single(one) for one in many)))
        for many in ((failed, fresh[0]), (fresh[1], known, other), (fresh[2], fresh[2]))
    ]

    assert found == [
        [Status.ID_ALREADY_FAILED, Status.CREATED],
        [Status.CREATED, Status.EXISTS, Status.EXISTS_WITH_DIFFERENCE],
        [Status.CREATED, Status.EXISTS],
    ]


@pytest.mark.parametrize("limit", [None, LIMIT])
def test_account_closed_or_limited_refuses_its_own_orders_alone(
    database: Database, merchant: MerchantId, limit: str | None
) -> None:
    """A post of what was reserved before is refused too, by a closed account."""
    hold = moving(RECEIVABLE, payable(merchant))
    book(database, Order.pending(hold))
    if limit:
        change(database, "ledger_limit_account", payable(merchant), limit)
    else:
        change(database, "ledger_close_account", payable(merchant))

    results = book(
        database,
        Order.single(moving(payable(merchant), SUSPENSE)),
        Order.single(moving(RECEIVABLE, SUSPENSE)),
        Order.post(hold.id, id=TransferId(ids.new_id())),
    )

    refused = Status.EXCEEDS_CREDITS if limit else Status.DEBIT_ACCOUNT_ALREADY_CLOSED
    posted = Status.CREATED if limit else Status.CREDIT_ACCOUNT_ALREADY_CLOSED
    assert statuses(results) == [refused, Status.CREATED, posted]


def test_many_at_once_on_a_busy_account_never_share_a_number(
    database: Database, another_database: Callable[[], Database], merchant: MerchantId
) -> None:
    """Entries are numbered by the microsecond, and here several are booked in each."""
    book(database, *(Order.single(moving(RECEIVABLE, payable(merchant))) for _ in range(2)))
    change(database, "ledger_spread_account", payable(merchant), 64)

    def run(own: Database) -> set[Status]:
        found: set[Status] = set()
        for _ in range(BATCHES):
            orders = [Order.single(moving(RECEIVABLE, payable(merchant))) for _ in range(200)]
            found |= {*statuses(book(own, *orders))}
        return found

    with ThreadPoolExecutor(WRITERS) as pool:
        came_to = [*pool.map(run, [another_database() for _ in range(WRITERS)])]

    assert came_to == [{Status.CREATED}] * WRITERS

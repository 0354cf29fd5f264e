"""Accounts at work: spread over slots, limited, closed, while eight writers book on them."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from paynexus import errors, ids
from paynexus.db import Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import store
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Order, Transfer, TransferKind
from paynexus.ledger.results import Result, Status
from paynexus.money import Money

WRITERS = 8
SUSPENSE = Account(AccountType.SUSPENSE, "test", "EUR")
LIMIT = "debits_must_not_exceed_credits"

type Connect = Callable[[], Database]


def payable(merchant: MerchantId) -> Account:
    """The merchant's account."""
    return Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", merchant)


def moving(debit: Account, credit: Account, amount: int) -> Transfer:
    """A new transfer between the two."""
    id_ = TransferId(ids.new_id())
    return Transfer(id_, TransferKind.ADJUSTMENT, debit, credit, Money(amount, "EUR"), "x")


def account_id(database: Database, account: Account) -> UUID:
    """The account's id; it is opened if it was not."""
    row = database.connection().execute(
        "SELECT id FROM ledger_account(%s, %s, %s, %s)",
        (account.type, account.mode, account.currency, account.merchant_id),
    )
    found: UUID = row.fetchone()[0]  # type: ignore[index]
    return found


def posted(database: Database, account: UUID) -> int:
    """Credits less debits of the account."""
    row = database.connection().execute(
        "SELECT sum(credits_posted - debits_posted)::BIGINT FROM account_balances"
        " WHERE account_id = %s",
        (account,),
    )
    found: int = row.fetchone()[0]  # type: ignore[index]
    return found


def until_somebody_waits(database: Database) -> None:
    """Some session of this database stands before a lock."""
    question = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    for _ in range(500):
        if database.connection().execute(question).fetchone() != (0,):
            return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


def book(database: Database, transfer: Transfer) -> Result:
    """What became of the transfer, booked alone."""
    with database.transaction() as tx:
        [result] = store.transfers(tx, [Order.single(transfer)], with_balances=False)
    return result


def all_at_once[T](connect: Connect, act: Callable[[Database], T]) -> list[T]:
    """What each writer's act came to, all having begun together."""
    databases = [connect() for _ in range(WRITERS)]
    together = threading.Barrier(WRITERS)

    def begin(database: Database) -> T:
        together.wait(timeout=30)
        return act(database)

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(begin, databases))


@pytest.mark.parametrize("slots", [1, 4, 64])
def test_limited_account_gives_what_it_has_and_not_a_cent_more(
    database: Database, another_database: Connect, merchant: MerchantId, slots: int
) -> None:
    """Eight writers want 240 of 200: exactly 200 succeed, wherever in its slots they lie."""
    account = account_id(database, payable(merchant))
    database.connection().execute("SELECT ledger_spread_account(%s, %s)", (account, slots))
    database.connection().execute("SELECT ledger_limit_account(%s, %s)", (account, LIMIT))
    for _ in range(20):
        book(database, moving(SUSPENSE, payable(merchant), 10))

    def drain(own: Database) -> Counter[Status]:
        return Counter(book(own, moving(payable(merchant), SUSPENSE, 1)).status for _ in range(30))

    total = sum(all_at_once(another_database, drain), Counter[Status]())

    assert total == {Status.CREATED: 200, Status.EXCEEDS_CREDITS: 40}
    assert posted(database, account) == 0


def test_account_is_spread_while_it_is_booked_on(
    database: Database, another_database: Connect, merchant: MerchantId
) -> None:
    """More slots and fewer, in the middle of the traffic: nothing is lost, nothing waits."""
    account = account_id(database, payable(merchant))
    done = threading.Event()

    def spread() -> None:
        own = another_database()
        while not done.wait(0.005):
            for slots in (1, 16, 3, 64):
                own.connection().execute("SELECT ledger_spread_account(%s, %s)", (account, slots))

    def pay(own: Database) -> int:
        return sum(
            book(own, moving(SUSPENSE, payable(merchant), 7)).status is Status.CREATED
            for _ in range(40)
        )

    with ThreadPoolExecutor(1) as pool:
        spreading = pool.submit(spread)
        booked = sum(all_at_once(another_database, pay))
        done.set()
        spreading.result()

    assert booked == WRITERS * 40
    assert posted(database, account) == booked * 7


def test_nothing_is_booked_after_the_account_is_closed(
    database: Database, another_database: Connect, merchant: MerchantId
) -> None:
    """A writer that read the account as open, and booked after it was closed, is refused."""
    account = account_id(database, payable(merchant))
    closed_with = []

    def pay(own: Database) -> Counter[Status]:
        found: Counter[Status] = Counter()
        while Status.CREDIT_ACCOUNT_ALREADY_CLOSED not in found:
            found[book(own, moving(SUSPENSE, payable(merchant), 1)).status] += 1
        return found

    def close() -> None:
        with another_database().transaction() as tx:
            tx.execute("SELECT ledger_close_account(%s)", (account,))
            row = tx.execute(
                "SELECT sum(credits_posted) FROM account_balances WHERE account_id = %s",
                (account,),
            )
            closed_with.append(int(row.fetchone()[0]))  # type: ignore[index]

    with ThreadPoolExecutor(1) as pool:
        closing = threading.Timer(0.2, lambda: pool.submit(close))
        closing.start()
        total = sum(all_at_once(another_database, pay), Counter[Status]())

    assert set(total) == {Status.CREATED, Status.CREDIT_ACCOUNT_ALREADY_CLOSED}
    assert [posted(database, account)] == closed_with == [total[Status.CREATED]]


def test_closed_account_still_releases_what_is_pending(
    database: Database, merchant: MerchantId
) -> None:
    """A hold on a closed account can't be posted; it can be void. Reopened, all is as before."""
    account = account_id(database, payable(merchant))
    holds = [moving(SUSPENSE, payable(merchant), 5) for _ in range(2)]
    with database.transaction() as tx:
        for hold in holds:
            store.reserve(tx, hold)
    database.connection().execute("SELECT ledger_close_account(%s)", (account,))

    with pytest.raises(errors.AccountClosed), database.transaction() as tx:
        store.post_pending(tx, holds[0].id, id=TransferId(ids.new_id()))
    with database.transaction() as tx:
        store.void_pending(tx, holds[1].id, id=TransferId(ids.new_id()))
    database.connection().execute("SELECT ledger_close_account(%s, FALSE)", (account,))
    with database.transaction() as tx:
        store.post_pending(tx, holds[0].id, id=TransferId(ids.new_id()))

    assert posted(database, account) == 5


def test_account_beyond_the_limit_can_not_be_given_it(
    database: Database, merchant: MerchantId
) -> None:
    """A limit that is broken already is refused, and nothing changes."""
    account = account_id(database, payable(merchant))
    book(database, moving(payable(merchant), SUSPENSE, 1))

    with pytest.raises(errors.FundsExceeded), database.transaction() as tx:
        tx.execute("SELECT ledger_limit_account(%s, %s)", (account, LIMIT))


def test_limit_that_is_set_in_between_holds_for_who_had_read_the_account_before(
    database: Database, another_database: Connect, merchant: MerchantId
) -> None:
    """The limit is in the row that a transfer locks, not only where it looked first."""
    account = account_id(database, payable(merchant))
    limiting = another_database().connection()
    limiting.autocommit = False
    limiting.execute("SELECT ledger_limit_account(%s, %s)", (account, LIMIT))

    def overdraw() -> Result:
        return book(another_database(), moving(payable(merchant), SUSPENSE, 1))

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(overdraw)
        until_somebody_waits(database)
        limiting.commit()
        with pytest.raises(errors.FundsExceeded):
            waiting.result(timeout=10)

    assert posted(database, account) == 0

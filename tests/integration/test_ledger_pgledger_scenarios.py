"""What pgledger's own tests show of pgledger, shown of this ledger.

pgledger (github.com/pgr0ss/pgledger) is the nicest of the ledgers in Postgres, and its test
suite is a fair list of what anybody expects of one. Each scenario is restated for our accounts.
"""

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from uuid import UUID

import psycopg
import pytest

from paynexus import errors, ids
from paynexus.db import Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import store
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Order, Transfer, TransferKind
from paynexus.ledger.results import Status
from paynexus.money import Money

REPETITIONS = 200
"""Of each of two clients that move money to and fro."""

SQL_ACCOUNT = "SELECT id, normal_side, created_at FROM ledger_account(%s, %s, %s, %s)"
SQL_NET = """
SELECT coalesce(sum(debits_posted - credits_posted), 0)::BIGINT FROM account_balances
WHERE account_id = %s
"""
SQL_ENTRIES = """
SELECT delta, balance_after, transfer_id, created_at FROM ledger_entries
WHERE account_id = %s ORDER BY id
"""
SQL_TRANSFER = """
SELECT debit_account_id, credit_account_id, amount, created_at FROM transfers WHERE id = %s
"""
SQL_NET_AT = "SELECT (ledger_balance_at(%s, %s)).posted"


@dataclass(frozen=True, slots=True)
class Desk:
    """One merchant's accounts in one database, by name; an amount is debit-positive."""

    database: Database
    merchant_id: MerchantId

    def named(self, type_: AccountType, currency: str = "EUR") -> Account:
        """An account of this merchant alone, of one slot."""
        return Account(type_, "test", currency, self.merchant_id)

    def id_of(self, account: Account) -> UUID:
        """The account's id; it is opened if it was not."""
        row = self.database.connection().execute(
            SQL_ACCOUNT, (account.type, account.mode, account.currency, account.merchant_id)
        )
        found: UUID = row.fetchone()[0]  # type: ignore[index]
        return found

    def net(self, account: Account) -> int:
        """Posted debits less posted credits."""
        row = self.database.connection().execute(SQL_NET, (self.id_of(account),))
        found: int = row.fetchone()[0]  # type: ignore[index]
        return found

    def limit(self, account: Account, limit: str) -> None:
        """The account is limited from now on."""
        self.database.connection().execute(
            "SELECT ledger_limit_account(%s, %s)", (self.id_of(account), limit)
        )

    def book(self, *orders: Order) -> list[Status]:
        """What became of the orders, in one transaction."""
        with self.database.transaction() as tx:
            return [one.status for one in store.transfers(tx, orders)]


def moving(credit: Account, debit: Account, amount: int) -> Transfer:
    """A new transfer from the one account to the other."""
    money = Money(amount, debit.currency)
    return Transfer(
        TransferId(ids.new_id()), TransferKind.ADJUSTMENT, debit, credit, money, "scenario"
    )


def linked(transfers: Sequence[Transfer]) -> Iterator[Order]:
    """The transfers as one chain: all of them, or none."""
    for transfer in transfers:
        yield replace(Order.single(transfer), is_linked=transfer is not transfers[-1])


@pytest.fixture(name="desk")
def _desk(database: Database, merchant: MerchantId) -> Desk:
    return Desk(database, merchant)


@pytest.fixture(name="accounts")
def _accounts(desk: Desk) -> tuple[Account, Account, Account]:
    return (
        desk.named(AccountType.MERCHANT_PAYABLE),
        desk.named(AccountType.RESERVE),
        desk.named(AccountType.SUSPENSE),
    )


type Accounts = tuple[Account, Account, Account]


def test_new_account_is_empty(desk: Desk, accounts: Accounts) -> None:
    """Opening is asking for it by name: empty, on its side of the books, and the same again."""
    row = desk.database.connection().execute(
        SQL_ACCOUNT, ("reserve", "test", "EUR", desk.merchant_id)
    )
    id_, side, created_at = row.fetchone()  # type: ignore[misc]

    assert (side, desk.net(accounts[1]), desk.id_of(accounts[1])) == ("credit", 0, id_)
    assert created_at <= dt.datetime.now(dt.UTC)  # noqa: TID251 - the tests' edge


@pytest.mark.parametrize(
    ("limit", "refusal", "is_credited"),
    [
        ("credits_must_not_exceed_debits", Status.EXCEEDS_DEBITS, True),
        ("debits_must_not_exceed_credits", Status.EXCEEDS_CREDITS, False),
    ],
)
def test_account_of_one_sign_keeps_it(
    desk: Desk, accounts: Accounts, limit: str, refusal: Status, *, is_credited: bool
) -> None:
    """An account that may not be negative, or not positive, is not; nothing moves."""
    limited, other, _ = accounts
    desk.limit(limited, limit)
    ends = (limited, other) if is_credited else (other, limited)

    assert desk.book(Order.single(moving(*ends, 1234))) == [refusal]
    assert (desk.net(limited), desk.net(other)) == (0, 0)


def test_transfer_moves_its_amount(desk: Desk, accounts: Accounts) -> None:
    """What one account gives the other gets, and the transfer can be read back."""
    first, second, _ = accounts
    transfer = moving(first, second, 1234)

    assert desk.book(Order.single(transfer)) == [Status.CREATED]

    assert (desk.net(first), desk.net(second)) == (-1234, 1234)
    row = desk.database.connection().execute(SQL_TRANSFER, (transfer.id,)).fetchone()
    assert row
    assert row[:3] == (desk.id_of(second), desk.id_of(first), 1234)


def test_several_transfers_in_one_call(desk: Desk, accounts: Accounts) -> None:
    """Round three accounts: each sees both of its movements."""
    first, second, third = accounts
    round_trip = [moving(first, second, 10), moving(second, third, 20), moving(third, first, 50)]

    assert desk.book(*map(Order.single, round_trip)) == [Status.CREATED] * 3
    assert [desk.net(one) for one in accounts] == [40, -10, -30]


def test_one_bad_transfer_undoes_all_that_it_is_linked_to(desk: Desk, accounts: Accounts) -> None:
    """The chain fails as a whole, and says which of its links was at fault."""
    first, second, third = accounts
    desk.limit(third, "debits_must_not_exceed_credits")
    chain = [moving(first, second, 10), moving(second, third, 20), moving(third, first, 50)]

    assert desk.book(*linked(chain)) == [
        Status.LINKED_EVENT_FAILED,
        Status.EXCEEDS_CREDITS,
        Status.LINKED_EVENT_FAILED,
    ]
    assert [desk.net(one) for one in accounts] == [0, 0, 0]


def test_what_the_callers_transaction_undoes_was_never_booked(
    desk: Desk, accounts: Accounts
) -> None:
    """The books are in the caller's commit: an error after the booking takes it back."""
    first, second, _ = accounts

    def fail_afterwards() -> None:
        with desk.database.transaction() as tx:
            store.post(tx, moving(first, second, 10))
            tx.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        fail_afterwards()

    assert (desk.net(first), desk.net(second)) == (0, 0)


def test_refused_transfer_undoes_the_callers_transaction(desk: Desk, accounts: Accounts) -> None:
    """Booked strictly, one by one: the error of the second takes the first along."""
    first, second, _ = accounts
    desk.limit(second, "credits_must_not_exceed_debits")

    def post_both() -> None:
        with desk.database.transaction() as tx:
            store.post(tx, moving(first, second, 10))
            store.post(tx, moving(second, first, 30))

    with pytest.raises(errors.FundsExceeded):
        post_both()

    assert (desk.net(first), desk.net(second)) == (0, 0)


def test_account_outside_the_chart_does_not_exist(desk: Desk, accounts: Accounts) -> None:
    """Nobody books on an account whose purpose is not written down."""
    stray = desk.named("petty_cash")  # type: ignore[arg-type]  # what the test is about
    for pair in ((stray, accounts[0]), (accounts[0], stray)):
        with pytest.raises(psycopg.errors.CheckViolation, match="chart_of_accounts"):
            desk.book(Order.single(moving(*pair, 1)))


def test_entries_carry_the_running_balance(desk: Desk, accounts: Accounts) -> None:
    """Each line says what the account stood at after it, in the order of booking."""
    first, second, _ = accounts
    transfers = [moving(first, second, 5), moving(first, second, 10), moving(second, first, 20)]
    for transfer in transfers:
        desk.book(Order.single(transfer))

    for account, sign in ((first, -1), (second, 1)):
        rows = desk.database.connection().execute(SQL_ENTRIES, (desk.id_of(account),)).fetchall()
        assert [row[2] for row in rows] == [transfer.id for transfer in transfers]
        assert [(row[0] * sign, row[1] * sign) for row in rows] == [(5, 5), (10, 15), (-20, -5)]
        assert [row[3] for row in rows] == sorted(row[3] for row in rows)


@pytest.mark.parametrize("amount", [0, -1])
def test_only_positive_amounts_move(desk: Desk, accounts: Accounts, amount: int) -> None:
    """Neither nothing nor less than nothing; to move back is a transfer the other way."""
    with pytest.raises(ValueError, match="positive amount"):
        moving(accounts[0], accounts[1], amount)
    pending = moving(accounts[0], accounts[1], 5)
    part = Order.post(pending.id, id=TransferId(ids.new_id()), amount=amount)

    assert desk.book(Order.pending(pending), part) == [
        Status.CREATED,
        Status.AMOUNT_MUST_BE_POSITIVE,
    ]


def test_currencies_do_not_mix(desk: Desk) -> None:
    """No transfer leads from euros to dollars."""
    euros, dollars = (desk.named(AccountType.RESERVE, code) for code in ("EUR", "USD"))

    with pytest.raises(ValueError, match="one currency"):
        moving(euros, dollars, 10)


def exchange(desk: Desk, ends: tuple[str, str], amounts: tuple[int, int]) -> Iterator[Order]:
    """From the merchant's account in one currency to the one in another, by way of suspense."""
    customer, liquidity = AccountType.MERCHANT_PAYABLE, AccountType.SUSPENSE
    return linked(
        [
            moving(desk.named(customer, ends[0]), desk.named(liquidity, ends[0]), amounts[0]),
            moving(desk.named(liquidity, ends[1]), desk.named(customer, ends[1]), amounts[1]),
        ]
    )


def test_currency_exchange_is_two_linked_transfers(desk: Desk) -> None:
    """Each currency has its own liquidity account, and both sides happen or neither."""
    assert desk.book(*exchange(desk, ("USD", "EUR"), (1000, 926))) == [Status.CREATED] * 2

    nets = {
        (type_, currency): desk.net(desk.named(type_, currency))
        for type_ in (AccountType.MERCHANT_PAYABLE, AccountType.SUSPENSE)
        for currency in ("USD", "EUR")
    }
    assert list(nets.values()) == [-1000, 926, 1000, -926]


def test_no_account_pays_itself(desk: Desk, accounts: Accounts) -> None:
    """Refused, and told so."""
    transfer = moving(accounts[0], accounts[0], 10)

    assert desk.book(Order.single(transfer)) == [Status.ACCOUNTS_MUST_BE_DIFFERENT]


def to_and_fro(
    desks: Sequence[Desk], there: Callable[[Desk], list[Order]], back: Callable[[Desk], list[Order]]
) -> None:
    """Two clients, one each way, begin together and repeat it; all of it is booked."""
    together = threading.Barrier(2)

    def repeat(desk: Desk, make: Callable[[Desk], list[Order]]) -> None:
        together.wait(timeout=30)
        for _ in range(REPETITIONS):
            assert set(desk.book(*make(desk))) == {Status.CREATED}

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(repeat, desks, (there, back)))


def test_money_to_and_fro_ends_where_it_began(
    desk: Desk, another_database: Callable[[], Database], accounts: Accounts
) -> None:
    """Two clients in opposite directions: no circle of waits, nothing lost, nothing made."""
    desks = [replace(desk, database=another_database()) for _ in range(2)]
    first, second, _ = accounts
    to_and_fro(
        desks,
        lambda _: [Order.single(moving(first, second, 100))],
        lambda _: [Order.single(moving(second, first, 100))],
    )

    assert (desk.net(first), desk.net(second)) == (0, 0)


def test_currencies_to_and_fro_end_where_they_began(
    desk: Desk, another_database: Callable[[], Database]
) -> None:
    """The same with four accounts at a time, in chains."""
    desks = [replace(desk, database=another_database()) for _ in range(2)]
    to_and_fro(
        desks,
        lambda one: list(exchange(one, ("USD", "EUR"), (1000, 926))),
        lambda one: list(exchange(one, ("EUR", "USD"), (926, 1000))),
    )

    for currency in ("USD", "EUR"):
        assert desk.net(desk.named(AccountType.MERCHANT_PAYABLE, currency)) == 0
        assert desk.net(desk.named(AccountType.SUSPENSE, currency)) == 0


def test_ids_sort_as_they_were_made() -> None:
    """Also within one millisecond, and also as the texts that are shown."""
    made = [ids.new_id() for _ in range(20)]

    assert sorted(made, key=lambda one: ids.text("pay", one)) == made


def test_balance_at_a_time_is_that_of_the_entries_until_then(
    desk: Desk, accounts: Accounts, now: dt.datetime
) -> None:
    """Before, at and after each of three dated transfers."""
    first, second, _ = accounts
    hours = [now - dt.timedelta(hours=hour) for hour in (3, 2, 1)]
    for amount, hour in zip((10, 20, 50), hours, strict=True):
        desk.book(Order.single(moving(second, first, amount), effective_at=hour))

    def credit_at(moment: dt.datetime) -> int:
        row = desk.database.connection().execute(SQL_NET_AT, (desk.id_of(second), moment))
        found: int = row.fetchone()[0]  # type: ignore[index]
        return found

    quarter = dt.timedelta(minutes=15)
    assert desk.net(second) == -80
    assert [credit_at(hour) for hour in hours] == [10, 30, 80]
    assert [credit_at(hour - quarter) for hour in hours] == [0, 10, 30]
    assert [credit_at(hour + quarter) for hour in hours] == [10, 30, 80]

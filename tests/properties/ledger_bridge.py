"""Between the oracle and the product: its orders as ours, our books as its."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from paynexus import ids
from paynexus.db import Connection, typed_errors
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import model, store
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Balancing, Transfer, TransferKind
from paynexus.ledger.results import Result
from paynexus.money import Money
from tests.properties import ledger_oracle as oracle
from tests.properties.ledger_oracle import Entry, Ledger, Order, Verdict

NAMES = tuple(AccountType)[:5]
LIMITS = {
    "debit": "debits_must_not_exceed_credits",
    "credit": "credits_must_not_exceed_debits",
    None: None,
}

SQL_OPEN = "SELECT (ledger_account(%s, 'test', 'EUR', %s)).id"
SQL_ACCOUNTS = """
SELECT a.type, sum(b.debits_pending)::BIGINT, sum(b.debits_posted)::BIGINT,
    sum(b.credits_pending)::BIGINT, sum(b.credits_posted)::BIGINT,
    CASE WHEN a.debits_must_not_exceed_credits THEN 'debit'
        WHEN a.credits_must_not_exceed_debits THEN 'credit' END, a.closed
FROM accounts AS a
INNER JOIN account_balances AS b ON b.account_id = a.id
WHERE a.merchant_id = %s
GROUP BY a.id
"""
SQL_HOLDS = "SELECT transfer_id, amount_left, parts FROM open_holds WHERE merchant_id = %s"
SQL_ENTRIES = """
SELECT CASE WHEN t.state = 'expire' THEN t.pending_id ELSE t.id END, a.type, e.type, e.delta,
    e.released
FROM accounts AS a
INNER JOIN ledger_entries AS e ON e.account_id = a.id
INNER JOIN transfers AS t ON t.id = e.transfer_id
WHERE a.merchant_id = %s
"""
SQL_FAILED = "SELECT id, status FROM failed_transfers WHERE id = ANY(%s)"
SQL_EXPIRED = """
SELECT pending_id FROM transfers WHERE merchant_id = %s AND state = 'expire' ORDER BY created_at
"""
SQL_AGE = """
UPDATE open_holds SET expires_at = expires_at - %s * INTERVAL '1 second'
WHERE merchant_id = %s AND expires_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Books:
    """A merchant's five accounts, in a database that may hold any number of others."""

    connection: Connection
    merchant_id: MerchantId

    @classmethod
    def fresh(cls, connection: Connection) -> "Books":
        """Books that nobody has written in; their accounts are opened when first booked on."""
        merchant_id = MerchantId(ids.new_id())
        connection.execute(
            "INSERT INTO merchants (id, name) VALUES (%s, 'Property')", (merchant_id,)
        )
        return cls(connection, merchant_id)

    def book(self, orders: list[Order]) -> list[Result]:
        """What the product says to the orders, in one transaction."""
        return store.transfers(self.connection, [self.ours(order) for order in orders])

    def ours(self, order: Order) -> model.Order:
        """The oracle's order, in the product's words."""
        note = None if order.note is None else {"note": order.note}
        transfer = None
        if order.state in {"single", "pending"} and (order.amount or 0) > 0:
            transfer = self._transfer(order, note)
        return model.Order(
            id=TransferId(order.id),
            state=order.state,
            transfer=transfer,
            pending_id=TransferId(order.pending_id) if order.pending_id else None,
            reverses=TransferId(order.reverses) if order.reverses else None,
            amount=order.amount,
            is_final=order.is_final,
            timeout=None if order.timeout is None else dt.timedelta(seconds=order.timeout),
            is_linked=order.is_linked,
            metadata=note,
        )

    def _transfer(self, order: Order, note: dict[str, int] | None) -> Transfer:
        assert order.amount is not None
        return Transfer(
            id=TransferId(order.id),
            kind=TransferKind(order.kind),
            debit=self._account(order.debit),
            credit=self._account(order.credit),
            money=Money(order.amount, "EUR"),
            object_id="property",
            balancing=Balancing(order.balancing) if order.balancing else None,
            metadata=note,
        )

    def _account(self, name: str) -> Account:
        return Account(AccountType(name), "test", "EUR", self.merchant_id)

    # Accounts at work.

    def limit(self, name: str, side: str | None) -> None:
        """The account is limited on this side; FundsExceeded when it is beyond that already."""
        with typed_errors():
            self._administer("SELECT ledger_limit_account(%s, %s)", name, LIMITS[side])

    def close(self, name: str, *, is_closed: bool) -> None:
        """The account is closed, or open again."""
        self._administer("SELECT ledger_close_account(%s, %s)", name, is_closed)

    def spread(self, name: str, slots: int) -> None:
        """New transfers of the account are spread over so many rows."""
        self._administer("SELECT ledger_spread_account(%s, %s)", name, slots)

    def _administer(self, statement: str, name: str, value: object) -> None:
        row = self.connection.execute(SQL_OPEN, (name, self.merchant_id)).fetchone()
        assert row
        self.connection.execute(statement, (row[0], value))

    def age(self, seconds: int) -> None:
        """All time-outs are so much nearer: as if the time had passed."""
        self.connection.execute(SQL_AGE, (seconds, self.merchant_id))

    # The state, as the oracle has it.

    def accounts(self) -> dict[str, oracle.Account]:
        """Every account's totals, limit and whether it is closed; unopened ones are empty."""
        rows = self.connection.execute(SQL_ACCOUNTS, (self.merchant_id,))
        return empty_accounts() | {row[0]: oracle.Account(*row[1:]) for row in rows}

    def holds(self) -> dict[UUID, tuple[int, int]]:
        """What is left of each open hold, and in how many parts it was resolved so far."""
        rows = self.connection.execute(SQL_HOLDS, (self.merchant_id,))
        return {row[0]: (row[1], row[2]) for row in rows}

    def entries(self) -> list[Entry]:
        """Every line of every account."""
        rows = self.connection.execute(SQL_ENTRIES, (self.merchant_id,))
        return [Entry(*row) for row in rows]

    def failed(self, asked: list[UUID]) -> dict[UUID, str]:
        """Those of the ids that failed for a reason that might pass, and the reason."""
        return dict(self.connection.execute(SQL_FAILED, (asked,)).fetchall())


def empty_accounts() -> dict[str, oracle.Account]:
    """The five accounts before anything was booked."""
    return {name: oracle.Account() for name in NAMES}


def require_same_state(books: Books, ledger: Ledger, asked: list[UUID]) -> None:
    """Balances, limits, open holds, spent ids and every entry are as the oracle has them."""
    assert ledger.accounts == books.accounts()
    assert books.holds() == {
        id_: (hold.left, hold.parts) for id_, hold in ledger.holds.items() if hold.end is None
    }
    assert ledger.failed == (spent := books.failed(asked)), spent
    assert sorted(ledger.entries, key=repr) == sorted(books.entries(), key=repr)


def require_same_verdict(verdict: Verdict, result: Result) -> None:
    """The product says what the oracle says, and its balances are the oracle's."""
    assert verdict.status == result.status, result
    if verdict.status == "exists_with_difference":
        assert result.field in verdict.fields, (verdict, result)
    if verdict.nets is not None:
        assert result.debit is not None
        assert result.credit is not None
        nets = (
            (result.debit.posted, result.debit.pending),
            (result.credit.posted, result.credit.pending),
        )
        assert (verdict.amount, verdict.nets) == (result.amount, nets)

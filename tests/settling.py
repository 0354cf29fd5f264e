"""A merchant whose books are written directly, so that settlement finds any history."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from paynexus import ids
from paynexus.db import Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import store as ledger
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.chart import BOOKINGS
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.lists.model import Page
from paynexus.money import Money
from paynexus.settlement.batching import service as batching
from paynexus.settlement.merchant import service as merchants
from paynexus.settlement.merchant.agreements import service as agreements
from paynexus.settlement.model import Settlement
from paynexus.settlement.payouts import service as payouts
from tests.settlement_world import DAY, SettlementWorld, credit, debit, report, statement

OF_MERCHANTS = {AccountType.MERCHANT_PAYABLE, AccountType.RESERVE}
IBAN = "DE89370400440532013000"

SQL_ENTRIES = """
SELECT e.entry_id, e.amount, coalesce(l.settlements, 0), coalesce(u.unsettled, 0)
  FROM settleable_entries AS e
  LEFT JOIN (SELECT entry_id, count(*) AS settlements FROM settlement_lines
              WHERE merchant_id = %(merchant_id)s GROUP BY entry_id) AS l USING (entry_id)
  LEFT JOIN (SELECT entry_id, count(*) AS unsettled FROM unsettled_entries
              WHERE merchant_id = %(merchant_id)s GROUP BY entry_id) AS u USING (entry_id)
 WHERE e.merchant_id = %(merchant_id)s
"""


def real_now() -> dt.datetime:
    """The clock by which the server numbers entries."""
    return dt.datetime.now(dt.UTC)  # noqa: TID251 - the tests' edge


@dataclass(frozen=True, slots=True)
class Shop:
    """One merchant in one currency, over one connection to the database."""

    database: Database
    merchant_id: MerchantId
    currency: str = "EUR"
    mode: str = "test"

    def over(self, database: Database) -> "Shop":
        """The same merchant, over another connection."""
        return Shop(database, self.merchant_id, self.currency, self.mode)

    def books(self, kind: TransferKind, amount: int) -> TransferId:
        """A movement of this kind is posted."""
        transfer = self._transfer(kind, amount)
        with self.database.transaction() as tx:
            ledger.post(tx, transfer)
        return transfer.id

    def pays(self, amount: int, *, fee: int = 0) -> None:
        """A payment came in, less its fee."""
        self.books(TransferKind.PAYMENT, amount)
        if fee:
            self.books(TransferKind.FEE, fee)

    def refunds(self, amount: int) -> None:
        """A refund went out, whatever the balance."""
        self.books(TransferKind.REFUND, amount)

    def holds(self, amount: int) -> TransferId:
        """A refund is under way: it has reserved its amount."""
        transfer = self._transfer(TransferKind.REFUND, amount)
        with self.database.transaction() as tx:
            ledger.reserve(tx, transfer)
        return transfer.id

    def resolves(self, held: TransferId, *, posted: bool) -> None:
        """The refund has come about, or not."""
        own = TransferId(ids.new_id())
        with self.database.transaction() as tx:
            if posted:
                ledger.post_pending(tx, held, id=own)
            else:
                ledger.void_pending(tx, held, id=own)

    def agrees(self, **changes: object) -> None:
        """These terms hold from now on."""
        agreements.change_terms(self.database, self.merchant_id, self.currency, changes)

    def run(self, *, at: dt.datetime | None = None, cutoff: dt.datetime | None = None) -> Any:  # noqa: ANN401 - the run's own class
        """A run of settlement: of everybody, up to the cut-off or now, unless `at` says more."""
        now = at or real_now()
        return batching.make_settlements(self.database, now=now, cutoff=cutoff or now)

    def scheduled(self, at: dt.datetime) -> Any:  # noqa: ANN401 - the run's own class
        """A run as the schedule starts it: each merchant by its terms."""
        return batching.make_settlements(self.database, now=at)

    def settlements(self) -> list[Settlement]:
        """All of them, the newest cut-off first."""
        found: list[Settlement] = []
        has_more = True
        while has_more:
            page = Page(100, before=found[-1].id if found else None)
            more, has_more = merchants.list_settlements(
                self.database, page, merchant_id=self.merchant_id, mode=self.mode
            )
            found += more
        return found

    def fails(self, settlement: Settlement, code: str = "AC04") -> None:
        """The bank has the settlement's file, and refuses it."""
        world, sent = self._sent(settlement)
        world.hear(report(sent, "RJCT", code))

    def comes_back(self, settlement: Settlement, code: str = "AC04") -> None:
        """The bank accepts and pays the settlement, and the money is returned."""
        world, sent = self._sent(settlement)
        world.hear(report(sent, "ACCP"), statement(debit(sent)))
        next_day = DAY + dt.timedelta(days=1)
        world.hear(statement(credit(sent, reason=code), number=2, day=next_day))

    def _sent(self, settlement: Settlement) -> tuple[SettlementWorld, Settlement]:
        world = SettlementWorld(self.database, self.merchant_id, real_now())
        payouts.assemble(self.database, now=world.now)
        payouts.send(self.database, world.bank, now=world.now)
        [sent] = [one for one in self.settlements() if one.id == settlement.id]
        return world, sent

    def balance(self, kind: AccountType = AccountType.MERCHANT_PAYABLE) -> int:
        """What is posted on the merchant's account of this kind."""
        row = self.database.connection().execute(
            "SELECT coalesce(sum(b.credits_posted - b.debits_posted), 0)::BIGINT"
            " FROM accounts AS a JOIN account_balances AS b ON b.account_id = a.id"
            " WHERE a.type = %s AND a.merchant_id = %s",
            (kind, self.merchant_id),
        )
        [(posted,)] = row.fetchall()
        return int(posted)

    def require_every_entry_once(self) -> None:
        """Each posted entry is in one settlement or waits; sums and balances agree with both."""
        values = {"merchant_id": self.merchant_id}
        rows = self.database.connection().execute(SQL_ENTRIES, values).fetchall()
        made = self.settlements()

        assert all(settled + unsettled == 1 for _, _, settled, unsettled in rows), rows
        total = sum(amount for _, amount, _, _ in rows)
        paid = sum(one.amount + one.reserve_amount for one in made)
        assert total == paid + self.balance()
        assert self.balance() == sum(amount for _, amount, _, waits in rows if waits)

    def require_explained(self) -> None:
        """Each settlement is what its summary says, and its lines."""
        for one in self.settlements():
            which = {"merchant_id": self.merchant_id, "mode": self.mode}
            found = merchants.detail(self.database, one.object_id, **which)  # type: ignore[arg-type]
            lines = merchants.statement(self.database, one.object_id, **which).lines  # type: ignore[arg-type]
            parts = sum(share.amount for share in found.summary.parts.values())
            counted = sum(share.count for share in found.summary.parts.values())
            carried = found.summary.carried_over

            assert parts + carried.amount - one.reserve_amount == one.amount
            assert counted + carried.count == len(lines)
            assert sum(line.amount for line in lines) == one.amount + one.reserve_amount

    def _transfer(self, kind: TransferKind, amount: int) -> Transfer:
        payment = ids.PaymentId(ids.new_id())
        debit, credit = (self._account(of) for of in BOOKINGS[kind])
        money = Money(amount, self.currency)
        own = TransferId(ids.new_id())
        if kind is TransferKind.DISPUTE_COVER:
            # Of no payment that the books know: its dispute is on record nowhere.
            return Transfer(own, kind, debit, credit, money, ids.text("dp", payment))
        return Transfer(own, kind, debit, credit, money, ids.text("pay", payment), payment)

    def _account(self, kind: AccountType) -> Account:
        owner = self.merchant_id if kind in OF_MERCHANTS else None
        return Account(kind, self.mode, self.currency, owner)


def open_shop(database: Database) -> Shop:
    """A new merchant that is paid to a bank account of its own."""
    merchant_id = MerchantId(ids.new_id())
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Bäckerei Süß')", (merchant_id,))
        tx.execute(
            "INSERT INTO payout_accounts (merchant_id, currency, holder, iban)"
            " VALUES (%s, 'EUR', 'Bäckerei Süß', %s)",
            (merchant_id, IBAN),
        )
    return Shop(database, merchant_id)


def spread(database: Database, shop: Shop, slots: int) -> None:
    """New movements of the merchant's account are spread over so many rows."""
    with database.transaction() as tx:
        tx.execute(
            "SELECT ledger_spread_account(id, %s) FROM accounts"
            " WHERE type = 'merchant_payable' AND merchant_id = %s",
            (slots, shop.merchant_id),
        )

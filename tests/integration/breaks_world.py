"""Breaks as tests make them: found, booked to suspense, proposed about."""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from paynexus import ids
from paynexus.db import Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import store as ledger
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.money import Money
from paynexus.settlement.breaks import service
from paynexus.settlement.breaks.model import (
    Break,
    BreakId,
    BreakType,
    Correction,
    Found,
    Resolution,
    Side,
    break_id,
)

CASH = Side(AccountType.CASH)
SUSPENSE = Side(AccountType.SUSPENSE)
FEES = Side(AccountType.FEES)
COSTS = Side(AccountType.GATEWAY_COSTS)
RECEIVABLE = Side(AccountType.GATEWAY_RECEIVABLE)


@dataclass
class Desk:
    """Somebody who records and resolves breaks."""

    database: Database
    merchant: MerchantId
    now: dt.datetime

    def record(self, *found: Found, now: dt.datetime | None = None) -> int:
        """How many are new."""
        with self.database.transaction() as tx:
            return service.record(tx, found, now=now or self.now)

    def open(self, name: str = "one", *, amount: int = 500, **about: object) -> BreakId:
        """A break about an amount; nothing of it is in suspense."""
        found = difference(name, amount=amount, **about)
        self.record(found)
        return break_id(found.type, found.subject)

    def arrive(self, name: str = "0123456789abcdef:1", *, amount: int = 500) -> BreakId:
        """Money without a reason, as the bank's statement leads to it: booked, and a break."""
        found = money(name, amount=amount)
        with self.database.transaction() as tx:
            ledger.post(tx, into_suspense(amount))
            service.record(tx, [found], now=self.now)
        return break_id(found.type, found.subject)

    def propose(
        self, of: BreakId, correction: Correction | None = None, *, by: str = "ada", **more: bool
    ) -> Resolution:
        """What that person proposes."""
        return service.propose(
            self.database, of, correction, by=by, because="as agreed", now=self.now, **more
        )

    def approve(self, of: BreakId, *, by: str = "bob") -> service.BreakFile:
        """The other person agrees."""
        return service.approve(self.database, of, by=by, now=self.now)

    def refuse(self, of: BreakId, *, by: str = "bob") -> None:
        """The other person does not."""
        service.refuse(self.database, of, by=by, because="not so", now=self.now)

    def broken(self, of: BreakId) -> Break:
        """The break as it stands."""
        return service.find(self.database, of).broken

    def transfers(self, of: BreakId) -> list[tuple[UUID, int]]:
        """What was booked in the break's name."""
        name = ids.text("brk", of)
        return (
            self.database.connection()
            .execute("SELECT id, amount FROM transfers WHERE object_id = %s", (name,))
            .fetchall()
        )

    def payable(self) -> Side:
        """The merchant's account."""
        return Side(AccountType.MERCHANT_PAYABLE, self.merchant)


def difference(name: str, *, amount: int = 500, **about: object) -> Found:
    """An amount that differs at the gateway, unless said otherwise."""
    values: dict[str, Any] = {
        "type": BreakType.AMOUNT,
        "subject": f"gateway_line:sandbox:{name}:charge",
        "mode": "test",
        "currency": "EUR",
    }
    return Found(**{**values, "amount": amount, **about})


def money(name: str, *, amount: int = 500) -> Found:
    """A line of the bank's that nobody can explain."""
    return difference(name, amount=amount, type=BreakType.EXTRA, subject=f"bank_line:{name}")


def into_suspense(amount: int, *, currency: str = "EUR") -> Transfer:
    """What came (positive) or went, as it is booked until it is explained."""
    cash, suspense = (
        Account(kind, "test", currency) for kind in (AccountType.CASH, AccountType.SUSPENSE)
    )
    came = amount > 0
    return Transfer(
        id=TransferId(ids.new_id()),
        kind=TransferKind.UNEXPLAINED_IN if came else TransferKind.UNEXPLAINED_OUT,
        debit=cash if came else suspense,
        credit=suspense if came else cash,
        money=Money(abs(amount), currency),
        object_id="bln_test",
    )

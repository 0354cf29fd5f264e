"""The ledger's words: transfers, what caused them, and what is read back."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from paynexus.ids import PaymentId, TransferId
from paynexus.ledger.accounts import Account
from paynexus.money import Money


class TransferKind(StrEnum):
    """The business fact a transfer books."""

    PAYMENT = "payment"
    FEE = "fee"
    REFUND = "refund"
    PAYOUT = "payout"
    PAYOUT_PAID = "payout_paid"
    PAYOUT_RETURNED = "payout_returned"


@dataclass(frozen=True, slots=True)
class Transfer:
    """`money` moves from the `credit` account to the `debit` account.

    `object_id` is the public id of what caused it (`pay_…`, `set_…`).
    """

    id: TransferId
    kind: TransferKind
    debit: Account
    credit: Account
    money: Money
    object_id: str
    transaction_id: PaymentId | None = None

    def __post_init__(self) -> None:
        if self.money.amount <= 0:
            raise ValueError("a transfer moves a positive amount")
        if {self.debit.mode, self.credit.mode} != {self.debit.mode}:
            raise ValueError("test and live money never mix")
        if {self.debit.currency, self.credit.currency} != {self.money.currency}:
            raise ValueError("a transfer has one currency")


@dataclass(frozen=True, slots=True)
class Balance:
    """What a merchant is owed in one currency, in minor units, credit-positive.

    `posted` is booked for good; `pending_in` is reserved by payments not yet decided,
    `pending_out` by refunds; `available` may be paid out or refunded now.
    """

    currency: str
    posted: int
    pending_in: int
    pending_out: int

    @property
    def available(self) -> int:
        """Posted money that no pending refund has reserved."""
        return self.posted - self.pending_out


@dataclass(frozen=True, slots=True)
class Entry:
    """One immutable line of a merchant's account; `amount` is credit-positive minor units."""

    id: int
    transfer_id: UUID
    kind: str
    type: str
    amount: int
    balance_after: int
    currency: str
    object_id: str
    created_at: dt.datetime

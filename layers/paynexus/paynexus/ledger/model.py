"""The ledger's words: orders, what they ask for, and what is read back."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from paynexus.ids import PaymentId, TransferId
from paynexus.ledger.accounts import Account
from paynexus.money import Money

PARTS_LIMIT = 50
"""How many posts one pending transfer may be resolved by."""


class TransferKind(StrEnum):
    """The business fact a transfer books."""

    PAYMENT = "payment"
    FEE = "fee"
    REFUND = "refund"
    PAYOUT = "payout"
    PAYOUT_PAID = "payout_paid"
    PAYOUT_REJECTED = "payout_rejected"
    PAYOUT_RETURNED = "payout_returned"
    GATEWAY_PAYOUT = "gateway_payout"
    GATEWAY_COST = "gateway_cost"
    UNEXPLAINED_IN = "unexplained_in"
    UNEXPLAINED_OUT = "unexplained_out"
    DISPUTE = "dispute"
    DISPUTE_COVER = "dispute_cover"
    DISPUTE_EXCESS = "dispute_excess"
    DISPUTE_WON = "dispute_won"
    RESERVE_HOLD = "reserve_hold"
    RESERVE_RELEASE = "reserve_release"
    ADJUSTMENT = "adjustment"
    IMPORT = "import"
    REVERSAL = "reversal"
    LATE_APPROVAL = "late_approval"


class Balancing(StrEnum):
    """Which account decides how much moves: at most what it can give."""

    DEBIT = "debit"
    CREDIT = "credit"


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
    balancing: Balancing | None = None
    metadata: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.money.amount <= 0:
            raise ValueError("a transfer moves a positive amount")
        if {self.debit.mode, self.credit.mode} != {self.debit.mode}:
            raise ValueError("test and live money never mix")
        if {self.debit.currency, self.credit.currency} != {self.money.currency}:
            raise ValueError("a transfer has one currency")


@dataclass(frozen=True, slots=True)
class Order:
    """One line of a batch: a new transfer, or what becomes of an earlier one.

    Make it with `single`, `pending`, `post`, `void` or `reverse`. `is_linked` ties it to the
    next order of its batch: both are booked, or neither. `effective_at` is when it counts for
    the business; without it, when it is recorded.
    """

    id: TransferId
    state: str
    transfer: Transfer | None = None
    pending_id: TransferId | None = None
    reverses: TransferId | None = None
    amount: int | None = None
    is_final: bool | None = None
    timeout: dt.timedelta | None = None
    is_linked: bool = False
    effective_at: dt.datetime | None = None
    metadata: Mapping[str, Any] | None = None

    @classmethod
    def single(cls, transfer: Transfer, *, effective_at: dt.datetime | None = None) -> "Order":
        """The transfer, booked at once."""
        return cls(transfer.id, "single", transfer, effective_at=effective_at)

    @classmethod
    def pending(
        cls,
        transfer: Transfer,
        *,
        timeout: dt.timedelta | None = None,
        effective_at: dt.datetime | None = None,
    ) -> "Order":
        """The transfer, reserved until it is posted or void, or for `timeout` at most."""
        return cls(transfer.id, "pending", transfer, timeout=timeout, effective_at=effective_at)

    @classmethod
    def post(
        cls,
        pending_id: TransferId,
        *,
        id: TransferId,  # noqa: A002 - the ledger's own word
        amount: int | None = None,
        is_final: bool = True,
        effective_at: dt.datetime | None = None,
    ) -> "Order":
        """The pending transfer becomes real, all that is left of it or `amount`.

        The last post is final: what it leaves is released. Before it come at most
        PARTS_LIMIT - 1 that are not.
        """
        return cls(
            id,
            "post",
            pending_id=pending_id,
            amount=amount,
            is_final=is_final,
            effective_at=effective_at,
        )

    @classmethod
    def void(
        cls,
        pending_id: TransferId,
        *,
        id: TransferId,  # noqa: A002 - the ledger's own word
        effective_at: dt.datetime | None = None,
    ) -> "Order":
        """What is left of the pending transfer is released."""
        return cls(id, "void", pending_id=pending_id, effective_at=effective_at)

    @classmethod
    def reverse(
        cls,
        transfer_id: TransferId,
        *,
        id: TransferId,  # noqa: A002 - the ledger's own word
        effective_at: dt.datetime | None = None,
    ) -> "Order":
        """What the transfer had moved goes back, whole and once."""
        return cls(id, "reverse", reverses=transfer_id, effective_at=effective_at)


@dataclass(frozen=True, slots=True)
class Balance:
    """What a merchant is owed in one currency, in minor units, credit-positive.

    `posted` is booked for good; `pending_in` is reserved by payments not yet decided,
    `pending_out` by refunds and open disputes; `available` may be paid out or refunded now.
    """

    currency: str
    posted: int
    pending_in: int
    pending_out: int

    @property
    def available(self) -> int:
        """Posted money that no pending refund and no open dispute has reserved."""
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

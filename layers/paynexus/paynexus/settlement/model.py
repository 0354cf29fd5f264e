"""Settlement's words and rules: what is paid out, under which name, and what the bank may say."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from paynexus import ids
from paynexus.ids import MerchantId, SettlementId, TransferId
from paynexus.money import Money
from paynexus.settlement.bank.messages import BankAccount


class Status(StrEnum):
    """Where a settlement stands; a trigger in Postgres enforces the same table as `MOVES`."""

    PENDING = "PENDING"
    INSTRUCTED = "INSTRUCTED"
    ACCEPTED = "ACCEPTED"
    PAID = "PAID"
    REJECTED = "REJECTED"
    """The bank did not take it; the money never left."""
    RETURNED = "RETURNED"
    """The money was paid, and has come back."""


MOVES: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {
        Status.PENDING: frozenset({Status.INSTRUCTED}),
        Status.INSTRUCTED: frozenset({Status.ACCEPTED, Status.PAID, Status.REJECTED}),
        Status.ACCEPTED: frozenset({Status.PAID, Status.REJECTED}),
        Status.PAID: frozenset({Status.RETURNED}),
        Status.REJECTED: frozenset(),
        Status.RETURNED: frozenset(),
    }
)
"""The statuses that may follow each status."""

FAILED = frozenset({Status.REJECTED, Status.RETURNED})
"""What has ended with the money back on the merchant's balance."""

OPEN = frozenset({Status.PENDING, Status.INSTRUCTED, Status.ACCEPTED})
"""What is on its way."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a merchant is paid for a period: what its entries sum to, less `reserve_amount`.

    `instruction` holds both bank accounts and the execution date as they were when it was made,
    so that its file can be written again alike.
    """

    id: SettlementId
    merchant_id: MerchantId
    amount: int
    status: str
    processed_at: datetime | None
    currency: str
    mode: str
    cutoff: datetime
    reserve_amount: int
    expected_on: date
    message_id: str | None
    end_to_end_id: str
    instruction: dict[str, Any]
    failure_code: str | None
    created_at: datetime

    @property
    def money(self) -> Money:
        """The amount with its currency."""
        return Money(self.amount, self.currency)

    @property
    def object_id(self) -> str:
        """The settlement's id as merchants see it."""
        return ids.text("set", self.id)

    @property
    def creditor(self) -> BankAccount:
        """The merchant's account as it was when the settlement was made."""
        return BankAccount.restored(self.instruction["creditor"])


def settlement_id(
    *, merchant_id: MerchantId, currency: str, mode: str, cutoff: datetime
) -> SettlementId:
    """The one id for this merchant, currency, mode and cut-off: every run makes the same.

    It has the form of a UUIDv7 whose time is the cut-off, so settlements sort by their age.
    """
    name = f"{merchant_id}|{currency}|{mode}|{cutoff.astimezone(UTC).isoformat()}"
    digest = int.from_bytes(hashlib.sha256(name.encode()).digest()[:10])
    milliseconds = int(cutoff.timestamp() * 1000)
    high = milliseconds << 80 | 0x7 << 76 | (digest >> 62 & 0xFFF) << 64
    return SettlementId(UUID(int=high | 0b10 << 62 | digest & (1 << 62) - 1))


def transfer_id(settlement: SettlementId, kind: str) -> TransferId:
    """The one id of a settlement's booking of this kind: booking it again changes nothing."""
    digest = int.from_bytes(hashlib.sha256(f"{settlement}|{kind}".encode()).digest()[:8])
    return TransferId(UUID(int=settlement.int >> 62 << 62 | digest & (1 << 62) - 1))


def end_to_end_id(settlement: SettlementId) -> str:
    """The reference that travels with the money to the merchant's own statement."""
    return f"SET-{_base32(settlement)}"


def _base32(settlement: SettlementId) -> str:
    # Upper case, no underscore: the characters that every bank passes on unchanged.
    return ids.text("set", settlement).removeprefix("set_").upper()

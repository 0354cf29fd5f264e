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


class Status(StrEnum):
    """Where a settlement stands; a trigger in Postgres enforces the same table as `MOVES`."""

    PENDING = "PENDING"
    INSTRUCTED = "INSTRUCTED"
    ACCEPTED = "ACCEPTED"
    PAID = "PAID"
    FAILED = "FAILED"


MOVES: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {
        Status.PENDING: frozenset({Status.INSTRUCTED}),
        Status.INSTRUCTED: frozenset({Status.ACCEPTED, Status.PAID, Status.FAILED}),
        Status.ACCEPTED: frozenset({Status.PAID, Status.FAILED}),
        Status.PAID: frozenset(),
        Status.FAILED: frozenset(),
    }
)
"""The statuses that may follow each status."""


class Carry(StrEnum):
    """Why a merchant's money stays on its balance until a later run."""

    NOTHING_TO_PAY = "nothing_to_pay"
    NO_PAYOUT_ACCOUNT = "no_payout_account"
    NO_HOUSE_ACCOUNT = "no_house_account"
    RESERVED = "reserved"
    """Pending refunds have reserved so much that not even the oldest entry could be paid."""


class Unmatched(StrEnum):
    """Why something the bank said could not be applied to a settlement."""

    UNKNOWN_REFERENCE = "unknown_reference"
    NOT_BOOKED = "not_booked"
    RETURNED = "returned"
    UNEXPECTED_CREDIT = "unexpected_credit"
    WRONG_ACCOUNT = "wrong_account"
    AMOUNT_DIFFERS = "amount_differs"
    ALREADY_PAID = "already_paid"
    ALREADY_FAILED = "already_failed"
    DUPLICATE_FILE = "duplicate_file"
    NO_DECISION = "no_decision"


WAITING = frozenset({Unmatched.NOT_BOOKED, Unmatched.DUPLICATE_FILE, Unmatched.NO_DECISION})
"""What needs nobody's attention: the bank will say more, or has said so before."""

ACCEPTED_CODES = frozenset({"ACCP", "ACTC", "ACSP", "ACWC", "ACSC", "ACCC"})
"""ISO 20022's ways to say yes. Even ACSC is not the money: only a booked entry is."""
REJECTED_CODES = frozenset({"RJCT", "CANC"})
DUPLICATE_CODES = frozenset({"DUPL", "AM05"})
"""The bank has this file or payment already: sent again after a crash, it is paid once."""


@dataclass(frozen=True, slots=True)
class BankAccount:
    """A holder and where its money is; the IBAN alone is enough for most banks."""

    holder: str
    iban: str
    bic: str | None


@dataclass(frozen=True, slots=True)
class Position:
    """What one merchant is owed in one currency and mode: posted and not yet settled."""

    merchant_id: MerchantId
    currency: str
    mode: str
    amount: int
    entries: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a merchant is paid for a period.

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
    message_id: str
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
    def file_name(self) -> str:
        """The one name under which this settlement's file goes to the bank."""
        return f"{self.mode}/{self.message_id}.xml"

    @property
    def debtor(self) -> BankAccount:
        """The account that pays."""
        return BankAccount(**self.instruction["debtor"])

    @property
    def creditor(self) -> BankAccount:
        """The merchant's account as it was when the settlement was made."""
        return BankAccount(**self.instruction["creditor"])

    @property
    def execution_date(self) -> date:
        """The day the bank is asked to pay on."""
        return date.fromisoformat(self.instruction["execution_date"])


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One ledger entry that a settlement pays out (positive) or takes back (negative)."""

    entry_id: int
    kind: str
    object_id: str
    payment_id: UUID | None
    amount: int
    currency: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class BankEntry:
    """One movement on one of our accounts, as a bank's statement shows it."""

    account_iban: str
    reference: str
    end_to_end_id: str | None
    money: Money
    is_debit: bool
    is_booked: bool
    booked_on: date


@dataclass(frozen=True, slots=True)
class BankLine:
    """One thing that a bank said, with the settlement it was applied to or the reason why not."""

    position: int
    kind: str
    reference: str
    end_to_end_id: str | None
    code: str | None
    amount: int | None
    currency: str | None
    booked_on: date | None
    matched: SettlementId | None
    reason: Unmatched | None


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


def message_id(settlement: SettlementId) -> str:
    """The name of the settlement's file at the bank, which refuses a second file of it."""
    return f"PNX-{_base32(settlement)}"


def end_to_end_id(settlement: SettlementId) -> str:
    """The reference that travels with the money to the merchant's own statement."""
    return f"SET-{_base32(settlement)}"


def reason_to_carry(
    position: Position, *, creditor: BankAccount | None, debtor: BankAccount | None
) -> Carry | None:
    """Why nothing is paid now, or None when it is."""
    if position.amount <= 0:
        return Carry.NOTHING_TO_PAY
    if creditor is None:
        return Carry.NO_PAYOUT_ACCOUNT
    if debtor is None:
        return Carry.NO_HOUSE_ACCOUNT
    return None


def answer(settlement: Settlement, *, code: str, reason: str | None) -> Status | Unmatched | None:
    """Where the bank's answer to an instruction takes a settlement; None where it stands.

    Answers come late and twice: a yes after the money changes nothing, and so does a second no.
    A no after the money, or a yes after a no, contradicts what was booked.
    """
    status = Status(settlement.status)
    if code in REJECTED_CODES:
        if reason in DUPLICATE_CODES:
            return Unmatched.DUPLICATE_FILE
        if status is Status.PAID:
            return Unmatched.ALREADY_PAID
        return None if status is Status.FAILED else Status.FAILED
    if code not in ACCEPTED_CODES:
        return Unmatched.NO_DECISION
    if status is Status.FAILED:
        return Unmatched.ALREADY_FAILED
    return None if status in (Status.ACCEPTED, Status.PAID) else Status.ACCEPTED


def mismatch(entry: BankEntry, settlement: Settlement | None) -> Unmatched | None:
    """Why this movement does not pay this settlement, or None when it does, to the cent."""
    if not entry.is_booked:
        return Unmatched.NOT_BOOKED
    if settlement is None:
        return Unmatched.UNKNOWN_REFERENCE if entry.is_debit else Unmatched.UNEXPECTED_CREDIT
    if not entry.is_debit:
        return Unmatched.RETURNED
    if entry.account_iban != settlement.debtor.iban:
        return Unmatched.WRONG_ACCOUNT
    if entry.money != settlement.money:
        return Unmatched.AMOUNT_DIFFERS
    return {
        Status.PAID: Unmatched.ALREADY_PAID,
        Status.FAILED: Unmatched.ALREADY_FAILED,
    }.get(Status(settlement.status))


def _base32(settlement: SettlementId) -> str:
    # Upper case, no underscore: the characters that every bank passes on unchanged.
    return ids.text("set", settlement).removeprefix("set_").upper()

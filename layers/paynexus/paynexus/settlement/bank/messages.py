"""What we tell a bank and what a bank tells us, in values. Pure.

Amounts are minor units of their currency, never negative; `is_debit` says which way money went:
true when it left our account.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple, Self

from paynexus.errors import PayNexusError
from paynexus.money import Money


class InvalidInstruction(PayNexusError):
    """What a bank was to be asked is not what a bank can be asked; no file was written."""

    code = "invalid_instruction"


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address in the parts that EPC's rules of November 2026 ask for.

    `country` is ISO 3166's two letters. A town and a country are the least.
    """

    street: str | None
    building: str | None
    postcode: str | None
    town: str
    country: str


@dataclass(frozen=True, slots=True)
class BankAccount:
    """A holder and where its money is; the IBAN alone is enough for most banks."""

    holder: str
    iban: str
    bic: str | None
    address: Address | None = None

    @classmethod
    def restored(cls, fields: Mapping[str, Any]) -> Self:
        """The account that `dataclasses.asdict` made these fields of, also by way of JSON."""
        address = fields.get("address")
        # What was left out of an address is not known.
        unknown: dict[str, Any] = dict.fromkeys(("street", "building", "postcode"))
        return cls(
            fields["holder"],
            fields["iban"],
            fields["bic"],
            Address(**unknown | dict(address)) if address else None,
        )


@dataclass(frozen=True, slots=True)
class CreditTransfer:
    """One payment to one creditor."""

    end_to_end_id: str
    creditor: BankAccount
    money: Money
    remittance: str


@dataclass(frozen=True, slots=True)
class Instruction:
    """A file of payments from one account, in one currency."""

    message_id: str
    created_at: datetime
    execution_date: date
    debtor: BankAccount
    currency: str
    transfers: tuple[CreditTransfer, ...]


@dataclass(frozen=True, slots=True)
class Header:
    """Which message a file is: `kind` is its first two words, such as `camt.053`."""

    kind: str
    message_id: str
    created_at: datetime | None
    """None where the bank left it out, though the standard wants it. A time without a zone is
    taken for UTC."""


@dataclass(frozen=True, slots=True)
class PaymentStatus:
    """What the bank says about one payment, or about a whole file (no end-to-end id)."""

    original_message_id: str
    end_to_end_id: str | None
    status: str
    reason: str | None
    information: str | None


@dataclass(frozen=True, slots=True)
class Statement:
    """The head of an account's statement, report or notification; its entries follow.

    `number` is the sequence number, without gaps at a bank that gives one. The balances are booked
    ones, signed: negative is overdrawn. None: not stated.
    """

    account_iban: str
    number: int | None
    day: date
    currency: str
    opening: int | None
    closing: int | None


class Part(NamedTuple):
    """One payment of an entry, of which there may be very many: a tuple is cheap to make.

    `money` is None where the bank states no amount of its own in the entry's currency.
    """

    reference: str
    message_id: str | None
    end_to_end_id: str | None
    money: Money | None
    is_debit: bool
    is_return: bool
    return_reason: str | None
    remittance: str
    counterparty: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement on one of our accounts.

    `statement` counts the file's statements from 0. `message_id` is that of the instruction, where
    the bank gives it, or the name of its batch, which is the same in our files. `is_return`: money
    that was paid came back, or that we took is taken back. `remittance` is all that the bank says
    in words, references in structured fields included. `transfers` has two payments or more, or
    is empty: what is said of a single payment stands in the entry itself.
    """

    statement: int
    reference: str
    message_id: str | None
    end_to_end_id: str | None
    money: Money
    is_debit: bool
    is_booked: bool
    booked_on: date
    value_on: date
    is_return: bool
    return_reason: str | None
    remittance: str
    counterparty: str | None
    transfers: tuple[Part, ...]


type Record = PaymentStatus | Statement | Entry

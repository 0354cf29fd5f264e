"""What a break is, and the one table of what becomes of it. Pure."""

import datetime as dt
import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NewType
from uuid import UUID

from paynexus import ids
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger.accounts import AccountType

BreakId = NewType("BreakId", UUID)

NAME_MAX = 100
"""Characters of a person's name."""


class BreakType(StrEnum):
    """How what they say differs from what we say."""

    MISSING = "missing"
    """We say it, they don't."""
    EXTRA = "extra"
    """They say it, we don't."""
    AMOUNT = "amount"
    FEE = "fee"
    CURRENCY = "currency"
    TIMING = "timing"
    """It is late."""
    DUPLICATE = "duplicate"
    """They say it twice."""
    RETURNED = "returned"
    """A payout that the bank rejected, or sent back."""


class BreakStatus(StrEnum):
    """Where a break stands."""

    OPEN = "OPEN"
    PROPOSED = "PROPOSED"
    """One person has said how to resolve it; another must agree."""
    RESOLVED = "RESOLVED"


BREAK_MOVES: Mapping[BreakStatus, frozenset[BreakStatus]] = MappingProxyType(
    {
        BreakStatus.OPEN: frozenset({BreakStatus.PROPOSED, BreakStatus.RESOLVED}),
        BreakStatus.PROPOSED: frozenset({BreakStatus.OPEN, BreakStatus.RESOLVED}),
        BreakStatus.RESOLVED: frozenset(),
    }
)
"""The statuses that may follow each. Postgres holds the same table in `break_may_become`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A difference as it was found. `amount`: minor units, what they say less what we say.

    Of `details` two members choose the policy, beside the type and what `subject` begins with:
    `code` (the bank's, of ISO 20022) and `is_back_on_balance` (true: the money of a rejected or
    returned payout is booked back already).
    """

    type: BreakType
    subject: str
    mode: str
    currency: str
    amount: int
    merchant_id: MerchantId | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Side:
    """An account of a correcting transfer, in the break's mode and currency."""

    type: AccountType
    merchant_id: MerchantId | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """A transfer that a person proposes: `amount` minor units from `credit` to `debit`."""

    debit: Side
    credit: Side
    amount: int


@dataclass(frozen=True, slots=True)
class Resolution:
    """What one person proposed, and what another said to it."""

    id: UUID
    number: int
    """Which of the break's proposals it is, counted from 0."""
    correction: Correction | None
    because: str
    proposed_by: str
    proposed_at: dt.datetime
    decided_by: str | None = None
    decided_at: dt.datetime | None = None
    is_approved: bool | None = None
    decision: str | None = None
    """Why it was refused."""


@dataclass(frozen=True, slots=True)
class Break:
    """A break as it stands."""

    id: BreakId
    type: BreakType
    subject: str
    mode: str
    currency: str
    amount: int
    merchant_id: MerchantId | None
    details: Mapping[str, Any]
    policy: str
    status: BreakStatus
    assignee: str | None
    opened_at: dt.datetime
    due_at: dt.datetime
    resolved_at: dt.datetime | None
    resolution: str | None
    transfer_id: TransferId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A break that the world has explained by itself, and the transfer that booked it, if any."""

    type: BreakType
    subject: str
    resolution: str
    transfer_id: TransferId | None = None


def break_id(type: BreakType, subject: str) -> BreakId:  # noqa: A002 - the plan's own word
    """The one id of the break of this type about this subject: a UUID of version 8."""
    return BreakId(_named("break", type, subject))


def resolution_id(of: BreakId, number: int) -> UUID:
    """The one id of the break's proposal of this number, counted from 0."""
    return _named("break_resolution", of, number)


def transfer_id(resolution: UUID) -> TransferId:
    """The one id of the transfer that the proposal books: approved twice, it is booked once."""
    return TransferId(_named("break_transfer", resolution))


def object_id(of: BreakId) -> str:
    """The break as people and transfers name it."""
    return ids.text("brk", of)


def person(name: str) -> str:
    """The name as four eyes compare it: " Ann" and "ann" are one pair of eyes.

    Postgres says the same in `name_of_a_person`.
    """
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def _named(*parts: object) -> UUID:
    return ids.of_digest(hashlib.sha256("|".join(map(str, parts)).encode()).digest())

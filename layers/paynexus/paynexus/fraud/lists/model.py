"""The words of lists, and their limits. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from paynexus.fraud.model import Action
from paynexus.ids import MerchantId

LISTS_MAX = 50
"""Lists of one merchant, and of the platform: each decision asks all of them."""
ENTRIES_MAX = 250_000
"""Entries that one list holds at a moment."""
NAME_LENGTH_MAX = 100
"""Characters of a list's name."""
NOTE_LENGTH_MAX = 500
"""Characters of a list's note, of an entry's note and of an author's name."""
CANDIDATES_MAX = 50
"""Names that one decision compares closely; infra/database/migrations/0025_fraud_lists.sql has
the same number."""
HITS_MAX = 100
"""Other entries that one decision hears of; the same holds of them."""
MIN_QUALITY = 85.0
"""What a list of names asks of a match unless it says otherwise; docs/fraud/lists.md has the
precision and recall at this quality."""
MIN_QUALITY_LEAST = 50.0
"""Below that, names match that have nothing in common but one word."""
MANUAL = "manual"
"""The source of an entry that somebody wrote by hand."""


class Kind(StrEnum):
    """What a list holds."""

    FINGERPRINT = "fingerprint"
    EMAIL = "email"
    IP = "ip"
    COUNTRY = "country"
    BIN = "bin"
    NAME = "name"


class State(StrEnum):
    """Whether decisions ask the list."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The list that is asked for."""

    name: str
    kind: Kind
    action: Action
    note: str
    min_quality: float | None = None
    """Of a list of names: 50 to 100; None is MIN_QUALITY. Other lists have none."""


@dataclass(frozen=True, slots=True)
class FraudList:
    """A list, as it is stored. `merchant_id` None: it holds for every merchant."""

    id: UUID
    merchant_id: MerchantId | None
    name: str
    kind: Kind
    action: Action
    note: str
    min_quality: float | None
    state: State
    author: str
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Written:
    """An entry as somebody writes it, its value already in normal form."""

    value: str
    note: str = ""
    expires_at: dt.datetime | None = None
    source: str = MANUAL
    """Where it comes from: MANUAL, `csv`, or `ofac:<ent_num>[:<alt_num>]`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry, as it is stored; it is listed from `created_at` to before its end."""

    id: UUID
    list_id: UUID
    value: str
    note: str
    author: str
    source: str
    created_at: dt.datetime
    expires_at: dt.datetime | None = None
    removed_at: dt.datetime | None = None

    def is_listed(self, now: dt.datetime) -> bool:
        """Whether decisions of that moment find the entry."""
        ends = (self.expires_at, self.removed_at)
        return self.created_at <= now and all(end is None or now < end for end in ends)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry that may speak of a payment, with what its list says of it."""

    entry_id: UUID
    kind: Kind
    action: Action
    note: str
    """The list's."""
    is_platform: bool
    value: str | None = None
    """Of a name: the listed one, to be compared closely. Other kinds have been found exactly."""
    min_quality: float = MIN_QUALITY

    @classmethod
    def of(cls, found: Mapping[str, object]) -> "Candidate":
        """What `fraud_list_candidates` tells of one entry."""
        quality = found["min_quality"]
        value = found["value"]
        return cls(
            entry_id=UUID(str(found["entry_id"])),
            kind=Kind(str(found["kind"])),
            action=Action(str(found["action"])),
            note=str(found["note"]),
            is_platform=bool(found["is_platform"]),
            value=None if value is None else str(value),
            min_quality=MIN_QUALITY if quality is None else float(str(quality)),
        )


@dataclass(frozen=True, slots=True)
class Rescreening:
    """A walk over past payments, because a list has changed."""

    id: UUID
    list_id: UUID
    since: dt.datetime
    created_at: dt.datetime
    examined: int
    hits: int
    finished_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class PastHit:
    """A past payment that an entry of today would have met."""

    id: UUID
    payment_id: UUID
    merchant_id: MerchantId
    mode: str
    entry_id: UUID
    quality: float | None

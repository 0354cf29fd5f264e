"""What a merchant may know of a settlement, and how it adds up. Pure."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

from paynexus.ledger.model import TransferKind
from paynexus.settlement.model import Settlement

LINES_DEFAULT = 100
"""Lines of a statement's page as JSON, unless the request says otherwise."""
LINES_LIMIT = 5_000
"""Lines of one answer, whatever its form: some 4 MB of camt.053, of the 6 MB that a function may
answer."""

ADJUSTMENTS = "adjustments"
PARTS: Mapping[str, tuple[TransferKind, ...]] = MappingProxyType(
    {
        "payments": (TransferKind.PAYMENT,),
        "refunds": (TransferKind.REFUND,),
        "fees": (TransferKind.FEE,),
        "disputes": (
            TransferKind.DISPUTE,
            TransferKind.DISPUTE_COVER,
            TransferKind.DISPUTE_EXCESS,
            TransferKind.DISPUTE_WON,
        ),
        ADJUSTMENTS: (),
        "returned_payouts": (TransferKind.PAYOUT_REJECTED, TransferKind.PAYOUT_RETURNED),
        "reserves_released": (TransferKind.RESERVE_RELEASE,),
    }
)
"""What a settlement is explained by; every other kind of line is an adjustment."""
_PART_OF = {kind.value: part for part, kinds in PARTS.items() for kind in kinds}


@dataclass(frozen=True, slots=True)
class Share:
    """So many lines, and what they come to in minor units."""

    count: int = 0
    amount: int = 0

    def __add__(self, other: "Share") -> "Share":
        return Share(self.count + other.count, self.amount + other.amount)


@dataclass(frozen=True, slots=True)
class Kind:
    """The lines of one kind; those left over by the settlement before are told apart."""

    kind: str
    is_carried: bool
    count: int
    amount: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What a settlement is made of: parts and carried over, less the reserve, are its amount."""

    parts: Mapping[str, Share]
    carried_over: Share


@dataclass(frozen=True, slots=True)
class About:
    """What the books say of a settlement besides its own row.

    `carried_before` is the cut-off of the settlement before it: what was recorded before that
    was left over then.
    """

    account_id: UUID
    merchant_name: str
    after_entry: int
    through_entry: int
    carried_before: dt.datetime | None
    release_at: dt.datetime | None
    paid_at: dt.datetime | None
    failed_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Detail:
    """A settlement, explained."""

    settlement: Settlement
    about: About
    summary: Summary


@dataclass(frozen=True, slots=True)
class Line:
    """One ledger entry that a settlement pays out (positive) or takes back (negative)."""

    entry_id: int
    kind: str
    object_id: str
    payment_id: UUID | None
    amount: int
    currency: str
    recorded_at: dt.datetime
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Statement:
    """Lines of a settlement, oldest first: all of them, or a page.

    `before` is what the lines before the page come to; `has_more` says whether others follow.
    """

    settlement: Settlement
    about: About
    lines: Sequence[Line]
    before: Share
    has_more: bool
    page: int = 1


def summary_of(kinds: Sequence[Kind]) -> Summary:
    """The parts of a settlement whose lines come to these sums by kind."""
    parts = dict.fromkeys(PARTS, Share())
    carried = Share()
    for one in kinds:
        share = Share(one.count, one.amount)
        if one.is_carried:
            carried += share
        else:
            part = _PART_OF.get(one.kind, ADJUSTMENTS)
            parts[part] += share
    return Summary(parts, carried)

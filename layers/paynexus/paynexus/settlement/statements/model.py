"""The words of what banks say, and how their lines are named. Pure."""

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from paynexus import ids
from paynexus.ids import MerchantId, SettlementId, TransferId
from paynexus.settlement.breaks.model import BreakType
from paynexus.settlement.lifecycle import Move
from paynexus.settlement.model import Status

SUBJECT_DIGITS = 16
"""Of a file's hash, how many digits name it in a break."""


class Verdict(StrEnum):
    """What became of a line."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    KNOWN = "known"
    """It says what is on record already."""
    OUTDATED = "outdated"
    """A yes that the bank had given before its no."""
    NO_DECISION = "no_decision"
    DUPLICATE_FILE = "duplicate_file"
    """The bank has the payout file already, and pays it once."""
    UNKNOWN_REFERENCE = "unknown_reference"
    """An answer to what we never asked."""
    CONTRADICTION = "contradiction"
    """A no after the money, or a yes after a no: nothing is changed."""

    PAID = "paid"
    SHOWN = "shown"
    """The debit of a payout whose return had come first: it was booked with that."""
    RETURNED = "returned"
    BATCH = "batch"
    """Its parts, or the members of its payout file, were paid or returned."""
    GATEWAY = "gateway"
    EXTRA = "extra"
    AMOUNT = "amount"
    CURRENCY = "currency"
    DUPLICATE = "duplicate"
    NOTHING = "nothing"
    """It moves no money."""

    FOREIGN = "foreign"
    """On an account that isn't ours."""
    REPEATED = "repeated"
    """On a statement that came before in other bytes."""
    NOT_BOOKED = "not_booked"
    NOTICE = "notice"
    """It moves nothing by itself: its whole does, or a statement that comes."""


LOUD = frozenset(
    {
        Verdict.UNKNOWN_REFERENCE,
        Verdict.CONTRADICTION,
        Verdict.EXTRA,
        Verdict.AMOUNT,
        Verdict.CURRENCY,
        Verdict.DUPLICATE,
        Verdict.REPEATED,
    }
)
"""What somebody must look at."""

BREAK_OF = {
    Verdict.EXTRA: BreakType.EXTRA,
    Verdict.AMOUNT: BreakType.AMOUNT,
    Verdict.CURRENCY: BreakType.CURRENCY,
    Verdict.DUPLICATE: BreakType.DUPLICATE,
}
"""What money is, that was booked to suspense."""


@dataclass(slots=True)
class Standing:
    """A settlement, locked, as the lines of a file move it one after the other.

    `is_shown`: a booked entry has shown its payment. `steps` are the moves so far.
    """

    id: SettlementId
    end_to_end_id: str
    message_id: str | None
    mode: str
    currency: str
    amount: int
    status: Status
    merchant_id: MerchantId
    cutoff: dt.datetime
    iban: str
    is_shown: bool
    steps: list[Move] = field(default_factory=list)

    def step(self, status: Status, code: str | None = None) -> None:
        """It has the status, after INSTRUCTED if nobody had noted that the bank has it."""
        if self.status is Status.PENDING:
            self._to(Status.INSTRUCTED, None)
        if self.status is not status:
            self._to(status, code)

    def _to(self, status: Status, code: str | None) -> None:
        self.steps.append(Move(self.id, status, code))
        self.status = status

    @property
    def is_touched(self) -> bool:
        """A line of the file was applied to it."""
        return bool(self.steps)

    @property
    def subject(self) -> str:
        """What breaks call it."""
        return f"settlement:{ids.text('set', self.id)}"


@dataclass(frozen=True, slots=True)
class Line:
    """An entry, or the part of one, on one of our accounts. Amounts are minor units."""

    position: int
    whole: int | None
    end_to_end_id: str | None
    message_id: str | None
    amount: int | None
    currency: str
    is_debit: bool
    is_return: bool
    reason_code: str | None
    booked_on: dt.date
    iban: str
    mode: str

    @property
    def moved(self) -> int:
        """What the account has more, or less."""
        amount = self.amount or 0
        return -amount if self.is_debit else amount


@dataclass(frozen=True, slots=True)
class Answer:
    """What the bank said of a payment, or of a file (no end-to-end id)."""

    position: int
    message_id: str
    end_to_end_id: str | None
    code: str
    reason_code: str | None


@dataclass(frozen=True, slots=True)
class Judged:
    """A line's verdict, and the settlement that it was applied to."""

    position: int
    verdict: Verdict
    matched: SettlementId | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A transfer that books an entry, or a part of it; negative is money that left."""

    transfer_id: TransferId
    position: int
    rule: str
    amount: int


@dataclass(frozen=True, slots=True)
class Leftover:
    """Money of an entry whose reason is not known; `amount` is signed as the account sees it."""

    line: Line
    amount: int
    verdict: Verdict
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A payout file that the bank speaks of."""

    message_id: str
    mode: str
    currency: str
    amount: int
    sends: int

    @property
    def subject(self) -> str:
        """What breaks call it."""
        return payout_file_subject(self.message_id)


def payout_file_subject(message_id: str) -> str:
    """What breaks call a payout file."""
    return f"payout_file:{message_id}"


def line_subject(sha256: bytes, position: int) -> str:
    """What breaks call a line."""
    return f"bank_line:{sha256.hex()[:SUBJECT_DIGITS]}:{position}"


def file_subject(sha256: bytes) -> str:
    """What breaks call a file."""
    return f"bank_file:{sha256.hex()[:SUBJECT_DIGITS]}"


def line_object_id(sha256: bytes, position: int) -> str:
    """What transfers call a line: `bln_…`."""
    return ids.text("bln", _named(sha256, position, "line"))


def line_transfer_id(sha256: bytes, position: int) -> TransferId:
    """The one id of the booking that moves a line's money to suspense."""
    return TransferId(_named(sha256, position, "suspense"))


def waves(standings: Sequence[Standing]) -> list[list[Move]]:
    """All moves, such that each settlement moves once in each."""
    longest = max((len(one.steps) for one in standings), default=0)
    return [[one.steps[n] for one in standings if n < len(one.steps)] for n in range(longest)]


def _named(sha256: bytes, position: int, what: str) -> UUID:
    return ids.of_digest(hashlib.sha256(sha256 + f"|{position}|{what}".encode()).digest())

"""The words of gateways' settlement files: lines, verdicts, payouts, and their names. Pure."""

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO
from uuid import UUID

from paynexus import ids
from paynexus.ids import TransferId
from paynexus.settlement.breaks.model import BreakType, Found

LINES_MAX = 1_000_000
"""Lines of one file, its head not counted."""
LARGEST_FILE_BYTES = 400_000_000
TEXT_LENGTH_MAX = 255
"""Characters of a reference or id in a file."""
BREAKS_MAX = 10_000
"""Breaks of one file. More are no faults of single lines: it is hardly of this account."""
MISSING_AFTER_DAYS = 3
"""Whole days that a gateway has to tell of what its files' days lack, or we to book what it
told of: then it is a break."""
TOLERANCE_DAYS = 3
"""Whole days by which a payout may arrive before or after it is expected: a long weekend."""
KEY_LENGTH_MIN = 6
"""Letters and digits of a reference that is looked for in a bank's text: fewer say nothing."""

_DAY = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")


class Line(StrEnum):
    """What a line is about, in our words; what none of them fits keeps the gateway's own."""

    CHARGE = "charge"
    CAPTURE = "capture"
    RELEASE = "release"
    """What of a charge is given up at its capture, where its line is of the whole."""
    CANCEL = "cancel"
    REFUND = "refund"
    REFUND_FAILURE = "refund_failure"
    DISPUTE = "dispute"
    DISPUTE_WON = "dispute_won"
    COST = "cost"
    """What the gateway charges us besides the fees of its lines."""
    PAYOUT = "payout"


class Verdict(StrEnum):
    """What became of a line."""

    MATCHED = "matched"
    AMOUNT = "amount"
    FEE = "fee"
    CURRENCY = "currency"
    DUPLICATE = "duplicate"
    EXTRA = "extra"
    TIMING = "timing"
    WAITING = "waiting"
    """About an operation of ours whose end is not booked yet."""
    OFFSET = "offset"
    """It and another line undo each other, and the books know of neither."""
    COST = "cost"
    PAYOUT = "payout"
    REPEATED = "repeated"
    """Another file has the same line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLine:
    """One line as the file has it; amounts in minor units, positive ones owed to us.

    `reference` is ours, None where the line tells only the gateway's. `net` is `gross - fee`.
    """

    line_id: str
    reference: str | None
    gateway_reference: str | None
    operation: str
    currency: str
    gross: int
    fee: int
    occurred_at: dt.datetime
    payout_reference: str | None
    payout_on: dt.date | None

    @property
    def net(self) -> int:
        """What of it is paid out."""
        return self.gross - self.fee


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A gateway's file, and which days it tells of."""

    gateway: str
    mode: str
    sha256: bytes
    name: str
    format: str
    day: dt.date | None


type Read = Callable[[BinaryIO], Iterator[FileLine]]
"""Reads a file line by line; BankFileRefused, naming the line, for what is not of its format."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a gateway's files are read, and whether they are of test or of live payments."""

    format: str
    mode: str
    read: Read


@dataclass(frozen=True, slots=True)
class Payout:
    """What a gateway pays out by one transfer to our account; negative: what it collects."""

    gateway: str
    mode: str
    currency: str
    reference: str
    amount: int
    expected_on: dt.date
    arrived_amount: int | None = None

    @property
    def id(self) -> UUID:
        """The payout's name as an id; `gateway_payout_id` in SQL makes the same."""
        return named(self.gateway, self.mode, self.reference)

    @property
    def object_id(self) -> str:
        """`gpo_…`."""
        return ids.text("gpo", self.id)

    @property
    def subject(self) -> str:
        """What its breaks are about."""
        return f"gateway_payout:{self.gateway}:{self.reference}"

    def broken(self, kind: BreakType, amount: int, details: Mapping[str, object]) -> Found:
        """What is found about it: `amount` is what came less what was told of."""
        return Found(
            type=kind,
            subject=self.subject,
            mode=self.mode,
            currency=self.currency,
            amount=amount,
            details=details,
        )

    @property
    def lateness(self) -> Found:
        """That it hasn't come in its time."""
        return self.broken(
            BreakType.TIMING, -self.amount, {"expected_on": self.expected_on.isoformat()}
        )


def named(*parts: str) -> UUID:
    """The id of what these words name: always the same."""
    return UUID(bytes=hashlib.sha256("\n".join(parts).encode()).digest()[:16])


def transfer_id(payout: UUID, *parts: str) -> TransferId:
    """The id of one movement of a payout's money."""
    return TransferId(named(str(payout), *parts))


def line_subject(gateway: str, reference: str, operation: str) -> str:
    """What the breaks of a line are about."""
    return f"gateway_line:{gateway}:{reference}:{operation}"


def transfer_subject(transfer: UUID) -> str:
    """What the break of a transfer that no line tells of is about."""
    return f"transfer:{transfer}"


def day_of(name: str) -> dt.date | None:
    """The one day that a file's name says it is of."""
    found = set(_DAY.findall(name))
    if len(found) != 1:
        return None
    try:
        return dt.date.fromisoformat(found.pop())
    except ValueError:
        return None


def key_of(text: str) -> str:
    """The text as banks may hand it on: letters and digits alone, in capitals."""
    return re.sub(r"[^A-Za-z0-9]", "", text).upper()

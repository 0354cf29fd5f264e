"""What a payout file is: its name, what it says, and when its silence is one. Pure."""

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any
from uuid import UUID

from paynexus import ids
from paynexus.ids import SettlementId
from paynexus.money import Money
from paynexus.settlement.bank.messages import BankAccount, CreditTransfer, Instruction
from paynexus.settlement.calendars import Calendar

FILE_LIMIT = 10_000
"""Transfers of one file."""
INQUIRIES_LIMIT = 3
"""How often the bank is asked about a file before a person has to."""


@dataclass(frozen=True, slots=True)
class Payout:
    """A settlement as a file pays it."""

    id: SettlementId
    end_to_end_id: str
    amount: int
    mode: str
    currency: str
    instruction: dict[str, Any]

    @property
    def group(self) -> tuple[object, ...]:
        """What is alike for all payouts of a file."""
        debtor = BankAccount.restored(self.instruction["debtor"])
        return self.mode, self.currency, self.instruction["execution_date"], debtor


@dataclass(frozen=True, slots=True)
class PayoutFile:
    """A file and what is known of it; amounts are minor units.

    The last three are the house account's: see house_accounts.
    """

    message_id: str
    mode: str
    currency: str
    debtor: dict[str, Any]
    execution_date: dt.date
    transfers: int
    amount: int
    created_at: dt.datetime
    sha256: bytes | None
    sent_at: dt.datetime | None
    inquired_at: dt.datetime | None
    inquiries: int
    calendar: str
    repeat_days: int
    deadline_days: int

    @property
    def name(self) -> str:
        """Where it lies in the outbox."""
        return f"{self.mode}/{self.message_id}.xml"

    @property
    def inquiry_name(self) -> str:
        """Where the same bytes lie when the bank is asked once more."""
        return f"{self.mode}/{self.message_id}-inquiry-{self.inquiries}.xml"

    @property
    def subject(self) -> str:
        """What breaks call it."""
        return f"payout_file:{self.message_id}"

    def deadline(self, calendar: Calendar) -> dt.date:
        """The last day on which the bank may still be silent."""
        return calendar.deadline(self.execution_date, self.sent_at, self.deadline_days)

    def may_inquire(self, now: dt.datetime) -> bool:
        """The same bytes may be sent again: the bank still refuses a file that it has.

        At most one inquiry a day, and INQUIRIES_LIMIT in all.
        """
        if self.sent_at is None or self.inquiries >= INQUIRIES_LIMIT:
            return False
        if self.inquired_at and now - self.inquired_at < dt.timedelta(days=1):
            return False
        return now - self.sent_at < dt.timedelta(days=self.repeat_days)


def message_id(end_to_end_ids: Sequence[str]) -> str:
    """The one name of the file that pays exactly these."""
    digest = hashlib.sha256("\n".join(sorted(end_to_end_ids)).encode()).digest()
    digits = ids.text("f", UUID(bytes=digest[:16])).removeprefix("f_")
    return f"PNX-{digits.upper()}"


def instruction(message_id: str, created_at: dt.datetime, payouts: Sequence[Payout]) -> Instruction:
    """What the bank is asked: the same payouts, in any order, are asked for in the same words."""
    first = payouts[0]
    debtor = BankAccount.restored(first.instruction["debtor"])
    return Instruction(
        message_id=message_id,
        created_at=created_at,
        execution_date=dt.date.fromisoformat(first.instruction["execution_date"]),
        debtor=debtor,
        currency=first.currency,
        transfers=tuple(
            CreditTransfer(
                end_to_end_id=payout.end_to_end_id,
                creditor=BankAccount.restored(payout.instruction["creditor"]),
                money=Money(payout.amount, payout.currency),
                remittance=f"{debtor.holder} {payout.end_to_end_id}",
            )
            for payout in sorted(payouts, key=lambda payout: payout.end_to_end_id)
        ),
    )


def grouped(payouts: Sequence[Payout]) -> list[list[Payout]]:
    """The payouts by what a file has in common, FILE_LIMIT at most in each."""
    groups: defaultdict[tuple[object, ...], list[Payout]] = defaultdict(list)
    for payout in payouts:
        groups[payout.group].append(payout)
    return [
        list(file) for group in groups.values() for file in batched(group, FILE_LIMIT, strict=False)
    ]

"""What a run of settlement looks at, and why a merchant's money stays where it is. Pure."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from paynexus.ids import AccountId, MerchantId
from paynexus.settlement.calendars import Calendar, Holidays
from paynexus.settlement.retries import Hold, retry_moment
from paynexus.settlement.terms import Terms, due_cutoff


class Carry(StrEnum):
    """Why a merchant's money stays on its balance until a later run."""

    NOTHING_TO_PAY = "nothing_to_pay"
    """What was posted before the cut-off sums to nothing, or less."""
    BELOW_MINIMUM = "below_minimum"
    """Less than was agreed to pay at least, or all of it is held back as a reserve."""
    NO_PAYOUT_ACCOUNT = "no_payout_account"
    NO_HOUSE_ACCOUNT = "no_house_account"
    RESERVED = "reserved"
    """Pending refunds have reserved so much that not even the oldest entry could be paid."""
    ACCOUNT_REFUSED = "account_refused"
    """The bank refused the merchant's account for good: it waits for other details."""
    WAITS_TO_RETRY = "waits_to_retry"
    """The last payout failed for a reason that may pass."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A merchant's payable account with money on it, and all that decides when it is paid.

    `payee` and `payer` are bank accounts as an instruction holds them, `agreed` a row of
    settlement_terms, `held` one of payout_holds. Of `posted`, what pending movements have not
    reserved is `available`.
    """

    account_id: AccountId
    merchant_id: MerchantId
    currency: str
    mode: str
    agreed: dict[str, Any] | None
    payee: dict[str, Any] | None
    payee_changed_at: dt.datetime | None
    payer: dict[str, Any] | None
    payer_calendar: str | None
    held: dict[str, Any] | None
    last_cutoff: dt.datetime | None
    posted: int
    available: int

    @property
    def terms(self) -> Terms:
        """What was agreed, or the standard."""
        return Terms.of(self.agreed)

    @property
    def retry_at(self) -> dt.datetime | None:
        """From when on its money is tried again after a failure."""
        return retry_moment(self.hold, self.payee, self.payee_changed_at)

    @property
    def hold(self) -> Hold | None:
        """Why its payouts wait."""
        if self.held is None:
            return None
        retry_at = self.held["retry_at"]
        return Hold(
            self.held["failures"],
            self.held["code"],
            self.held["refused"],
            dt.datetime.fromisoformat(retry_at) if retry_at else None,
            dt.datetime.fromisoformat(self.held["since"]),
        )

    def calendar(self, holidays: Holidays) -> Calendar:
        """The merchant's business days."""
        return Calendar.of(self.terms.calendar, holidays)

    def due(self, holidays: Holidays, at: dt.datetime) -> dt.datetime | None:
        """The cut-off up to which it is to be paid now; None: not now."""
        return due_cutoff(
            self.terms, self.calendar(holidays), at, last=self.last_cutoff, retry_at=self.retry_at
        )

    def reason_to_carry(self, at: dt.datetime) -> Carry | None:
        """Why nothing is paid now, or None when it may be."""
        if self.payee is None:
            return Carry.NO_PAYOUT_ACCOUNT
        if self.payer is None:
            return Carry.NO_HOUSE_ACCOUNT
        if self.hold is None:
            return None
        if self.retry_at is None:
            return Carry.ACCOUNT_REFUSED
        return Carry.WAITS_TO_RETRY if self.retry_at > at else None

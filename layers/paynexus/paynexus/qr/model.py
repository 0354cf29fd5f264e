"""The life of a QR code: issued, scanned, spent by one payment or by many, or expired."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from paynexus.errors import QrRefused
from paynexus.ids import MerchantId, PaymentId, QrCodeId
from paynexus.money import Money

LIFETIME = dt.timedelta(minutes=5)
"""Of a code of a single use; one of many uses has no end unless it is given one."""
LIFETIME_MIN = dt.timedelta(seconds=10)
LIFETIME_MAX = dt.timedelta(days=366)
TOKEN_LIFETIME = dt.timedelta(minutes=5)
"""How long the customer may take from scanning to paying."""
CLOCK_SKEW = dt.timedelta(minutes=2)
"""How far two clocks may differ: a code is honoured for so much longer than it says."""
STATIC_PAYMENTS_PER_MINUTE = 60
STATIC_PAYMENTS_PER_DAY = 5_000
"""What one printed code may take: a till's worth, not what a stolen list of cards could try."""


class Usage(StrEnum):
    """How often a code is paid."""

    SINGLE = "single"
    STATIC = "static"


class Status(StrEnum):
    """Where a code stands; it follows from what happened and the time."""

    ACTIVE = "active"
    SCANNED = "scanned"
    SPENT = "spent"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class QrCode:
    """One code that a merchant showed, and what became of it.

    `expires_at` is None for a code without end. `scanned_at` and `token_expires_at` are the
    last scan's; `payment_id` is the payment that spent a code of a single use.
    """

    id: QrCodeId
    merchant_id: MerchantId
    mode: str
    usage: str
    amount: int | None
    currency: str
    reference: str | None
    payload: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    scanned_at: dt.datetime | None = None
    token_expires_at: dt.datetime | None = None
    payment_id: PaymentId | None = None

    def status(self, now: dt.datetime) -> Status:
        """Where the code stands at `now`."""
        if self.payment_id is not None:
            return Status.SPENT
        if self.usage == Usage.SINGLE and self.token_expires_at and now < self.token_expires_at:
            return Status.SCANNED
        return Status.EXPIRED if self.has_expired(now) else Status.ACTIVE

    def has_expired(self, now: dt.datetime) -> bool:
        """Whether the code's time is up by every clock that is right to two minutes."""
        return self.expires_at is not None and now >= self.expires_at + CLOCK_SKEW


@dataclass(frozen=True, slots=True)
class Order:
    """What a merchant wants a code for; without an amount the customer chooses it."""

    usage: str
    amount: int | None
    currency: str
    reference: str | None
    lifetime: dt.timedelta | None


@dataclass(frozen=True, slots=True)
class Shop:
    """The merchant as its codes name it."""

    name: str
    country: str
    city: str
    category: str


@dataclass(frozen=True, slots=True)
class Scan:
    """A scanned code and the token that a payment spends it with."""

    code: QrCode
    token: str
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Uses:
    """How often a code was paid within the last minute and the last day."""

    minute: int
    day: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """A scan that a payment wants to spend: its code, its own end, and whether it was spent."""

    code: QrCode
    expires_at: dt.datetime
    is_spent: bool
    uses: Uses


def require_scannable(code: QrCode, *, now: dt.datetime) -> None:
    """Raise QrRefused unless the code may be scanned at `now`."""
    if code.payment_id is not None:
        raise QrRefused("This code has been paid.", reason="qr_spent", param="payload")
    if code.has_expired(now):
        raise QrRefused("This code has expired.", reason="qr_expired", param="payload")


def require_spendable(ticket: Ticket, money: Money, *, now: dt.datetime) -> None:
    """Raise QrRefused unless a payment of `money` may spend the scan at `now`."""
    code = ticket.code
    if ticket.is_spent or code.payment_id is not None:
        raise QrRefused("This code has been paid.", reason="qr_spent", param="qr_code")
    if now >= ticket.expires_at:
        raise QrRefused("The scan is too old: scan again.", reason="qr_expired", param="qr_code")
    if code.currency != money.currency:
        raise QrRefused(
            f"This code is paid in {code.currency}.", reason="qr_wrong_currency", param="currency"
        )
    if code.amount not in (None, money.amount):
        raise QrRefused(
            f"This code is paid with {code.amount}.", reason="qr_amount_mismatch", param="amount"
        )
    _require_room(ticket.uses)


def _require_room(uses: Uses) -> None:
    if uses.minute >= STATIC_PAYMENTS_PER_MINUTE or uses.day >= STATIC_PAYMENTS_PER_DAY:
        raise QrRefused(
            f"This code takes {STATIC_PAYMENTS_PER_MINUTE} payments a minute and "
            f"{STATIC_PAYMENTS_PER_DAY} a day: wait, or use another code.",
            reason="qr_used_too_often",
            param="qr_code",
        )

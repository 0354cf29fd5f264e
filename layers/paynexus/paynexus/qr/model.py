"""The life of a QR code: issued, scanned, spent once, or expired."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from paynexus.errors import QrRefused
from paynexus.ids import MerchantId, PaymentId, QrCodeId
from paynexus.money import Money

LIFETIME = dt.timedelta(minutes=5)
LIFETIME_MIN = dt.timedelta(seconds=10)
LIFETIME_MAX = dt.timedelta(days=1)
TOKEN_LIFETIME = dt.timedelta(minutes=5)
"""How long the customer may take from scanning to paying."""


class Status(StrEnum):
    """Where a code stands; it follows from what happened and the time."""

    ACTIVE = "active"
    SCANNED = "scanned"
    SPENT = "spent"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class QrCode:
    """One code that a merchant showed, and what became of it."""

    id: QrCodeId
    merchant_id: MerchantId
    mode: str
    amount: int | None
    currency: str
    reference: str | None
    payload: str
    created_at: dt.datetime
    expires_at: dt.datetime
    scanned_at: dt.datetime | None = None
    token_expires_at: dt.datetime | None = None
    payment_id: PaymentId | None = None

    def status(self, now: dt.datetime) -> Status:
        """Where the code stands at `now`."""
        if self.payment_id is not None:
            return Status.SPENT
        if self.token_expires_at is not None and now < self.token_expires_at:
            return Status.SCANNED
        return Status.ACTIVE if now < self.expires_at else Status.EXPIRED


@dataclass(frozen=True, slots=True)
class Order:
    """What a merchant wants a code for; without an amount the customer chooses it."""

    amount: int | None
    currency: str
    reference: str | None
    lifetime: dt.timedelta


@dataclass(frozen=True, slots=True)
class Scan:
    """A scanned code and the token that a payment spends it with."""

    code: QrCode
    token: str
    expires_at: dt.datetime


def require_scannable(code: QrCode, *, now: dt.datetime) -> None:
    """Raise QrRefused unless the code may be scanned at `now`."""
    if code.payment_id is not None:
        raise QrRefused("This code has been paid.", reason="qr_spent", param="payload")
    if now >= code.expires_at:
        raise QrRefused("This code has expired.", reason="qr_expired", param="payload")


def require_spendable(code: QrCode, money: Money, *, now: dt.datetime) -> None:
    """Raise QrRefused unless a payment of `money` may spend the scanned code at `now`."""
    if code.payment_id is not None:
        raise QrRefused("This code has been paid.", reason="qr_spent", param="qr_code")
    if code.token_expires_at is None or now >= code.token_expires_at:
        raise QrRefused("The scan is too old: scan again.", reason="qr_expired", param="qr_code")
    if code.currency != money.currency:
        raise QrRefused(
            f"This code is paid in {code.currency}.", reason="qr_wrong_currency", param="currency"
        )
    if code.amount not in (None, money.amount):
        raise QrRefused(
            f"This code is paid with {code.amount}.", reason="qr_amount_mismatch", param="amount"
        )

"""Merchants: their record, what they pay, how they are paid, what they configured."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paynexus.ids import MerchantId
from paynexus.money import BASIS_POINTS_PER_UNIT, Money

type Configuration = Mapping[str, Any]
"""What the merchant chose for itself, by section; an absent choice means the default."""


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """What a payment in one currency costs its merchant."""

    basis_points: int
    fixed_minor: int

    def __post_init__(self) -> None:
        if type(self.basis_points) is not int or type(self.fixed_minor) is not int:
            raise TypeError("a fee is made of whole basis points and whole minor units")
        if not 0 <= self.basis_points <= BASIS_POINTS_PER_UNIT or self.fixed_minor < 0:
            raise ValueError("a fee is neither negative nor more than the whole payment")

    def fee_on(self, money: Money) -> Money:
        """The fee for taking `money`: never more than the money itself."""
        fee = money.basis_points(self.basis_points).amount + self.fixed_minor
        return Money(min(fee, money.amount), money.currency)


@dataclass(frozen=True, slots=True)
class CurrencyFee:
    """A merchant's fee schedule in one currency, as stored."""

    currency: str
    basis_points: int
    fixed_minor: int


@dataclass(frozen=True, slots=True)
class PayoutAccount:
    """Where a merchant's money in one currency goes."""

    currency: str
    holder: str
    iban: str
    bic: str | None

    def masked_iban(self) -> str:
        """Enough of the IBAN for its owner to recognise it."""
        return f"{self.iban[:4]}…{self.iban[-4:]}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a merchant trades (ISO 3166-1 country), and in what (ISO 18245 category)."""

    country: str
    city: str
    category_code: str


@dataclass(frozen=True, slots=True)
class Merchant:
    """One merchant's own record."""

    id: MerchantId
    name: str
    country: str
    city: str
    category_code: str
    configuration: dict[str, Any]
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Profile:
    """A merchant and everything agreed with it."""

    merchant: Merchant
    fees: tuple[CurrencyFee, ...]
    payout_accounts: tuple[PayoutAccount, ...]


def merged(configuration: Configuration, changes: Configuration) -> dict[str, Any]:
    """`configuration` with `changes` laid over it, section by section.

    As in RFC 7386: a null takes a choice back, what is not mentioned stays.
    """
    result = dict(configuration)
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            former = result.get(name)
            result[name] = merged(former if isinstance(former, Mapping) else {}, value)
        else:
            result[name] = value
    return result

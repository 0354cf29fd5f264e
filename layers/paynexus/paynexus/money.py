"""Money: integer minor units of one ISO 4217 currency, exact in every operation."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from types import MappingProxyType
from typing import Self

BASIS_POINTS_PER_UNIT = 10_000
LARGEST_PAYMENT_MAJOR_UNITS = 10_000_000
"""No single payment may exceed ten million of a currency's major unit."""

_ZERO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
_TWO_DECIMALS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD "
    "CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD "
    "GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL "
    "MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN "
    "PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP "
    "SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW"
)

EXPONENTS: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(_ZERO_DECIMALS.split(), 0)
    | dict.fromkeys(_TWO_DECIMALS.split(), 2)
    | dict.fromkeys(_THREE_DECIMALS.split(), 3)
)
"""Decimal places of each currency that payments are taken in (ISO 4217, list one)."""


def limit_of(currency: str) -> int:
    """The largest amount of one payment, in minor units of `currency`."""
    scale: int = 10 ** EXPONENTS[currency]
    return LARGEST_PAYMENT_MAJOR_UNITS * scale


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents, yen, fils) of one currency.

    Raises TypeError for an amount that is not an int (bool included) and ValueError for a
    currency that ISO 4217 does not list.
    """

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            raise TypeError(f"an amount is an int of minor units, not {self.amount!r}")
        if self.currency not in EXPONENTS:
            raise ValueError(f"unknown currency {self.currency!r}")

    def __add__(self, other: Self) -> Self:
        self._require_same_currency(other)
        return type(self)(self.amount + other.amount, self.currency)

    def __sub__(self, other: Self) -> Self:
        self._require_same_currency(other)
        return type(self)(self.amount - other.amount, self.currency)

    def basis_points(self, points: int) -> Self:
        """This share of the amount, rounded half to even to a whole minor unit."""
        exact = Decimal(self.amount) * points / BASIS_POINTS_PER_UNIT
        return type(self)(int(exact.to_integral_value(ROUND_HALF_EVEN)), self.currency)

    def _require_same_currency(self, other: Self) -> None:
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up")

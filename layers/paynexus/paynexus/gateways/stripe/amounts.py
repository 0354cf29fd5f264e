"""Amounts as Stripe writes them. Pure. Mostly minor units, and where not is listed here."""

from collections.abc import Mapping
from types import MappingProxyType

from paynexus.money import EXPONENTS, Money

STRIPE_EXPONENTS: Mapping[str, int] = MappingProxyType({"ISK": 2, "UGX": 2, "MGA": 0})
"""Currencies that Stripe counts in other units than ISO 4217 does."""
_THREE_DECIMALS = 3


def amount_of(money: Money) -> int | None:
    """The amount in Stripe's units; None where Stripe can't take it exactly.

    Three-decimal currencies end in a zero there.
    """
    exponent = EXPONENTS[money.currency]
    shift = STRIPE_EXPONENTS.get(money.currency, exponent) - exponent
    if shift >= 0:
        scaled: int = money.amount * 10**shift
        is_exact = exponent != _THREE_DECIMALS or scaled % 10 == 0
        return scaled if is_exact else None
    whole, rest = divmod(money.amount, 10**-shift)
    return None if rest else whole


def minor_of(amount: int, currency: str) -> int | None:
    """The minor units of Stripe's amount; None where that is no whole number of them."""
    exponent = EXPONENTS.get(currency)
    if exponent is None:
        return None
    shift = STRIPE_EXPONENTS.get(currency, exponent) - exponent
    if shift < 0:
        return int(amount * 10**-shift)
    whole, rest = divmod(amount, 10**shift)
    return None if rest else whole


def currency_of(money: Money) -> str:
    """The currency as Stripe writes it."""
    return money.currency.lower()

"""The catalogue of features: all that rules and models may read of a payment. Pure.

A feature's name and meaning never change once it is released: stored rules, models and decisions
refer to it. What isn't known of a payment is None, and never a guess.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from paynexus.fraud.history import features as history
from paynexus.fraud.velocity.windows import WINDOWS


class Kind(StrEnum):
    """A feature's type, by its name in CEL."""

    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    STRING = "string"


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing known of a payment at the moment of its decision."""

    name: str
    kind: Kind
    meaning: str
    is_optional: bool = False
    """It may be unknown: then a rule that reads it errs, unless `has_<name>` goes before."""


_PAYMENT = (
    Feature("amount", Kind.INT, "The amount, in minor units of its currency."),
    Feature("currency", Kind.STRING, "The currency, by ISO 4217."),
    Feature("hour", Kind.INT, "The hour of the day, UTC: 0 to 23."),
    Feature("weekday", Kind.INT, "The day of the week, UTC: 1 is Monday, 7 is Sunday."),
    Feature("country", Kind.STRING, "The payer's country, by ISO 3166-1.", is_optional=True),
    Feature("email_domain", Kind.STRING, "What follows the e-mail's @.", is_optional=True),
    Feature("card_bin", Kind.STRING, "The card's first 6 or 8 digits.", is_optional=True),
    Feature("is_qr", Kind.BOOL, "Whether a QR code was scanned."),
)
_MERCHANT = (
    Feature("challenge_above", Kind.INT, "The merchant's `challenge_above_minor`."),
    Feature("block_above", Kind.INT, "The merchant's `block_above_minor`."),
    Feature("max_payments_per_hour", Kind.INT, "The merchant's setting of that name."),
)
_VELOCITY = tuple(
    Feature(window.name, Kind.INT, window.meaning, is_optional=window.is_optional)
    for window in WINDOWS
)
_HISTORY = tuple(
    Feature(
        name,
        Kind.INT if known.is_whole else Kind.DOUBLE,
        known.meaning,
        is_optional=name != "amount_major",
    )
    for name, known in history.FEATURES.items()
)
_OWN = (*_PAYMENT, *_MERCHANT, *_VELOCITY, *_HISTORY)
PRESENCE = "has_"
"""What a feature's name begins with that says whether another is known."""
_PRESENCE = tuple(
    Feature(f"{PRESENCE}{feature.name}", Kind.BOOL, f"Whether `{feature.name}` is known.")
    for feature in _OWN
    if feature.is_optional
)

FEATURES: Mapping[str, Feature] = MappingProxyType(
    {feature.name: feature for feature in (*_OWN, *_PRESENCE)}
)
"""Every feature, by its name."""

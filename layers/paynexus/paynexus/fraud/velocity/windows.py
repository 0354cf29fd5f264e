"""What is counted, over which time, of whom. Pure.

Of each payment its id, time, amount, currency and entities are told once and never change; of one
id, what is told first holds. reference.py is the definition that Redis and Postgres agree with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from paynexus.fraud.model import EntityKind

MINUTE_SECONDS = 60
HOUR_SECONDS = 60 * MINUTE_SECONDS
DAY_SECONDS = 24 * HOUR_SECONDS

MEMBERS_MAX = 1_000
"""Of a card, customer, e-mail, IP or terminal the newest so many payments count; of one that has
more within a window every answer is a least number."""
MOST = 2**63 - 1
"""Where sums end: a greater one is told as this, the most that a rule can compare."""


class Measure(StrEnum):
    """What a window answers about the payments in it."""

    COUNT = "count"
    SUM = "sum"
    """Of the amounts in the payment's own currency, in minor units."""
    DISTINCT = "distinct"


@dataclass(frozen=True, slots=True)
class Window:
    """Payments of one entity within `seconds` before the payment, itself included.

    Payments count from their own time on, and no longer exactly `seconds` later: to the
    microsecond. A merchant's, which are many, count by whole minutes: from the minute in which
    the window begins to the payment's own. So none is missed, those of up to a minute before the
    window count as well, and those of the payment's own minute that are known when it is asked.
    """

    name: str
    of: EntityKind
    measure: Measure
    seconds: int
    distinct: EntityKind | None = None
    """With DISTINCT: what is told apart."""

    @property
    def is_optional(self) -> bool:
        """Whether the payment may lack what is counted."""
        return self.of not in {EntityKind.CARD, EntityKind.MERCHANT}

    @property
    def meaning(self) -> str:
        """In words, for the catalogue."""
        what = {
            Measure.COUNT: "Payments",
            Measure.SUM: "Sum of amounts in this currency, in minor units,",
            Measure.DISTINCT: f"Different {self.distinct}s in payments",
        }[self.measure]
        return f"{what} of this {self.of} within {_written(self.seconds)}, this one included."


def _written(seconds: int) -> str:
    for unit, length in (("d", DAY_SECONDS), ("h", HOUR_SECONDS)):
        if seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds // MINUTE_SECONDS} min"


WINDOWS = (
    Window("card_count_10m", EntityKind.CARD, Measure.COUNT, 10 * MINUTE_SECONDS),
    Window("card_count_1h", EntityKind.CARD, Measure.COUNT, HOUR_SECONDS),
    Window("card_count_24h", EntityKind.CARD, Measure.COUNT, DAY_SECONDS),
    Window("card_sum_24h", EntityKind.CARD, Measure.SUM, DAY_SECONDS),
    Window("card_emails_24h", EntityKind.CARD, Measure.DISTINCT, DAY_SECONDS, EntityKind.EMAIL),
    Window("customer_count_24h", EntityKind.CUSTOMER, Measure.COUNT, DAY_SECONDS),
    Window("customer_sum_7d", EntityKind.CUSTOMER, Measure.SUM, 7 * DAY_SECONDS),
    Window("email_count_24h", EntityKind.EMAIL, Measure.COUNT, DAY_SECONDS),
    Window("email_cards_24h", EntityKind.EMAIL, Measure.DISTINCT, DAY_SECONDS, EntityKind.CARD),
    Window("ip_count_1h", EntityKind.IP, Measure.COUNT, HOUR_SECONDS),
    Window("ip_cards_24h", EntityKind.IP, Measure.DISTINCT, DAY_SECONDS, EntityKind.CARD),
    Window("terminal_count_1h", EntityKind.TERMINAL, Measure.COUNT, HOUR_SECONDS),
    Window("merchant_count_1h", EntityKind.MERCHANT, Measure.COUNT, HOUR_SECONDS),
    Window("merchant_sum_24h", EntityKind.MERCHANT, Measure.SUM, DAY_SECONDS),
)
"""Every window. Their names are features: released ones never change."""

BY_KIND: Mapping[EntityKind, tuple[Window, ...]] = MappingProxyType(
    {kind: tuple(one for one in WINDOWS if one.of is kind) for kind in EntityKind}
)
"""The windows of each kind."""
LOGGED = tuple(kind for kind in EntityKind if kind is not EntityKind.MERCHANT)
"""Kinds whose payments are kept one by one."""
LONGEST_SECONDS = max(window.seconds for window in WINDOWS)


def apart(kind: EntityKind) -> EntityKind | None:
    """What the windows of this kind tell apart: one thing at most."""
    told = {one.distinct for one in BY_KIND[kind] if one.distinct}
    assert len(told) <= 1, "a log's members hold one"  # noqa: S101 - says what WINDOWS may ask
    return next(iter(told), None)


def longest(*kinds: EntityKind) -> int:
    """The seconds of the longest window of these kinds."""
    return max(window.seconds for kind in kinds for window in BY_KIND[kind])

"""What is known at one moment of a card and of a terminal. Pure.

Every time is an age: whole seconds before the moment, so that nothing here can lie after it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

DAY_SECONDS = 86_400
MATURE_DAYS = 7
"""A payment that has been through so many days without a word of fraud is taken for genuine."""
CARD_DAYS = 90
"""How far back a card's payments are looked at."""
TERMINAL_DAYS = 37
"""How far back a terminal's payments are looked at: thirty days of mature ones."""
NEWEST_PAYMENTS = 100
"""So many payments of a card, and of a terminal, are looked at."""
NEWEST_LABELS = 100
"""So many labels of a card, and of a terminal, are looked at."""


@dataclass(frozen=True, slots=True)
class CardHistory:
    """Of the card's newest payments those in the payment's currency, and its known frauds."""

    payments: tuple[tuple[int, int], ...] = ()
    """Age in seconds, and amount in minor units."""
    frauds: tuple[int, ...] = ()
    """Ages of the card's payments that are known as frauds."""


@dataclass(frozen=True, slots=True)
class TerminalHistory:
    """What came of the payments at the terminal."""

    genuine: tuple[int, ...] = ()
    """Ages of the newest mature payments that nobody calls a fraud."""
    frauds: tuple[tuple[int, str], ...] = ()
    """Age, and the card, of payments that are known as frauds."""


@dataclass(frozen=True, slots=True)
class History:
    """All that the model may know of the past. The order within tuples means nothing."""

    card: CardHistory = CardHistory()
    terminal: TerminalHistory = TerminalHistory()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """What the SQL function fraud_history answered."""
        card = CardHistory(
            tuple((age, amount) for age, amount in value["payments"]), tuple(value["card_frauds"])
        )
        terminal = TerminalHistory(
            tuple(value["genuine"]), tuple((age, card) for age, card in value["terminal_frauds"])
        )
        return cls(card, terminal)

"""The features of a payment beside its past: the same code in training and in a decision. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median
from types import MappingProxyType

from paynexus.fraud.history.model import DAY_SECONDS, CardHistory, History, TerminalHistory
from paynexus.money import EXPONENTS, Money

USUAL_MEDIANS = 3
"""Amounts above so many medians don't count as usual."""
UNUSUAL_RATIO = 2.5
"""An amount above so many times the usual one is unusual."""
UNUSUAL_DAYS = 14
"""How long an unusual amount is remembered."""
RECENT_DAYS = 14
"""Frauds at a terminal younger than this are recent: seven days after the first are known."""


@dataclass(frozen=True, slots=True)
class Known:
    """A feature that a history tells; unknown where there is no history, or nothing in it."""

    meaning: str
    is_whole: bool = False


FEATURES: Mapping[str, Known] = MappingProxyType(
    {
        "amount_major": Known("The amount, in major units of its currency."),
        "card_usual_amount": Known(
            "Mean of the card's amounts in this currency, of its newest 100 payments in 90 days, "
            "without those above three times their median; in major units."
        ),
        "card_amount_ratio": Known("The amount, as a multiple of `card_usual_amount`."),
        "card_amount_deviation": Known(
            "How many standard deviations of the usual amounts it is above `card_usual_amount`."
        ),
        "card_amount_to_largest": Known("The amount, as a multiple of the largest usual amount."),
        "card_payments_14d": Known(
            "The card's earlier payments in this currency in 14 d.", is_whole=True
        ),
        "card_unusual_14d": Known(
            "Those of `card_payments_14d` above 2.5 times `card_usual_amount`.", is_whole=True
        ),
        "card_largest_ratio_14d": Known(
            "The largest amount of `card_payments_14d`, as a multiple of `card_usual_amount`."
        ),
        "card_days_since_unusual": Known("Days since the newest of `card_unusual_14d`."),
        "card_known_frauds": Known(
            "The card's payments within 90 d that are known as frauds.", is_whole=True
        ),
        "terminal_payments": Known(
            "Payments at the terminal within 37 d that are known as frauds, or older than 7 d and "
            "taken for genuine; of the newest 100.",
            is_whole=True,
        ),
        "terminal_known_frauds": Known(
            "Those of `terminal_payments` that are known as frauds.", is_whole=True
        ),
        "terminal_known_frauds_14d": Known("Those of them within 14 d.", is_whole=True),
        "terminal_fraud_share": Known("`terminal_known_frauds` / `terminal_payments`."),
        "terminal_fraud_cards": Known("Different cards in `terminal_known_frauds`.", is_whole=True),
        "terminal_days_since_fraud": Known("Days since the newest of `terminal_known_frauds`."),
        "terminal_days_since_first_fraud": Known(
            "Days since the oldest of `terminal_known_frauds`."
        ),
        "terminal_genuine_since_fraud": Known(
            "Payments taken for genuine after the newest of `terminal_known_frauds`.", is_whole=True
        ),
        "terminal_frauds_in_a_row": Known(
            "Known frauds after the newest payment at the terminal that is taken for genuine.",
            is_whole=True,
        ),
        "terminal_days_since_last_genuine_before": Known(
            "Days since the last payment taken for genuine before the oldest known fraud."
        ),
    }
)
"""What each feature means, by its name. The names never change once they are released."""

type Values = dict[str, float | int | None]


def features(money: Money, history: History | None) -> Values:
    """Every feature of `FEATURES`; all but the amount are None where the history isn't known."""
    values: Values = dict.fromkeys(FEATURES)
    values["amount_major"] = _major(money.amount, money.currency)
    if history is not None:
        _tell_of_card(values, money, history.card)
        _tell_of_terminal(values, history.terminal)
    return values


def _tell_of_card(values: Values, money: Money, card: CardHistory) -> None:
    values["card_known_frauds"] = len(card.frauds)
    recent = [each for each in card.payments if each[0] <= UNUSUAL_DAYS * DAY_SECONDS]
    values["card_payments_14d"] = len(recent)
    if not card.payments:
        return
    usual = _usual([amount for _, amount in card.payments])
    mean = sum(usual) / len(usual)
    spread = sqrt(sum((amount - mean) ** 2 for amount in usual) / len(usual))
    values["card_usual_amount"] = _major(mean, money.currency)
    values["card_amount_ratio"] = money.amount / mean
    values["card_amount_to_largest"] = money.amount / max(usual)
    if spread:
        values["card_amount_deviation"] = (money.amount - mean) / spread
    unusual = [age for age, amount in recent if amount > UNUSUAL_RATIO * mean]
    values["card_unusual_14d"] = len(unusual)
    if recent:
        values["card_largest_ratio_14d"] = max(amount for _, amount in recent) / mean
    if unusual:
        values["card_days_since_unusual"] = min(unusual) / DAY_SECONDS


def _usual(amounts: Sequence[int]) -> list[int]:
    """A thief's large amounts don't shift what is usual. Never empty: the median is in it."""
    largest = USUAL_MEDIANS * median(amounts)
    return [amount for amount in amounts if amount <= largest]


def _tell_of_terminal(values: Values, terminal: TerminalHistory) -> None:
    ages = [age for age, _ in terminal.frauds]
    number = len(ages) + len(terminal.genuine)
    values["terminal_payments"] = number
    values["terminal_known_frauds"] = len(ages)
    values["terminal_known_frauds_14d"] = sum(age <= RECENT_DAYS * DAY_SECONDS for age in ages)
    values["terminal_fraud_cards"] = len({card for _, card in terminal.frauds})
    if number:
        values["terminal_fraud_share"] = len(ages) / number
    newest_genuine = min(terminal.genuine, default=None)
    values["terminal_frauds_in_a_row"] = sum(
        newest_genuine is None or age < newest_genuine for age in ages
    )
    if ages:
        _tell_of_frauds(values, terminal, min(ages), max(ages))


def _tell_of_frauds(values: Values, terminal: TerminalHistory, newest: int, oldest: int) -> None:
    values["terminal_days_since_fraud"] = newest / DAY_SECONDS
    values["terminal_days_since_first_fraud"] = oldest / DAY_SECONDS
    values["terminal_genuine_since_fraud"] = sum(age < newest for age in terminal.genuine)
    before = [age for age in terminal.genuine if age > oldest]
    if before:
        values["terminal_days_since_last_genuine_before"] = min(before) / DAY_SECONDS


def _major(amount: float, currency: str) -> float:
    scale: int = 10 ** EXPONENTS[currency]
    return amount / scale

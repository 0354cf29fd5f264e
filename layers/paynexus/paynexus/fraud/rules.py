"""The rules: what speaks against a payment, and what follows from all of it together. Pure.

A rule can only raise the verdict, so the order of rules doesn't matter, and one more signal
never lets a payment through that was stopped without it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

from paynexus.money import Money


class Verdict(StrEnum):
    """What happens to the payment, mildest first."""

    ALLOW = "ALLOW"
    CHALLENGE = "CHALLENGE"
    BLOCK = "BLOCK"

    @property
    def severity(self) -> int:
        """Verdicts compare by this."""
        return tuple(Verdict).index(self)


class ListKind(StrEnum):
    """What a matchlist holds."""

    FINGERPRINT = "fingerprint"
    EMAIL = "email"
    COUNTRY = "country"


@dataclass(frozen=True, slots=True)
class Match:
    """The payment is on a list; `id` names the list's row, so that no value need be kept."""

    id: str
    kind: ListKind
    verdict: Verdict
    note: str


@dataclass(frozen=True, slots=True)
class Signals:
    """All that the rules see, gathered once.

    `payments_last_hour` counts the merchant's payments with this payment method, this one
    included.
    """

    money: Money
    matches: tuple[Match, ...]
    payments_last_hour: int


@dataclass(frozen=True, slots=True)
class Limits:
    """A merchant's limits, amounts in minor units of the payment's currency."""

    challenge_above_minor: int = 50_000
    block_above_minor: int = 1_000_000
    max_payments_per_hour: int = 10

    @classmethod
    def from_configuration(cls, configuration: Mapping[str, Any]) -> Self:
        """The merchant's own limits, and the default for each that is absent or no number."""
        given = {name: configuration.get(name) for name in (field.name for field in fields(cls))}
        return cls(**{
            name: value for name, value in given.items() if type(value) is int and value >= 0
        })  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that spoke against the payment."""

    code: str
    verdict: Verdict
    detail: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict and every reason for it, the gravest first; without a reason it's ALLOW."""

    verdict: Verdict
    reasons: tuple[Reason, ...]


def decide(signals: Signals, limits: Limits) -> Decision:
    """The gravest verdict of all rules; all that spoke are kept."""
    spoken = (*_listed(signals), *_amount(signals, limits), *_velocity(signals, limits))
    reasons = tuple(sorted(spoken, key=lambda reason: -reason.verdict.severity))
    return Decision(reasons[0].verdict if reasons else Verdict.ALLOW, reasons)


def normal_email(email: str) -> str:
    """The form in which e-mail addresses are listed and matched."""
    return email.strip().lower()


def normal_country(country: str) -> str:
    """The form in which countries are listed and matched."""
    return country.strip().upper()


def _listed(signals: Signals) -> Iterator[Reason]:
    for match in signals.matches:
        yield Reason(f"{match.kind}_listed", match.verdict, match.note)


def _amount(signals: Signals, limits: Limits) -> Iterator[Reason]:
    amount = signals.money.amount
    if amount > limits.block_above_minor:
        detail = f"{_written(amount, signals)} is above {limits.block_above_minor}."
        yield Reason("amount_above_block_limit", Verdict.BLOCK, detail)
    elif amount > limits.challenge_above_minor:
        detail = f"{_written(amount, signals)} is above {limits.challenge_above_minor}."
        yield Reason("amount_above_challenge_limit", Verdict.CHALLENGE, detail)


def _velocity(signals: Signals, limits: Limits) -> Iterator[Reason]:
    seen = signals.payments_last_hour
    if seen > limits.max_payments_per_hour:
        detail = (
            f"{seen} payments with this payment method within an hour, "
            f"{limits.max_payments_per_hour} are usual."
        )
        yield Reason("too_many_payments", Verdict.CHALLENGE, detail)


def _written(amount: int, signals: Signals) -> str:
    return f"{amount} {signals.money.currency} in minor units"

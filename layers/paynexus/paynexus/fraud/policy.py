"""What follows from all that spoke about a payment. Pure.

Allow-lists are heeded first, then what blocks, then what challenges; what asks for a review holds
nothing up. Everything that spoke stays on record, heeded or not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from paynexus.fraud.model import Action, Hit, Source, Value, Verdict
from paynexus.money import Money

CHECKS_SKIPPED = "checks_skipped"
"""The code of the challenge that stands for checks which could not be made."""
DECISIVE = frozenset({"lists", "rules"})
"""Checks without which an amount is not simply let through; a model only adds to them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """A merchant's limits, amounts in minor units of the payment's currency."""

    challenge_above_minor: int = 50_000
    block_above_minor: int = 1_000_000
    max_payments_per_hour: int = 10
    skip_below_minor: int = 5_000
    """Up to this amount a payment passes when it could not be checked; above it is challenged."""
    case_above_minor: int = 0
    """Payments above it that were challenged or blocked open a case."""

    @classmethod
    def from_configuration(cls, configuration: Mapping[str, Any]) -> Self:
        """The merchant's own limits, and the default for each that is absent or no number."""
        given = {name: configuration.get(name) for name in (field.name for field in fields(cls))}
        return cls(**{
            name: value for name, value in given.items() if type(value) is int and value >= 0
        })  # fmt: skip


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which probabilities of fraud on a model asks for what."""

    challenge_at: float
    block_at: float


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model said of the payment."""

    model: str
    """Its version."""
    probability: float
    thresholds: Thresholds
    is_shadow: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, all that spoke about the payment, and what could not be asked."""

    verdict: Verdict
    hits: tuple[Hit, ...] = ()
    """The heeded first, in the order of their actions."""
    skipped: tuple[str, ...] = ()
    """The checks that were not made, by name: lists, rules, velocity, model."""

    @property
    def reasons(self) -> tuple[Hit, ...]:
        """What spoke and isn't in shadow, the one that decided first."""
        return tuple(hit for hit in self.hits if not hit.is_shadow)


def settle(
    hits: Sequence[Hit],
    *,
    money: Money,
    limits: Limits,
    scored: Scored | None = None,
    skipped: Sequence[str] = (),
) -> Decision:
    """What follows from lists' and rules' hits and the score; the order of `hits` is no matter."""
    spoken = [*hits, *_hits_of_score(scored), *_hits_of_absence(money, limits, skipped)]
    ordered = sorted(spoken, key=lambda hit: (hit.is_shadow, _rank(hit.action)))
    return Decision(_verdict(ordered), tuple(ordered), tuple(skipped))


def _verdict(hits: Sequence[Hit]) -> Verdict:
    heeded = {hit.action for hit in hits if not hit.is_shadow and not _is_outweighed(hit, hits)}
    if Action.BLOCK in heeded:
        return Verdict.BLOCK
    return Verdict.CHALLENGE if Action.CHALLENGE in heeded else Verdict.ALLOW


def _is_outweighed(hit: Hit, hits: Sequence[Hit]) -> bool:
    """Whether an allow-list says that the hit is not to be heeded.

    A merchant vouches for its own customers, but not against the platform's lists: sanctions are
    among them.
    """
    is_the_platforms_word = (
        hit.is_platform and hit.source is Source.LIST and hit.action is Action.BLOCK
    )
    return any(
        other.action is Action.ALLOW
        and not other.is_shadow
        and (other.is_platform or not is_the_platforms_word)
        for other in hits
    )


def _hits_of_score(scored: Scored | None) -> list[Hit]:
    if scored is None or scored.probability < scored.thresholds.challenge_at:
        return []
    blocks = scored.probability >= scored.thresholds.block_at
    seen: dict[str, Value] = {"score": scored.probability}
    return [
        Hit(
            source=Source.SCORE,
            id=scored.model,
            code="score_above_block_threshold" if blocks else "score_above_challenge_threshold",
            action=Action.BLOCK if blocks else Action.CHALLENGE,
            detail="The model finds this payment more like fraud than its threshold allows.",
            is_shadow=scored.is_shadow,
            seen=seen,
        )
    ]


def _hits_of_absence(money: Money, limits: Limits, skipped: Sequence[str]) -> list[Hit]:
    missing = DECISIVE.intersection(skipped)
    if not missing or money.amount <= limits.skip_below_minor:
        return []
    detail = f"Not checked in time: {', '.join(sorted(missing))}."
    return [
        Hit(
            source=Source.POLICY,
            id=CHECKS_SKIPPED,
            code=CHECKS_SKIPPED,
            action=Action.CHALLENGE,
            detail=detail,
        )
    ]


def _rank(action: Action) -> int:
    return tuple(Action).index(action)

"""Which gateway a charge goes to, and why: the merchant's rules, health, and how it has done. Pure.

Chance is drawn from the payment's own id, so that whoever decides again decides the same.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from paynexus.gateways.circuit import Health, State
from paynexus.gateways.outcomes import STILL_ANSWERS
from paynexus.gateways.port import Outcome, Result
from paynexus.money import Money

PERCENT = 100
EXPLORE_PERCENT = 5
"""Unless the merchant chose otherwise."""
TOKEN_PREFIXES: Mapping[str, str] = MappingProxyType(
    {"sandbox": "tok_", "sandbox_two": "tok_", "stripe": "pm_", "stripe_test": "pm_"}
)
"""How each gateway's own tokens begin: one gateway's token is worth nothing at another's."""
BRANDS = frozenset(
    {"amex", "diners", "discover", "jcb", "maestro", "mastercard", "unionpay", "visa"}
)
CALLED_OFF = "charge_called_off"
RETRYABLE_DECLINES = frozenset(
    {
        CALLED_OFF,
        "acquirer_unavailable",
        "issuer_not_available",
        "issuer_unavailable",
        "processing_error",
        "reenter_transaction",
        "try_again_later",
    }
)
"""Declines for a reason of the gateway's or the line's, not of the card's: another may approve."""


class Reason(StrEnum):
    """Why a gateway was chosen."""

    ONLY = "only"
    """No other came into question."""
    PRIORITY = "priority"
    """First in the rule's order, or in the configuration's."""
    SPLIT = "split"
    """By the rule's shares."""
    SUCCESS_RATE = "success_rate"
    EXPLORATION = "exploration"
    """So that the others' success rates stay known."""
    FAILOVER = "failover"
    """The ones before it have certainly not taken the money."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Payments that it fits go to its gateways and to no others. An empty condition fits all."""

    name: str
    gateways: tuple[str, ...]
    """In order, unless there are `shares`."""
    shares: tuple[int, ...] = ()
    """Of each gateway, by weight: the first is drawn by them."""
    currencies: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    at_least: int = 0
    at_most: int | None = None
    """In minor units."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a merchant wants: the first rule that fits decides."""

    rules: tuple[Rule, ...] = ()
    by_success_rate: bool = False
    """The most successful comes first, among those that the rule names."""
    explore_percent: int = EXPLORE_PERCENT


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules are judged by."""

    payment_id: UUID
    money: Money
    payment_method: str
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One gateway, why it was taken, and whether others are left if it does not take the money."""

    gateway: str
    why: Mapping[str, object]
    has_alternative: bool


def policy_of(configuration: Mapping[str, Any] | None) -> Policy:
    """The policy in a merchant's configuration, which was checked when it was stored."""
    if not configuration:
        return Policy()
    return Policy(
        tuple(_rule(each) for each in configuration.get("rules", ())),
        by_success_rate=configuration.get("by_success_rate") is True,
        explore_percent=configuration.get("explore_percent", EXPLORE_PERCENT),
    )


def choose(
    facts: Facts,
    policy: Policy,
    configured: Sequence[str],
    health: Mapping[str, Health],
    tried: Sequence[str] = (),
) -> Choice | None:
    """The gateway that is asked next, after those that were `tried`; None when none is left.

    An open circuit's gateway is passed over. With all of them open the first is asked, and
    answers so at once; but nobody fails over to an open one.
    """
    rule = next((rule for rule in policy.rules if _fits(rule, facts)), None)
    named = _named(rule, configured, facts)
    order, reason = _ordered(named, rule, policy, facts, health)
    left = [name for name in order if name not in tried]
    healthy = [name for name in left if _state(health, name) is not State.OPEN]
    if not healthy and (tried or not left):
        return None
    chosen = (healthy or left)[0]
    why: dict[str, object] = {
        "reason": Reason.FAILOVER if tried else Reason.ONLY if len(order) == 1 else reason,
        "rule": rule.name if rule else None,
        "order": order,
        "passed_over": {name: "circuit_open" for name in left if name not in healthy},
    }
    rates = _rates(order, facts, health)
    if rates:
        why["success_rates"] = rates
    return Choice(chosen, why, has_alternative=len(healthy) > 1)


def may_fail_over(outcome: Outcome, code: str | None) -> bool:
    """Whether the next gateway may be tried: the money was certainly not taken, nor refused.

    NOT_SENT is certain in an attempt on record: it is said of an only call.
    """
    if outcome is Outcome.NOT_SENT:
        return True
    return outcome is Outcome.DECLINED and code in RETRYABLE_DECLINES


def is_given_up(result: Result) -> bool:
    """Whether a charge that may go elsewhere is called off here: nothing sure is heard of it.

    A gateway that answers that it is at work is waited for.
    """
    return result.outcome is Outcome.UNKNOWN and result.code not in STILL_ANSWERS


def brand_of(payment_method: str) -> str | None:
    """The card's brand where the token tells it; real tokens often don't."""
    return next((part for part in payment_method.lower().split("_") if part in BRANDS), None)


def _rule(stored: Mapping[str, Any]) -> Rule:
    when = stored.get("when") or {}
    amount = when.get("amount") or {}
    split = stored.get("split") or {}
    return Rule(
        stored["name"],
        tuple(split or stored["gateways"]),
        shares=tuple(split.values()),
        currencies=tuple(when.get("currencies") or ()),
        countries=tuple(when.get("countries") or ()),
        brands=tuple(when.get("brands") or ()),
        at_least=amount.get("at_least") or 0,
        at_most=amount.get("at_most"),
    )


def _fits(rule: Rule, facts: Facts) -> bool:
    amount = facts.money.amount
    return (
        (not rule.currencies or facts.money.currency in rule.currencies)
        and (not rule.countries or facts.country in rule.countries)
        and (not rule.brands or brand_of(facts.payment_method) in rule.brands)
        and rule.at_least <= amount
        and (rule.at_most is None or amount <= rule.at_most)
    )


def _named(rule: Rule | None, configured: Sequence[str], facts: Facts) -> list[str]:
    takers = [
        name
        for name in configured
        if name in TOKEN_PREFIXES and facts.payment_method.startswith(TOKEN_PREFIXES[name])
    ]
    # What is nobody's token is anybody's to decline.
    able = takers or list(configured)
    if rule is None:
        return able
    # A merchant speaks of `stripe`, in whichever mode.
    wanted = [name for one in rule.gateways for name in (one, f"{one}_test") if name in able]
    return list(dict.fromkeys(wanted))


def _ordered(
    named: Sequence[str],
    rule: Rule | None,
    policy: Policy,
    facts: Facts,
    health: Mapping[str, Health],
) -> tuple[list[str], Reason]:
    if rule and rule.shares:
        return _split(named, rule, facts), Reason.SPLIT
    rates = _rates(named, facts, health)
    if not policy.by_success_rate or not rates:
        return list(named), Reason.PRIORITY
    best = sorted(named, key=lambda name: -rates.get(name, 1.0))
    if len(best) > 1 and _draw(facts.payment_id, "explore", PERCENT) < policy.explore_percent:
        other = 1 + _draw(facts.payment_id, "which", len(best) - 1)
        return [best[other], *best[:other], *best[other + 1 :]], Reason.EXPLORATION
    return best, Reason.SUCCESS_RATE


def _split(named: Sequence[str], rule: Rule, facts: Facts) -> list[str]:
    weights = dict(zip(rule.gateways, rule.shares, strict=True))
    shares = [
        (name, weights.get(name, weights.get(name.removesuffix("_test"), 0))) for name in named
    ]
    point = _draw(facts.payment_id, "split", sum(share for _, share in shares))
    first = 0
    while first < len(shares) - 1 and point >= shares[first][1]:
        point -= shares[first][1]
        first += 1
    return [*named[first : first + 1], *named[:first], *named[first + 1 :]]


def _rates(names: Sequence[str], facts: Facts, health: Mapping[str, Health]) -> dict[str, float]:
    currency = facts.money.currency
    return {
        name: health[name].success_rates[currency]
        for name in names
        if name in health and currency in health[name].success_rates
    }


def _state(health: Mapping[str, Health], name: str) -> State:
    return health[name].state if name in health else State.CLOSED


def _draw(payment_id: UUID, purpose: str, below: int) -> int:
    digest = hashlib.sha256(payment_id.bytes + purpose.encode()).digest()
    return int.from_bytes(digest[:8]) % max(below, 1)

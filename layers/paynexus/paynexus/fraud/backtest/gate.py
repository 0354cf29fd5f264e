"""Whether a change may take effect, by what its back-test says. Pure."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

FLIPPED_MAX = 0.02
"""Share of payments that may be decided otherwise: more is a mistake rather than a change."""
FALSE_POSITIVE_INCREASE_MAX = 0.001
"""Share of genuine payments that may be held up in addition."""
MONEY_FLOOR_MINOR = 0
"""In minor units of each currency: the money kept may, but for 1 time in 40, not be less."""
PAYMENTS_MIN = 1_000
"""Fewer replayed payments prove nothing."""
AGE_DAYS_MAX = 7
"""Days after which a back-test speaks of another time."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What a back-test has to show; a merchant's own choices, the defaults for all others."""

    flipped_max: float = FLIPPED_MAX
    false_positive_increase_max: float = FALSE_POSITIVE_INCREASE_MAX
    money_floor_minor: int = MONEY_FLOOR_MINOR
    payments_min: int = PAYMENTS_MIN
    age_days_max: int = AGE_DAYS_MAX

    def __post_init__(self) -> None:
        for name in ("flipped_max", "false_positive_increase_max"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: give a share from 0 to 1")
        for name in ("payments_min", "age_days_max"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: give a number of at least 1")

    @classmethod
    def from_choices(cls, *choices: Mapping[str, Any]) -> Self:
        """The defaults, with each of the `choices` laid over those before.

        ValueError names what is unknown, of another type, or out of range.
        """
        chosen = {name: value for choice in choices for name, value in choice.items()}
        types = {field.name: field.type for field in fields(cls)}
        for name, value in chosen.items():
            if name not in types:
                raise ValueError(f"{name}: there is no such threshold of the gate")
            # An int is a float to a reader, a bool is no number.
            wanted = (int, float) if types[name] is float else (int,)
            if type(value) not in wanted:
                raise ValueError(f"{name}: give {'a number' if len(wanted) > 1 else 'an integer'}")
        return cls(**chosen)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the gate asks, and what the answer was."""

    name: str
    is_met: bool
    actual: Any
    """As JSON has it; null where the report can't tell, which never meets a limit."""
    limit: Any


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the gate looks at."""

    report: Mapping[str, Any]
    completed_at: dt.datetime
    is_unchanged: bool
    """Whether what the change would replace is still what was replayed as the base."""


def checks(gate: Gate, evidence: Evidence, *, now: dt.datetime) -> tuple[Check, ...]:
    """Every check, met or not; the change may take effect when all are met."""
    return tuple(_checks(gate, evidence, now))


def _checks(gate: Gate, evidence: Evidence, now: dt.datetime) -> Iterator[Check]:
    report = evidence.report
    yield _at_least("payments_min", report["payments"], gate.payments_min)
    yield _at_most("flipped_max", report["flipped"]["rate"], gate.flipped_max)
    increase = _increase(report["detection"])
    yield _at_most("false_positive_increase_max", increase, gate.false_positive_increase_max)
    for money in report["money"]:
        name = f"money_floor_minor.{money['currency']}"
        yield _at_least(name, money["interval"][0], gate.money_floor_minor)
    age_days = (now - evidence.completed_at) / dt.timedelta(days=1)
    yield _at_most("age_days_max", round(max(age_days, 0.0), 2), gate.age_days_max)
    yield Check("unchanged", evidence.is_unchanged, evidence.is_unchanged, limit=True)


def _increase(detection: Mapping[str, Any]) -> float | None:
    """In the share of genuine payments held up; None where none is known to be genuine."""
    before = detection["base"]["false_positive_rate"]
    after = detection["candidate"]["false_positive_rate"]
    return round((after["count"] - before["count"]) / after["of"], 6) if after["of"] else None


def _at_least(name: str, actual: float | None, limit: float) -> Check:
    return Check(name, actual is not None and actual >= limit, actual, limit)


def _at_most(name: str, actual: float | None, limit: float) -> Check:
    return Check(name, actual is not None and actual <= limit, actual, limit)

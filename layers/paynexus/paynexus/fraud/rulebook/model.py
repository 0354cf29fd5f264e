"""The words of the rulebook: rules, their versions, what an evaluation answers. Pure."""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType
from uuid import UUID

from paynexus.fraud.model import Action, EntityKind, Hit
from paynexus.ids import MerchantId

RuleId = NewType("RuleId", UUID)
VersionId = NewType("VersionId", UUID)
SnoozeId = NewType("SnoozeId", UUID)

RULE_PREFIX, VERSION_PREFIX, SNOOZE_PREFIX = "frl", "frv", "fsn"

CODE = re.compile(r"[a-z][a-z0-9_]{2,63}", re.ASCII)
"""What a rule is called in decisions."""
MESSAGE_CHARACTERS_MAX = 200
"""Of what a hit says to people."""
RULES_MAX = 100
"""Rules of one scope. Each running version is evaluated with each payment."""
VERSIONS_MAX = 1_000
"""Versions of one rule: they are kept for ever."""
SNOOZE_MAX = dt.timedelta(days=90)
"""What is to be let through for longer belongs on an allow-list, or into the rule."""
LATE = "late: the decision's time was up before this rule's turn"
"""The error of a rule that was not evaluated."""

type IsLate = Callable[[], bool]
"""Whether the decision's time is up."""


class State(StrEnum):
    """What becomes of a rule's hits. It follows from which of its versions run."""

    DRAFT = "draft"
    """No version ever ran."""
    SHADOW = "shadow"
    """A version runs in shadow, and none decides."""
    ACTIVE = "active"
    """A version decides; another may run in shadow beside it."""
    DISABLED = "disabled"
    """Versions ran, and none does now."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule says of a payment: it hits, or misses, or errs and says nothing."""

    is_hit: bool
    error: str | None = None
    """Why it erred; without values, which may be personal data."""


HIT, MISS = Outcome(is_hit=True), Outcome(is_hit=False)


@dataclass(frozen=True, slots=True)
class Wording:
    """What a version says: when it hits, what it then asks for, and in which words."""

    expression: str
    action: Action
    message: str
    """Of each hit, for people to read: no personal data."""


@dataclass(frozen=True, slots=True)
class Version:
    """One wording of a rule, which never changes."""

    id: VersionId
    number: int
    """Counts the rule's versions from 1."""
    wording: Wording
    author: str
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with the version that decides, the one in shadow, and its newest one."""

    id: RuleId
    merchant_id: MerchantId | None
    """None: the platform's, which holds for every merchant."""
    code: str
    state: State
    newest: Version
    live: Version | None
    shadow: Version | None
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Running:
    """A version that is evaluated with each payment."""

    rule_id: RuleId
    version_id: VersionId
    code: str
    wording: Wording
    is_platform: bool
    is_shadow: bool


@dataclass(frozen=True, slots=True)
class Erred:
    """A version that said nothing about a payment, and why."""

    id: str
    """Of the version, as hits name it."""
    code: str
    error: str


@dataclass(frozen=True, slots=True)
class Evaluated:
    """All that the rules say of a payment."""

    hits: tuple[Hit, ...]
    errors: tuple[Erred, ...]


@dataclass(frozen=True, slots=True)
class Snooze:
    """Until `ends_at` a rule says nothing about payments of one entity."""

    id: SnoozeId
    rule_id: RuleId
    merchant_id: MerchantId
    """Whose payments they are."""
    kind: EntityKind
    entity: bytes
    ends_at: dt.datetime
    author: str
    reason: str
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Statistics:
    """What one version did in one mode, in so many whole days (UTC)."""

    version_id: VersionId
    number: int
    mode: str
    evaluated: int
    """Decisions that were made while it ran, those that it slept through or was late for too."""
    hits: int
    errors: int
    allowed: int
    """Hits by their payments' verdicts."""
    challenged: int
    blocked: int
    fraud: int
    """Hits whose payments' latest label says so; most have none yet."""
    genuine: int


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A rule with what its versions did from `since` to before `until`, days of UTC."""

    rule: Rule
    since: dt.date
    until: dt.date
    statistics: Sequence[Statistics]

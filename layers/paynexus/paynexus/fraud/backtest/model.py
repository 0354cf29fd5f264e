"""The words of back-tests: what is asked, how far it is, and what took effect by it. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from paynexus.fraud.backtest.changes import Change
from paynexus.ids import MerchantId

PAYMENTS_MAX = 100_000
"""Payments that one back-test replays, those before its period included: what a run has time for
(`worker.RUN_SECONDS`)."""
QUEUED_MAX = 20
"""Back-tests of one merchant, or of the platform, that may wait at a time."""
ATTEMPTS_MAX = 3
"""So often a back-test is taken up before it is given up."""


type Standing = dict[str, Any]
"""How what can be changed stands: JSON that compares."""


class State(StrEnum):
    """How far a back-test is."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rules are changed, and whose payments are replayed."""

    merchant_id: MerchantId | None
    """None: the platform's, over every merchant's payments."""
    mode: str
    """Of the payments that are replayed; a change holds for both modes."""


@dataclass(frozen=True, slots=True)
class Period:
    """Payments from the one moment to before the other."""

    since: dt.datetime
    until: dt.datetime


@dataclass(frozen=True, slots=True)
class By:
    """In whose scope something is changed, by whom, when."""

    merchant_id: MerchantId | None
    author: str
    now: dt.datetime


@dataclass(frozen=True, slots=True)
class Backtest:
    """A back-test as it is recorded."""

    id: UUID
    scope: Scope
    change: Change
    period: Period
    warm_up_from: dt.datetime
    requested_by: str
    created_at: dt.datetime
    state: State = State.PENDING
    attempts: int = 0
    replaces: Standing | None = None
    report: Mapping[str, Any] | None = None
    failure: str | None = None
    finished_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Promotion:
    """A change that took effect, by what it was let through, and whether it was put back."""

    id: UUID
    backtest_id: UUID
    scope: Scope
    object: str
    change: Change
    replaced: Standing
    """What stood before, as JSON."""
    stands: Standing
    """What stood right after."""
    checks: list[dict[str, Any]]
    because: str | None
    promoted_by: str
    promoted_at: dt.datetime
    reverted_by: str | None = None
    reverted_at: dt.datetime | None = None

"""What a case is, when one is opened, and the one table of what may become of it. Pure."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import NewType
from uuid import UUID

from paynexus.errors import InvalidState
from paynexus.fraud.model import Action, Hit, Verdict
from paynexus.ids import MerchantId, PaymentId
from paynexus.money import Money

FraudCaseId = NewType("FraudCaseId", UUID)


class CaseState(StrEnum):
    """Where a case stands."""

    OPEN = "OPEN"
    INVESTIGATING = "INVESTIGATING"
    CLOSED = "CLOSED"


class CaseFact(StrEnum):
    """What may happen to a case."""

    ASSIGNED = "assigned"
    CLOSED = "closed"
    REOPENED = "reopened"


class CaseOutcome(StrEnum):
    """What a person found."""

    CONFIRMED = "confirmed"
    """It was fraud."""
    FALSE_POSITIVE = "false_positive"
    """It was genuine."""
    UNCLEAR = "unclear"
    """Nobody can say: no label is written, and none is taken back."""


class NoteKind(StrEnum):
    """What an entry of a case's diary is about."""

    NOTE = "note"
    ASSIGNED = "assigned"
    CLOSED = "closed"
    REOPENED = "reopened"


CASE_TRANSITIONS: Mapping[tuple[CaseState, CaseFact], CaseState] = MappingProxyType(
    {
        (CaseState.OPEN, CaseFact.ASSIGNED): CaseState.INVESTIGATING,
        (CaseState.OPEN, CaseFact.CLOSED): CaseState.CLOSED,
        (CaseState.INVESTIGATING, CaseFact.ASSIGNED): CaseState.INVESTIGATING,
        (CaseState.INVESTIGATING, CaseFact.CLOSED): CaseState.CLOSED,
        (CaseState.CLOSED, CaseFact.REOPENED): CaseState.INVESTIGATING,
    }
)
"""The lifecycle of cases. Postgres holds the same table in `fraud_case_may_become`."""

LABEL_OF_OUTCOME: Mapping[CaseOutcome, bool] = MappingProxyType(
    {CaseOutcome.CONFIRMED: True, CaseOutcome.FALSE_POSITIVE: False}
)
"""Whether the outcome labels the payment fraud; UNCLEAR labels nothing."""


@dataclass(frozen=True, slots=True)
class FraudCase:
    """A payment that a person looks at, as it was decided about and as the case stands."""

    id: FraudCaseId
    payment_id: PaymentId
    merchant_id: MerchantId
    mode: str
    verdict: Verdict
    score: float | None
    money: Money
    state: CaseState
    created_at: dt.datetime
    outcome: CaseOutcome | None = None
    assignee: str | None = None
    closed_at: dt.datetime | None = None

    def assigned(self, assignee: str) -> "FraudCase":
        """The case in that person's hands; InvalidState when it is closed."""
        return replace(self, state=self._after(CaseFact.ASSIGNED), assignee=assignee)

    def closed(self, outcome: CaseOutcome, *, now: dt.datetime) -> "FraudCase":
        """The case with what was found; InvalidState when it is closed already."""
        return replace(self, state=self._after(CaseFact.CLOSED), outcome=outcome, closed_at=now)

    def reopened(self, assignee: str) -> "FraudCase":
        """The case in that person's hands, as if nothing had been found; InvalidState if open."""
        state = self._after(CaseFact.REOPENED)
        return replace(self, state=state, assignee=assignee, outcome=None, closed_at=None)

    def _after(self, fact: CaseFact) -> CaseState:
        following = CASE_TRANSITIONS.get((self.state, fact))
        if following is None:
            raise InvalidState(
                f"A case that is {self.state} can't be {fact}.", operation_state=str(self.state)
            )
        return following


@dataclass(frozen=True, slots=True)
class Note:
    """One entry of a case's diary; it never changes."""

    id: UUID
    kind: NoteKind
    text: str
    author: str
    created_at: dt.datetime


def opens_case(verdict: Verdict, hits: Iterable[Hit], amount: int, *, above_minor: int) -> bool:
    """Whether a person is to look at the payment of `amount` minor units.

    At each that a rule, list or score asks to review, and at each that was challenged or blocked
    above `above_minor`, the merchant's `case_above_minor`. Shadow hits ask for nothing; nor does
    a review of a payment that an allow-list let through.
    """
    actions = {hit.action for hit in hits if not hit.is_shadow}
    if verdict is Verdict.ALLOW:
        return Action.REVIEW in actions and Action.ALLOW not in actions
    return Action.REVIEW in actions or amount > above_minor

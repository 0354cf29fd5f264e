"""What a callback comes to, held against the attempt that it speaks of. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from paynexus.gateways.port import Operation, Outcome, Word
from paynexus.ids import PaymentId
from paynexus.payments.step import Step


class Verdict(StrEnum):
    """What becomes of a callback. All but the first are final."""

    ASK = "ask"
    """It may tell something new: the gateway is to be asked."""
    CONFIRMED = "confirmed"
    """What it says is known, from the gateway's answer or by inquiry."""
    WITHOUT_NEWS = "without_news"
    """The gateway says that it is at work."""
    UNREADABLE = "unreadable"
    CARD_NUMBER = "card_number"
    """A card number could stand in it: not even kept."""
    UNKNOWN_REFERENCE = "unknown_reference"
    WRONG_OPERATION = "wrong_operation"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_CURRENCY = "wrong_currency"
    CONTRADICTS = "contradicts"
    """The opposite of it is known."""


class State(StrEnum):
    """Where a callback stands."""

    PENDING = "PENDING"
    APPLIED = "APPLIED"
    REFUSED = "REFUSED"


_STATES: Mapping[Verdict, State] = MappingProxyType(
    {
        Verdict.ASK: State.PENDING,
        Verdict.CONFIRMED: State.APPLIED,
        Verdict.WITHOUT_NEWS: State.APPLIED,
    }
)
_WITHOUT_EFFECT = frozenset({Outcome.DECLINED, Outcome.NOT_SENT})


@dataclass(frozen=True, slots=True)
class Asked:
    """What we asked of the gateway under one reference, and what is known of it."""

    attempt_id: UUID
    payment_id: PaymentId
    operation: Operation
    operation_id: UUID
    amount: int
    currency: str
    outcome: Outcome | None

    @property
    def step(self) -> Step:
        """What brings the operation to its end."""
        return Step(self.payment_id, self.operation, self.operation_id)


def state_of(verdict: Verdict) -> State:
    """Where the verdict leaves a callback."""
    return _STATES.get(verdict, State.REFUSED)


def judge(word: Word | None, asked: Asked | None) -> Verdict:
    """What the word comes to, by what we asked under its reference."""
    if word is None:
        return Verdict.UNREADABLE
    if asked is None:
        return Verdict.UNKNOWN_REFERENCE
    return _difference(word, asked) or _news(word.outcome, asked.outcome)


def _difference(word: Word, asked: Asked) -> Verdict | None:
    if word.operation != asked.operation:
        return Verdict.WRONG_OPERATION
    if asked.operation is Operation.CANCEL and (word.amount, word.currency) == (None, None):
        return None
    if word.currency != asked.currency:
        return Verdict.WRONG_CURRENCY
    return Verdict.WRONG_AMOUNT if word.amount != asked.amount else None


def _news(said: Outcome, known: Outcome | None) -> Verdict:
    if said is Outcome.UNKNOWN:
        return Verdict.WITHOUT_NEWS
    if known in {None, Outcome.UNKNOWN}:
        return Verdict.ASK
    # Declined or never taken in: either way nothing happened.
    agrees = said is known or {said, known} <= _WITHOUT_EFFECT
    return Verdict.CONFIRMED if agrees else Verdict.CONTRADICTS

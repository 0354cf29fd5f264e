"""What a dispute is, and the one table of what may become of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from paynexus.errors import InvalidState
from paynexus.money import Money
from paynexus.payments.model import Payment


class DisputeStatus(StrEnum):
    """Where a dispute stands, by the merchant's side. WON and LOST are final."""

    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"


class DisputeFact(StrEnum):
    """What may happen to a dispute once it is open."""

    WON = "won"
    LOST = "lost"


DISPUTE_TRANSITIONS: Mapping[tuple[DisputeStatus, DisputeFact], DisputeStatus] = MappingProxyType(
    {
        (DisputeStatus.OPEN, DisputeFact.WON): DisputeStatus.WON,
        (DisputeStatus.OPEN, DisputeFact.LOST): DisputeStatus.LOST,
    }
)
"""The lifecycle of disputes. Postgres holds the same table in `dispute_may_become`."""

FINAL_DISPUTE = frozenset({DisputeStatus.WON, DisputeStatus.LOST})


def dispute_after(status: DisputeStatus, fact: DisputeFact) -> DisputeStatus:
    """The status once `fact` has happened; InvalidState when it can't happen now."""
    following = DISPUTE_TRANSITIONS.get((status, fact))
    if following is None:
        raise InvalidState(f"A {status} dispute can't be {fact}.", operation_state=str(status))
    return following


@dataclass(frozen=True, slots=True)
class Cover:
    """How a disputed amount is met: by what the payment still holds, and beyond it."""

    covered: Money
    excess: Money
    """Taken by the acquirer though it was returned before, or is on its way back."""


def cover_of(payment: Payment, disputed: Money) -> Cover:
    """The acquirer takes the money either way: what may still be returned covers it first."""
    covered = replace(disputed, amount=min(disputed.amount, payment.refundable_amount))
    if disputed.currency != payment.money.currency:
        raise ValueError(f"a dispute in {disputed.currency} is none of this payment")
    return Cover(covered, disputed - covered)

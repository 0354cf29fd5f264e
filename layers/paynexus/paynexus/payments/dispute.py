"""What a dispute is, and the one table of what may become of it. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from paynexus.errors import InvalidState
from paynexus.ids import DisputeId, MerchantId, PaymentId, TransferId
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


@dataclass(frozen=True, slots=True)
class Dispute:
    """Captured money that a payer asks back through the gateway, which took it at once."""

    id: DisputeId
    payment_id: PaymentId
    merchant_id: MerchantId
    mode: str
    money: Money
    covered_amount: int
    """What of it the merchant covers, in minor units; the rest had gone back before."""
    status: DisputeStatus
    gateway: str
    gateway_reference: str
    cover_id: TransferId | None
    """What holds the cover in the books; none where nothing was left to cover it."""
    created_at: dt.datetime
    reason: str | None = None
    respond_by: dt.datetime | None = None

    @property
    def excess(self) -> int:
        """What the gateway took beyond the cover, in minor units."""
        return self.money.amount - self.covered_amount

    def after(self, fact: DisputeFact) -> "Dispute":
        """The dispute once `fact` has happened; InvalidState when it can't happen now."""
        following = DISPUTE_TRANSITIONS.get((self.status, fact))
        if following is None:
            raise InvalidState(
                f"A {self.status} dispute can't be {fact}.", operation_state=str(self.status)
            )
        return replace(self, status=following)


def cover_of(payment: Payment, asked: int) -> int:
    """What the payment covers of `asked` minor units: the gateway takes the rest all the same."""
    return min(asked, payment.coverable_amount)

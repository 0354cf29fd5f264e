"""What becomes of a payment, decided but not yet written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from paynexus.gateways.port import Outcome
from paynexus.idempotency import Answer
from paynexus.ledger.model import Order
from paynexus.payments.model import Payment, Refund


@dataclass(frozen=True, slots=True)
class Told:
    """An event: what happened, and to which object."""

    type: str
    object_id: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """A payment as it will be, with all that is written in the same commit.

    It holds for the `version` of the payment that was decided about, and for no other.
    """

    payment: Payment
    refund: Refund | None = None
    """The refund as it will be, new or changed."""
    orders: tuple[Order, ...] = ()
    told: Told | None = None
    answers: Mapping[UUID, Answer] = field(default_factory=dict)
    """By the id of what they answer for: the payment, a refund, an operation."""
    charged: Outcome | None = None
    """What the charge came to, of a change that follows from it: then it holds for no other
    outcome, and the gateway's own words are kept with the payment from now on."""

    @property
    def status(self) -> str:
        """Where the change leaves what it is about: the refund, or else the payment."""
        return str((self.refund or self.payment).status)

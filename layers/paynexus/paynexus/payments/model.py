"""What a payment is, and the one table of what may become of it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from paynexus.errors import InvalidState
from paynexus.gateways.port import Outcome
from paynexus.ids import MerchantId, PaymentId, QrCodeId, RefundId, TransferId
from paynexus.money import Money


class Status(StrEnum):
    """Where a payment stands. COMPLETED, FAILED and CANCELED are final for the charge."""

    PENDING = "PENDING"
    CHALLENGED = "CHALLENGED"
    AUTHORIZED = "AUTHORIZED"
    UNKNOWN = "UNKNOWN"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class Fact(StrEnum):
    """What may happen to a payment."""

    CHALLENGED = "challenged"
    AUTHENTICATED = "authenticated"
    AUTHORIZED = "authorized"
    PARTLY_CAPTURED = "partly_captured"
    CAPTURED = "captured"
    RELEASED = "released"
    """What was not captured was given up; some was captured before."""
    REFUSED = "refused"
    LOST_SIGHT = "lost_sight"
    CANCELED = "canceled"
    EXPIRED = "expired"


TRANSITIONS: Mapping[tuple[Status, Fact], Status] = MappingProxyType(
    {
        (Status.PENDING, Fact.CHALLENGED): Status.CHALLENGED,
        (Status.PENDING, Fact.AUTHORIZED): Status.AUTHORIZED,
        (Status.PENDING, Fact.CAPTURED): Status.COMPLETED,
        (Status.PENDING, Fact.REFUSED): Status.FAILED,
        (Status.PENDING, Fact.LOST_SIGHT): Status.UNKNOWN,
        (Status.PENDING, Fact.CANCELED): Status.CANCELED,
        (Status.CHALLENGED, Fact.AUTHENTICATED): Status.PENDING,
        (Status.CHALLENGED, Fact.REFUSED): Status.FAILED,
        (Status.CHALLENGED, Fact.CANCELED): Status.CANCELED,
        (Status.CHALLENGED, Fact.EXPIRED): Status.FAILED,
        (Status.UNKNOWN, Fact.AUTHORIZED): Status.AUTHORIZED,
        (Status.UNKNOWN, Fact.CAPTURED): Status.COMPLETED,
        (Status.UNKNOWN, Fact.REFUSED): Status.FAILED,
        (Status.UNKNOWN, Fact.LOST_SIGHT): Status.UNKNOWN,
        (Status.UNKNOWN, Fact.CANCELED): Status.CANCELED,
        (Status.AUTHORIZED, Fact.PARTLY_CAPTURED): Status.AUTHORIZED,
        (Status.AUTHORIZED, Fact.CAPTURED): Status.COMPLETED,
        (Status.AUTHORIZED, Fact.RELEASED): Status.COMPLETED,
        (Status.AUTHORIZED, Fact.CANCELED): Status.CANCELED,
        (Status.AUTHORIZED, Fact.EXPIRED): Status.CANCELED,
    }
)
"""The lifecycle. Postgres holds the same table in `payment_may_become`."""

FINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELED})
CHARGEABLE = frozenset({Status.PENDING, Status.UNKNOWN})
"""Payments that the workflow may bring one step further."""
AUTHORIZATION_LIFETIME = dt.timedelta(days=7)
"""How long card networks hold money for a merchant who may still capture it."""
CHALLENGE_LIFETIME = dt.timedelta(minutes=15)
"""How long a payer may take to prove who they are."""
EXPIRY = "expiry"
"""The name of the cancel that is ours: of an authorisation whose time is up."""


class RefundStatus(StrEnum):
    """Where a refund stands. COMPLETED and FAILED are final."""

    PENDING = "PENDING"
    UNKNOWN = "UNKNOWN"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class RefundFact(StrEnum):
    """What may happen to a refund."""

    RETURNED = "returned"
    REFUSED = "refused"
    LOST_SIGHT = "lost_sight"


REFUND_TRANSITIONS: Mapping[tuple[RefundStatus, RefundFact], RefundStatus] = MappingProxyType(
    {
        (RefundStatus.PENDING, RefundFact.RETURNED): RefundStatus.COMPLETED,
        (RefundStatus.PENDING, RefundFact.REFUSED): RefundStatus.FAILED,
        (RefundStatus.PENDING, RefundFact.LOST_SIGHT): RefundStatus.UNKNOWN,
        (RefundStatus.UNKNOWN, RefundFact.RETURNED): RefundStatus.COMPLETED,
        (RefundStatus.UNKNOWN, RefundFact.REFUSED): RefundStatus.FAILED,
        (RefundStatus.UNKNOWN, RefundFact.LOST_SIGHT): RefundStatus.UNKNOWN,
    }
)
"""The lifecycle of refunds. Postgres holds the same table in `refund_may_become`."""

FINAL_REFUND = frozenset({RefundStatus.COMPLETED, RefundStatus.FAILED})

RUNNING = "RUNNING"
"""An attempt of which nothing is known yet; in the database it has no outcome."""

ATTEMPT_TRANSITIONS: Mapping[tuple[str, Outcome], str] = MappingProxyType(
    {
        (RUNNING, Outcome.APPROVED): Outcome.APPROVED,
        (RUNNING, Outcome.DECLINED): Outcome.DECLINED,
        (RUNNING, Outcome.NOT_SENT): Outcome.NOT_SENT,
        (RUNNING, Outcome.UNKNOWN): Outcome.UNKNOWN,
        (Outcome.UNKNOWN, Outcome.APPROVED): Outcome.APPROVED,
        (Outcome.UNKNOWN, Outcome.DECLINED): Outcome.DECLINED,
        # An earlier call under the same reference may have arrived: this one can't tell.
        (Outcome.UNKNOWN, Outcome.NOT_SENT): Outcome.UNKNOWN,
        (Outcome.UNKNOWN, Outcome.UNKNOWN): Outcome.UNKNOWN,
    }
)
"""What a call's outcome makes of an attempt. Postgres holds the same in `attempt_may_become`."""


class Challenge(StrEnum):
    """What came of asking the payer for proof."""

    NONE = "none"
    REQUIRED = "required"
    AUTHENTICATED = "authenticated"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a payment or refund failed, in words for the merchant."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Customer:
    """Who pays, as far as the merchant says. Stored apart from the books."""

    id: str | None = None
    email: str | None = None
    country: str | None = None
    name: str | None = None
    ip: str | None = None
    card_bin: str | None = None
    """The card number's first six or eight digits."""


@dataclass(frozen=True, slots=True)
class OpenOperation:
    """The capture, cancel, confirm or expiry under way on a payment: at most one at a time."""

    name: str
    id: UUID
    amount: int | None = None
    is_final: bool | None = None
    """Of a capture: it is the last one, and what it leaves is released."""


@dataclass(frozen=True, slots=True)
class Payment:
    """A merchant's request to take money once."""

    id: PaymentId
    merchant_id: MerchantId
    mode: str
    money: Money
    status: Status
    capture: str
    payment_method: str
    fingerprint: str
    fee_basis_points: int
    fee_fixed_minor: int
    transfer_id: TransferId
    created_at: dt.datetime
    idempotency_key: str
    captured_amount: int = 0
    captures: int = 0
    """How many captures took effect."""
    refunded_amount: int = 0
    refunding_amount: int = 0
    disputed_amount: int = 0
    """What the payment covers of its disputes that are open or lost."""
    disputed_excess: int = 0
    """What such disputes took beyond it: that much was returned, or was on its way, before."""
    fee_amount: int = 0
    reference: str | None = None
    description: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    customer: Customer | None = None
    qr_code_id: QrCodeId | None = None
    challenge: Challenge = Challenge.NONE
    failure: Failure | None = None
    open_operation: OpenOperation | None = None
    version: int = 1
    """As it was read: one more with each change."""

    @property
    def capturable_amount(self) -> int:
        """What may still be captured of an AUTHORIZED payment, in minor units."""
        return self.money.amount - self.captured_amount

    @property
    def coverable_amount(self) -> int:
        """What may still cover a dispute, in minor units: what nothing has returned or holds."""
        returned = self.refunded_amount + self.refunding_amount + self.disputed_amount
        return self.captured_amount - returned

    @property
    def refundable_amount(self) -> int:
        """What may still be refunded, in minor units.

        What a dispute took beyond its cover has its payer back: should a refund under way fail,
        its amount is not there to be refunded anew.
        """
        return max(self.coverable_amount - self.disputed_excess, 0)

    def after(self, fact: Fact) -> "Payment":
        """The payment once `fact` has happened; InvalidState when it can't happen now."""
        following = TRANSITIONS.get((self.status, fact))
        if following is None:
            raise InvalidState(
                f"A {self.status} payment can't be {fact}.", operation_state=str(self.status)
            )
        return replace(self, status=following)


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back from one payment."""

    id: RefundId
    payment_id: PaymentId
    merchant_id: MerchantId
    mode: str
    money: Money
    status: RefundStatus
    transfer_id: TransferId
    created_at: dt.datetime
    reason: str | None = None
    failure: Failure | None = None

    def after(self, fact: RefundFact) -> "Refund":
        """The refund once `fact` has happened; InvalidState when it can't happen now."""
        following = REFUND_TRANSITIONS.get((self.status, fact))
        if following is None:
            raise InvalidState(
                f"A {self.status} refund can't be {fact}.", operation_state=str(self.status)
            )
        return replace(self, status=following)

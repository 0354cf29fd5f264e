"""The port: what we ask of a payment gateway, and what it can answer."""

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from paynexus.gateways.circuit import Health
from paynexus.money import Money


class Operation(enum.StrEnum):
    """What a gateway can be asked to do."""

    CHARGE = "charge"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"


class Outcome(enum.StrEnum):
    """What is certain after a call.

    NOT_SENT speaks of this call alone: an earlier one under the same reference may have
    taken effect, and only an inquiry tells.
    """

    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    NOT_SENT = "NOT_SENT"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One operation, under our own reference, which is also the gateway's idempotency key.

    A capture, cancel or refund names the charge it speaks of by `original_reference`. A cancel
    is also right for a charge that the gateway may never have seen: it then bars it for good.
    A gateway whose own name of the charge is known (`original_gateway_reference`) is spared a
    search for it.
    """

    operation: Operation
    reference: str
    money: Money
    payment_method: str | None = None
    capture: bool = True
    original_reference: str | None = None
    original_gateway_reference: str | None = None
    description: str | None = None
    is_final: bool = True
    """Of a capture: what it leaves of the charge is released."""

    def __post_init__(self) -> None:
        is_charge = self.operation is Operation.CHARGE
        if is_charge and self.payment_method is None:
            raise ValueError("a charge needs a payment method")
        if is_charge != (self.original_reference is None):
            raise ValueError("all but a charge name the charge they speak of")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a call; `code` says why it is not an approval, in the gateway's words or ours.

    `response` is what may be kept of the gateway's answer: it holds no card data.
    """

    outcome: Outcome
    gateway_reference: str | None = None
    code: str | None = None
    message: str | None = None
    response: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Word:
    """What a gateway said, unasked, of an operation under a reference of ours.

    A hint that there is something to learn, and never proof.
    """

    operation: str
    reference: str
    outcome: Outcome
    """UNKNOWN when it says no more than that it is at work."""
    amount: int | None
    currency: str | None


class DisputeState(enum.StrEnum):
    """Where a dispute stands at its gateway, by the merchant's side."""

    INQUIRY = "INQUIRY"
    """The payer's bank asks; no money is taken, and perhaps never will be."""
    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"


@dataclass(frozen=True, slots=True)
class DisputeWord:
    """What a gateway said, unasked: that there is news of a dispute it calls so. A hint."""

    gateway_reference: str


@dataclass(frozen=True, slots=True)
class GatewayDispute:
    """A dispute as its gateway tells of it when asked."""

    gateway_reference: str
    charge_reference: str
    """Ours."""
    state: DisputeState
    money: Money
    """What the payer asks back; the gateway has taken it while the dispute is open."""
    reason: str | None = None
    respond_by: dt.datetime | None = None
    """Until when the gateway takes evidence."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent before, and when first: some gateways answer only to a repetition."""

    instruction: Instruction
    first_at: dt.datetime


class Gateway(Protocol):
    """A payment gateway. Its calls answer within their deadline and raise nothing of the line."""

    @property
    def name(self) -> str:
        """What the gateway is called in attempts, metrics and circuits."""

    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        """What came of the instruction. Sending it again under its reference is always safe."""

    def inquire(
        self, reference: str, *, deadline_seconds: float, sent: Sent | None = None
    ) -> Result | None:
        """What became of `reference`.

        None only when the gateway itself says that it never saw it; UNKNOWN when it can't be
        asked. A request still under way may yet arrive: bar it by a cancel before acting on None.
        A gateway may need to know what was `sent` under the reference, and may then repeat it
        while that is safe: an operation that had never arrived is so carried out, once.
        """

    def is_healthy(self) -> bool:
        """Whether the gateway answers its health question."""


@runtime_checkable
class DisputeDesk(Protocol):
    """A gateway that can be asked about disputes; not each can."""

    def dispute(
        self, gateway_reference: str, *, deadline_seconds: float
    ) -> GatewayDispute | Result:
        """The dispute as it stands.

        DECLINED when the gateway itself says that there is none; UNKNOWN when it can't be asked.
        """


class Fleet(Protocol):
    """All gateways that are configured."""

    def of(self, mode: str) -> Mapping[str, Gateway]:
        """Those of test or live payments, by name, in the order in which they are preferred."""

    def health(self) -> Mapping[str, Health]:
        """How each is, as far as it is known; one without a word is taken for well."""

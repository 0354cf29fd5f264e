"""Disputes: a payer asks for their money back, the acquirer takes it and later decides. Pure."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tools.sandbox_acquirer.rules import Charge, RequestRefused, amount_of, text_of

REASON_LENGTH_MAX = 100
RESPOND_WITHIN_DAYS = 9


class Outcome(enum.StrEnum):
    """How a dispute ends, by the merchant's side."""

    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Dispute:
    """What a payer asks back of one charge."""

    id: str
    charge_reference: str
    amount: int
    currency: str
    reason: str
    respond_by: str
    created: str
    status: str = "open"

    @property
    def fields(self) -> dict[str, object]:
        """The dispute as it goes over the line."""
        return {
            "id": self.id,
            "reference": self.charge_reference,
            "amount": self.amount,
            "currency": self.currency,
            "status": self.status,
            "reason": self.reason,
            "respond_by": self.respond_by,
            "created": self.created,
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """What whoever plays the payer's bank wants opened."""

    amount: int | None
    reason: str


def asked_of(body: Mapping[str, object]) -> Asked:
    """The dispute that a JSON body asks for; RequestRefused when a field is wrong or unknown."""
    _allow(body, {"amount", "reason"})
    amount = None if body.get("amount") is None else amount_of(body)
    reason = "fraudulent"
    if body.get("reason") is not None:
        reason = text_of(body, "reason", REASON_LENGTH_MAX)
    return Asked(amount, reason)


def outcome_of(body: Mapping[str, object]) -> Outcome:
    """How the body wants the dispute to end; RequestRefused for another word."""
    _allow(body, {"outcome"})
    if body.get("outcome") not in set(Outcome):
        raise RequestRefused(400, "invalid_request", "outcome: won or lost")
    return Outcome(str(body["outcome"]))


def require_disputable(charge: Charge, amount: int) -> None:
    """Payers dispute what was taken of them, also what they have had back since."""
    if charge.canceled or not charge.captured:
        raise RequestRefused(409, "nothing_captured", "nothing of this charge was captured")
    if amount > charge.captured - charge.disputed:
        raise RequestRefused(409, "amount_exceeds_captured", "more than was captured")


def closed(dispute: Dispute, outcome: Outcome) -> Dispute:
    """The dispute at its end; RequestRefused for one that has another end."""
    if dispute.status not in {"open", outcome.value}:
        raise RequestRefused(409, "dispute_closed", f"this dispute is {dispute.status}")
    return replace(dispute, status=outcome.value)


def _allow(body: Mapping[str, object], names: set[str]) -> None:
    unknown = sorted(set(body) - names)
    if unknown:
        raise RequestRefused(400, "invalid_request", f"unknown field: {unknown[0]}")

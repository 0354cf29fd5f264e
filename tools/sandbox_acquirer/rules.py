"""What an acquirer allows: requests, charges and the effect of an operation. Pure."""

import enum
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

AMOUNT_MAX = 10**12
REFERENCE_LENGTH_MAX = 100
TEXT_LENGTH_MAX = 500
FEE_BASIS_POINTS = 20
_CURRENCY = re.compile("[A-Z]{3}")


class Operation(enum.StrEnum):
    """What a merchant can ask for."""

    CHARGE = "charge"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"


class RequestRefused(Exception):
    """The request cannot be understood; nothing was recorded under its reference."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Hold what the answer will say."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Request:
    """One operation asked for under the merchant's own reference."""

    operation: Operation
    reference: str
    charge_reference: str
    amount: int | None
    currency: str | None
    payment_method: str | None
    capture: bool
    description: str | None
    final: bool = False
    """Of a capture: what it leaves is released."""

    @property
    def fingerprint(self) -> str:
        """Equal for equal requests: tells a repeated send from a reused reference."""
        fields = [
            self.operation.value,
            self.charge_reference,
            self.amount,
            self.currency,
            self.payment_method,
            self.capture,
            self.description,
            self.final,
        ]
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Charge:
    """A card's money: authorized once, then captured in parts, returned or released."""

    reference: str
    amount: int
    currency: str
    payment_method: str
    captured: int = 0
    refunded: int = 0
    canceled: bool = False
    disputed: int = 0
    """What open and lost disputes have taken back."""
    released: bool = False
    """What was not captured is given up; what was captured stays the merchant's."""

    @property
    def status(self) -> str:
        """The one word for where the charge stands."""
        if self.canceled:
            return "canceled"
        if self.refunded:
            return "refunded" if self.refunded == self.captured else "partially_refunded"
        return "captured" if self.captured else "authorized"


@dataclass(frozen=True, slots=True)
class Effect:
    """What an approved operation did: the charge as it is now, and money moved to the merchant."""

    charge: Charge | None
    settled: int = 0


Decline = str


def opened(request: Request, *, canceled_before: bool) -> Effect | Decline:
    """The new charge, unless the merchant has already cancelled it unseen."""
    if canceled_before:
        return "canceled_before_arrival"
    charge = Charge(
        reference=request.reference,
        amount=request.amount or 0,
        currency=request.currency or "",
        payment_method=request.payment_method or "",
        captured=(request.amount or 0) if request.capture else 0,
    )
    return Effect(charge, charge.captured)


def changed(request: Request, charge: Charge) -> Effect | Decline:
    """The charge after a capture, cancel or refund, or why that cannot be."""
    if request.operation is Operation.CANCEL:
        return _canceled(charge)
    if charge.canceled:
        return "charge_canceled"
    if request.currency != charge.currency:
        return "currency_mismatch"
    amount = request.amount or 0
    if request.operation is Operation.CAPTURE:
        return _captured(charge, amount, is_final=request.final)
    return _refunded(charge, amount)


def _captured(charge: Charge, amount: int, *, is_final: bool) -> Effect | Decline:
    if charge.released:
        return "charge_released"
    if amount > charge.amount - charge.captured:
        return "amount_exceeds_authorized"
    captured = charge.captured + amount
    is_released = is_final and captured < charge.amount
    return Effect(replace(charge, captured=captured, released=is_released), amount)


def _refunded(charge: Charge, amount: int) -> Effect | Decline:
    left = charge.captured - charge.refunded
    if amount > left:
        return "amount_exceeds_captured"
    if amount > left - charge.disputed:
        return "charge_disputed"
    return Effect(replace(charge, refunded=charge.refunded + amount), -amount)


def _canceled(charge: Charge) -> Effect | Decline:
    if charge.canceled:
        return Effect(charge)  # whoever cancels twice has what they asked for
    if 0 < charge.captured < charge.amount:
        return Effect(replace(charge, released=True))
    if charge.refunded:
        return "charge_refunded"
    if charge.disputed:
        return "charge_disputed"
    return Effect(replace(charge, canceled=True), -charge.captured)


def fee_of(settled: int) -> int:
    """What the acquirer keeps of money that reaches the merchant; returns are free."""
    return max(settled, 0) * FEE_BASIS_POINTS // 10_000


def request_of(
    operation: Operation,
    body: Mapping[str, object],
    charge_reference: str | None,
) -> Request:
    """The request that a JSON body makes; RequestRefused when a field is wrong or unknown."""
    is_charge = operation is Operation.CHARGE
    has_amount = operation is not Operation.CANCEL
    allowed = {"reference", "description"}
    allowed |= {"amount", "currency"} if has_amount else set()
    allowed |= {"payment_method", "capture"} if is_charge else set()
    allowed |= {"final"} if operation is Operation.CAPTURE else set()
    unknown = sorted(set(body) - allowed)
    if unknown:
        raise _refused(f"unknown field: {unknown[0]}")
    reference = text_of(body, "reference", REFERENCE_LENGTH_MAX)
    return Request(
        operation=operation,
        reference=reference,
        charge_reference=charge_reference or reference,
        amount=amount_of(body) if has_amount else None,
        currency=_currency(body) if has_amount else None,
        payment_method=text_of(body, "payment_method", TEXT_LENGTH_MAX) if is_charge else None,
        capture=_flag(body, "capture") if is_charge else False,
        description=_optional_text(body, "description"),
        final="final" in body and _flag(body, "final"),
    )


def _refused(message: str) -> RequestRefused:
    return RequestRefused(400, "invalid_request", message)


def text_of(body: Mapping[str, object], name: str, length_max: int) -> str:
    """A text of the body; RequestRefused for what is none, or too long."""
    value = body.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= length_max or not value.isprintable():
        raise _refused(f"{name}: 1 to {length_max} printable characters")
    return value


def _optional_text(body: Mapping[str, object], name: str) -> str | None:
    return None if body.get(name) is None else text_of(body, name, TEXT_LENGTH_MAX)


def amount_of(body: Mapping[str, object]) -> int:
    """The body's amount; RequestRefused unless it is a whole number in range."""
    value = body.get("amount")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= AMOUNT_MAX:
        raise _refused(f"amount: a whole number of minor units, 1 to {AMOUNT_MAX}")
    return value


def _currency(body: Mapping[str, object]) -> str:
    value = body.get("currency")
    if not isinstance(value, str) or _CURRENCY.fullmatch(value) is None:
        raise _refused("currency: three capital letters")
    return value


def _flag(body: Mapping[str, object], name: str) -> bool:
    value = body.get(name, True)
    if not isinstance(value, bool):
        raise _refused(f"{name}: true or false")
    return value

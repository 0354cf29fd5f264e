"""From what Stripe answers to what is certain. Pure: docs/gateways.md shows these tables.

Statuses and error codes are Stripe's own words, of API v1.
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from paynexus.gateways.outcomes import refused
from paynexus.gateways.port import Outcome, Result

type Body = Mapping[str, object]

REFERENCE = "paynexus_reference"
"""The metadata under which each object carries the reference of the operation that made it."""
CAPTURE_REFERENCE = "paynexus_capture"
"""The metadata under which a payment intent carries the reference of its capture."""
BARRED = "paynexus_barred"
"""The metadata of an intent that was made only so that a charge can't arrive any more."""
REVERSAL = "paynexus_reversal"
"""The metadata of a refund that a cancel made of all that was captured."""

REFERENCE_REUSED = "reference_reused"
UNREADABLE = Result(Outcome.UNKNOWN, code="answer_unreadable")

INTENTS: Mapping[str, Outcome] = MappingProxyType(
    {
        "succeeded": Outcome.APPROVED,
        "requires_capture": Outcome.APPROVED,
        "processing": Outcome.UNKNOWN,
        "requires_action": Outcome.UNKNOWN,
        "requires_confirmation": Outcome.UNKNOWN,
    },
)
"""What an intent's status says of the charge; `canceled` and `requires_payment_method` need
a look at how they came about."""

REFUNDS: Mapping[str, Outcome] = MappingProxyType(
    {
        "succeeded": Outcome.APPROVED,
        "pending": Outcome.UNKNOWN,
        "requires_action": Outcome.UNKNOWN,
        "failed": Outcome.DECLINED,
        "canceled": Outcome.DECLINED,
    },
)
"""What a refund's status says of it."""

_KEPT = (
    "object",
    "id",
    "status",
    "amount",
    "amount_received",
    "amount_capturable",
    "currency",
    "created",
    "livemode",
    "payment_intent",
    "cancellation_reason",
    "failure_reason",
)
"""What may be kept of an object: no card, no payer, and not the client's secret."""


def charged(intent: Body) -> Result:
    """What an intent, as it stands, says of the charge that it was made for."""
    status = _text(intent.get("status"))
    if BARRED in _metadata(intent):
        return _result(Outcome.DECLINED, intent, "canceled_before_arrival")
    if status == "requires_payment_method":
        return _unpaid(intent)
    if status == "canceled":
        return _canceled(intent)
    outcome = INTENTS.get(status or "")
    if outcome is None:
        return UNREADABLE
    code = status if outcome is Outcome.UNKNOWN else None
    return _result(outcome, intent, code)


def _unpaid(intent: Body) -> Result:
    """Refused by the card's bank; without its word, never confirmed, and so not decided."""
    error = intent.get("last_payment_error")
    if not isinstance(error, Mapping):
        return _result(Outcome.UNKNOWN, intent, "requires_payment_method")
    return _result(Outcome.DECLINED, intent, _decline_code(error), _text(error.get("message")))


def _canceled(intent: Body) -> Result:
    """A charge that was approved before it was canceled stays approved: the cancel is its own."""
    charge = intent.get("latest_charge")
    if isinstance(charge, Mapping) and charge.get("status") == "succeeded":
        return _result(Outcome.APPROVED, intent, None)
    if charge is None or (isinstance(charge, Mapping) and charge.get("status") == "failed"):
        return _result(Outcome.DECLINED, intent, "charge_canceled")
    return _result(Outcome.UNKNOWN, intent, "charge_canceled")


def refunded(refund: Body) -> Result:
    """What a refund, as it stands, says of itself."""
    status = _text(refund.get("status"))
    outcome = REFUNDS.get(status or "")
    if outcome is None:
        return UNREADABLE
    if outcome is Outcome.UNKNOWN:
        return _result(outcome, refund, "processing")
    code = _text(refund.get("failure_reason")) or f"refund_{status}"
    return _result(outcome, refund, None if outcome is Outcome.APPROVED else code)


def captured(intent: Body, amount: int) -> Result:
    """What an intent says after its capture was asked for."""
    if intent.get("status") != "succeeded":
        return _result(Outcome.UNKNOWN, intent, _text(intent.get("status")))
    if intent.get("amount_received", amount) != amount:
        return UNREADABLE
    return _result(Outcome.APPROVED, intent, None)


def is_partly_captured(intent: Body) -> bool:
    """Whether less than what was authorised was taken: the rest is given up by then."""
    received, amount = intent.get("amount_received"), intent.get("amount")
    return (
        intent.get("status") == "succeeded"
        and isinstance(received, int)
        and isinstance(amount, int)
        and 0 < received < amount
    )


def canceled(intent: Body) -> Result:
    """What an intent says after its cancel was asked for."""
    if intent.get("status") != "canceled":
        return _result(Outcome.UNKNOWN, intent, _text(intent.get("status")))
    return _result(Outcome.APPROVED, intent, None)


def erred(status: int, error: Body | None) -> Result:
    """What is certain after an error status, with Stripe's own error object if there was one."""
    if error is None:
        return refused(status, None)
    code = _text(error.get("code")) or _text(error.get("type"))
    kept = _kept_of_error(error)
    if error.get("type") == "idempotency_error":
        # The key was used by an earlier request, which may well have taken effect.
        return Result(Outcome.UNKNOWN, code=REFERENCE_REUSED, response=kept)
    if status == HTTPStatus.CONFLICT and code == "idempotency_key_in_use":
        return Result(Outcome.UNKNOWN, code="operation_in_progress", response=kept)
    if code == "rate_limit":
        return Result(Outcome.NOT_SENT, code="gateway_rate_limited", response=kept)
    if status == HTTPStatus.PAYMENT_REQUIRED and code is not None:
        message = _text(error.get("message"))
        return Result(Outcome.DECLINED, _intent_id(error), _decline_code(error), message, kept)
    known = refused(status, code)
    return Result(known.outcome, code=known.code, response=kept)


def reference_of(thing: Body, key: str = REFERENCE) -> str | None:
    """The reference that an object carries."""
    return _text(_metadata(thing).get(key))


def is_about(thing: Body, reference: str, amount: int, currency: str) -> bool:
    """Whether an object is the one that was asked for: one of ours, over this very sum."""
    return (
        reference_of(thing) == reference
        and thing.get("amount") == amount
        and thing.get("currency") == currency
    )


def _result(outcome: Outcome, thing: Body, code: str | None, message: str | None = None) -> Result:
    kept = {name: thing[name] for name in _KEPT if thing.get(name) is not None}
    return Result(outcome, _text(thing.get("id")), code, message, kept)


def _kept_of_error(error: Body) -> dict[str, object]:
    names = ("type", "code", "decline_code", "param")
    return {"error": {name: error[name] for name in names if isinstance(error.get(name), str)}}


def _decline_code(error: Body) -> str | None:
    return _text(error.get("decline_code")) or _text(error.get("code"))


def _intent_id(error: Body) -> str | None:
    intent = error.get("payment_intent")
    return _text(intent.get("id")) if isinstance(intent, Mapping) else None


def _metadata(thing: Body) -> Body:
    metadata = thing.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None

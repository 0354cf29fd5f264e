"""What each operation is at Stripe. One request takes effect, under our reference as its key.

What comes before it only reads or prepares: when that fails, nothing was sent.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from paynexus.gateways.port import Instruction, Operation, Outcome, Result
from paynexus.gateways.stripe import answers
from paynexus.gateways.stripe.amounts import amount_of, currency_of
from paynexus.gateways.stripe.answers import BARRED, CAPTURE_REFERENCE, REFERENCE, REVERSAL, Body
from paynexus.gateways.stripe.line import CallEnded, Line
from paynexus.gateways.stripe.lookup import (
    Lookup,
    find_intent,
    intent_of,
    is_captured_under,
    refunds_of,
)

AMOUNT_UNSUPPORTED = Result(Outcome.DECLINED, code="amount_unsupported")
PARTS_UNSUPPORTED = Result(
    Outcome.DECLINED,
    code="partial_captures_unsupported",
    message="This gateway captures an authorization once. Capture it with final_capture.",
)
"""Stripe would release the rest with the first part, and the next one would find nothing."""
UNKNOWN_CHARGE = Result(Outcome.DECLINED, code="unknown_charge")
CHARGE_NOT_FOUND = Result(Outcome.NOT_SENT, code="charge_not_found")


def perform(line: Line, instruction: Instruction) -> Result:
    """What came of the instruction, sent once."""
    try:
        return _PERFORM[instruction.operation](line, instruction)
    except CallEnded as end:
        return end.result


def find_original(line: Line, instruction: Instruction) -> Lookup:
    """The intent of the charge that an instruction speaks of. Raises CallEnded."""
    if instruction.original_gateway_reference is not None:
        return Lookup(intent_of(line, instruction.original_gateway_reference))
    return find_intent(line, _original_reference(instruction))


def refuse_authentication(line: Line, intent: Body) -> Result:
    """Declined, once the intent is closed: nobody here can answer the bank's question."""
    required = "authentication_required"
    with suppress(CallEnded):
        closed = _cancel_intent(line, intent, f"{answers.reference_of(intent)}-close")
        if closed.outcome is Outcome.APPROVED:
            return replace(closed, outcome=Outcome.DECLINED, code=required)
    return Result(Outcome.UNKNOWN, code=required)


def _charge(line: Line, instruction: Instruction) -> Result:
    amount = amount_of(instruction.money)
    if amount is None:
        return AMOUNT_UNSUPPORTED
    params: Any = _intent_params(instruction, amount, instruction.reference) | {
        "payment_method": instruction.payment_method,
        "capture_method": "automatic" if instruction.capture else "manual",
        "confirm": True,
    }
    options = _key(instruction.reference)
    intent = line.ask(lambda: line.api.payment_intents.create(params, options))
    if not answers.is_about(intent, instruction.reference, amount, params["currency"]):
        return answers.UNREADABLE
    if intent.get("status") == "requires_action":
        return refuse_authentication(line, intent)
    return answers.charged(intent)


def _capture(line: Line, instruction: Instruction) -> Result:
    amount = amount_of(instruction.money)
    if amount is None:
        return AMOUNT_UNSUPPORTED
    if not instruction.is_final:
        return PARTS_UNSUPPORTED
    with _nothing_sent():
        found = find_original(line, instruction)
        if found.intent is None:
            return _no_charge(found)
        intent, reference = found.intent, instruction.reference
        if is_captured_under(intent, reference):
            return answers.captured(intent, amount)
        if intent.get("status") == "requires_capture":
            _mark(line, intent, reference)
    params: Any = {"amount_to_capture": amount}
    name, options = str(intent["id"]), _key(reference)
    return answers.captured(
        line.ask(lambda: line.api.payment_intents.capture(name, params, options)), amount
    )


def _mark(line: Line, intent: Body, reference: str) -> None:
    """The intent says under which reference it is captured: a capture has no object of its own."""
    params: Any = {"metadata": {CAPTURE_REFERENCE: reference}}
    name, options = str(intent["id"]), _key(f"{reference}-mark")
    line.ask(lambda: line.api.payment_intents.update(name, params, options))


def _cancel(line: Line, instruction: Instruction) -> Result:
    with _nothing_sent():
        found = find_original(line, instruction)
    if found.intent is None:
        if _bar(line, instruction):
            return Result(Outcome.APPROVED)
        with _nothing_sent():
            found = find_intent(line, _original_reference(instruction))
        if found.intent is None:
            return CHARGE_NOT_FOUND
    if answers.is_partly_captured(found.intent):
        # Stripe gave the rest up when it captured; what was captured stays the merchant's.
        return Result(Outcome.APPROVED, gateway_reference=str(found.intent["id"]))
    if found.intent.get("status") == "succeeded":
        return _reverse(line, found.intent, instruction.reference)
    if found.intent.get("status") == "canceled":
        return answers.canceled(found.intent)
    return _cancel_intent(line, found.intent, instruction.reference)


def _bar(line: Line, instruction: Instruction) -> bool:
    """Whether the charge's key is now taken by an intent that can't take money.

    If not, the charge itself has used it. Whatever arrives later under it with the charge's own
    parameters, Stripe refuses. Raises CallEnded when neither is certain.
    """
    reference, amount = _original_reference(instruction), amount_of(instruction.money)
    params: Any = _intent_params(instruction, amount or 0, reference)
    params["metadata"] |= {BARRED: "true"}
    options = _key(reference)
    try:
        intent = line.ask(lambda: line.api.payment_intents.create(params, options))
    except CallEnded as end:
        if end.result.code == answers.REFERENCE_REUSED:
            return False
        raise
    with suppress(CallEnded):
        # For tidiness alone: it has no payment method.
        _cancel_intent(line, intent, instruction.reference)
    return True


def _reverse(line: Line, intent: Body, reference: str) -> Result:
    """All that was captured goes back, unless some of it already has; twice is once."""
    with _nothing_sent():
        others = refunds_of(line, str(intent["id"]))
    for one in others:
        if answers.reference_of(one, REVERSAL) is not None:
            return answers.refunded(one)
    if any(one.get("status") not in {"failed", "canceled"} for one in others):
        return Result(Outcome.DECLINED, str(intent["id"]), "charge_refunded")
    return _refunded(line, intent, {REFERENCE: reference, REVERSAL: reference})


def _refund(line: Line, instruction: Instruction) -> Result:
    amount = amount_of(instruction.money)
    if amount is None:
        return AMOUNT_UNSUPPORTED
    with _nothing_sent():
        found = find_original(line, instruction)
    if found.intent is None:
        return _no_charge(found)
    return _refunded(line, found.intent, {REFERENCE: instruction.reference}, amount=amount)


def _refunded(line: Line, intent: Body, metadata: Mapping[str, str], **amount: int) -> Result:
    reference = metadata[REFERENCE]
    params: Any = {"payment_intent": intent["id"], "metadata": metadata, **amount}
    refund = line.ask(lambda: line.api.refunds.create(params, _key(reference)))
    if answers.reference_of(refund) != reference:
        return answers.UNREADABLE
    return answers.refunded(refund)


def _cancel_intent(line: Line, intent: Body, key: str) -> Result:
    name, options = str(intent["id"]), _key(key)
    return answers.canceled(line.ask(lambda: line.api.payment_intents.cancel(name, None, options)))


def _intent_params(instruction: Instruction, amount: int, reference: str) -> dict[str, Any]:
    metadata = {REFERENCE: reference}
    if instruction.description is not None:
        # Not Stripe's own `description`, which stands on the receipts that it mails to payers.
        metadata["description"] = instruction.description
    return {
        "amount": amount,
        "currency": currency_of(instruction.money),
        "payment_method_types": ["card"],
        "metadata": metadata,
    }


def _no_charge(found: Lookup) -> Result:
    return UNKNOWN_CHARGE if found.is_complete else CHARGE_NOT_FOUND


def _original_reference(instruction: Instruction) -> str:
    return instruction.original_reference or instruction.reference


def _key(key: str) -> Any:  # noqa: ANN401 - the SDK's own options
    return {"idempotency_key": key}


@contextmanager
def _nothing_sent() -> Iterator[None]:
    """However a call in here ends, the operation itself was not sent."""
    try:
        yield
    except CallEnded as end:
        raise CallEnded(replace(end.result, outcome=Outcome.NOT_SENT)) from end


_PERFORM: Mapping[Operation, Callable[[Line, Instruction], Result]] = MappingProxyType(
    {
        Operation.CHARGE: _charge,
        Operation.CAPTURE: _capture,
        Operation.CANCEL: _cancel,
        Operation.REFUND: _refund,
    },
)

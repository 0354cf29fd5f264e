"""What became of an operation, as Stripe's objects show it."""

from dataclasses import dataclass

from paynexus.gateways.port import Instruction, Operation, Result, Sent
from paynexus.gateways.stripe import answers
from paynexus.gateways.stripe.amounts import amount_of, currency_of
from paynexus.gateways.stripe.answers import Body
from paynexus.gateways.stripe.line import Line
from paynexus.gateways.stripe.lookup import Lookup, find_intent, find_refund, is_captured_under
from paynexus.gateways.stripe.operations import find_original, refuse_authentication


@dataclass(frozen=True, slots=True)
class Finding:
    """What is certain, if the operation left a trace; otherwise how far the look went."""

    result: Result | None
    lookup: Lookup


def look_up(line: Line, reference: str, sent: Sent | None) -> Finding:
    """The trace of what was sent under `reference`. Raises CallEnded."""
    if sent is None or sent.instruction.operation is Operation.CHARGE:
        found = find_intent(line, reference)
        if found.intent is None:
            return Finding(None, found)
        return Finding(_charged(line, found.intent, sent), found)
    found = find_original(line, sent.instruction)
    if found.intent is None:
        return Finding(None, found)
    return Finding(_followed(line, found.intent, sent.instruction), found)


def _charged(line: Line, intent: Body, sent: Sent | None) -> Result:
    if sent is not None and not _is_about(intent, sent.instruction):
        return answers.UNREADABLE
    if intent.get("status") == "requires_action":
        return refuse_authentication(line, intent)
    return answers.charged(intent)


def _is_about(intent: Body, instruction: Instruction) -> bool:
    amount = amount_of(instruction.money)
    currency = currency_of(instruction.money)
    return amount is not None and answers.is_about(intent, instruction.reference, amount, currency)


def _followed(line: Line, intent: Body, instruction: Instruction) -> Result | None:
    reference = instruction.reference
    if instruction.operation is Operation.CAPTURE:
        if not is_captured_under(intent, reference):
            return None
        return answers.captured(intent, amount_of(instruction.money) or 0)
    if instruction.operation is Operation.CANCEL and intent.get("status") == "canceled":
        return answers.canceled(intent)
    refund = find_refund(line, str(intent["id"]), reference)
    return None if refund is None else answers.refunded(refund)

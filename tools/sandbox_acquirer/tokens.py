"""Magic tokens: what each payment method makes the acquirer do. Pure: tables and look-ups."""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass


class Fault(enum.StrEnum):
    """How an exchange goes wrong; BEFORE leaves no trace of the operation, AFTER leaves it done."""

    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    DISCONNECT_BEFORE = "disconnect_before"
    DISCONNECT_AFTER = "disconnect_after"
    GARBLED_AFTER = "garbled_after"
    RATE_LIMITED = "rate_limited"
    SLOW = "slow"
    DUPLICATE_CALLBACK = "duplicate_callback"


BEFORE_EFFECT = frozenset(
    {Fault.TIMEOUT_BEFORE, Fault.ERROR_BEFORE, Fault.DISCONNECT_BEFORE, Fault.RATE_LIMITED},
)
"""Faults after which the acquirer has never heard of the reference."""

SLOW_SECONDS = 2.0
FIRST = "sandbox"
"""The name of the acquirer, unless it is a second one."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What happens to an operation: a decline, a fault, or neither, which is an approval."""

    does: str
    decline: str | None = None
    fault: Fault | None = None
    dispute: str | None = None
    """How a dispute of the charge stands right after the operation: `open`, `won` or `lost`."""
    once: bool = False
    """Only the first send of a reference meets the fault; the next is approved."""


APPROVAL = Behaviour("Approves.")
UNKNOWN_TOKEN = Behaviour("Declines: no such token.", decline="unknown_payment_method")

DECLINES: Mapping[str, str] = {
    "decline_insufficient_funds": "insufficient_funds",
    "decline_do_not_honor": "do_not_honor",
    "decline_expired": "expired_card",
    "decline_stolen": "stolen_card",
    "decline_lost": "lost_card",
    "decline_invalid_cvc": "invalid_cvc",
    "decline_limit_exceeded": "limit_exceeded",
    "decline_restricted": "restricted_card",
    "decline_issuer_unavailable": "issuer_unavailable",
    "decline": "generic_decline",
}

FAULTS: Mapping[Fault, str] = {
    Fault.TIMEOUT_BEFORE: "Never answers and does nothing; an inquiry finds nothing (404).",
    Fault.TIMEOUT_AFTER: "Approves, but never answers; an inquiry finds the approval.",
    Fault.ERROR_BEFORE: "Answers 500 and does nothing; an inquiry finds nothing (404).",
    Fault.ERROR_AFTER: "Approves, but answers 500; an inquiry finds the approval.",
    Fault.DISCONNECT_BEFORE: "Hangs up at once and does nothing; an inquiry finds nothing (404).",
    Fault.DISCONNECT_AFTER: "Approves, then hangs up; an inquiry finds the approval.",
    Fault.GARBLED_AFTER: "Approves, but answers 200 with a torn body; an inquiry finds it.",
    Fault.RATE_LIMITED: "Answers 429 with Retry-After and does nothing.",
    Fault.SLOW: "Approves after 2 seconds; meanwhile an inquiry says `processing`.",
    Fault.DUPLICATE_CALLBACK: "Approves, and delivers its callback twice.",
}

DISPUTES: Mapping[str, str] = {
    "dispute": "open",
    "dispute_won": "won",
    "dispute_lost": "lost",
}

ONCE = frozenset(BEFORE_EFFECT)
"""Faults which also exist as `…_once`: a second send of the same reference is approved."""


def _behaviours() -> dict[str, Behaviour]:
    table = {"approve": APPROVAL}
    for name, code in DECLINES.items():
        table[name] = Behaviour(f"Declines with `{code}`.", decline=code)
    for fault, does in FAULTS.items():
        table[fault.value] = Behaviour(does, fault=fault)
        if fault in ONCE:
            table[f"{fault.value}_once"] = Behaviour(
                f"The first send of a reference as `tok_{fault.value}`; the next approves.",
                fault=fault,
                once=True,
            )
    for name, state in DISPUTES.items():
        end = "" if state == "open" else f" The dispute is {state} at once."
        does = f"Approves, and the payer disputes all that was captured.{end}"
        table[name] = Behaviour(does, dispute=state)
    return table


BEHAVIOURS: Mapping[str, Behaviour] = _behaviours()
LATER_OPERATIONS = ("capture", "cancel", "refund")
_TOKEN = re.compile(rf"tok_(?:({'|'.join(LATER_OPERATIONS)})_)?(.+)")
_PLACE = re.compile(r"_at_(sandbox(?:_two)?)(?=_|$)")
_LONGEST_FIRST = sorted(BEHAVIOURS, key=len, reverse=True)


def behaviour_of(token: str, operation: str, *, acquirer: str = FIRST) -> Behaviour:
    """
    What `token` makes `operation` do at the acquirer of this name.

    A token speaks of the charge unless it names another operation: `tok_refund_timeout_after`
    approves the charge and lets the refund time out. Whatever follows a known name is a free
    suffix, so that a test can have as many different cards as it likes. With `_at_sandbox` in it
    the token does so at that acquirer, and is approved by the other.
    """
    match = _TOKEN.fullmatch(token)
    if match is None:
        return UNKNOWN_TOKEN
    target, rest = match[1] or "charge", match[2]
    found = next((name for name in _LONGEST_FIRST if rest.startswith(name)), None)
    if found is None:
        return UNKNOWN_TOKEN
    place = _PLACE.search(rest)
    if place is not None and place[1] != acquirer:
        return APPROVAL
    return BEHAVIOURS[found] if target == operation else APPROVAL

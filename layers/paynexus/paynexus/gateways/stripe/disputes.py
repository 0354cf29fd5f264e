"""Disputes as Stripe tells of them. Statuses are Stripe's own words, of API v1."""

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from paynexus.gateways.port import DisputeState, GatewayDispute, Outcome, Result
from paynexus.gateways.stripe.amounts import minor_of
from paynexus.gateways.stripe.answers import UNREADABLE, Body, reference_of
from paynexus.gateways.stripe.line import CallEnded, Line
from paynexus.money import Money

STATES: Mapping[str, DisputeState] = MappingProxyType(
    {
        "warning_needs_response": DisputeState.INQUIRY,
        "warning_under_review": DisputeState.INQUIRY,
        "warning_closed": DisputeState.INQUIRY,
        "prevented": DisputeState.INQUIRY,
        "needs_response": DisputeState.OPEN,
        "under_review": DisputeState.OPEN,
        "won": DisputeState.WON,
        "lost": DisputeState.LOST,
    }
)
"""What a status says of the money: with the first four, Stripe has taken none."""
MISSING = "resource_missing"


def look_up(line: Line, dispute_id: str) -> GatewayDispute | Result:
    """The dispute as it stands; DECLINED when Stripe knows none, UNKNOWN when it can't be asked."""
    params: Any = {"expand": ["payment_intent"]}
    try:
        found = line.ask(lambda: line.api.disputes.retrieve(dispute_id, params))
    except CallEnded as end:
        is_none = end.result.outcome is Outcome.DECLINED and end.result.code == MISSING
        return Result(Outcome.DECLINED if is_none else Outcome.UNKNOWN, code=end.result.code)
    return read(found, dispute_id)


def read(dispute: Body, dispute_id: str) -> GatewayDispute | Result:
    """What a dispute, with its payment intent in place, says; UNKNOWN for what is no such thing.

    Of an intent that is none of ours it says so by an empty reference.
    """
    state, money = STATES.get(str(dispute.get("status"))), _money(dispute)
    intent, reason = dispute.get("payment_intent"), dispute.get("reason")
    if dispute.get("id") != dispute_id or state is None or money is None:
        return UNREADABLE
    reference = reference_of(intent) if isinstance(intent, Mapping) else None
    return GatewayDispute(
        dispute_id,
        reference or "",
        state,
        money,
        reason if isinstance(reason, str) else None,
        _respond_by(dispute),
    )


def _money(dispute: Body) -> Money | None:
    amount, currency = dispute.get("amount"), str(dispute.get("currency")).upper()
    minor = minor_of(amount, currency) if isinstance(amount, int) else None
    return Money(minor, currency) if minor and minor > 0 else None


def _respond_by(dispute: Body) -> dt.datetime | None:
    details = dispute.get("evidence_details")
    due = details.get("due_by") if isinstance(details, Mapping) else None
    return dt.datetime.fromtimestamp(due, dt.UTC) if isinstance(due, int) else None

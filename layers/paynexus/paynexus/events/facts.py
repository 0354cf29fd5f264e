"""Every fact we publish: its topic, its data model and one believable sample."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, create_model

from paynexus.events.data import (
    DisputeData,
    Envelope,
    FraudCaseData,
    FraudDecisionData,
    FraudPromotionData,
    GatewayCircuitData,
    PaymentData,
    RefundData,
    SettlementData,
    TransferData,
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact's topic, its data model, and the envelope of one that could have happened."""

    topic: str
    model: type[BaseModel]
    sample: Mapping[str, Any]


_ID = "01jd3x8k5v7wqs2r9h4mc6t0ne"
_CREATED = "2026-11-22T16:50:00.123456Z"
_FAILURE = {"code": "insufficient_funds", "message": "The card has insufficient funds."}
_CHALLENGE = {"type": "challenge", "confirm_path": f"/v1/payments/pay_{_ID}/confirm"}
_EUR_12_50 = {"amount": 1250, "currency": "EUR"}
_EUR_0 = {"amount": 0, "currency": "EUR"}


def _sample(kind: str, object_id: str, sequence: int, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"evt_{_ID}",
        "type": kind,
        "created": _CREATED,
        "mode": "test",
        "merchant_id": f"mer_{_ID}",
        "object_id": object_id,
        "sequence": sequence,
        "data": data,
    }


def _payment(kind: str, sequence: int, status: str, **changes: object) -> Fact:
    data: dict[str, object] = {
        "id": f"pay_{_ID}",
        "object": "payment",
        "status": status,
        "amount": _EUR_12_50,
        "captured": _EUR_0,
        "refunded": _EUR_0,
        "disputed": _EUR_0,
        "fee": _EUR_0,
        "capture": "automatic",
        "payment_method": "tok_approve",
        "reference": "order-4711",
        "description": "Two coffees and a croissant",
        "customer": {"id": "customer-42"},
        "qr_code": None,
        "failure": None,
        "next_action": None,
        "metadata": {"table": "7"},
        "mode": "test",
        "created": _CREATED,
    }
    sample = _sample(kind, f"pay_{_ID}", sequence, data | changes)
    return Fact("payments.events", PaymentData, sample)


def _refund(kind: str, sequence: int, status: str, failure: object = None) -> Fact:
    data = {
        "id": f"re_{_ID}",
        "object": "refund",
        "payment": f"pay_{_ID}",
        "status": status,
        "amount": {"amount": 450, "currency": "EUR"},
        "reason": "The croissant was sold out",
        "failure": failure,
        "mode": "test",
        "created": _CREATED,
    }
    return Fact("payments.events", RefundData, _sample(kind, f"re_{_ID}", sequence, data))


def _dispute(kind: str, sequence: int, status: str) -> Fact:
    data = {
        "id": f"dp_{_ID}",
        "object": "dispute",
        "payment": f"pay_{_ID}",
        "status": status,
        "amount": _EUR_12_50,
        "covered": {"amount": 800, "currency": "EUR"},
        "reason": "product_not_received",
        "respond_by": "2026-12-06T23:59:59.000Z",
        "mode": "test",
        "created": _CREATED,
    }
    return Fact("payments.events", DisputeData, _sample(kind, f"dp_{_ID}", sequence, data))


def _transfer(kind: str, sequence: int, debit: int, credit: int, *, released: int = 0) -> Fact:
    data = {
        "transfer": f"tr_{_ID}",
        "kind": "payment",
        "payment": f"pay_{_ID}",
        "cause": f"pay_{_ID}",
        "reverses": None,
        "debit_account": "acc_01jd3x8k5v7wqs2r9h4mc6t0nf",
        "credit_account": "acc_01jd3x8k5v7wqs2r9h4mc6t0ng",
        "amount": 1250,
        "released": released,
        "currency": "EUR",
        "final": kind != "transfer.pending.v1",
        "effective": _CREATED,
        "debit_slot": 11,
        "debit_balance_after": debit,
        "credit_slot": 0,
        "credit_balance_after": credit,
    }
    return Fact("ledger.changes", TransferData, _sample(kind, f"tr_{_ID}", sequence, data))


_CLOSED = {"code": "AC04", "message": "The account is closed: give us another one."}


def _settlement(kind: str, sequence: int, status: str, **changes: object) -> Fact:
    data: dict[str, object] = {
        "id": f"set_{_ID}",
        "object": "settlement",
        "status": status,
        "amount": {"amount": 98155, "currency": "EUR"},
        "reserve": {"amount": 0, "currency": "EUR"},
        "mode": "test",
        "cutoff": "2026-11-22T00:00:00+00:00",
        "expected_on": "2026-11-24",
        "payout_account": {"holder": "Café Müller", "iban": "DE89…3000", "bic": None},
        "bank_reference": "PNXS01JD3X8K5V7WQS2R9H4MC6T0NE",
        "failure": None,
        "created": _CREATED,
        "processed": None,
    }
    sample = _sample(kind, f"set_{_ID}", sequence, data | changes)
    return Fact("settlements.events", SettlementData, sample)


def _fraud(kind: str, verdict: str, *reasons: dict[str, str], skipped: Sequence[str] = ()) -> Fact:
    data = {
        "id": f"frd_{_ID}",
        "object": "fraud_decision",
        "payment": f"pay_{_ID}",
        "verdict": verdict,
        "reasons": list(reasons),
        "skipped": list(skipped),
        "amount": {"amount": 75000, "currency": "EUR"},
        "mode": "test",
        "created": _CREATED,
    }
    return Fact("fraud.alerts", FraudDecisionData, _sample(kind, f"frd_{_ID}", 1, data))


def _fraud_case(kind: str, sequence: int, state: str, **changes: object) -> Fact:
    data: dict[str, object] = {
        "id": f"frc_{_ID}",
        "object": "fraud_case",
        "payment": f"pay_{_ID}",
        "verdict": "CHALLENGE",
        "score": 0.83,
        "amount": {"amount": 75000, "currency": "EUR"},
        "state": state,
        "outcome": None,
        "mode": "test",
        "created": _CREATED,
        "closed": None,
    }
    sample = _sample(kind, f"frc_{_ID}", sequence, data | changes)
    return Fact("fraud.alerts", FraudCaseData, sample)


def _circuit(kind: str, sequence: int, before: str, state: str) -> Fact:
    data = {
        "id": f"gw_{_ID}",
        "object": "gateway_circuit",
        "gateway": "sandbox",
        "before": before,
        "state": state,
        "mode": "test",
        "changed": _CREATED,
    }
    sample = _sample(kind, f"gw_{_ID}", sequence, data) | {"merchant_id": None}
    return Fact("gateways.events", GatewayCircuitData, sample)


def _promotion(kind: str, sequence: int, **changes: object) -> Fact:
    data: dict[str, object] = {
        "id": f"fpr_{_ID}",
        "object": "fraud_promotion",
        "merchant": f"mer_{_ID}",
        "backtest": f"fbt_{_ID}",
        "subject": f"frl_{_ID}",
        "change": {"type": "rule", "rule": f"frl_{_ID}", "version": f"frv_{_ID}"},
        "because": None,
        "promoted_by": "pnx_test_4fQ2mB7sT9xKd0Zr1LhWvN",
        "reverted_by": None,
        "mode": "test",
        "created": _CREATED,
        "reverted": None,
    }
    sample = _sample(kind, f"fpr_{_ID}", sequence, data | changes)
    return Fact("fraud.alerts", FraudPromotionData, sample)


_FACTS = (
    _payment("payment.created.v1", 1, "PENDING"),
    _payment("payment.challenged.v1", 2, "CHALLENGED", next_action=_CHALLENGE),
    _payment("payment.authorized.v1", 2, "AUTHORIZED", capture="manual"),
    _payment(
        "payment.completed.v1",
        2,
        "COMPLETED",
        captured=_EUR_12_50,
        fee={"amount": 44, "currency": "EUR"},
    ),
    _payment(
        "payment.partially_captured.v1",
        3,
        "AUTHORIZED",
        capture="manual",
        captured={"amount": 500, "currency": "EUR"},
        fee={"amount": 32, "currency": "EUR"},
    ),
    _payment("payment.failed.v1", 2, "FAILED", failure=_FAILURE),
    _payment("payment.canceled.v1", 3, "CANCELED", capture="manual"),
    _payment("payment.unknown.v1", 2, "UNKNOWN"),
    _payment("payment.late_approved.v1", 3, "FAILED", failure=_FAILURE),
    _payment("payment.late_approval_returned.v1", 4, "FAILED", failure=_FAILURE),
    _refund("refund.created.v1", 1, "PENDING"),
    _refund("refund.completed.v1", 2, "COMPLETED"),
    _refund("refund.failed.v1", 2, "FAILED", {"code": "refund_declined", "message": None}),
    _dispute("dispute.opened.v1", 1, "OPEN"),
    _dispute("dispute.won.v1", 2, "WON"),
    _dispute("dispute.lost.v1", 2, "LOST"),
    _transfer("transfer.pending.v1", 1, 1250, -3700),
    _transfer("transfer.posted.v1", 2, 71250, -98155, released=1250),
    _transfer("transfer.voided.v1", 2, 0, -2450, released=1250),
    _transfer("transfer.expired.v1", 2, 0, -2450, released=1250),
    _settlement("settlement.created.v1", 1, "PENDING"),
    _settlement("settlement.instructed.v1", 2, "INSTRUCTED"),
    _settlement("settlement.accepted.v1", 3, "ACCEPTED"),
    _settlement("settlement.paid.v1", 4, "PAID", processed=_CREATED),
    _settlement("settlement.failed.v1", 3, "REJECTED", failure=_CLOSED, processed=_CREATED),
    _settlement("settlement.returned.v1", 5, "RETURNED", failure=_CLOSED, processed=_CREATED),
    _fraud(
        "fraud.blocked.v1",
        "BLOCK",
        {
            "source": "list",
            "id": f"fle_{_ID}",
            "code": "fingerprint_listed",
            "action": "block",
            "detail": "The payment method is on a list.",
        },
    ),
    _fraud_case("fraud.case_opened.v1", 1, "OPEN"),
    _fraud_case(
        "fraud.case_closed.v1",
        2,
        "CLOSED",
        outcome="confirmed",
        closed=_CREATED,
    ),
    _circuit("gateway.circuit_opened.v1", 1, "CLOSED", "OPEN"),
    _circuit("gateway.circuit_half_opened.v1", 2, "OPEN", "HALF_OPEN"),
    _circuit("gateway.circuit_closed.v1", 3, "HALF_OPEN", "CLOSED"),
    _fraud(
        "fraud.challenged.v1",
        "CHALLENGE",
        {
            "source": "rule",
            "id": f"frv_{_ID}",
            "code": "amount_above_challenge_limit",
            "action": "challenge",
            "detail": "The amount is above the merchant's limit for a challenge.",
        },
    ),
    _fraud("fraud.skipped.v1", "ALLOW", skipped=["rules", "model"]),
    _promotion("fraud.promoted.v1", 1),
    _promotion(
        "fraud.reverted.v1",
        2,
        reverted_by="pnx_test_4fQ2mB7sT9xKd0Zr1LhWvN",
        reverted="2026-11-22T17:20:00.123456Z",
    ),
)

FACTS: Mapping[str, Fact] = MappingProxyType({fact.sample["type"]: fact for fact in _FACTS})
"""Every fact we publish, by its versioned type."""


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema of the whole event of this type, envelope and data."""
    envelope = create_model(
        kind,
        __base__=Envelope,
        type=(Literal[kind], ...),
        data=(FACTS[kind].model, ...),
    )
    schema = envelope.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": kind} | schema


def require_valid(event: Mapping[str, Any]) -> None:
    """The event is what its type's version promises; pydantic's ValidationError says what isn't."""
    written = json.dumps(event)
    envelope = Envelope.model_validate_json(written)
    FACTS[envelope.type].model.model_validate_json(json.dumps(event["data"]))

"""The facts we publish: one envelope, one data model per fact, one believable sample of each.

A released version never changes; a fact that must change gets a new version beside the old.
`events/schemas` and `events/samples` are generated from here by `tools.export_schemas`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

_BASE32 = "[0-9a-hjkmnp-tv-z]{26}"

type Topic = Literal["payments.events", "ledger.changes", "settlements.events", "fraud.alerts"]
type Mode = Literal["test", "live"]
type Moment = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|\+00:00)$",
        json_schema_extra={"format": "date-time"},
    ),
]
type Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
type EventText = Annotated[str, Field(pattern=f"^evt_{_BASE32}$")]
type MerchantText = Annotated[str, Field(pattern=f"^mer_{_BASE32}$")]
type PaymentText = Annotated[str, Field(pattern=f"^pay_{_BASE32}$")]
type RefundText = Annotated[str, Field(pattern=f"^re_{_BASE32}$")]
type TransferText = Annotated[str, Field(pattern=f"^tr_{_BASE32}$")]
type AccountText = Annotated[str, Field(pattern=f"^acc_{_BASE32}$")]
type SettlementText = Annotated[str, Field(pattern=f"^set_{_BASE32}$")]
type DecisionText = Annotated[str, Field(pattern=f"^frd_{_BASE32}$")]
type ObjectText = Annotated[str, Field(pattern=f"^[a-z]+_{_BASE32}$")]
type QrCodeText = Annotated[str, Field(pattern=f"^qr_{_BASE32}$")]


class _Strict(BaseModel):
    """Nothing is coerced and nothing unknown passes: what is published is what is written here."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Amount(_Strict):
    """Money in minor units."""

    amount: int
    currency: Currency


class Failure(_Strict):
    """Why something did not come about."""

    code: str
    message: str | None = None


class Customer(_Strict):
    """Who pays, as the merchant names them: events outlive the erasure of anything more."""

    id: str | None


class NextAction(BaseModel):
    """What the payer has to do next; each type has members of its own."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)

    type: str


class PaymentData(_Strict):
    """A payment as it was right after the fact."""

    id: PaymentText
    object: Literal["payment"]
    status: Literal[
        "PENDING", "CHALLENGED", "AUTHORIZED", "UNKNOWN", "COMPLETED", "FAILED", "CANCELED"
    ]
    amount: Amount
    captured: Amount
    refunded: Amount
    fee: Amount
    capture: Literal["automatic", "manual"]
    payment_method: str
    reference: str | None
    description: str | None
    customer: Customer | None
    qr_code: QrCodeText | None
    failure: Failure | None
    next_action: NextAction | None
    metadata: dict[str, str]
    mode: Mode
    created: Moment


class RefundData(_Strict):
    """A refund as it was right after the fact."""

    id: RefundText
    object: Literal["refund"]
    payment: PaymentText
    status: Literal["PENDING", "UNKNOWN", "COMPLETED", "FAILED"]
    amount: Amount
    reason: str | None
    failure: Failure | None
    mode: Mode
    created: Moment


class TransferData(_Strict):
    """One movement in the books, or a step of one.

    `cause` is the object it was made for; `payment` the payment it belongs to, if any.
    """

    transfer: TransferText
    kind: Literal["payment", "fee", "refund", "payout", "payout_paid", "payout_returned"]
    payment: PaymentText | None
    cause: ObjectText
    debit_account: AccountText
    credit_account: AccountText
    amount: Annotated[int, Field(gt=0)]
    currency: Currency


class SettlementData(_Strict):
    """A settlement as it was right after the fact."""

    id: SettlementText
    object: Literal["settlement"]
    status: Literal["INSTRUCTED", "ACCEPTED", "PAID", "FAILED"]
    amount: Amount
    mode: Mode
    cutoff: Moment
    bank_reference: str
    failure: Failure | None
    created: Moment
    processed: Moment | None


class Reason(_Strict):
    """One rule that spoke against a payment; docs/fraud.md lists the codes."""

    code: str
    verdict: Literal["CHALLENGE", "BLOCK"]
    detail: str


class FraudDecisionData(_Strict):
    """What was decided about a payment before it was charged, and every reason for it."""

    id: DecisionText
    object: Literal["fraud_decision"]
    payment: PaymentText
    verdict: Literal["CHALLENGE", "BLOCK"]
    reasons: Annotated[tuple[Reason, ...], Field(min_length=1, strict=False)]
    amount: Amount
    mode: Mode
    created: Moment


class Envelope(_Strict):
    """What surrounds every fact. `sequence` grows by one per object, from 1 on."""

    id: EventText
    type: str
    created: Moment
    mode: Mode
    merchant_id: MerchantText | None
    object_id: ObjectText
    sequence: Annotated[int, Field(ge=1)]
    data: dict[str, JsonValue]


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


def _transfer(kind: str, sequence: int) -> Fact:
    data = {
        "transfer": f"tr_{_ID}",
        "kind": "payment",
        "payment": f"pay_{_ID}",
        "cause": f"pay_{_ID}",
        "debit_account": "acc_01jd3x8k5v7wqs2r9h4mc6t0nf",
        "credit_account": "acc_01jd3x8k5v7wqs2r9h4mc6t0ng",
        "amount": 1250,
        "currency": "EUR",
    }
    return Fact("ledger.changes", TransferData, _sample(kind, f"tr_{_ID}", sequence, data))


def _settlement(kind: str, sequence: int, status: str, **changes: object) -> Fact:
    data: dict[str, object] = {
        "id": f"set_{_ID}",
        "object": "settlement",
        "status": status,
        "amount": {"amount": 98155, "currency": "EUR"},
        "mode": "test",
        "cutoff": "2026-11-22T00:00:00+00:00",
        "bank_reference": "PNXS01JD3X8K5V7WQS2R9H4MC6T0NE",
        "failure": None,
        "created": _CREATED,
        "processed": None,
    }
    sample = _sample(kind, f"set_{_ID}", sequence, data | changes)
    return Fact("settlements.events", SettlementData, sample)


def _fraud(kind: str, verdict: str, code: str, detail: str) -> Fact:
    data = {
        "id": f"frd_{_ID}",
        "object": "fraud_decision",
        "payment": f"pay_{_ID}",
        "verdict": verdict,
        "reasons": [{"code": code, "verdict": verdict, "detail": detail}],
        "amount": {"amount": 75000, "currency": "EUR"},
        "mode": "test",
        "created": _CREATED,
    }
    return Fact("fraud.alerts", FraudDecisionData, _sample(kind, f"frd_{_ID}", 1, data))


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
    _payment("payment.failed.v1", 2, "FAILED", failure=_FAILURE),
    _payment("payment.canceled.v1", 3, "CANCELED", capture="manual"),
    _payment("payment.unknown.v1", 2, "UNKNOWN"),
    _refund("refund.created.v1", 1, "PENDING"),
    _refund("refund.completed.v1", 2, "COMPLETED"),
    _refund("refund.failed.v1", 2, "FAILED", {"code": "refund_declined", "message": None}),
    _transfer("transfer.pending.v1", 1),
    _transfer("transfer.posted.v1", 2),
    _transfer("transfer.voided.v1", 2),
    _settlement("settlement.instructed.v1", 1, "INSTRUCTED"),
    _settlement("settlement.paid.v1", 2, "PAID", processed=_CREATED),
    _settlement("settlement.failed.v1", 2, "FAILED", failure={"code": "AC04"}, processed=_CREATED),
    _fraud("fraud.blocked.v1", "BLOCK", "fingerprint_listed", "The payment method is on a list."),
    _fraud(
        "fraud.challenged.v1",
        "CHALLENGE",
        "amount_above_challenge_limit",
        "75000 EUR minor units are above 50000.",
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

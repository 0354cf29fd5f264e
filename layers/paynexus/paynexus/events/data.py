"""What each kind of fact says: the envelope and a data model per subject, strict to the letter."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

_BASE32 = "[0-9a-hjkmnp-tv-z]{26}"

type Topic = Literal[
    "payments.events", "ledger.changes", "settlements.events", "fraud.alerts", "gateways.events"
]
type Mode = Literal["test", "live"]
type Day = Annotated[
    str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", json_schema_extra={"format": "date"})
]
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
type DisputeText = Annotated[str, Field(pattern=f"^dp_{_BASE32}$")]
type RefundText = Annotated[str, Field(pattern=f"^re_{_BASE32}$")]
type TransferText = Annotated[str, Field(pattern=f"^tr_{_BASE32}$")]
type AccountText = Annotated[str, Field(pattern=f"^acc_{_BASE32}$")]
type SettlementText = Annotated[str, Field(pattern=f"^set_{_BASE32}$")]
type DecisionText = Annotated[str, Field(pattern=f"^frd_{_BASE32}$")]
type FraudCaseText = Annotated[str, Field(pattern=f"^frc_{_BASE32}$")]
type GatewayText = Annotated[str, Field(pattern=f"^gw_{_BASE32}$")]
type ObjectText = Annotated[str, Field(pattern=f"^[a-z]+_{_BASE32}$")]
type PromotionText = Annotated[str, Field(pattern=f"^fpr_{_BASE32}$")]
type BacktestText = Annotated[str, Field(pattern=f"^fbt_{_BASE32}$")]
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
    disputed: Amount
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


class DisputeData(_Strict):
    """A dispute as it was right after the fact.

    `covered` is what its merchant bears unless it is won; the rest of `amount` had gone back to
    the payer before.
    """

    id: DisputeText
    object: Literal["dispute"]
    payment: PaymentText
    status: Literal["OPEN", "WON", "LOST"]
    amount: Amount
    covered: Amount
    reason: str | None
    respond_by: Moment | None
    mode: Mode
    created: Moment


class TransferData(_Strict):
    """One movement in the books, or a step of one.

    `cause` is the object it was made for; `payment` the payment it belongs to, if any. `amount`
    moves, or, of a void or an expiry, doesn't after all; `released` is what this step took out
    of the pending balances. Until a step is `final`, the rest stays there.

    Balances are debits less credits right after this step: posted ones of a posted transfer,
    pending ones of any other. They are those of one slot of the account. An account with a
    single slot, as a merchant's is unless it was spread, has no other; else its balance is the
    sum over its slots.
    """

    transfer: TransferText
    kind: Literal[
        "payment",
        "fee",
        "refund",
        "payout",
        "payout_paid",
        "payout_rejected",
        "payout_returned",
        "gateway_payout",
        "gateway_cost",
        "unexplained_in",
        "unexplained_out",
        "dispute",
        "dispute_cover",
        "dispute_excess",
        "dispute_won",
        "reserve_hold",
        "reserve_release",
        "adjustment",
        "import",
        "reversal",
        "late_approval",
    ]
    payment: PaymentText | None
    cause: ObjectText
    reverses: TransferText | None
    debit_account: AccountText
    credit_account: AccountText
    amount: Annotated[int, Field(gt=0)]
    released: Annotated[int, Field(ge=0)]
    currency: Currency
    final: bool
    effective: Moment
    debit_slot: Annotated[int, Field(ge=0)]
    debit_balance_after: int
    credit_slot: Annotated[int, Field(ge=0)]
    credit_balance_after: int


class PayoutAccount(_Strict):
    """A merchant's bank account, its IBAN masked."""

    holder: str
    iban: str
    bic: str | None


class SettlementData(_Strict):
    """A settlement as it was right after the fact."""

    id: SettlementText
    object: Literal["settlement"]
    status: Literal["PENDING", "INSTRUCTED", "ACCEPTED", "PAID", "REJECTED", "RETURNED"]
    amount: Amount
    reserve: Amount
    mode: Mode
    cutoff: Moment
    expected_on: Day
    payout_account: PayoutAccount
    bank_reference: str
    failure: Failure | None
    created: Moment
    processed: Moment | None


type Check = Literal["lists", "rules", "velocity", "model"]


class Reason(_Strict):
    """One thing that spoke about a payment; docs/fraud.md lists the codes.

    `id` names the list's entry, the version of the rule or model, or the policy's clause.
    """

    source: Literal["list", "rule", "score", "policy"]
    id: str
    code: str
    action: Literal["allow", "block", "challenge", "review"]
    detail: str


class FraudDecisionData(_Strict):
    """What was decided about a payment before it was charged, and every reason for it.

    `skipped` names the checks that could not be made in time.
    """

    id: DecisionText
    object: Literal["fraud_decision"]
    payment: PaymentText
    verdict: Literal["ALLOW", "CHALLENGE", "BLOCK"]
    reasons: Annotated[tuple[Reason, ...], Field(strict=False)]
    skipped: Annotated[tuple[Check, ...], Field(strict=False)]
    amount: Amount
    mode: Mode
    created: Moment


class FraudCaseData(_Strict):
    """A case about a payment, as it was right after the fact: a person looks at it, or has."""

    id: FraudCaseText
    object: Literal["fraud_case"]
    payment: PaymentText
    verdict: Literal["ALLOW", "CHALLENGE", "BLOCK"]
    score: Annotated[float, Field(ge=0, le=1)] | None
    amount: Amount
    state: Literal["OPEN", "CLOSED"]
    outcome: Literal["confirmed", "false_positive", "unclear"] | None
    mode: Mode
    created: Moment
    closed: Moment | None


class GatewayCircuitData(_Strict):
    """What became of the circuit before one gateway: OPEN, the fleet has stopped calling it.

    It belongs to no merchant. Redis counts the calls; a change whose announcement failed is not
    told, and the next one says by `before` that it was missed. A change by a call is told once
    that has ended, so one by a probe may be told before it: `changed`, of the fleet's one clock,
    says which is the later.
    """

    id: GatewayText
    object: Literal["gateway_circuit"]
    gateway: str
    before: Literal["CLOSED", "OPEN", "HALF_OPEN"]
    state: Literal["CLOSED", "OPEN", "HALF_OPEN"]
    mode: Mode
    changed: Moment


class FraudPromotionData(_Strict):
    """A change of what decides about fraud, as it was right after it took effect or was put back.

    `subject` is what was changed: a rule, a list, or one of `model`, `thresholds`, `limits`.
    `merchant` is null for a change of the platform's, which holds for every merchant. `because`
    is the operator's reason for a change that the gate did not let through.
    """

    id: PromotionText
    object: Literal["fraud_promotion"]
    merchant: MerchantText | None
    backtest: BacktestText
    subject: str
    change: dict[str, JsonValue]
    because: str | None
    promoted_by: str
    reverted_by: str | None
    mode: Mode
    created: Moment
    reverted: Moment | None


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

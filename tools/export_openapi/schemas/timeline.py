"""What the items of a payment's timeline look like, kind by kind."""

from typing import Annotated, Literal

from pydantic import Field

from paynexus.events import data
from paynexus.fraud.model import Action, Source, Verdict
from paynexus.gateways.port import Operation, Outcome
from paynexus.gateways.routing import Reason
from paynexus.ledger.model import TransferKind
from paynexus.settlement.model import Status
from tools.export_openapi.schemas.words import (
    Closed,
    DeliveryId,
    EndpointId,
    Moment,
    ObjectId,
    TransferId,
    one_of,
)


class _Item(Closed):
    id: Annotated[str, Field(description="The item's place: a cursor for `starting_after`.")]
    at: Moment


class RequestItem(_Item):
    """A request that acted on the payment."""

    kind: Literal["request"]
    key: Annotated[str, Field(description="Its Idempotency-Key.")]
    operation: str


class AnswerItem(_Item):
    """The answer that a request was given for good."""

    kind: Literal["answer"]
    key: Annotated[str, Field(description="The request's Idempotency-Key.")]
    operation: str
    status: int


class TransferItem(_Item):
    """A booking."""

    kind: Literal["transfer"]
    transfer: TransferId
    transfer_kind: Annotated[str, one_of(TransferKind)]
    state: Literal["single", "pending", "post", "void", "expire"]
    amount: data.Amount
    object_id: ObjectId


class EventItem(_Item):
    """A fact that was announced."""

    kind: Literal["event"]
    event: data.EventText
    type: str
    object_id: ObjectId
    sequence: Annotated[int, Field(ge=1)]


type FraudValue = bool | int | float | str | None


class FraudReason(Closed):
    """One thing that spoke about the payment; docs/fraud.md lists the codes."""

    source: Annotated[str, one_of(Source)]
    id: str
    code: str
    action: Annotated[str, one_of(Action)]
    detail: str


class FraudHit(FraudReason):
    """A reason with what it rested on; in shadow it is none, and decided nothing."""

    is_platform: bool
    is_shadow: bool
    quality: Annotated[float | None, Field(description="of a match by name: 0 to 100")]
    seen: dict[str, FraudValue]


class FraudError(Closed):
    """A rule that could not say anything, and why."""

    id: str
    code: str
    error: str


class FraudModel(Closed):
    """The model that scored the payment, and from which probabilities on it speaks."""

    version: str
    is_shadow: bool
    challenge_at: float
    block_at: float


class FraudTrace(Closed):
    """All that spoke, heeded or not, and all that was seen."""

    hits: list[FraudHit]
    skipped: list[data.Check]
    errors: list[FraudError]
    velocity: Annotated[str, Field(description="where it was counted: redis, postgres, none")]
    features: dict[str, FraudValue]
    score: Annotated[float | None, Field(description="the probability of fraud")]
    model: FraudModel | None


class FraudItem(_Item):
    """What was decided against fraud, and why."""

    kind: Literal["fraud_decision"]
    verdict: Annotated[str, one_of(Verdict)]
    reasons: list[FraudReason]
    trace: FraudTrace


class AttemptRouting(Closed):
    """Why an attempt was made where it was made."""

    reason: Annotated[str, one_of(Reason)]
    rule: str | None
    order: list[str]
    passed_over: dict[str, str]
    success_rates: dict[str, float] = Field(default_factory=dict)


class AttemptItem(_Item):
    """A call of a gateway, or several under one reference."""

    kind: Literal["attempt"]
    operation: Annotated[str, one_of(Operation)]
    number: Annotated[int, Field(ge=1)]
    calls: Annotated[int, Field(ge=0)]
    gateway: str
    reference: str
    amount: data.Amount | None
    outcome: Annotated[str, one_of(Outcome)] | None
    code: str | None
    message: str | None
    routing: AttemptRouting | None
    finished_at: Moment | None


class WebhookItem(_Item):
    """An attempt to tell an endpoint of an event."""

    kind: Literal["webhook_attempt"]
    endpoint: EndpointId
    delivery: DeliveryId
    event: data.EventText
    type: str
    number: Annotated[int, Field(ge=1)]
    status_code: int | None
    error: str | None
    finished_at: Moment | None


class SettlementItem(_Item):
    """The settlement that pays the payment out, and how much of it."""

    kind: Literal["settlement"]
    settlement: data.SettlementText
    status: Annotated[str, one_of(Status)]
    amount: data.Amount
    finished_at: Moment | None


class BankItem(_Item):
    """What the bank said of that settlement."""

    kind: Literal["bank_line"]
    settlement: data.SettlementText
    line: Literal["status", "entry"]
    reference: str
    code: str | None
    amount: data.Amount | None
    booked_on: Annotated[str, Field(json_schema_extra={"format": "date"})] | None


TimelineItem = Annotated[
    RequestItem
    | AnswerItem
    | TransferItem
    | EventItem
    | FraudItem
    | AttemptItem
    | WebhookItem
    | SettlementItem
    | BankItem,
    Field(discriminator="kind"),
]

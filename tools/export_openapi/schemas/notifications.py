"""What answers about events and webhooks look like."""

from typing import Annotated, Literal

from pydantic import Field

from paynexus.events import data
from paynexus.notification.model import DeliveryState, DisabledReason, EndpointStatus
from tools.export_openapi.schemas.money import Settlement
from tools.export_openapi.schemas.payments import Dispute, Payment, Refund
from tools.export_openapi.schemas.words import (
    Closed,
    DeliveryId,
    EndpointId,
    Mode,
    Moment,
    ObjectId,
    one_of,
)


class WebhookEndpoint(Closed):
    """A URL that events are posted to; no event types means every type."""

    id: EndpointId
    object: Literal["webhook_endpoint"]
    url: str
    description: str
    event_types: list[str]
    status: Annotated[str, one_of(EndpointStatus)]
    disabled_reason: Annotated[str, one_of(DisabledReason)] | None
    mode: Mode
    created: Moment


class WebhookEndpointWithSecret(WebhookEndpoint):
    """The endpoint whose secret was made just now; no other answer holds it."""

    secret: Annotated[str, Field(pattern="^whsec_", description="What webhooks are signed with.")]


class DeletedWebhookEndpoint(Closed):
    """An endpoint that is gone."""

    id: EndpointId
    object: Literal["webhook_endpoint"]
    deleted: Literal[True]


class DeliveryAttempt(Closed):
    """One POST; under way, or cut short, while neither status nor error is known."""

    number: Annotated[int, Field(ge=1)]
    started: Moment
    status_code: int | None
    error: str | None
    duration_ms: int | None
    response: Annotated[str | None, Field(description="How the endpoint's answer began.")]


class Delivery(Closed):
    """One event on its way to one endpoint."""

    id: DeliveryId
    object: Literal["delivery"]
    event: data.EventText
    event_type: str
    endpoint: EndpointId
    object_id: ObjectId
    sequence: Annotated[int, Field(ge=1)]
    state: Annotated[str, one_of(DeliveryState)]
    next_attempt: Moment | None
    attempts: list[DeliveryAttempt]
    mode: Mode
    created: Moment


class Event(Closed):
    """A fact, as webhooks carry it: `data` is the object as it was right after it."""

    id: data.EventText
    type: Annotated[str, Field(description="Past tense, with a version: `payment.completed.v1`.")]
    created: Moment
    mode: Mode
    merchant_id: data.MerchantText
    object_id: ObjectId
    sequence: Annotated[int, Field(ge=1, description="One more with each fact of the object.")]
    data: Annotated[
        Payment
        | Refund
        | Dispute
        | Settlement
        | data.FraudDecisionData
        | data.FraudCaseData
        | data.FraudPromotionData,
        Field(discriminator="object"),
    ]

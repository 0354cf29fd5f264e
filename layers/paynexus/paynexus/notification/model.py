"""The words of notification: endpoint, event, delivery, attempt."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from paynexus.ids import DeliveryId, EndpointId, EventId, MerchantId

ANNOUNCED_SOURCES = ("payments.events", "settlements.events")
"""What merchants are told; the same sources that the bus routes to the notification queue."""
ENDPOINTS_MAX = 16
"""Endpoints that one merchant may have in one mode."""
LOOK_BACK = dt.timedelta(days=1)
"""Events older than this are not looked for when deliveries are missing."""
SECRET_OVERLAP = dt.timedelta(hours=24)
"""How long the old secret still signs after a rotation."""


class EndpointStatus(StrEnum):
    """Whether an endpoint is sent anything."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    """Who switched an endpoint off: its merchant, or its own answer 410 Gone."""

    MERCHANT = "merchant"
    GONE = "gone"


class DeliveryState(StrEnum):
    """PENDING until it is resolved: delivered, given up, or no longer wanted."""

    PENDING = "pending"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose things a use case may see and change."""

    merchant_id: MerchantId
    mode: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL that a merchant wants events posted to; no event types means every type."""

    id: EndpointId
    url: str
    description: str
    event_types: list[str]
    status: str
    disabled_reason: str | None
    mode: str
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Event:
    """A fact, as the events table keeps it."""

    id: EventId
    type: str
    mode: str
    merchant_id: MerchantId
    object_id: str
    sequence: int
    data: dict[str, object]
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint."""

    id: DeliveryId
    event_id: EventId
    endpoint_id: EndpointId
    event_type: str
    object_id: str
    sequence: int
    state: str
    attempts: int
    next_attempt_at: dt.datetime | None
    mode: str
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST: under way or cut short while neither status nor error is known."""

    delivery_id: DeliveryId
    number: int
    started_at: dt.datetime
    status_code: int | None
    error: str | None
    duration_ms: int | None
    response: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to make attempt `number` of a delivery, and all that it takes."""

    delivery_id: DeliveryId
    number: int
    endpoint_id: EndpointId
    url: str
    secret: bytes
    previous_secret: bytes | None
    event_id: EventId
    object_id: str


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose attempt is due, now or soon."""

    id: DeliveryId
    next_attempt_at: dt.datetime

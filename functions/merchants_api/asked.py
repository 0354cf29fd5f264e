"""Who asks, under which key, and for which objects: read off a merchant's request."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.api_gateway import BaseRouter
from pydantic import AfterValidator, Field

from paynexus import http, idempotency, ids, runtime
from paynexus.errors import NotFound
from paynexus.events import FACTS
from paynexus.lists.query import Asked, EndpointName, EventName
from paynexus.notification.model import DeliveryState, EndpointStatus, Owner
from paynexus.settlement.model import Status


def _known(kind: str) -> str:
    if kind not in FACTS:
        raise ValueError("no such event type")
    return kind


type Text = Annotated[str, Field(min_length=1, max_length=64)]


class EntriesAsked(Asked):
    """Which ledger entries are asked for."""

    currency: http.Currency | None = None


class SettlementsAsked(Asked):
    """Which settlements are asked for."""

    status: Status | None = None
    currency: http.Currency | None = None


class EventsAsked(Asked):
    """Which events are asked for."""

    type: Annotated[str, AfterValidator(_known)] | None = None
    object_id: Text | None = None


class DeliveriesAsked(Asked):
    """Which deliveries are asked for."""

    event: EventName | None = None
    endpoint: EndpointName | None = None
    state: DeliveryState | None = None


class EndpointsAsked(Asked):
    """Which webhook endpoints are asked for."""

    status: EndpointStatus | None = None


def owner_of(router: BaseRouter) -> Owner:
    """The merchant and mode that the request acts for."""
    principal = runtime.principal(router)
    return Owner(principal.merchant_id, principal.mode)


def key_scope(router: BaseRouter, operation: str) -> idempotency.Scope:
    """Where the request's Idempotency-Key is unique."""
    owner = owner_of(router)
    key = idempotency.key_of(router.current_event.headers)
    return idempotency.Scope(owner.merchant_id, owner.mode, operation, key)


def parsed(prefix: str, text: str, *, what: str) -> UUID:
    """The id that a path names; NotFound for what can't be one."""
    try:
        return ids.parse(prefix, text)
    except ValueError:
        raise NotFound(f"There is no such {what}.") from None

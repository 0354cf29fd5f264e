"""Who asks, under which key, and for which objects: read off a merchant's request."""

import re
from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.api_gateway import BaseRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from paynexus import http, idempotency, ids, runtime
from paynexus.errors import InvalidRequest, NotFound
from paynexus.events import FACTS
from paynexus.lists.query import Asked, EndpointName, EventName
from paynexus.notification.model import DeliveryState, EndpointStatus, Owner
from paynexus.settlement.merchant.model import LINES_LIMIT
from paynexus.settlement.model import Status

ENTRY_ID = re.compile("[1-9][0-9]{0,18}")
ENTRY_ID_MAX = 2**63 - 1


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


class LinesAsked(BaseModel):
    """Which lines of a settlement are asked for; without a limit, as many as the form has."""

    model_config = ConfigDict(frozen=True)

    limit: Annotated[int, Field(ge=1, le=LINES_LIMIT)] | None = None
    starting_after: Annotated[
        str | None, Field(max_length=64, description="the last entry that was seen")
    ] = None

    def after(self) -> int:
        """The entry after which the lines begin; InvalidRequest for what no entry can be."""
        try:
            return 0 if self.starting_after is None else entry_id(self.starting_after)
        except ValueError as error:
            raise InvalidRequest(f"starting_after: {error}", param="starting_after") from None


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


def entry_id(text: str) -> int:
    """The number of a ledger entry; ValueError for what can't be one."""
    if not ENTRY_ID.fullmatch(text) or int(text) > ENTRY_ID_MAX:
        raise ValueError("not an id of a ledger entry")
    return int(text)


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

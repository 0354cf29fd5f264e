"""What happened to a merchant's payments and money."""

from functools import partial
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from merchants_api.asked import EventsAsked, owner_of, parsed
from paynexus import http, ids, runtime
from paynexus.ids import EventId
from paynexus.notification import views
from paynexus.notification.history import service

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.get("/events", summary="List events")
def list_events(asked: Annotated[EventsAsked, Query()]) -> Response[str]:
    """Newest first, all those that fit every filter that is given."""
    page = asked.page(partial(ids.parse, "evt"))
    found, has_more = service.events(runtime.database(), owner_of(router), page)
    return http.reply(200, http.page([views.event(one) for one in found], has_more=has_more))


@router.get("/events/<event_id>", summary="Read an event")
def read_event(event_id: str) -> Response[str]:
    """The event as webhooks carry it."""
    wanted = EventId(parsed("evt", event_id, what="event"))
    return http.reply(200, views.event(service.event(runtime.database(), owner_of(router), wanted)))

"""What happened to a merchant's payments and money."""

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from merchants_api.asked import Limit, Text, cursor, owner_of, parsed
from paynexus import http, runtime
from paynexus.ids import EventId
from paynexus.notification import views
from paynexus.notification.history import service
from paynexus.notification.model import Page

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.get("/events", summary="List events")
def list_events(
    limit: Limit = http.PAGE_SIZE_DEFAULT,
    starting_after: Text = None,
    type: Text = None,  # noqa: A002 - the filter's name in the API
    object_id: Text = None,
) -> Response[str]:
    """Newest first; `starting_after` is the id of the last event that was seen."""
    page = Page(limit, cursor("evt", starting_after))
    found, has_more = service.events(
        runtime.database(), owner_of(router), page, type_=type, object_id=object_id
    )
    return http.reply(200, http.page([views.event(one) for one in found], has_more=has_more))


@router.get("/events/<event_id>", summary="Read an event")
def read_event(event_id: str) -> Response[str]:
    """The event as webhooks carry it."""
    wanted = EventId(parsed("evt", event_id, what="event"))
    return http.reply(200, views.event(service.event(runtime.database(), owner_of(router), wanted)))

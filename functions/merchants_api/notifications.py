"""A merchant's webhook endpoints, the events it is told of, and how telling it went."""

from typing import Annotated, Literal
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from merchants_api.notification_schemas import EndpointChange, EndpointOrder
from paynexus import http, idempotency, ids, runtime
from paynexus.errors import Forbidden, InvalidRequest, NotFound
from paynexus.identity.model import Scope
from paynexus.ids import DeliveryId, EndpointId, EventId
from paynexus.notification import service, views
from paynexus.notification.endpoints import service as endpoints
from paynexus.notification.history import service as history
from paynexus.notification.model import Owner, Page

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open

type Limit = Annotated[int, Query(ge=1, le=http.PAGE_SIZE_LIMIT)]
type Text = Annotated[str | None, Query(max_length=64)]


@router.post("/webhook-endpoints", summary="Create a webhook endpoint")
def create_endpoint(body: Annotated[EndpointOrder, Body()]) -> Response[str]:
    """The answer alone holds the signing `secret`. Needs an Idempotency-Key."""
    answer = endpoints.create(
        runtime.database(),
        runtime.vault(),
        endpoints.Wanted(body.url, body.description, body.event_types),
        networks=runtime.webhook_networks(),
        scope=_scope("POST /webhook-endpoints"),
        fingerprint=idempotency.fingerprint_of("/webhook-endpoints", body.model_dump()),
        now=runtime.clock()(),
    )
    return http.raw_reply(answer.status, answer.body, headers=answer.headers)


@router.get("/webhook-endpoints", summary="List webhook endpoints")
def list_endpoints(
    limit: Limit = http.PAGE_SIZE_DEFAULT, starting_after: Text = None
) -> Response[str]:
    """Newest first; `starting_after` is the id of the last endpoint that was seen."""
    page = Page(limit, _cursor("we", starting_after))
    found, has_more = endpoints.list_of(runtime.database(), _owner(), page)
    return http.reply(200, http.page([views.endpoint(one) for one in found], has_more=has_more))


@router.get("/webhook-endpoints/<endpoint_id>", summary="Read a webhook endpoint")
def read_endpoint(endpoint_id: str) -> Response[str]:
    """An endpoint, without its secret."""
    found = endpoints.find(runtime.database(), _owner(), _endpoint(endpoint_id))
    return http.reply(200, views.endpoint(found))


@router.patch("/webhook-endpoints/<endpoint_id>", summary="Change a webhook endpoint")
def change_endpoint(endpoint_id: str, body: Annotated[EndpointChange, Body()]) -> Response[str]:
    """URL, description, event types, or `status` to stop and start it."""
    changed = endpoints.change(
        runtime.database(),
        _owner(),
        _endpoint(endpoint_id),
        body.model_dump(exclude_none=True),
        networks=runtime.webhook_networks(),
        now=runtime.clock()(),
    )
    return http.reply(200, views.endpoint(changed))


@router.delete("/webhook-endpoints/<endpoint_id>", summary="Delete a webhook endpoint")
def delete_endpoint(endpoint_id: str) -> Response[str]:
    """What waited for it is canceled."""
    now = runtime.clock()()
    endpoints.delete(runtime.database(), _owner(), _endpoint(endpoint_id), now=now)
    return http.reply(200, {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True})


@router.post("/webhook-endpoints/<endpoint_id>/rotate-secret", summary="Rotate a signing secret")
def rotate_secret(endpoint_id: str) -> Response[str]:
    """For a day both secrets sign. The answer holds the new one. Needs an Idempotency-Key."""
    operation = f"/webhook-endpoints/{endpoint_id}/rotate-secret"
    answer = endpoints.rotate_secret(
        runtime.database(),
        runtime.vault(),
        _endpoint(endpoint_id),
        scope=_scope("POST /webhook-endpoints/{id}/rotate-secret"),
        fingerprint=idempotency.fingerprint_of(operation, None),
        now=runtime.clock()(),
    )
    return http.raw_reply(answer.status, answer.body, headers=answer.headers)


@router.get("/events", summary="List events")
def list_events(
    limit: Limit = http.PAGE_SIZE_DEFAULT,
    starting_after: Text = None,
    type: Text = None,  # noqa: A002 - the filter's name in the API
    object_id: Text = None,
) -> Response[str]:
    """Newest first; `starting_after` is the id of the last event that was seen."""
    page = Page(limit, _cursor("evt", starting_after))
    found, has_more = history.events(
        runtime.database(), _owner(), page, type_=type, object_id=object_id
    )
    return http.reply(200, http.page([views.event(one) for one in found], has_more=has_more))


@router.get("/events/<event_id>", summary="Read an event")
def read_event(event_id: str) -> Response[str]:
    """The event as webhooks carry it."""
    wanted = EventId(_parsed("evt", event_id, what="event"))
    return http.reply(200, views.event(history.event(runtime.database(), _owner(), wanted)))


@router.get("/deliveries", summary="List deliveries")
def list_deliveries(
    limit: Limit = http.PAGE_SIZE_DEFAULT,
    starting_after: Text = None,
    event: Text = None,
    endpoint: Text = None,
    state: Annotated[
        Literal["pending", "delivered", "exhausted", "canceled"] | None, Query()
    ] = None,
) -> Response[str]:
    """Newest first, each with every attempt that was made."""
    found, has_more = history.deliveries(
        runtime.database(),
        _owner(),
        Page(limit, _cursor("del", starting_after)),
        event_id=_cursor("evt", event, "event"),
        endpoint_id=_cursor("we", endpoint, "endpoint"),
        state=state,
    )
    return http.reply(200, http.page([views.delivery(*one) for one in found], has_more=has_more))


@router.post("/deliveries/<delivery_id>/retry", summary="Deliver again")
def retry_delivery(delivery_id: str) -> Response[str]:
    """Attempted at once, whatever became of it before. Needs an Idempotency-Key."""
    answer = service.retry(
        runtime.database(),
        runtime.notification_queue(),
        DeliveryId(_parsed("del", delivery_id, what="delivery")),
        scope=_scope("POST /deliveries/{id}/retry"),
        fingerprint=idempotency.fingerprint_of(f"/deliveries/{delivery_id}/retry", None),
        now=runtime.clock()(),
    )
    return http.raw_reply(answer.status, answer.body, headers=answer.headers)


def _owner() -> Owner:
    principal = runtime.principal(router)
    if not principal.has(Scope.WEBHOOKS):
        raise Forbidden(f"This token lacks the scope {Scope.WEBHOOKS}.")
    return Owner(principal.merchant_id, principal.mode)


def _scope(operation: str) -> idempotency.Scope:
    owner = _owner()
    key = idempotency.key_of(router.current_event.headers)
    return idempotency.Scope(owner.merchant_id, owner.mode, operation, key)


def _endpoint(text: str) -> EndpointId:
    return EndpointId(_parsed("we", text, what="webhook endpoint"))


def _parsed(prefix: str, text: str, *, what: str) -> UUID:
    try:
        return ids.parse(prefix, text)
    except ValueError:
        raise NotFound(f"There is no such {what}.") from None


def _cursor(prefix: str, text: str | None, param: str = "starting_after") -> UUID | None:
    if text is None:
        return None
    try:
        return ids.parse(prefix, text)
    except ValueError:
        raise InvalidRequest(
            f"{param}: not an id that starts with {prefix}_", param=param
        ) from None

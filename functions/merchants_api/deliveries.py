"""How telling a merchant of its events went."""

from typing import Annotated, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from merchants_api.asked import Limit, Text, cursor, key_scope, owner_of, parsed
from paynexus import http, idempotency, runtime
from paynexus.ids import DeliveryId
from paynexus.notification import service, views
from paynexus.notification.history import service as history
from paynexus.notification.model import Page

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


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
        owner_of(router),
        Page(limit, cursor("del", starting_after)),
        event_id=cursor("evt", event, "event"),
        endpoint_id=cursor("we", endpoint, "endpoint"),
        state=state,
    )
    return http.reply(200, http.page([views.delivery(*one) for one in found], has_more=has_more))


@router.post("/deliveries/<delivery_id>/retry", summary="Deliver again")
def retry_delivery(delivery_id: str) -> Response[str]:
    """Attempted at once, whatever became of it before. Needs an Idempotency-Key."""
    answer = service.retry(
        runtime.database(),
        runtime.notification_queue(),
        DeliveryId(parsed("del", delivery_id, what="delivery")),
        scope=key_scope(router, "POST /deliveries/{id}/retry"),
        fingerprint=idempotency.fingerprint_of(f"/deliveries/{delivery_id}/retry", None),
        now=runtime.clock()(),
    )
    return http.raw_reply(answer.status, answer.body, headers=answer.headers)

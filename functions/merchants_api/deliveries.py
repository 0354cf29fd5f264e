"""How telling a merchant of its events went."""

from functools import partial
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from merchants_api.asked import DeliveriesAsked, key_scope, owner_of, parsed
from paynexus import http, idempotency, ids, runtime
from paynexus.ids import DeliveryId
from paynexus.notification import service, views
from paynexus.notification.history import service as history

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.get("/deliveries", summary="List deliveries")
def list_deliveries(asked: Annotated[DeliveriesAsked, Query()]) -> Response[str]:
    """Newest first, each with every attempt that was made."""
    page = asked.page(partial(ids.parse, "del"))
    found, has_more = history.deliveries(runtime.database(), owner_of(router), page)
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

"""A merchant's webhook endpoints."""

from functools import partial
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from merchants_api.asked import EndpointsAsked, key_scope, owner_of, parsed
from merchants_api.notification_schemas import EndpointChange, EndpointOrder
from paynexus import http, idempotency, ids, runtime
from paynexus.ids import EndpointId
from paynexus.notification import views
from paynexus.notification.endpoints import service

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.post("/webhook-endpoints", summary="Create a webhook endpoint")
def create_webhook_endpoint(body: Annotated[EndpointOrder, Body()]) -> Response[str]:
    """The answer alone holds the signing `secret`. Needs an Idempotency-Key."""
    answer = service.create(
        runtime.database(),
        runtime.vault(),
        service.Wanted(body.url, body.description, body.event_types),
        networks=runtime.webhook_networks(),
        scope=key_scope(router, "POST /webhook-endpoints"),
        fingerprint=idempotency.fingerprint_of("/webhook-endpoints", body.model_dump()),
        now=runtime.clock()(),
    )
    return http.raw_reply(answer.status, answer.body, headers=answer.headers)


@router.get("/webhook-endpoints", summary="List webhook endpoints")
def list_webhook_endpoints(asked: Annotated[EndpointsAsked, Query()]) -> Response[str]:
    """Newest first, all those that fit every filter that is given."""
    page = asked.page(partial(ids.parse, "we"))
    found, has_more = service.list_of(runtime.database(), owner_of(router), page)
    return http.reply(200, http.page([views.endpoint(one) for one in found], has_more=has_more))


@router.get("/webhook-endpoints/<endpoint_id>", summary="Read a webhook endpoint")
def read_webhook_endpoint(endpoint_id: str) -> Response[str]:
    """An endpoint, without its secret."""
    found = service.find(runtime.database(), owner_of(router), _wanted(endpoint_id))
    return http.reply(200, views.endpoint(found))


@router.patch("/webhook-endpoints/<endpoint_id>", summary="Change a webhook endpoint")
def change_webhook_endpoint(
    endpoint_id: str, body: Annotated[EndpointChange, Body()]
) -> Response[str]:
    """URL, description, event types, or `status` to stop and start it."""
    changed = service.change(
        runtime.database(),
        owner_of(router),
        _wanted(endpoint_id),
        body.model_dump(exclude_none=True),
        networks=runtime.webhook_networks(),
        now=runtime.clock()(),
    )
    return http.reply(200, views.endpoint(changed))


@router.delete("/webhook-endpoints/<endpoint_id>", summary="Delete a webhook endpoint")
def delete_webhook_endpoint(endpoint_id: str) -> Response[str]:
    """What waited for it is canceled."""
    now = runtime.clock()()
    service.delete(runtime.database(), owner_of(router), _wanted(endpoint_id), now=now)
    return http.reply(200, {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True})


@router.post("/webhook-endpoints/<endpoint_id>/rotate-secret", summary="Rotate a signing secret")
def rotate_webhook_secret(endpoint_id: str) -> Response[str]:
    """For a day both secrets sign. The answer holds the new one. Needs an Idempotency-Key."""
    operation = f"/webhook-endpoints/{endpoint_id}/rotate-secret"
    answer = service.rotate_secret(
        runtime.database(),
        runtime.vault(),
        _wanted(endpoint_id),
        scope=key_scope(router, "POST /webhook-endpoints/{id}/rotate-secret"),
        fingerprint=idempotency.fingerprint_of(operation, None),
        now=runtime.clock()(),
    )
    return http.raw_reply(answer.status, answer.body, headers=answer.headers)


def _wanted(text: str) -> EndpointId:
    return EndpointId(parsed("we", text, what="webhook endpoint"))

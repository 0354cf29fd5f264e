"""Disputes over HTTP: read, list."""

from functools import partial
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from payments_api.schemas import DisputesAsked
from paynexus import http, ids, runtime
from paynexus.errors import NotFound
from paynexus.ids import DisputeId
from paynexus.payments import disputes, resource

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.get("/disputes", summary="List disputes")
def list_disputes(asked: Annotated[DisputesAsked, Query()]) -> Response[str]:
    """Newest first, all those that fit every filter that is given."""
    who = runtime.principal(router)
    page = asked.page(partial(ids.parse, "dp"))
    found, has_more = disputes.page(runtime.database(), who.merchant_id, who.mode, page)
    shown = [resource.dispute_resource(dispute) for dispute in found]
    return http.reply(200, http.page(shown, has_more=has_more))


@router.get("/disputes/<dispute_id>", summary="Read a dispute")
def read_dispute(dispute_id: str) -> Response[str]:
    """The dispute as it stands; `covered` is what the merchant bears unless it is won."""
    who = runtime.principal(router)
    try:
        own_id = DisputeId(ids.parse("dp", dispute_id))
    except ValueError:
        raise NotFound("There is no such dispute.") from None
    found = disputes.find(runtime.database(), own_id, who.merchant_id, who.mode)
    return http.reply(200, resource.dispute_resource(found))

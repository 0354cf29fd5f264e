"""Disputes over HTTP: read, list."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from paynexus import http, ids, runtime
from paynexus.errors import InvalidRequest, NotFound
from paynexus.ids import DisputeId
from paynexus.payments import disputes, resource

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.get("/disputes", summary="List disputes")
def list_disputes(
    limit: Annotated[int, Query(ge=1, le=http.PAGE_SIZE_LIMIT)] = http.PAGE_SIZE_DEFAULT,
    starting_after: Annotated[str | None, Query(max_length=64)] = None,
) -> Response[str]:
    """Newest first; `starting_after` is the id of the last dispute that was seen."""
    who = runtime.principal(router)
    found, has_more = disputes.page(
        runtime.database(), who.merchant_id, who.mode, limit=limit, before=_cursor(starting_after)
    )
    page = [resource.dispute_resource(dispute) for dispute in found]
    return http.reply(200, http.page(page, has_more=has_more))


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


def _cursor(text: str | None) -> DisputeId | None:
    try:
        return None if text is None else DisputeId(ids.parse("dp", text))
    except ValueError:
        raise InvalidRequest("No such dispute id.", param="starting_after") from None

"""A merchant's settlements: what was paid out, and what it was made of."""

from functools import partial
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from merchants_api.asked import SettlementsAsked
from paynexus import http, ids, runtime
from paynexus.settlement import service, views

CSV = "text/csv"

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.get("/settlements", summary="List settlements")
def list_settlements(asked: Annotated[SettlementsAsked, Query()]) -> Response[str]:
    """Newest first, all those that fit every filter that is given."""
    principal = runtime.principal(router)
    settlements, has_more = service.list_settlements(
        runtime.database(),
        asked.page(partial(ids.parse, "set")),
        merchant_id=principal.merchant_id,
        mode=principal.mode,
    )
    page = [views.resource(settlement) for settlement in settlements]
    return http.reply(200, http.page(page, has_more=has_more))


@router.get("/settlements/<settlement_id>", summary="Read a settlement")
def read_settlement(settlement_id: str) -> Response[str]:
    """One payout to the merchant."""
    principal = runtime.principal(router)
    settlement = service.settlement(
        runtime.database(),
        settlement_id,
        merchant_id=principal.merchant_id,
        mode=principal.mode,
    )
    return http.reply(200, views.resource(settlement))


@router.get(
    "/settlements/<settlement_id>/statement",
    summary="Read a settlement's entries",
    responses={200: {"description": "The entries", "content": {http.JSON: {}, CSV: {}}}},
)
def read_settlement_statement(settlement_id: str) -> Response[str]:
    """JSON, or CSV for `Accept: text/csv`."""
    principal = runtime.principal(router)
    settlement, lines = service.statement(
        runtime.database(),
        settlement_id,
        merchant_id=principal.merchant_id,
        mode=principal.mode,
    )
    accept = router.current_event.headers.get("accept") or ""
    if CSV in accept.lower():
        return Response(status_code=200, content_type=CSV, body=views.statement_csv(lines))
    return http.reply(200, views.statement(settlement, lines))

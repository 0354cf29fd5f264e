"""A merchant's settlements: what was paid out, what it was made of, and what comes next."""

from functools import partial
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from merchants_api.asked import LinesAsked, SettlementsAsked
from paynexus import http, ids, runtime
from paynexus.settlement.merchant import forms, service, views
from paynexus.settlement.merchant.forms import CSV, JSON, XML
from paynexus.settlement.merchant.model import LINES_DEFAULT

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


@router.get("/settlements/next", summary="Read what is paid next, by currency")
def read_next_settlements() -> Response[str]:
    """When, to which account, how much so far, and what keeps it back."""
    principal, now = runtime.principal(router), runtime.clock()()
    found = service.next_settlements(
        runtime.database(), merchant_id=principal.merchant_id, mode=principal.mode, now=now
    )
    return http.reply(200, http.page([views.upcoming(one) for one in found], has_more=False))


@router.get("/settlements/<settlement_id>", summary="Read a settlement")
def read_settlement(settlement_id: str) -> Response[str]:
    """One payout to the merchant, and what it is made of."""
    principal = runtime.principal(router)
    found = service.detail(
        runtime.database(),
        settlement_id,
        merchant_id=principal.merchant_id,
        mode=principal.mode,
    )
    return http.reply(200, views.detail(found))


@router.get(
    "/settlements/<settlement_id>/statement",
    summary="Read a settlement's entries",
    responses={200: {"description": "The entries", "content": {JSON: {}, CSV: {}, XML: {}}}},
)
def read_settlement_statement(
    settlement_id: str, asked: Annotated[LinesAsked, Query()]
) -> Response[str]:
    """JSON, or CSV for `Accept: text/csv`, or ISO 20022's camt.053 for `application/xml`.

    Without `limit`, a file has all lines and JSON the first hundred; the header `Link` names the
    next page.
    """
    principal = runtime.principal(router)
    media_type = forms.media_type_of(router.current_event.headers.get("accept") or "")
    found = service.statement(
        runtime.database(),
        settlement_id,
        merchant_id=principal.merchant_id,
        mode=principal.mode,
        after=asked.after(),
        limit=asked.limit or (LINES_DEFAULT if media_type == JSON else None),
    )
    headers = {"Vary": "Accept", **forms.next_page(found)}
    body = forms.WRITERS[media_type](found)
    return Response(200, content_type=media_type, body=body, headers=headers)

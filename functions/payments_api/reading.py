"""Payments over HTTP: read, list, timeline."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from payments_api.conclusion import own_payment_id
from paynexus import http, ids, runtime
from paynexus.errors import InvalidRequest
from paynexus.ids import PaymentId
from paynexus.payments import resource, service, timeline

TIMELINE_PAGE_LIMIT = 100
"""Items of a timeline in one answer; few payments have as many."""

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.get("/payments", summary="List payments")
def list_payments(
    limit: Annotated[int, Query(ge=1, le=http.PAGE_SIZE_LIMIT)] = http.PAGE_SIZE_DEFAULT,
    starting_after: Annotated[str | None, Query(max_length=64)] = None,
) -> Response[str]:
    """Newest first; `starting_after` is the id of the last payment that was seen."""
    principal = runtime.principal(router)
    found, has_more = service.page(
        runtime.database(),
        principal.merchant_id,
        principal.mode,
        limit=limit,
        before=_cursor(starting_after),
    )
    page = [resource.payment_resource(payment) for payment in found]
    return http.reply(200, http.page(page, has_more=has_more))


@router.get("/payments/<payment_id>", summary="Read a payment")
def read_payment(payment_id: str) -> Response[str]:
    """The payment as it stands."""
    who = runtime.principal(router)
    own_id = own_payment_id(payment_id)
    payment = service.find(runtime.database(), own_id, who.merchant_id, who.mode)
    return http.reply(200, resource.payment_resource(payment))


@router.get("/payments/<payment_id>/timeline", summary="Read a payment's timeline")
def read_payment_timeline(
    payment_id: str,
    limit: Annotated[int, Query(ge=1, le=TIMELINE_PAGE_LIMIT)] = TIMELINE_PAGE_LIMIT,
    starting_after: Annotated[str | None, Query(max_length=160)] = None,
) -> Response[str]:
    """Everything known of the payment, oldest first: `id`, `at`, `kind`, and the kind's fields.

    Requests and their answers, transfers, events, the fraud decision, attempts at gateways and
    webhooks, settlements and what the bank said. `starting_after` is the last `id` that was seen.
    """
    who = runtime.principal(router)
    items, has_more = timeline.page(
        runtime.database(),
        own_payment_id(payment_id),
        who.merchant_id,
        who.mode,
        limit=limit,
        starting_after=starting_after,
    )
    return http.reply(200, http.page(items, has_more=has_more))


def _cursor(text: str | None) -> PaymentId | None:
    try:
        return None if text is None else PaymentId(ids.parse("pay", text))
    except ValueError:
        raise InvalidRequest("No such payment id.", param="starting_after") from None

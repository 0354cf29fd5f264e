"""Payments over HTTP: read, list, timeline."""

from functools import partial
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from payments_api.conclusion import own_payment_id
from payments_api.schemas import PaymentsAsked
from paynexus import http, ids, runtime
from paynexus.payments import resource, service, timeline

TIMELINE_PAGE_LIMIT = 100
"""Items of a timeline in one answer; few payments have as many."""

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.get("/payments", summary="List payments")
def list_payments(asked: Annotated[PaymentsAsked, Query()]) -> Response[str]:
    """Newest first, all those that fit every filter that is given."""
    who = runtime.principal(router)
    page = asked.page(partial(ids.parse, "pay"))
    found, has_more = service.page(runtime.database(), who.merchant_id, who.mode, page)
    payments = [resource.payment_resource(payment) for payment in found]
    return http.reply(200, http.page(payments, has_more=has_more))


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

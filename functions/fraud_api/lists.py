"""A merchant's lists: whom it lets through, stops, or looks at."""

from functools import partial
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from fraud_api.asked import act_of, narrowed, owner_of
from fraud_api.list_schemas import ListChange, ListOrder
from fraud_api.queries import HitsAsked, ListsAsked
from paynexus import http, ids, runtime
from paynexus.fraud.lists import service, views
from paynexus.fraud.lists.views import HIT_PREFIX, LIST_PREFIX, RESCREENING_PREFIX
from paynexus.lists.query import Asked

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.post("/fraud/lists", summary="Create a fraud list", status_code=201)
def create_fraud_list(body: Annotated[ListOrder, Body()]) -> Response[str]:
    """Empty, and asked at each decision, in both modes. Needs an Idempotency-Key."""
    act = act_of(router, "/fraud/lists", body)
    who, now = act.principal, act.now
    return act.answer(
        lambda tx, made: views.fraud_list(
            service.created(
                tx,
                body.to_wanted(),
                merchant_id=who.merchant_id,
                author=who.client_id,
                now=now,
                list_id=made,
            )
        ),
        status=201,
    )


@router.get("/fraud/lists", summary="List fraud lists")
def list_fraud_lists(asked: Annotated[ListsAsked, Query()]) -> Response[str]:
    """The merchant's own, newest first, all those that fit every filter that is given."""
    page = asked.page(partial(ids.parse, LIST_PREFIX))
    found, has_more = service.lists_of(runtime.database(), page, merchant_id=owner_of(router))
    return http.reply(200, http.page([views.fraud_list(one) for one in found], has_more=has_more))


@router.get("/fraud/lists/<fraud_list_id>", summary="Read a fraud list")
def read_fraud_list(fraud_list_id: str) -> Response[str]:
    """The list, without its entries."""
    found = service.find_list(runtime.database(), fraud_list_id, merchant_id=owner_of(router))
    return http.reply(200, views.fraud_list(found))


@router.patch("/fraud/lists/<fraud_list_id>", summary="Change a fraud list")
def change_fraud_list(fraud_list_id: str, body: Annotated[ListChange, Body()]) -> Response[str]:
    """Note, action, least quality, or `state` to stop and start it; it holds at once.

    All but a note have past payments screened again, unless the list lets pass.
    """
    changed = service.change_list(
        runtime.database(),
        fraud_list_id,
        body.model_dump(exclude_none=True),
        merchant_id=owner_of(router),
        now=runtime.clock()(),
    )
    return http.reply(200, views.fraud_list(changed))


@router.get("/fraud/lists/<fraud_list_id>/rescreenings", summary="List a list's re-screenings")
def list_fraud_rescreenings(fraud_list_id: str, asked: Annotated[Asked, Query()]) -> Response[str]:
    """Each change of a list has past payments held against it; newest first."""
    page = asked.page(partial(ids.parse, RESCREENING_PREFIX))
    owner = owner_of(router)
    found, has_more = service.rescreenings_of(
        runtime.database(), fraud_list_id, page, merchant_id=owner
    )
    return http.reply(200, http.page([views.rescreening(one) for one in found], has_more=has_more))


@router.get("/fraud/lists/<fraud_list_id>/hits", summary="List what re-screenings found")
def list_fraud_list_hits(fraud_list_id: str, asked: Annotated[HitsAsked, Query()]) -> Response[str]:
    """Past payments of the token's mode that today's list would have met, each once."""
    page = narrowed(asked.page(partial(ids.parse, HIT_PREFIX)), runtime.principal(router))
    found, has_more = service.hits_of(
        runtime.database(), fraud_list_id, page, merchant_id=owner_of(router)
    )
    return http.reply(200, http.page([views.past_hit(one) for one in found], has_more=has_more))

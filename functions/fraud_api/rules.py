"""A merchant's fraud rules: worded, worded anew, and read with what they did."""

from functools import partial
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from fraud_api.asked import act_of, owner_of
from fraud_api.queries import DaysAsked
from fraud_api.schemas import RuleOrder, WordingOrder
from paynexus import http, ids, runtime
from paynexus.fraud.rulebook import service, views
from paynexus.fraud.rulebook.model import RULE_PREFIX, VERSION_PREFIX
from paynexus.lists.query import Asked

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.post("/fraud/rules", summary="Create a fraud rule", status_code=201)
def create_fraud_rule(body: Annotated[RuleOrder, Body()]) -> Response[str]:
    """A draft: it says nothing until a version runs. Needs an Idempotency-Key."""
    act = act_of(router, "/fraud/rules", body)
    return act.answer(
        lambda tx, made: views.rule_resource(
            service.create_rule(tx, body.code, body.to_wording(), by=act.change, rule_id=made)
        ),
        status=201,
    )


@router.get("/fraud/rules", summary="List fraud rules")
def list_fraud_rules(asked: Annotated[Asked, Query()]) -> Response[str]:
    """The merchant's own, newest first, each with what decides and what runs in shadow."""
    page = asked.page(partial(ids.parse, RULE_PREFIX))
    found, has_more = service.list_of(runtime.database(), page, owner=owner_of(router))
    return http.reply(
        200, http.page([views.rule_resource(one) for one in found], has_more=has_more)
    )


@router.get("/fraud/rules/<rule_id>", summary="Read a fraud rule and what it did")
def read_fraud_rule(rule_id: str, asked: Annotated[DaysAsked, Query()]) -> Response[str]:
    """With what its versions did in the token's mode, from `since` to before `until`.

    Both are days by UTC, 92 apart at most; unless they are given, thirty with today as the last.
    Decisions are counted within a quarter of an hour.
    """
    who = runtime.principal(router)
    since, until = asked.span(today=runtime.clock()().date())
    file = service.read(
        runtime.database(), rule_id, owner=who.merchant_id, mode=who.mode, since=since, until=until
    )
    return http.reply(200, views.file_resource(file))


@router.post("/fraud/rules/<rule_id>/versions", summary="Word a fraud rule anew", status_code=201)
def add_fraud_rule_version(rule_id: str, body: Annotated[WordingOrder, Body()]) -> Response[str]:
    """What runs of the rule runs on: shadow the new version. Needs an Idempotency-Key."""
    act = act_of(router, f"/fraud/rules/{rule_id}/versions", body)
    return act.answer(
        lambda tx, _: views.rule_resource(
            service.add_version(tx, rule_id, body.to_wording(), by=act.change)
        ),
        status=201,
    )


@router.get("/fraud/rules/<rule_id>/versions", summary="List a fraud rule's versions")
def list_fraud_rule_versions(rule_id: str, asked: Annotated[Asked, Query()]) -> Response[str]:
    """Newest first; they are kept for ever."""
    page = asked.page(partial(ids.parse, VERSION_PREFIX))
    found, has_more = service.page_of_versions(
        runtime.database(), rule_id, page, owner=owner_of(router)
    )
    versions = [views.version_resource(one) for one in found]
    return http.reply(200, http.page(versions, has_more=has_more))

"""Back-tests: what a change would have done, by the payments of a period."""

from functools import partial
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from fraud_api.asked import act_of, replayed_of
from fraud_api.backtest_schemas import BacktestOrder
from paynexus import http, ids, runtime
from paynexus.fraud.backtest import resource, service
from paynexus.lists.query import Asked

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.post("/fraud/backtests", summary="Back-test a change", status_code=201)
def order_fraud_backtest(body: Annotated[BacktestOrder, Body()]) -> Response[str]:
    """It is run within minutes, over the token's mode's payments. Needs an Idempotency-Key."""
    act = act_of(router, "/fraud/backtests", body)
    who, now = act.principal, act.now
    return act.answer(
        lambda tx, made: resource.backtest(
            service.ordered(
                tx,
                body.to_wanted(),
                scope=act.replayed,
                by=who.client_id,
                now=now,
                backtest_id=made,
            )
        ),
        status=201,
    )


@router.get("/fraud/backtests", summary="List back-tests")
def list_fraud_backtests(asked: Annotated[Asked, Query()]) -> Response[str]:
    """Those of the token's mode, newest first, with their reports."""
    page = asked.page(partial(ids.parse, "fbt"))
    found, has_more = service.list_of(runtime.database(), page, scope=replayed_of(router))
    return http.reply(200, http.page([resource.backtest(one) for one in found], has_more=has_more))


@router.get("/fraud/backtests/<backtest_id>", summary="Read a back-test")
def read_fraud_backtest(backtest_id: str) -> Response[str]:
    """With its `report`, once `status` is COMPLETED."""
    found = service.find(runtime.database(), backtest_id, scope=replayed_of(router))
    return http.reply(200, resource.backtest(found))

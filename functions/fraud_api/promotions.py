"""Promotions: changes that took effect through the gate, and what the gate asks."""

from functools import partial
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from fraud_api.asked import act_of, replayed_of
from fraud_api.backtest_schemas import PromotionOrder, SettingsChange
from fraud_api.schemas import NOTHING, Nothing
from paynexus import http, ids, runtime
from paynexus.fraud.backtest import promotion, resource
from paynexus.lists.query import Asked

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.post("/fraud/promotions", summary="Promote a change", status_code=201)
def promote_fraud_change(body: Annotated[PromotionOrder, Body()]) -> Response[str]:
    """What was back-tested takes effect, in both modes, if its report shows what the gate asks.

    Needs an Idempotency-Key.
    """
    act = act_of(router, "/fraud/promotions", body)
    scope, by, now = act.replayed, act.principal.client_id, act.now
    return act.answer(
        lambda tx, _: resource.promotion(
            promotion.promoted(tx, body.backtest, scope=scope, by=by, now=now)
        ),
        status=201,
    )


@router.get("/fraud/promotions", summary="List promotions")
def list_fraud_promotions(asked: Annotated[Asked, Query()]) -> Response[str]:
    """Those of the token's mode, newest first."""
    page = asked.page(partial(ids.parse, "fpr"))
    found, has_more = promotion.list_of(runtime.database(), page, scope=replayed_of(router))
    return http.reply(200, http.page([resource.promotion(one) for one in found], has_more=has_more))


@router.get("/fraud/promotions/<promotion_id>", summary="Read a promotion")
def read_fraud_promotion(promotion_id: str) -> Response[str]:
    """With what it replaced and each check of the gate."""
    found = promotion.find(runtime.database(), promotion_id, scope=replayed_of(router))
    return http.reply(200, resource.promotion(found))


@router.post("/fraud/promotions/<promotion_id>/revert", summary="Revert a promotion")
def revert_fraud_promotion(
    promotion_id: str, body: Annotated[Nothing, Body()] = NOTHING
) -> Response[str]:
    """What stood before it stands again, from the next decision on. Needs an Idempotency-Key."""
    act = act_of(router, f"/fraud/promotions/{promotion_id}/revert", body)
    scope, by, now = act.replayed, act.principal.client_id, act.now
    return act.answer(
        lambda tx, _: resource.promotion(
            promotion.reverted(tx, promotion_id, scope=scope, by=by, now=now)
        )
    )


@router.get("/fraud/settings", summary="Read what scores payments and what the gate asks")
def read_fraud_settings() -> Response[str]:
    """The merchant's own choices over the platform's."""
    held = promotion.settings_of(runtime.database(), scope=replayed_of(router))
    return http.reply(200, resource.settings(held))


@router.patch("/fraud/settings", summary="Change what the gate asks")
def change_fraud_settings(body: Annotated[SettingsChange, Body()]) -> Response[str]:
    """The model and its thresholds change through the gate: promote such a change."""
    changes = body.gate.model_dump(exclude_unset=True)
    scope = replayed_of(router)
    held = promotion.change_gate(runtime.database(), changes, scope=scope)
    return http.reply(200, resource.settings(held))

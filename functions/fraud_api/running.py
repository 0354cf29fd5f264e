"""Which version of a fraud rule runs in shadow, and which rules no longer run."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from fraud_api.asked import act_of
from fraud_api.schemas import NOTHING, Nothing, ShadowOrder
from paynexus.fraud.rulebook import service
from paynexus.fraud.rulebook.views import rule_resource

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.post("/fraud/rules/<rule_id>/shadow", summary="Run a version of a fraud rule in shadow")
def shadow_fraud_rule(rule_id: str, body: Annotated[ShadowOrder, Body()]) -> Response[str]:
    """It is evaluated with each payment, in both modes, and decides nothing.

    What decides goes on deciding. Needs an Idempotency-Key.
    """
    act = act_of(router, f"/fraud/rules/{rule_id}/shadow", body)
    return act.answer(
        lambda tx, _: rule_resource(service.run_in_shadow(tx, rule_id, body.version, by=act.change))
    )


@router.post("/fraud/rules/<rule_id>/stop-shadow", summary="Stop a fraud rule's shadow")
def stop_fraud_rule_shadow(
    rule_id: str, body: Annotated[Nothing, Body()] = NOTHING
) -> Response[str]:
    """No version of it runs in shadow; what decides goes on. Needs an Idempotency-Key."""
    act = act_of(router, f"/fraud/rules/{rule_id}/stop-shadow", body)
    return act.answer(lambda tx, _: rule_resource(service.stop_shadow(tx, rule_id, by=act.change)))


@router.post("/fraud/rules/<rule_id>/disable", summary="Disable a fraud rule")
def disable_fraud_rule(rule_id: str, body: Annotated[Nothing, Body()] = NOTHING) -> Response[str]:
    """No version of it runs, from the next decision on. Needs an Idempotency-Key."""
    act = act_of(router, f"/fraud/rules/{rule_id}/disable", body)
    return act.answer(lambda tx, _: rule_resource(service.disable(tx, rule_id, by=act.change)))

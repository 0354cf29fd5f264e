"""Snoozes: for a while, a fraud rule says nothing about payments of one entity."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from fraud_api.asked import act_of, owner_of
from fraud_api.schemas import EntityOrder, SnoozeOrder
from paynexus import http, ids, runtime
from paynexus.fraud.rulebook import snoozing
from paynexus.fraud.rulebook.service import Change
from paynexus.fraud.rulebook.snoozing import Entity
from paynexus.fraud.rulebook.views import snooze_resource
from paynexus.identity.model import Principal
from paynexus.ids import PaymentId

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it open


@router.post("/fraud/rules/<rule_id>/snoozes", summary="Snooze a fraud rule", status_code=201)
def snooze_fraud_rule(rule_id: str, body: Annotated[SnoozeOrder, Body()]) -> Response[str]:
    """Until `ends_at`, 90 days off at most, about payments in the token's mode.

    The entity is named by its `value`, or as a `payment` of the merchant has it; `merchant` by
    neither. Needs an Idempotency-Key.
    """
    act = act_of(router, f"/fraud/rules/{rule_id}/snoozes", body)
    sleeper = _entity(body.entity, act.principal)
    return act.answer(
        lambda tx, _: snooze_resource(
            snoozing.snooze(
                tx, rule_id, sleeper, ends_at=body.ends_at, reason=body.reason, by=act.change
            )
        ),
        status=201,
    )


@router.get("/fraud/rules/<rule_id>/snoozes", summary="List a fraud rule's snoozes")
def list_fraud_snoozes(rule_id: str) -> Response[str]:
    """Those that hold, newest first, a hundred at most."""
    now, owner = runtime.clock()(), owner_of(router)
    found = snoozing.list_of(runtime.database(), rule_id, owner=owner, now=now)
    return http.reply(200, http.page([snooze_resource(one) for one in found], has_more=False))


@router.delete("/fraud/snoozes/<snooze_id>", summary="End a snooze")
def end_fraud_snooze(snooze_id: str) -> Response[str]:
    """The rule speaks again about the entity's payments."""
    who = runtime.principal(router)
    by = Change(who.merchant_id, who.client_id, runtime.clock()())
    with runtime.database().transaction() as tx:
        snoozing.wake(tx, snooze_id, by=by)
    return http.reply(200, {"id": snooze_id, "object": "fraud_snooze", "ended": True})


def _entity(order: EntityOrder, who: Principal) -> Entity:
    return Entity(
        who.merchant_id,
        who.mode,
        order.kind,
        value=order.value,
        payment_id=PaymentId(ids.parse("pay", order.payment)) if order.payment else None,
    )

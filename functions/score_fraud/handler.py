"""Workflow step: the payment is scored, and challenged where the rules ask for it."""

from collections.abc import Mapping
from typing import Any

from paynexus import ids, runtime
from paynexus.ids import PaymentId
from paynexus.observability import logger
from paynexus.payments import scoring, workflow


def handler(event: Mapping[str, Any], context: object) -> dict[str, str]:
    """`verdict`: ALLOW, CHALLENGE, BLOCK, or DONE when there is nothing left to score.

    With the payment as it was `seen`, which spares the next step a look.
    """
    payment_id = PaymentId(ids.parse("pay", event["payment_id"]))
    scored = scoring.score(runtime.fraud_engine(), payment_id, now=runtime.clock()())
    logger.info("payment scored", payment_id=event["payment_id"], verdict=str(scored.next))
    return {"verdict": str(scored.next), "seen": workflow.to_seen(scored.seen)}

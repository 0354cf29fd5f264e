"""Workflow step: status, books, stored answer and event, in one commit."""

from collections.abc import Mapping
from typing import Any

from paynexus import runtime
from paynexus.observability import logger
from paynexus.payments import steps, workflow


def handler(event: Mapping[str, Any], context: object) -> dict[str, str]:
    """`status`: where the payment, or the refund, stands now."""
    status = steps.finish(
        runtime.database(),
        workflow.from_input(event),
        blocked=event.get("verdict") == steps.Next.BLOCK,
        now=runtime.clock()(),
        seen=workflow.from_seen(event),
    )
    logger.info("payment finished", payment_id=event["payment_id"], status=status)
    return {"status": status}

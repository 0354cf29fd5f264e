"""Workflow step: the gateway is asked; the call is on record before and after."""

from collections.abc import Mapping
from typing import Any

from paynexus import runtime
from paynexus.observability import logger
from paynexus.payments import steps, workflow

RESERVE_MS = 2_000
"""Kept back of the invocation's time, to record the outcome."""
PATIENCE_MS = 15_000
"""A gateway that takes longer leaves the outcome UNKNOWN, and the payer waiting no further."""


def handler(event: Mapping[str, Any], context: Any) -> dict[str, str]:  # noqa: ANN401 - Lambda's own
    """`outcome`: APPROVED, DECLINED, NOT_SENT or UNKNOWN; and the payment as it was `seen`."""
    left = context.get_remaining_time_in_millis() - RESERVE_MS
    called = steps.call_gateway(
        runtime.database(),
        runtime.gateways(),
        workflow.from_input(event),
        clock=runtime.clock(),
        deadline_seconds=min(left, PATIENCE_MS) / 1000,
        seen=workflow.from_seen(event),
    )
    logger.info("gateway asked", payment_id=event["payment_id"], outcome=str(called.outcome))
    return {"outcome": str(called.outcome), "seen": workflow.to_seen(called.seen)}

"""Schedule: payments and callbacks left half-way are run again, and what is overdue is ended."""

from collections.abc import Mapping
from typing import Any

from paynexus import runtime
from paynexus.payments import callbacks, disputes, expiry, sweeper

WORKFLOW_MS = 27_000
"""What one run of the workflow may take: with less time left, none is begun."""


def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:  # noqa: ANN401 - Lambda's own
    """`swept`: the payments and refunds that were taken up; `expired`: those whose time was up."""
    db, run, now = runtime.database(), runtime.workflow().run, runtime.clock()()

    def has_time() -> bool:
        return bool(context.get_remaining_time_in_millis() > WORKFLOW_MS)

    swept = sweeper.sweep(db, run, now=now, has_time=has_time)
    ask = disputes.asking(runtime.gateways)
    callbacks.sweep(db, run, ask=ask, now=now)
    disputes.sweep(db, run, ask, now=now, has_time=has_time)
    return {"swept": swept, "expired": expiry.expire(db, run, now=now)}

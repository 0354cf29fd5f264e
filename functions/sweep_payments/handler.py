"""Schedule: payments left half-way are run again, each step being safe to repeat."""

from collections.abc import Mapping
from typing import Any

from paynexus import runtime
from paynexus.payments import sweeper


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """`swept`: the payments and refunds that were taken up."""
    swept = sweeper.sweep(runtime.database(), runtime.workflow().run, now=runtime.clock()())
    return {"swept": swept}

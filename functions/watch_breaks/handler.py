"""Schedule: how much is unexplained, and for how long, is measured for alarms and the dashboard."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from paynexus import runtime
from paynexus.settlement.breaks import ageing


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """How many breaks are unresolved, how many of them overdue, how many clearing accounts full."""
    return asdict(ageing.age(runtime.database(), now=runtime.clock()()))

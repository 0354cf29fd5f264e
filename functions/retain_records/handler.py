"""Schedule: the coming months' partitions exist in time; what has expired is gone."""

from collections.abc import Mapping
from typing import Any

from paynexus import runtime
from paynexus.retention import service


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """`made`: new partitions. `forgotten`, `callbacks`, `scans`: what was dropped of each."""
    db, now = runtime.database(), runtime.clock()()
    return {
        "made": service.make_room(db, now=now),
        "forgotten": service.forget_keys(db, now=now),
        "callbacks": service.forget_callbacks(db, now=now),
        "scans": service.forget_scans(db, now=now),
    }

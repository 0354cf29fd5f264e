"""Schedule: the coming months' partitions exist in time; expired Idempotency-Keys are gone."""

from collections.abc import Mapping
from typing import Any

from paynexus import runtime
from paynexus.retention import service


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """`made`: the partitions that this call made. `forgotten`: the keys that it dropped."""
    db, now = runtime.database(), runtime.clock()()
    return {
        "made": service.make_room(db, now=now),
        "forgotten": service.forget_keys(db, now=now),
    }

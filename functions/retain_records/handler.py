"""Schedule: the coming months' partitions exist before they are needed."""

from collections.abc import Mapping
from typing import Any

from paynexus import runtime
from paynexus.retention import service


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """`made`: the partitions that this call made."""
    return {"made": service.make_room(runtime.database(), now=runtime.clock()())}

"""Schedule: counts, labels, statistics and lists are kept in order for decisions to rest on."""

from collections.abc import Mapping
from typing import Any

from paynexus import runtime
from paynexus.fraud import upkeep
from paynexus.fraud.upkeep import Tending


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """How much each task did, by its name; raises once all had their turn, if one failed."""
    return upkeep.tend(Tending(runtime.database(), runtime.cache(), runtime.clock()()))

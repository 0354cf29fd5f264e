"""Schedule: the day's drift and the weeks' precision are on record and measured."""

from collections.abc import Mapping
from typing import Any

from paynexus import runtime
from paynexus.fraud.drift import service


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """`told`: features whose drift could be told, in both modes together."""
    return {"told": service.report(runtime.database(), now=runtime.clock()())}

"""Settle merchants: batch what they are owed and instruct the bank."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from paynexus import runtime
from paynexus.errors import InvalidRequest
from paynexus.settlement import service


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Settle everything posted before the cut-off and say how much that was.

    The cut-off is `cutoff` where a person names one, else the `time` that the scheduler was to
    call at (so that a call it repeats makes the same settlements), else now.
    """
    run = service.settle(
        runtime.database(),
        runtime.bank(),
        now=runtime.clock()(),
        cutoff=_cutoff(event.get("cutoff") or event.get("time")),
    )
    return {
        "made": run.made,
        "instructed": run.instructed,
        "failed": run.failed,
        "carried": run.carried,
    }


def _cutoff(text: object) -> datetime | None:
    if text is None:
        return None
    try:
        cutoff = datetime.fromisoformat(str(text))
    except ValueError:
        cutoff = None
    if cutoff is None or cutoff.tzinfo is None:
        raise InvalidRequest("A cut-off is a time with its zone: 2026-11-23T00:00:00Z.")
    return cutoff

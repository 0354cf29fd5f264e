"""Settle merchants: batch what they are owed and instruct the bank."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from paynexus import runtime
from paynexus.errors import InvalidRequest
from paynexus.settlement import service


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Settle what is due and say how much that was.

    The scheduler's call (it has a `time`) settles by each merchant's terms. A person's settles
    everybody, up to the `cutoff` that it names, else up to now.
    """
    now = runtime.clock()()
    run = service.settle(
        runtime.database(),
        runtime.bank(),
        now=now,
        cutoff=_cutoff(event.get("cutoff")) if "cutoff" in event or "time" in event else now,
    )
    return {
        "made": run.made,
        "instructed": run.instructed,
        "failed": run.failed,
        "released": run.released,
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

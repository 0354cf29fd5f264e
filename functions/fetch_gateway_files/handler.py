"""Fetch gateways' settlement files of a day, and see what of earlier ones is still open."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from paynexus import letterbox, runtime
from paynexus.errors import InvalidRequest
from paynexus.settlement.acquirers import fetching, service


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """The files of `day`, or of yesterday (UTC), lie where they are taken; their names.

    What waits, is missing or overdue is looked through besides, of gateways that bring no file
    today as well.
    """
    now = runtime.clock()()
    day = _day(event.get("day"), now)
    try:
        names = fetching.fetch(letterbox.desks(), letterbox.shelf(), day=day)
    finally:
        for gateway in letterbox.gateways():
            service.settle_open(runtime.database(), gateway, prove=letterbox.prove, now=now)
    return {"files": names}


def _day(text: object, now: dt.datetime) -> dt.date:
    if text is None:
        return now.astimezone(dt.UTC).date() - dt.timedelta(days=1)
    try:
        return dt.date.fromisoformat(str(text))
    except ValueError:
        raise InvalidRequest("A day is written as 2026-11-26.", param="day") from None

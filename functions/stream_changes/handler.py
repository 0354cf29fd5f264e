"""Publishes facts as they are committed, for a little longer than the schedule's minute.

The next invocation waits for this one to leave the slot, so there is always one reader.
"""

import datetime as dt
from dataclasses import asdict
from typing import Any

from paynexus import changefeed, runtime
from paynexus.observability import logger

READING_TIME = dt.timedelta(seconds=65)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's own
    """The log was read and published for a minute; the answer says how much.

    Called by hand with `republish_since`, the facts from that time on are told again instead.
    """
    if since := event.get("republish_since"):
        return _republish(dt.datetime.fromisoformat(since))
    clock = runtime.clock()
    deadline = clock() + READING_TIME
    with runtime.changefeed_source() as source:
        report = changefeed.run(
            source,
            runtime.bus(),
            slot=runtime.settings().require("changefeed_slot"),
            clock=clock,
            deadline=deadline,
        )
    logger.info("changefeed", **asdict(report))
    return asdict(report)


def _republish(since: dt.datetime) -> dict[str, str]:
    clock = runtime.clock()
    with runtime.changefeed_source() as source:
        reached = changefeed.republish(
            source.tables.connection(),
            runtime.bus(),
            since=since,
            clock=clock,
            deadline=clock() + READING_TIME,
        )
    logger.info("republished", since=since.isoformat(), reached=reached.isoformat())
    return {"reached": reached.isoformat()}

"""Retry notifications: queue the attempts that are due, find events whose message was lost."""

from collections.abc import Mapping
from typing import Any

from paynexus import runtime
from paynexus.notification import service


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Queue what is due within a minute and say how much that was."""
    swept = service.enqueue_due(
        runtime.database(), runtime.notification_queue(), now=runtime.clock()()
    )
    return {"healed": swept.healed, "queued": swept.queued}

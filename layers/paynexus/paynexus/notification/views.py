"""How endpoints, events and deliveries look from outside."""

import datetime as dt
from collections.abc import Iterable

from paynexus import ids
from paynexus.changefeed.facts import envelope, written
from paynexus.notification.model import Attempt, Delivery, Endpoint, Event


def endpoint(endpoint: Endpoint, *, secret: str | None = None) -> dict[str, object]:
    """An endpoint; its secret only where it has just been made."""
    resource: dict[str, object] = {
        "id": ids.text("we", endpoint.id),
        "object": "webhook_endpoint",
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": endpoint.event_types,
        "status": endpoint.status,
        "disabled_reason": endpoint.disabled_reason,
        "mode": endpoint.mode,
        "created": written(endpoint.created_at),
    }
    return resource if secret is None else resource | {"secret": secret}


def event(event: Event) -> dict[str, object]:
    """An event, the same in the API, on the bus and in webhooks."""
    return envelope(
        id=event.id,
        type=event.type,
        created=event.created_at,
        mode=event.mode,
        merchant_id=event.merchant_id,
        object_id=event.object_id,
        sequence=event.sequence,
        data=event.data,
    )


def delivery(delivery: Delivery, attempts: Iterable[Attempt]) -> dict[str, object]:
    """A delivery and each of its attempts, the first one first."""
    return {
        "id": ids.text("del", delivery.id),
        "object": "delivery",
        "event": ids.text("evt", delivery.event_id),
        "event_type": delivery.event_type,
        "endpoint": ids.text("we", delivery.endpoint_id),
        "object_id": delivery.object_id,
        "sequence": delivery.sequence,
        "state": delivery.state,
        "next_attempt": _written(delivery.next_attempt_at),
        "attempts": [_attempt(attempt) for attempt in attempts],
        "mode": delivery.mode,
        "created": written(delivery.created_at),
    }


def _attempt(attempt: Attempt) -> dict[str, object]:
    return {
        "number": attempt.number,
        "started": written(attempt.started_at),
        "status_code": attempt.status_code,
        "error": attempt.error,
        "duration_ms": attempt.duration_ms,
        "response": attempt.response,
    }


def _written(moment: dt.datetime | None) -> str | None:
    return None if moment is None else written(moment)

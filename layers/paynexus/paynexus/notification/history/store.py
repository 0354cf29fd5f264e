"""What happened, for reading: events, deliveries, attempts."""

from collections.abc import Sequence
from uuid import UUID

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.ids import DeliveryId, EventId
from paynexus.notification.model import Attempt, Delivery, Event, Owner, Page
from paynexus.notification.store import EVENT_COLUMNS

EVENT = f"""
SELECT {EVENT_COLUMNS} FROM events
WHERE id = %(id)s AND merchant_id = %(merchant_id)s AND mode = %(mode)s
"""  # noqa: S608 - a constant


def event(tx: Connection, owner: Owner, event_id: EventId) -> Event | None:
    """The owner's event of this id."""
    values = {"id": event_id, "merchant_id": owner.merchant_id, "mode": owner.mode}
    with tx.cursor(row_factory=class_row(Event)) as cursor:
        return cursor.execute(EVENT, values).fetchone()


EVENTS = f"""
SELECT {EVENT_COLUMNS} FROM events
WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s
    AND (%(type)s::TEXT IS NULL OR type = %(type)s)
    AND (%(object_id)s::TEXT IS NULL OR object_id = %(object_id)s)
    AND (%(after)s::UUID IS NULL OR id < %(after)s)
ORDER BY id DESC
LIMIT %(limit)s
"""  # noqa: S608 - a constant


def events_of(
    tx: Connection, owner: Owner, page: Page, *, type_: str | None, object_id: str | None
) -> list[Event]:
    """A page of the owner's events, newest first."""
    values = {**_scope(owner, page), "type": type_, "object_id": object_id}
    with tx.cursor(row_factory=class_row(Event)) as cursor:
        return cursor.execute(EVENTS, values).fetchall()


DELIVERY_COLUMNS = (
    "id, event_id, endpoint_id, event_type, object_id, sequence, state, attempts, "
    "next_attempt_at, mode, created_at"
)
DELIVERY = f"""
SELECT {DELIVERY_COLUMNS} FROM deliveries
WHERE id = %(id)s AND merchant_id = %(merchant_id)s AND mode = %(mode)s
"""  # noqa: S608 - a constant


def delivery(tx: Connection, owner: Owner, delivery_id: DeliveryId) -> Delivery | None:
    """The owner's delivery of this id."""
    values = {"id": delivery_id, "merchant_id": owner.merchant_id, "mode": owner.mode}
    with tx.cursor(row_factory=class_row(Delivery)) as cursor:
        return cursor.execute(DELIVERY, values).fetchone()


DELIVERIES = f"""
SELECT {DELIVERY_COLUMNS} FROM deliveries
WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s
    AND (%(event_id)s::UUID IS NULL OR event_id = %(event_id)s)
    AND (%(endpoint_id)s::UUID IS NULL OR endpoint_id = %(endpoint_id)s)
    AND (%(state)s::TEXT IS NULL OR state = %(state)s)
    AND (%(after)s::UUID IS NULL OR id < %(after)s)
ORDER BY id DESC
LIMIT %(limit)s
"""  # noqa: S608 - a constant


def deliveries_of(
    tx: Connection,
    owner: Owner,
    page: Page,
    *,
    event_id: UUID | None,
    endpoint_id: UUID | None,
    state: str | None,
) -> list[Delivery]:
    """A page of the owner's deliveries, newest first."""
    values = {
        **_scope(owner, page),
        "event_id": event_id,
        "endpoint_id": endpoint_id,
        "state": state,
    }
    with tx.cursor(row_factory=class_row(Delivery)) as cursor:
        return cursor.execute(DELIVERIES, values).fetchall()


ATTEMPTS = """
SELECT delivery_id, number, started_at, status_code, error, duration_ms, response
FROM delivery_attempts WHERE delivery_id = ANY(%s)
ORDER BY delivery_id, number
"""


def attempts_of(tx: Connection, delivery_ids: Sequence[UUID]) -> list[Attempt]:
    """Every attempt of these deliveries, in order."""
    with tx.cursor(row_factory=class_row(Attempt)) as cursor:
        return cursor.execute(ATTEMPTS, (list(delivery_ids),)).fetchall()


def _scope(owner: Owner, page: Page) -> dict[str, object]:
    return {
        "merchant_id": owner.merchant_id,
        "mode": owner.mode,
        "after": page.after,
        "limit": page.limit,
    }

"""What happened, for reading: events, deliveries, attempts."""

from collections.abc import Sequence
from uuid import UUID

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.ids import DeliveryId, EventId
from paynexus.lists import store as lists
from paynexus.lists.model import Page
from paynexus.notification.model import Attempt, Delivery, Event, Owner
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
    AND id >= %(least)s AND id < %(above)s
    AND created_at >= %(since)s AND created_at < %(until)s
    {{like}}
ORDER BY id DESC
LIMIT %(limit)s
"""  # noqa: S608 - a constant
EVENT_FILTERS: lists.Filters = {
    "type": "AND type = %(type)s",
    "object_id": "AND object_id = %(object_id)s",
}


def events_of(tx: Connection, owner: Owner, page: Page[UUID]) -> list[Event]:
    """The owner's events on the page, newest first, and the one after them."""
    query = lists.statement(EVENTS, EVENT_FILTERS, page)
    with tx.cursor(row_factory=class_row(Event)) as cursor:
        cursor.execute(query, lists.values(page, owner.merchant_id, owner.mode))
        return cursor.fetchall()


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
    AND id >= %(least)s AND id < %(above)s
    AND created_at >= %(since)s AND created_at < %(until)s
    {{like}}
ORDER BY id DESC
LIMIT %(limit)s
"""  # noqa: S608 - a constant
DELIVERY_FILTERS: lists.Filters = {
    "event": "AND event_id = %(event)s",
    "endpoint": "AND endpoint_id = %(endpoint)s",
    "state": "AND state = %(state)s",
}


def deliveries_of(tx: Connection, owner: Owner, page: Page[UUID]) -> list[Delivery]:
    """The owner's deliveries on the page, newest first, and the one after them."""
    query = lists.statement(DELIVERIES, DELIVERY_FILTERS, page)
    with tx.cursor(row_factory=class_row(Delivery)) as cursor:
        cursor.execute(query, lists.values(page, owner.merchant_id, owner.mode))
        return cursor.fetchall()


ATTEMPTS = """
SELECT delivery_id, number, started_at, status_code, error, duration_ms, response
FROM delivery_attempts WHERE delivery_id = ANY(%s)
ORDER BY delivery_id, number
"""


def attempts_of(tx: Connection, delivery_ids: Sequence[UUID]) -> list[Attempt]:
    """Every attempt of these deliveries, in order."""
    with tx.cursor(row_factory=class_row(Attempt)) as cursor:
        return cursor.execute(ATTEMPTS, (list(delivery_ids),)).fetchall()

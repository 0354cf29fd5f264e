"""Deliveries under way: each statement beside the one function that runs it."""

import datetime as dt

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.ids import DeliveryId, EndpointId, EventId
from paynexus.notification.model import (
    ANNOUNCED_SOURCES,
    Claim,
    DeliveryState,
    Due,
    Event,
)
from paynexus.notification.port import Receipt

# Whatever an event finds undelivered before it, for the same object, is delivered with it: a
# lost or late message can't make a later event overtake. What an endpoint has a later event
# than was not subscribed to in time, and stays untold. Endpoints are locked against being
# disabled meanwhile, so that no delivery is left waiting for one.
FAN_OUT = """
WITH listener AS (
    SELECT webhook_endpoints.* FROM webhook_endpoints
    INNER JOIN events USING (merchant_id, mode)
    WHERE events.id = %(event_id)s AND webhook_endpoints.status = 'enabled'
    FOR SHARE OF webhook_endpoints
)
INSERT INTO deliveries (
    event_id, endpoint_id, merchant_id, mode, event_type, object_id, sequence, next_attempt_at
)
SELECT told.id, listener.id, told.merchant_id, told.mode, told.type, told.object_id,
    told.sequence, %(now)s
FROM events AS present
INNER JOIN events AS told
    ON told.object_id = present.object_id AND told.sequence <= present.sequence
INNER JOIN listener
    ON (listener.event_types = '{}' OR told.type = ANY(listener.event_types))
    AND told.created_at >= listener.subscribed_since
WHERE present.id = %(event_id)s AND told.source = ANY(%(sources)s)
    AND (told.id = present.id OR told.created_at >= %(since)s)
    AND NOT EXISTS (
        SELECT FROM deliveries AS later
        WHERE later.object_id = told.object_id AND later.endpoint_id = listener.id
            AND later.sequence > told.sequence
    )
ORDER BY told.sequence, listener.id
ON CONFLICT DO NOTHING
"""


def fan_out(
    tx: Connection, event_id: EventId, *, now: dt.datetime, look_back: dt.timedelta
) -> None:
    """Each endpoint that listens has a delivery of this event and of those before it."""
    tx.execute(
        FAN_OUT,
        {
            "event_id": event_id,
            "now": now,
            "since": now - look_back,
            "sources": list(ANNOUNCED_SOURCES),
        },
    )


OBJECT_OF = "SELECT object_id FROM events WHERE id = %s"


def object_of(tx: Connection, event_id: EventId) -> str | None:
    """What the event is about; None when there is no such event."""
    row = tx.execute(OBJECT_OF, (event_id,)).fetchone()
    return None if row is None else str(row[0])


HEADS = """
SELECT DISTINCT ON (endpoint_id) id FROM deliveries
WHERE object_id = %(object_id)s AND state = 'pending'
    AND (%(endpoint_id)s::UUID IS NULL OR endpoint_id = %(endpoint_id)s)
ORDER BY endpoint_id, sequence
"""


def heads(
    tx: Connection, object_id: str, *, endpoint_id: EndpointId | None = None
) -> list[DeliveryId]:
    """The first unresolved delivery of an object to each endpoint, or to the one given."""
    rows = tx.execute(HEADS, {"object_id": object_id, "endpoint_id": endpoint_id})
    return [DeliveryId(row[0]) for row in rows]


# What makes a delivery one that may be attempted: nothing earlier of its object is unresolved.
CLAIM = """
UPDATE deliveries SET attempts = attempts + 1, claimed_until = %(until)s, queued_until = NULL
FROM webhook_endpoints AS endpoint
WHERE deliveries.id = %(id)s AND endpoint.id = deliveries.endpoint_id
    AND deliveries.state = 'pending' AND deliveries.next_attempt_at <= %(now)s
    AND (deliveries.claimed_until IS NULL OR deliveries.claimed_until <= %(now)s)
    AND endpoint.status = 'enabled'
    AND NOT EXISTS (
        SELECT FROM deliveries AS earlier
        WHERE earlier.object_id = deliveries.object_id
            AND earlier.endpoint_id = deliveries.endpoint_id
            AND earlier.sequence < deliveries.sequence
            AND earlier.state = 'pending'
    )
RETURNING deliveries.id AS delivery_id, deliveries.attempts AS number, endpoint.id AS endpoint_id,
    endpoint.url, endpoint.secret,
    CASE WHEN endpoint.previous_secret_expires_at > %(now)s THEN endpoint.previous_secret END
        AS previous_secret,
    deliveries.event_id, deliveries.object_id
"""

BEGIN_ATTEMPT = """
INSERT INTO delivery_attempts (delivery_id, number, started_at) VALUES (%s, %s, %s)
"""


def claim(
    tx: Connection, delivery_id: DeliveryId, *, now: dt.datetime, until: dt.datetime
) -> Claim | None:
    """The right to make the next attempt, held until `until`; None when it isn't to be made.

    It isn't while another worker holds it, before it is due, or before its turn has come.
    """
    with tx.cursor(row_factory=class_row(Claim)) as cursor:
        claimed = cursor.execute(CLAIM, {"id": delivery_id, "now": now, "until": until}).fetchone()
    if claimed is not None:
        tx.execute(BEGIN_ATTEMPT, (claimed.delivery_id, claimed.number, now))
    return claimed


EVENT_COLUMNS = "id, type, mode, merchant_id, object_id, sequence, data, created_at"
EVENT = f"SELECT {EVENT_COLUMNS} FROM events WHERE id = %s"  # noqa: S608 - a constant


def event_of(tx: Connection, claim: Claim) -> Event:
    """What the claimed delivery is to deliver."""
    with tx.cursor(row_factory=class_row(Event)) as cursor:
        event = cursor.execute(EVENT, (claim.event_id,)).fetchone()
    assert event is not None, "a foreign key holds it"  # noqa: S101 - says why
    return event


END_ATTEMPT = """
UPDATE delivery_attempts SET
    finished_at = %(now)s, status_code = %(status_code)s, error = %(error)s,
    duration_ms = %(duration_ms)s, response = %(response)s
WHERE delivery_id = %(delivery_id)s AND number = %(number)s
"""


def end_attempt(tx: Connection, claim: Claim, receipt: Receipt, *, now: dt.datetime) -> None:
    """The attempt's outcome is on record."""
    tx.execute(
        END_ATTEMPT,
        {
            "now": now,
            "status_code": receipt.status_code,
            "error": receipt.error,
            "duration_ms": receipt.duration_ms,
            "response": receipt.response,
            "delivery_id": claim.delivery_id,
            "number": claim.number,
        },
    )


RESOLVE = """
UPDATE deliveries SET state = %(state)s, resolved_at = %(now)s, next_attempt_at = NULL,
    claimed_until = NULL, queued_until = NULL
WHERE id = %(id)s AND state = 'pending'
    AND (%(number)s::INT IS NULL OR attempts = %(number)s)
"""


def resolve(
    tx: Connection,
    delivery_id: DeliveryId,
    state: DeliveryState,
    *,
    now: dt.datetime,
    number: int | None = None,
) -> None:
    """A pending delivery is in its final `state`; with `number`, only if no attempt came since."""
    tx.execute(RESOLVE, {"id": delivery_id, "state": state, "now": now, "number": number})


POSTPONE = """
UPDATE deliveries SET next_attempt_at = %(at)s, claimed_until = NULL, queued_until = %(queued)s
WHERE id = %(id)s AND state = 'pending' AND attempts = %(number)s
"""


def postpone(
    tx: Connection, claim: Claim, *, at: dt.datetime, queued_until: dt.datetime | None
) -> bool:
    """The delivery is free and due again at `at`; false if another worker holds it by now."""
    values = {
        "id": claim.delivery_id,
        "number": claim.number,
        "at": at,
        "queued": queued_until,
    }
    return tx.execute(POSTPONE, values).rowcount == 1


LOST = """
SELECT events.id FROM events
INNER JOIN webhook_endpoints AS endpoint
    ON endpoint.merchant_id = events.merchant_id AND endpoint.mode = events.mode
    AND endpoint.status = 'enabled'
    AND (endpoint.event_types = '{}' OR events.type = ANY(endpoint.event_types))
    AND events.created_at >= endpoint.subscribed_since
    AND (%(endpoint_id)s::UUID IS NULL OR endpoint.id = %(endpoint_id)s)
WHERE events.id >= uuid_at(%(since)s) AND events.created_at BETWEEN %(since)s AND %(until)s
    AND events.source = ANY(%(sources)s)
    AND NOT EXISTS (
        SELECT FROM deliveries
        WHERE deliveries.object_id = events.object_id AND deliveries.endpoint_id = endpoint.id
            AND deliveries.sequence >= events.sequence
    )
GROUP BY events.id
ORDER BY events.id
LIMIT %(limit)s
"""


def lost_events(
    tx: Connection,
    *,
    since: dt.datetime,
    until: dt.datetime,
    limit: int,
    endpoint_id: EndpointId | None = None,
) -> list[EventId]:
    """Events of that time which some endpoint, or the one given, listens to undelivered."""
    values = {
        "since": since,
        "until": until,
        "limit": limit,
        "sources": list(ANNOUNCED_SOURCES),
        "endpoint_id": endpoint_id,
    }
    return [EventId(row[0]) for row in tx.execute(LOST, values)]


TAKE_DUE = """
UPDATE deliveries SET queued_until = %(queued_until)s
WHERE id IN (
    SELECT due.id FROM deliveries AS due
    WHERE due.state = 'pending' AND due.next_attempt_at <= %(horizon)s
        AND (due.claimed_until IS NULL OR due.claimed_until <= %(now)s)
        AND (due.queued_until IS NULL OR due.queued_until <= %(now)s)
        AND NOT EXISTS (
            SELECT FROM deliveries AS earlier
            WHERE earlier.object_id = due.object_id AND earlier.endpoint_id = due.endpoint_id
                AND earlier.sequence < due.sequence AND earlier.state = 'pending'
        )
    ORDER BY due.next_attempt_at
    LIMIT %(limit)s
    FOR UPDATE OF due SKIP LOCKED
)
RETURNING id, next_attempt_at
"""


def take_due(
    tx: Connection,
    *,
    now: dt.datetime,
    horizon: dt.datetime,
    queued_until: dt.datetime,
    limit: int,
) -> list[Due]:
    """Deliveries due by `horizon` that nobody works on; they count as queued from here on."""
    with tx.cursor(row_factory=class_row(Due)) as cursor:
        return cursor.execute(
            TAKE_DUE,
            {"now": now, "horizon": horizon, "queued_until": queued_until, "limit": limit},
        ).fetchall()


REOPEN = """
UPDATE deliveries SET state = 'pending', resolved_at = NULL, next_attempt_at = %(now)s,
    queued_until = NULL
WHERE id = %(id)s
"""


def reopen(tx: Connection, delivery_id: DeliveryId, *, now: dt.datetime) -> None:
    """The delivery is pending and due now, whatever it was; a worker at it is not disturbed."""
    tx.execute(REOPEN, {"id": delivery_id, "now": now})

"""Webhook endpoints in Postgres."""

import datetime as dt
from collections.abc import Mapping
from uuid import UUID

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.ids import EndpointId
from paynexus.lists import store as lists
from paynexus.lists.model import Page
from paynexus.notification.model import ENDPOINTS_MAX, DisabledReason, Endpoint, Owner

COLUMNS = "id, url, description, event_types, status, disabled_reason, mode, created_at"

INSERT = f"""
INSERT INTO webhook_endpoints (id, merchant_id, mode, url, description, event_types, secret)
SELECT %(id)s, %(merchant_id)s, %(mode)s, %(url)s, %(description)s, %(event_types)s, %(secret)s
WHERE {ENDPOINTS_MAX} > (
    SELECT count(*) FROM webhook_endpoints
    WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s AND deleted_at IS NULL
)
RETURNING {COLUMNS}
"""  # noqa: S608 - constants


def insert(
    tx: Connection,
    owner: Owner,
    *,
    endpoint_id: EndpointId,
    url: str,
    description: str,
    event_types: list[str],
    secret: bytes,
) -> Endpoint | None:
    """The endpoint as stored; None when its merchant has as many as are allowed."""
    values = {
        "id": endpoint_id,
        "merchant_id": owner.merchant_id,
        "mode": owner.mode,
        "url": url,
        "description": description,
        "event_types": event_types,
        "secret": secret,
    }
    with tx.cursor(row_factory=class_row(Endpoint)) as cursor:
        return cursor.execute(INSERT, values).fetchone()


SELECT = f"""
SELECT {COLUMNS} FROM webhook_endpoints
WHERE id = %(id)s AND merchant_id = %(merchant_id)s AND mode = %(mode)s AND deleted_at IS NULL
"""  # noqa: S608 - constants
SELECT_FOR_UPDATE = SELECT + "FOR UPDATE"


def find(
    tx: Connection, owner: Owner, endpoint_id: EndpointId, *, lock: bool = False
) -> Endpoint | None:
    """The owner's endpoint of this id, held against other changes if asked to `lock`."""
    values = {"id": endpoint_id, "merchant_id": owner.merchant_id, "mode": owner.mode}
    with tx.cursor(row_factory=class_row(Endpoint)) as cursor:
        return cursor.execute(SELECT_FOR_UPDATE if lock else SELECT, values).fetchone()


LIST = f"""
SELECT {COLUMNS} FROM webhook_endpoints
WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s AND deleted_at IS NULL
    AND id >= %(least)s AND id < %(above)s
    AND created_at >= %(since)s AND created_at < %(until)s
    {{like}}
ORDER BY id DESC
LIMIT %(limit)s
"""  # noqa: S608 - constants


FILTERS: lists.Filters = {"status": "AND status = %(status)s"}


def list_of(tx: Connection, owner: Owner, page: Page[UUID]) -> list[Endpoint]:
    """The owner's endpoints on the page, newest first, and the one after them."""
    query = lists.statement(LIST, FILTERS, page)
    with tx.cursor(row_factory=class_row(Endpoint)) as cursor:
        cursor.execute(query, lists.values(page, owner.merchant_id, owner.mode))
        return cursor.fetchall()


UPDATE = """
UPDATE webhook_endpoints SET
    url = coalesce(%(url)s, url),
    description = coalesce(%(description)s, description),
    event_types = coalesce(%(event_types)s, event_types)
WHERE id = %(id)s
"""


def update(tx: Connection, endpoint_id: EndpointId, changes: Mapping[str, object]) -> None:
    """The columns named in `changes` hold what it says."""
    values = {"url": None, "description": None, "event_types": None, **changes}
    tx.execute(UPDATE, {"id": endpoint_id, **values})


# What happened under the old subscription is delivered by it, what happens from here on by
# the new one. The margin covers events whose transactions began before this one and have yet
# to commit: one too many can be ignored, one too few can't be asked for.
RESUBSCRIBE = """
UPDATE webhook_endpoints
SET subscribed_since = greatest(subscribed_since, now() - make_interval(secs => %(margin)s))
WHERE id = %(id)s
"""


def resubscribe(tx: Connection, endpoint_id: EndpointId, *, margin: dt.timedelta) -> None:
    """Only events from now on, less the margin, are this endpoint's, besides those it has."""
    tx.execute(RESUBSCRIBE, {"id": endpoint_id, "margin": margin.total_seconds()})


ENABLE = """
UPDATE webhook_endpoints
SET status = 'enabled', disabled_reason = NULL, subscribed_since = now()
WHERE id = %s AND status = 'disabled'
"""


def enable(tx: Connection, endpoint_id: EndpointId) -> None:
    """The endpoint is sent what happens from now on."""
    tx.execute(ENABLE, (endpoint_id,))


DISABLE = """
UPDATE webhook_endpoints SET status = 'disabled', disabled_reason = %(reason)s
WHERE id = %(id)s AND status = 'enabled'
"""
CANCEL_DELIVERIES = """
UPDATE deliveries SET state = 'canceled', resolved_at = %(now)s, next_attempt_at = NULL,
    claimed_until = NULL, queued_until = NULL
WHERE endpoint_id = %(id)s AND state = 'pending'
"""


def disable(
    tx: Connection, endpoint_id: EndpointId, reason: DisabledReason, *, now: dt.datetime
) -> None:
    """The endpoint is sent nothing; what waited for it is canceled."""
    tx.execute(DISABLE, {"id": endpoint_id, "reason": reason})
    tx.execute(CANCEL_DELIVERIES, {"id": endpoint_id, "now": now})


# Its deliveries stay on record, and so does the row; its secrets don't.
DELETE = """
UPDATE webhook_endpoints SET deleted_at = %(now)s, secret = '', previous_secret = NULL,
    previous_secret_expires_at = NULL
WHERE id = %(id)s
"""


def delete(tx: Connection, endpoint_id: EndpointId, *, now: dt.datetime) -> None:
    """The disabled endpoint is gone for its merchant, and its secrets are gone for good."""
    tx.execute(DELETE, {"id": endpoint_id, "now": now})


ROTATE = """
UPDATE webhook_endpoints SET previous_secret = secret, secret = %(secret)s,
    previous_secret_expires_at = %(expires_at)s
WHERE id = %(id)s
"""


def rotate_secret(
    tx: Connection, endpoint_id: EndpointId, secret: bytes, *, expires_at: dt.datetime
) -> None:
    """`secret` signs from now on; the one before it signs along until `expires_at`."""
    tx.execute(ROTATE, {"id": endpoint_id, "secret": secret, "expires_at": expires_at})

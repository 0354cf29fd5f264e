"""Walks over past payments, and what they found, in Postgres."""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, dict_row

from paynexus import ids
from paynexus.db import Connection
from paynexus.fraud.lists.model import PastHit, Rescreening
from paynexus.fraud.lists.store.lists import NOBODY, ON_PAGE
from paynexus.lists import store as pages
from paynexus.lists.model import Page

RESCREENING = "id, list_id, since, created_at, examined, hits, finished_at"
# One that hasn't begun sees the change by itself.
WANT_RESCREENING = """
INSERT INTO fraud_rescreenings AS r (id, list_id, since, until, created_at)
VALUES (%(id)s, %(list_id)s, %(since)s, %(now)s, %(now)s)
ON CONFLICT (list_id) WHERE finished_at IS NULL DO UPDATE SET
    is_wanted_again = r.cursor IS NOT NULL,
    until = CASE WHEN r.cursor IS NULL THEN excluded.until ELSE r.until END
"""
SELECT_UNFINISHED = "SELECT list_id FROM fraud_rescreenings WHERE finished_at IS NULL ORDER BY id"
LOCK_UNFINISHED = """
SELECT r.id, r.list_id, l.merchant_id, r.since, r.until, r.cursor
FROM fraud_rescreenings AS r
INNER JOIN fraud_lists AS l ON l.id = r.list_id
WHERE r.list_id = %s AND r.finished_at IS NULL
FOR UPDATE OF r SKIP LOCKED
"""
SELECT_PAYMENTS = """
SELECT
    t.id AS payment_id, t.merchant_id, t.mode, t.fingerprint, t.amount, t.currency, t.created_at,
    c.customer_id, c.email, c.name, host(c.ip) AS ip, c.country, c.card_bin
FROM transactions AS t
LEFT JOIN payment_customers AS c ON c.payment_id = t.id
WHERE t.id > %(after)s AND t.id < %(before)s
"""
OF_MERCHANT = " AND t.merchant_id = %(merchant_id)s"
NEXT_PAYMENTS = " ORDER BY t.id LIMIT %(limit)s"
INSERT_HIT = """
INSERT INTO fraud_rescreening_hits (
    id, rescreening_id, list_id, payment_id, merchant_id, mode, entry_id, quality, created_at
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT ON CONSTRAINT told_once DO NOTHING
"""
UPDATE_RESCREENING = """
UPDATE fraud_rescreenings SET
    cursor = coalesce(%(cursor)s, cursor), examined = examined + %(examined)s,
    hits = hits + %(hits)s, finished_at = %(finished_at)s
WHERE id = %(id)s
RETURNING is_wanted_again
"""
SELECT_RESCREENINGS = f"""
SELECT {RESCREENING} FROM fraud_rescreenings WHERE list_id = %(list_id)s {ON_PAGE}
"""  # noqa: S608
SELECT_HITS = f"""
SELECT id, payment_id, merchant_id, mode, entry_id, quality FROM fraud_rescreening_hits
WHERE rescreening_id = %(rescreening_id)s AND list_id = %(list_id)s {ON_PAGE}
"""  # noqa: S608
SELECT_HITS_OF_LIST = f"""
SELECT id, payment_id, merchant_id, mode, entry_id, quality FROM fraud_rescreening_hits
WHERE list_id = %(list_id)s {ON_PAGE}
"""  # noqa: S608
HIT_FILTERS: pages.Filters = {
    "mode": "AND mode = %(mode)s",
    "rescreening": "AND rescreening_id = %(rescreening)s",
}


def want_rescreening(
    tx: Connection, list_id: UUID, *, since: dt.datetime, now: dt.datetime
) -> None:
    """Payments from `since` to `now` are going to be held against the list as it is now."""
    values = {"id": ids.new_id(), "list_id": list_id, "since": since, "now": now}
    tx.execute(WANT_RESCREENING, values)


def unfinished(tx: Connection) -> list[UUID]:
    """The lists of which a re-screening hasn't ended, the longest waiting first."""
    return [row[0] for row in tx.execute(SELECT_UNFINISHED)]


def lock_unfinished(tx: Connection, list_id: UUID) -> dict[str, Any] | None:
    """The list's re-screening, held; None when there is none, or another has hold of it."""
    with tx.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LOCK_UNFINISHED, (list_id,)).fetchone()


def payments_after(tx: Connection, walk: Mapping[str, Any], *, limit: int) -> list[dict[str, Any]]:
    """The next payments of the walk, oldest first, with what is known of their payers."""
    of_merchant = OF_MERCHANT if walk["merchant_id"] else ""
    query = SELECT_PAYMENTS + of_merchant + NEXT_PAYMENTS
    values = {
        "after": walk["cursor"] or ids.first_at(walk["since"]),
        "before": ids.first_at(walk["until"]),
        "merchant_id": walk["merchant_id"],
        "limit": limit,
    }
    with tx.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), values).fetchall()


def insert_hit(tx: Connection, walk: Mapping[str, Any], hit: PastHit, *, now: dt.datetime) -> bool:
    """The hit is on record; whether it is new."""
    values = (
        hit.id,
        walk["id"],
        walk["list_id"],
        hit.payment_id,
        hit.merchant_id,
        hit.mode,
        hit.entry_id,
        hit.quality,
        now,
    )
    return tx.execute(INSERT_HIT, values).rowcount == 1


def update_rescreening(
    tx: Connection,
    rescreening_id: UUID,
    *,
    cursor: UUID | None,
    examined: int,
    hits: int,
    finished_at: dt.datetime | None,
) -> bool:
    """The walk has come so far; whether another is wanted after it."""
    values = {
        "id": rescreening_id,
        "cursor": cursor,
        "examined": examined,
        "hits": hits,
        "finished_at": finished_at,
    }
    row = tx.execute(UPDATE_RESCREENING, values).fetchone()
    return bool(row and row[0])


def rescreenings_of(tx: Connection, list_id: UUID, page: Page[UUID]) -> list[Rescreening]:
    """The list's re-screenings on the page, newest first, and the one after them."""
    query = pages.statement(SELECT_RESCREENINGS, {}, page)
    values = pages.values(page, NOBODY, "") | {"list_id": list_id}
    with tx.cursor(row_factory=class_row(Rescreening)) as cursor:
        return cursor.execute(query, values).fetchall()


def hits_of(tx: Connection, list_id: UUID, rescreening_id: UUID, page: Page[UUID]) -> list[PastHit]:
    """What the list's re-screening found, the newest first, and the one after them."""
    query = pages.statement(SELECT_HITS, HIT_FILTERS, page)
    values = {
        **pages.values(page, NOBODY, ""),
        **page.like,
        "rescreening_id": rescreening_id,
        "list_id": list_id,
    }
    with tx.cursor(row_factory=class_row(PastHit)) as cursor:
        return cursor.execute(query, values).fetchall()


def hits_of_list(tx: Connection, list_id: UUID, page: Page[UUID]) -> list[PastHit]:
    """What re-screenings of the list found, the newest first, and the one after them."""
    query = pages.statement(SELECT_HITS_OF_LIST, HIT_FILTERS, page)
    values = {**pages.values(page, NOBODY, ""), **page.like, "list_id": list_id}
    with tx.cursor(row_factory=class_row(PastHit)) as cursor:
        return cursor.execute(query, values).fetchall()

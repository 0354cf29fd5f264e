"""Lists and their entries in Postgres."""

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from paynexus import ids
from paynexus.db import Connection
from paynexus.fraud.lists.files import CSV_SOURCE, OFAC_PREFIX
from paynexus.fraud.lists.model import (
    Candidate,
    Entry,
    FraudList,
    Kind,
    State,
    Wanted,
    Written,
)
from paynexus.fraud.lists.rules import Keys, entry_blocks
from paynexus.fraud.model import Action
from paynexus.ids import MerchantId
from paynexus.lists import store as pages
from paynexus.lists.model import Page

NOBODY = MerchantId(UUID(int=0))
ENTRIES_PER_STATEMENT = 1_000
"""Entries of one COPY: each statement ends long before its deadline."""
COLUMNS = "id, merchant_id, name, kind, action, note, min_quality, state, author, created_at"
ENTRY_COLUMNS = "id, list_id, value, note, author, source, created_at, expires_at, removed_at"
ON_PAGE = """
    AND id >= %(least)s AND id < %(above)s
    AND created_at >= %(since)s AND created_at < %(until)s
    {like}
ORDER BY id DESC
LIMIT %(limit)s
"""

LOCK_OWNER = "SELECT pg_advisory_xact_lock(hashtextextended('fraud_lists ' || %s::TEXT, 0))"
COUNT_LISTS = "SELECT count(*) FROM fraud_lists WHERE merchant_id IS NOT DISTINCT FROM %s"
INSERT_LIST = f"""
INSERT INTO fraud_lists
    (id, merchant_id, name, kind, action, note, min_quality, author, created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT ON CONSTRAINT list_is_named_once DO NOTHING
RETURNING {COLUMNS}
"""  # noqa: S608 - constants, here and below
SELECT_LIST = f"""
SELECT {COLUMNS} FROM fraud_lists WHERE id = %s AND merchant_id IS NOT DISTINCT FROM %s
"""  # noqa: S608
SELECT_LISTS = f"""
SELECT {COLUMNS} FROM fraud_lists
WHERE merchant_id IS NOT DISTINCT FROM %(merchant_id)s {ON_PAGE}
"""  # noqa: S608
LIST_FILTERS: pages.Filters = {
    "kind": "AND kind = %(kind)s",
    "action": "AND action = %(action)s",
    "state": "AND state = %(state)s",
}
UPDATE_LIST = """
UPDATE fraud_lists SET
    note = coalesce(%(note)s, note),
    action = coalesce(%(action)s, action),
    state = coalesce(%(state)s, state),
    min_quality = coalesce(%(min_quality)s, min_quality)
WHERE id = %(id)s
"""

COUNT_ENTRIES = "SELECT count(*) FROM fraud_list_entries WHERE list_id = %s AND removed_at IS NULL"
INSERT_ENTRY = """
INSERT INTO fraud_list_entries (
    id, list_id, value, network, blocks, note, author, source, created_at, expires_at
) VALUES (
    %(id)s, %(list_id)s, %(value)s, %(network)s, %(blocks)s, %(note)s, %(author)s, %(source)s,
    %(created_at)s, %(expires_at)s
)
ON CONFLICT (list_id, value, source) WHERE removed_at IS NULL DO NOTHING
"""
COPY_ENTRIES = """
COPY fraud_list_entries (
    id, list_id, value, network, blocks, note, author, source, created_at, expires_at
) FROM STDIN
"""
SELECT_ENTRY = f"""
SELECT {ENTRY_COLUMNS} FROM fraud_list_entries WHERE id = %s AND list_id = %s
"""  # noqa: S608
SELECT_ENTRIES = f"""
SELECT {ENTRY_COLUMNS} FROM fraud_list_entries
WHERE list_id = %(list_id)s AND removed_at IS NULL {ON_PAGE}
"""  # noqa: S608
ENTRY_FILTERS: pages.Filters = {"value": "AND value = %(value)s"}
SELECT_LIST_OF_ENTRY = "SELECT list_id FROM fraud_list_entries WHERE id = %s"
SELECT_IMPORTED = f"""
SELECT {ENTRY_COLUMNS} FROM fraud_list_entries
WHERE list_id = %s AND removed_at IS NULL AND source LIKE %s
"""  # noqa: S608
REMOVE_ENTRIES = """
UPDATE fraud_list_entries SET removed_at = %s WHERE id = ANY (%s) AND removed_at IS NULL
"""

SELECT_CANDIDATES = """
SELECT fraud_list_candidates(
    %(merchant_id)s, %(fingerprint)s, %(email)s::TEXT [], %(ip)s::INET, %(country)s,
    %(bin)s::TEXT [], %(name_blocks)s::BIGINT [], %(now)s, %(list_id)s
)
"""


def insert_list(
    tx: Connection,
    wanted: Wanted,
    *,
    list_id: UUID,
    merchant_id: MerchantId | None,
    author: str,
    now: dt.datetime,
) -> FraudList | None:
    """The list as stored; None when its owner has one of this name."""
    row = tx.execute(
        INSERT_LIST,
        (
            list_id,
            merchant_id,
            wanted.name,
            wanted.kind,
            wanted.action,
            wanted.note,
            wanted.min_quality,
            author,
            now,
        ),
    ).fetchone()
    return _list(row) if row else None


def count_lists(tx: Connection, merchant_id: MerchantId | None) -> int:
    """How many lists the owner has; nobody makes another for it until the transaction ends."""
    tx.execute(LOCK_OWNER, (merchant_id,))
    return _number(tx, COUNT_LISTS, merchant_id)


def find_list(
    tx: Connection, list_id: UUID, merchant_id: MerchantId | None, *, lock: bool = False
) -> FraudList | None:
    """The owner's list of this id, held against other changes if asked to `lock`."""
    query = SELECT_LIST + ("FOR UPDATE" if lock else "")
    row = tx.execute(query.encode(), (list_id, merchant_id)).fetchone()
    return _list(row) if row else None


def lists_of(tx: Connection, merchant_id: MerchantId | None, page: Page[UUID]) -> list[FraudList]:
    """The owner's lists on the page, newest first, and the one after them."""
    query = pages.statement(SELECT_LISTS, LIST_FILTERS, page)
    values = pages.values(page, merchant_id or NOBODY, "") | {"merchant_id": merchant_id}
    return [_list(row) for row in tx.execute(query, values)]


def update_list(tx: Connection, list_id: UUID, changes: Mapping[str, object]) -> None:
    """The list is as `changes` (note, action, state, min_quality) say."""
    nothing = dict.fromkeys(("note", "action", "state", "min_quality"))
    tx.execute(UPDATE_LIST, {**nothing, **changes, "id": list_id})


def count_entries(tx: Connection, list_id: UUID) -> int:
    """How many entries the list holds."""
    return _number(tx, COUNT_ENTRIES, list_id)


def insert_entry(
    tx: Connection, owner: FraudList, written: Written, *, author: str, now: dt.datetime
) -> Entry | None:
    """The entry as stored; None when it is on the list already."""
    values = _entry_values(owner, written, author=author, now=now)
    is_new = tx.execute(INSERT_ENTRY, values).rowcount == 1
    entry_id = values["id"]
    return find_entry(tx, owner.id, entry_id) if is_new and isinstance(entry_id, UUID) else None


def copy_entries(
    tx: Connection, owner: FraudList, written: Iterable[Written], *, author: str, now: dt.datetime
) -> None:
    """All of them are on the list; none of them was."""
    rows = (list(_entry_values(owner, one, author=author, now=now).values()) for one in written)
    for batch in itertools.batched(rows, ENTRIES_PER_STATEMENT, strict=False):
        with tx.cursor() as cursor, cursor.copy(COPY_ENTRIES) as copy:
            for row in batch:
                copy.write_row(row)


def find_entry(tx: Connection, list_id: UUID, entry_id: UUID) -> Entry | None:
    """The list's entry of this id, removed or not."""
    with tx.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(SELECT_ENTRY, (entry_id, list_id)).fetchone()


def list_of_entry(connection: Connection, entry_id: UUID) -> UUID | None:
    """The list that the entry is or was on."""
    row = connection.execute(SELECT_LIST_OF_ENTRY, (entry_id,)).fetchone()
    return row[0] if row else None


def entries_of(tx: Connection, list_id: UUID, page: Page[UUID]) -> list[Entry]:
    """The list's entries on the page that aren't removed, newest first, and the one after."""
    query = pages.statement(SELECT_ENTRIES, ENTRY_FILTERS, page)
    values = pages.values(page, NOBODY, "") | {"list_id": list_id}
    with tx.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(query, values).fetchall()


def imported(tx: Connection, list_id: UUID, *, is_ofac: bool) -> list[Entry]:
    """The list's entries that came by an import of this layout."""
    source = f"{OFAC_PREFIX}%" if is_ofac else CSV_SOURCE
    with tx.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(SELECT_IMPORTED, (list_id, source)).fetchall()


def remove_entries(tx: Connection, entry_ids: list[UUID], *, now: dt.datetime) -> None:
    """The entries are listed no more, and kept."""
    tx.execute(REMOVE_ENTRIES, (now, entry_ids))


def candidates(
    tx: Connection, keys: Keys, *, now: dt.datetime, list_id: UUID | None = None
) -> list[Candidate]:
    """What may speak of a payment with these keys; of one list, if it is named."""
    values = {
        "merchant_id": keys.merchant_id,
        "fingerprint": keys.fingerprint,
        "email": keys.email,
        "ip": keys.ip,
        "country": keys.country,
        "bin": keys.bin,
        "name_blocks": keys.name_blocks,
        "now": now,
        "list_id": list_id,
    }
    row = tx.execute(SELECT_CANDIDATES, values).fetchone()
    return [Candidate.of(found) for found in row[0]] if row else []


def _entry_values(
    owner: FraudList, written: Written, *, author: str, now: dt.datetime
) -> dict[str, object]:
    """By the order of the columns in COPY_ENTRIES."""
    return {
        "id": ids.new_id(),
        "list_id": owner.id,
        "value": written.value,
        "network": written.value if owner.kind is Kind.IP else None,
        "blocks": entry_blocks(owner.merchant_id, owner.kind, written.value),
        "note": written.note,
        "author": author,
        "source": written.source,
        "created_at": now,
        "expires_at": written.expires_at,
    }


def _list(row: tuple[Any, ...]) -> FraudList:
    list_id, merchant_id, name, kind, action, note, min_quality, state, author, created_at = row
    return FraudList(
        list_id, merchant_id, name, Kind(kind), Action(action), note, min_quality,
        State(state), author, created_at,
    )  # fmt: skip


def _number(tx: Connection, query: str, value: UUID | None) -> int:
    row = tx.execute(query.encode(), (value,)).fetchone()
    return row[0] if row else 0

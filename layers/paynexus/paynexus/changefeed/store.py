"""The log's slot, the lock of its one reader, and the facts themselves, in SQL."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import errors as pg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from paynexus import ids
from paynexus.changefeed.pgoutput import Row
from paynexus.changefeed.port import Entry
from paynexus.db import Connection

PUBLICATION = "paynexus_changes"
PLUGIN = "pgoutput"
LOCK = "hashtextextended('changefeed ' || %s, 0)"


@dataclass(frozen=True, slots=True)
class Positions:
    """How far the log reaches: what is written, and what of it is safe on disk."""

    written: int
    flushed: int


@dataclass(frozen=True, slots=True)
class Slot:
    """What the server keeps for the feed."""

    lag_bytes: int
    wal_status: str


SQL_APPEND = """
SELECT append_event(%(id)s, %(source)s, %(type)s, %(mode)s, %(merchant_id)s, %(object_id)s,
    %(data)s)
"""


def append_event(
    tx: Connection,
    *,
    source: str,
    type: str,  # noqa: A002 - the envelope's own word
    mode: str,
    merchant_id: UUID | None,
    object_id: str,
    data: Mapping[str, Any],
) -> ids.EventId:
    """The fact is part of the caller's transaction and is published once that commits.

    The caller has locked the object's row, which is what makes `sequence` grow by one.
    """
    event_id = ids.EventId(ids.new_id())
    values = {
        "id": event_id,
        "source": source,
        "type": type,
        "mode": mode,
        "merchant_id": merchant_id,
        "object_id": object_id,
        "data": Jsonb(data),
    }
    tx.execute(SQL_APPEND, values)
    return event_id


SQL_CREATE_SLOT = """
SELECT pg_create_logical_replication_slot(%(slot)s, %(plugin)s)
WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = %(slot)s)
"""


def create_slot(connection: Connection, slot: str) -> bool:
    """The slot exists; true when it was made by this call."""
    values = {"slot": slot, "plugin": PLUGIN}
    return connection.execute(SQL_CREATE_SLOT, values).fetchone() is not None


SQL_SLOT = """
SELECT (pg_current_wal_flush_lsn() - confirmed_flush_lsn)::BIGINT AS lag_bytes, wal_status
FROM pg_replication_slots WHERE slot_name = %s
"""


def slot_of(connection: Connection, slot: str) -> Slot | None:
    """The slot as the server has it; None when there is none of this name."""
    with connection.cursor(row_factory=class_row(Slot)) as cursor:
        return cursor.execute(SQL_SLOT, (slot,)).fetchone()


# A dedicated connection, so session settings are safe here. The log's times are read as text,
# hence the fixed zone and style. A holder whose process vanished gives way after two minutes.
SQL_PREPARE_SESSION = """
SELECT set_config('timezone', 'UTC', FALSE), set_config('datestyle', 'ISO, YMD', FALSE),
    set_config('statement_timeout', '60s', FALSE),
    set_config('lock_timeout', %s, FALSE), set_config('idle_session_timeout', '120s', FALSE),
    set_config('application_name', 'paynexus changefeed', FALSE)
"""
SQL_ACQUIRE = f"SELECT pg_advisory_lock({LOCK})"
SQL_RELEASE = f"SELECT pg_advisory_unlock({LOCK})"


def acquire(connection: Connection, slot: str, *, wait_seconds: float) -> bool:
    """This session is the slot's one reader; false when another still was after the wait."""
    connection.execute(SQL_PREPARE_SESSION, (f"{max(1, int(wait_seconds * 1000))}ms",))
    try:
        connection.execute(SQL_ACQUIRE, (slot,))
    except pg.LockNotAvailable:
        return False
    return True


def release(connection: Connection, slot: str) -> None:
    """Another session may read the slot."""
    connection.execute(SQL_RELEASE, (slot,))


SQL_POSITIONS = """
SELECT (pg_current_wal_insert_lsn() - '0/0'::PG_LSN)::BIGINT AS written,
    (pg_current_wal_flush_lsn() - '0/0'::PG_LSN)::BIGINT AS flushed
"""


def positions(connection: Connection) -> Positions:
    """How far the log reaches now."""
    with connection.cursor(row_factory=class_row(Positions)) as cursor:
        row = cursor.execute(SQL_POSITIONS).fetchone()
    assert row is not None, "a SELECT without FROM has one row"  # noqa: S101 - says why
    return row


SQL_LOG_SNAPSHOT = "SELECT (pg_log_standby_snapshot() - '0/0'::PG_LSN)::BIGINT"


def log_snapshot(connection: Connection) -> int | None:
    """The log names the running transactions, so that the slot need not start far back.

    Returns where that record ends; None when this role may not do it: then the server's own
    records do, four a minute.
    """
    try:
        row = connection.execute(SQL_LOG_SNAPSHOT).fetchone()
    except pg.InsufficientPrivilege:
        return None
    assert row is not None, "a SELECT without FROM has one row"  # noqa: S101 - says why
    position: int = row[0]
    return position


SQL_PEEK = """
SELECT data FROM pg_logical_slot_peek_binary_changes(
    %s, NULL, %s, 'proto_version', '1', 'publication_names', %s)
"""


def peek(connection: Connection, slot: str, *, changes: int) -> list[bytes]:
    """The log's next messages, whole transactions of them, about `changes` in number."""
    # Binary: the text form of bytea doubles what travels.
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(SQL_PEEK, (slot, changes, PUBLICATION)).fetchall()
    return [row[0] for row in rows]


SQL_ADVANCE = """
SELECT pg_replication_slot_advance(slot_name, '0/0'::PG_LSN + %(to)s::NUMERIC)
FROM pg_replication_slots
WHERE slot_name = %(slot)s AND confirmed_flush_lsn < '0/0'::PG_LSN + %(to)s::NUMERIC
"""


def advance(connection: Connection, slot: str, *, to: int) -> None:
    """The log up to `to` is never read again."""
    connection.execute(SQL_ADVANCE, {"slot": slot, "to": to})


SQL_REJECT = """
INSERT INTO changefeed_rejects (id, source, type, object_id, detail, code, message, rejected_at)
VALUES (%(id)s, %(source)s, %(type)s, %(object_id)s, %(detail)s, %(code)s, %(message)s, now())
ON CONFLICT DO NOTHING
"""


def reject(connection: Connection, entry: Entry, *, code: str, message: str) -> None:
    """The fact is kept for a person, since the bus will not have it. Once, by its id."""
    values = {
        "id": entry.id,
        "source": entry.source,
        "type": entry.type,
        "object_id": entry.object_id,
        "detail": entry.detail,
        "code": code,
        "message": message,
    }
    connection.execute(SQL_REJECT, values)


# Values as text, as the log has them.
SQL_FACTS_BETWEEN = """
SELECT name AS table,
    (SELECT jsonb_object_agg(key, value) FROM jsonb_each_text(fact)) AS values
FROM (
    SELECT 'events' AS name, created_at, sequence, id, to_jsonb(e) AS fact
    FROM events AS e WHERE created_at >= %(start)s AND created_at < %(end)s
    UNION ALL
    SELECT 'transfers', created_at, sequence, id, to_jsonb(t)
    FROM transfers AS t WHERE created_at >= %(start)s AND created_at < %(end)s
) AS facts
ORDER BY created_at, sequence, id
"""


def facts_between(connection: Connection, start: dt.datetime, end: dt.datetime) -> list[Row]:
    """The rows that facts are made of, by the time they were created."""
    with connection.cursor(row_factory=class_row(Row)) as cursor:
        return cursor.execute(SQL_FACTS_BETWEEN, {"start": start, "end": end}).fetchall()

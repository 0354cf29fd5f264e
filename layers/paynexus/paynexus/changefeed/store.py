"""The log's slot and the facts themselves, in SQL."""

import datetime as dt
from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Slot:
    """What the server keeps for the feed."""

    lag_bytes: int
    wal_status: str
    is_active: bool


SQL_APPEND = """
SELECT append_event(%(id)s, %(source)s, %(type)s, %(mode)s, %(merchant_id)s, %(object_id)s,
    %(data)s)
"""


# As the function `append_event` does it, in one go: 100,000 facts are a bank statement's.
SQL_APPEND_ALL = """
INSERT INTO events (id, source, type, mode, merchant_id, object_id, sequence, data, created_at)
SELECT e.id, %(source)s, %(type)s, e.mode, e.merchant_id, e.object_id, 1 + coalesce(
    (SELECT max(b.sequence) FROM events AS b WHERE b.object_id = e.object_id), 0
), e.data, clock_timestamp()
FROM unnest(%(ids)s::UUID[], %(modes)s::TEXT[], %(merchants)s::UUID[], %(objects)s::TEXT[],
    %(data)s::JSONB[]) WITH ORDINALITY AS e (id, mode, merchant_id, object_id, data, n)
ORDER BY e.n
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """What is told of one object; of a batch, all are of one source and type, and differ in it."""

    mode: str
    merchant_id: UUID
    object_id: str
    data: Mapping[str, Any]


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


def append_events(
    tx: Connection,
    *,
    source: str,
    type: str,  # noqa: A002 - the envelope's own word
    facts: Sequence[Fact],
) -> None:
    """As `append_event`, for many objects in one statement."""
    values = {
        "source": source,
        "type": type,
        "ids": [ids.new_id() for _ in facts],
        "modes": [fact.mode for fact in facts],
        "merchants": [fact.merchant_id for fact in facts],
        "objects": [fact.object_id for fact in facts],
        "data": [Jsonb(fact.data) for fact in facts],
    }
    tx.execute(SQL_APPEND_ALL, values)


SQL_CREATE_SLOT = """
SELECT pg_create_logical_replication_slot(%(slot)s, %(plugin)s)
WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = %(slot)s)
"""


def create_slot(connection: Connection, slot: str) -> bool:
    """The slot exists; true when it was made by this call."""
    values = {"slot": slot, "plugin": PLUGIN}
    return connection.execute(SQL_CREATE_SLOT, values).fetchone() is not None


SQL_SLOT = """
SELECT (pg_current_wal_flush_lsn() - confirmed_flush_lsn)::BIGINT AS lag_bytes, wal_status,
    active AS is_active
FROM pg_replication_slots WHERE slot_name = %s
"""


def slot_of(connection: Connection, slot: str) -> Slot | None:
    """The slot as the server has it; None when there is none of this name."""
    with connection.cursor(row_factory=class_row(Slot)) as cursor:
        return cursor.execute(SQL_SLOT, (slot,)).fetchone()


SQL_MARK_LOG = """
SELECT (pg_logical_emit_message(TRUE, 'paynexus changefeed', '') - '0/0'::PG_LSN)::BIGINT
"""


def mark_log(connection: Connection) -> int:
    """A position behind everything committed before, which the log is sure to pass.

    The end of the log as the server tells it may lie within a record that nobody finishes.
    """
    row = connection.execute(SQL_MARK_LOG).fetchone()
    assert row is not None, "a SELECT without FROM has one row"  # noqa: S101 - says why
    position: int = row[0]
    return position


SQL_LOG_SNAPSHOT = "SELECT pg_log_standby_snapshot()"


def log_snapshot(connection: Connection) -> bool:
    """The log names the transactions that run now; false when this role may not have it so.

    Then the server does it by itself, four times a minute.
    """
    try:
        connection.execute(SQL_LOG_SNAPSHOT)
    except pg.InsufficientPrivilege:
        return False
    return True


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


# Values as text, as the log has them; a transfer with what its two entries say, which are found
# by their key: both have numbers of the microsecond of the booking.
SQL_FACTS_BETWEEN = """
SELECT name AS table,
    (SELECT jsonb_object_agg(key, value) FROM jsonb_each_text(fact)) AS values
FROM (
    SELECT 'events' AS name, created_at, sequence, id, to_jsonb(e) AS fact
    FROM events AS e WHERE created_at >= %(start)s AND created_at < %(end)s
    UNION ALL
    SELECT 'transfers', t.created_at, t.sequence, t.id, to_jsonb(t) || jsonb_strip_nulls(
        jsonb_build_object(
            'debit_balance_after', debit.balance_after,
            'credit_balance_after', credit.balance_after
        )
    )
    FROM transfers AS t
    LEFT JOIN ledger_entries AS debit ON debit.account_id = t.debit_account_id
        AND debit.id BETWEEN ledger_entry_id_at(t.created_at)
        AND ledger_entry_id_at(t.created_at) + 1023
        AND debit.transfer_id = t.id
    LEFT JOIN ledger_entries AS credit ON credit.account_id = t.credit_account_id
        AND credit.id BETWEEN ledger_entry_id_at(t.created_at)
        AND ledger_entry_id_at(t.created_at) + 1023
        AND credit.transfer_id = t.id
    WHERE t.created_at >= %(start)s AND t.created_at < %(end)s
) AS facts
ORDER BY created_at, sequence, id
"""


def facts_between(connection: Connection, start: dt.datetime, end: dt.datetime) -> list[Row]:
    """The rows that facts are made of, by the time they were created."""
    with connection.cursor(row_factory=class_row(Row)) as cursor:
        return cursor.execute(SQL_FACTS_BETWEEN, {"start": start, "end": end}).fetchall()

"""The SQL of seals. The line of an entry is spelt here and nowhere else."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row

from paynexus.db import Connection
from paynexus.ledger.seals.model import RECORD_BYTES, Seal, Stretch

BLOCK_BYTES = 4_096 * RECORD_BYTES

# A line is never spelt otherwise, else all that was sealed before would look altered: another
# spelling is another format, from a seal on. No version of Postgres and no setting of a session
# changes it either: the punctuation is our own. Metadata goes in by its digest, so that an
# export gives none away. A transfer is looked up by its key (LIMIT 1 sees to that): reading all
# transfers for the sake of an hour's entries is never right.
SQL_LINES = """
COPY (
    SELECT e.id, e.delta, concat(
        '{"id":', e.id,
        ',"account_id":"', e.account_id,
        '","transfer_id":"', e.transfer_id,
        '","type":"', e.type,
        '","delta":', e.delta,
        ',"released":', e.released,
        ',"balance_after":', e.balance_after,
        ',"currency":"', e.currency,
        '","slot":', e.slot,
        ',"transaction_id":', coalesce('"' || e.transaction_id || '"', 'null'),
        ',"effective_at":"', to_char(e.effective_at AT TIME ZONE 'UTC', %(time)s),
        '","created_at":"', to_char(e.created_at AT TIME ZONE 'UTC', %(time)s),
        '","transfer":', CASE WHEN t.id IS NULL THEN 'null' ELSE concat(
            '{"state":"', t.state,
            '","pending_id":', coalesce('"' || t.pending_id || '"', 'null'),
            ',"part":', coalesce(t.part::TEXT, 'null'),
            ',"is_final":', t.is_final::TEXT,
            ',"kind":"', t.kind,
            '","debit_account_id":"', t.debit_account_id,
            '","credit_account_id":"', t.credit_account_id,
            '","debit_slot":', t.debit_slot,
            ',"credit_slot":', t.credit_slot,
            ',"amount":', t.amount,
            ',"released":', t.released,
            ',"currency":"', t.currency,
            '","mode":"', t.mode,
            '","merchant_id":', coalesce('"' || t.merchant_id || '"', 'null'),
            ',"object_id":', to_json(t.object_id),
            ',"transaction_id":', coalesce('"' || t.transaction_id || '"', 'null'),
            ',"sequence":', t.sequence,
            ',"reverses":', coalesce('"' || t.reverses || '"', 'null'),
            ',"expires_at":', coalesce(
                '"' || to_char(t.expires_at AT TIME ZONE 'UTC', %(time)s) || '"', 'null'),
            ',"metadata_sha256":', coalesce(
                '"' || encode(sha256(convert_to(t.metadata::TEXT, 'UTF8')), 'hex') || '"', 'null'),
            ',"effective_at":"', to_char(t.effective_at AT TIME ZONE 'UTC', %(time)s),
            '","created_at":"', to_char(t.created_at AT TIME ZONE 'UTC', %(time)s),
            '"}'
        ) END,
        ',"account":', CASE WHEN a.id IS NULL THEN 'null' ELSE concat(
            '{"type":"', a.type,
            '","normal_side":"', a.normal_side,
            '","mode":"', a.mode,
            '","currency":"', a.currency,
            '","merchant_id":', coalesce('"' || a.merchant_id || '"', 'null'),
            '}'
        ) END, '}'
    )
    FROM ledger_entries AS e
    LEFT JOIN LATERAL (SELECT * FROM transfers WHERE id = e.transfer_id LIMIT 1) AS t ON TRUE
    LEFT JOIN accounts AS a ON a.id = e.account_id
    WHERE e.id >= ledger_entry_id_at(%(since)s) AND e.id < ledger_entry_id_at(%(until)s)
    ORDER BY e.id, e.account_id
) TO STDOUT
"""
SQL_ONE_SNAPSHOT = """
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL statement_timeout = '5min'
"""
SQL_MARK = "SELECT marked_at, transaction::TEXT FROM ledger_mark()"
SQL_IS_SETTLED = "SELECT pg_snapshot_xmin(pg_current_snapshot()) > %s::XID8"
SQL_FIRST_ENTRY = "SELECT ledger_entry_time(min(id)) FROM ledger_entries"
_COLUMNS = """
    number, since, until, entries, moved, previous, head, sealed_at, key, signature
"""
SQL_LATEST = f"SELECT {_COLUMNS} FROM ledger_seals ORDER BY number DESC LIMIT 1"  # noqa: S608
SQL_BETWEEN = f"""
SELECT {_COLUMNS} FROM ledger_seals
WHERE since >= %(since)s AND until <= %(until)s ORDER BY number
"""  # noqa: S608 - columns of our own
SQL_DUE = f"""
SELECT {_COLUMNS} FROM ledger_seals
WHERE until > %(recent)s OR number %% %(rotation)s = %(turn)s ORDER BY number
"""  # noqa: S608 - likewise
SQL_INSERT = """
INSERT INTO ledger_seals (
    number, since, until, entries, moved, previous, head, sealed_at, key, hash, signature
) VALUES (
    %(number)s, %(since)s, %(until)s, %(entries)s, %(moved)s, %(previous)s, %(head)s,
    %(sealed_at)s, %(key)s, %(hash)s, %(signature)s
) ON CONFLICT DO NOTHING
"""
SQL_INSERT_RECORDS = """
INSERT INTO ledger_seal_records (seal, position, records) VALUES (%s, %s, %s)
"""
SQL_RECORDS = "SELECT records FROM ledger_seal_records WHERE seal = %s ORDER BY position"


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as it is sealed."""

    entry_id: int
    delta: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment, and the transactions that may still record something before it."""

    at: dt.datetime
    transaction: str


def one_snapshot(tx: Connection) -> None:
    """All that this transaction reads is of one moment; it holds up nobody."""
    tx.execute(SQL_ONE_SNAPSHOT)


def mark(connection: Connection) -> Mark:
    """Now, by the database's clock."""
    [row] = connection.execute(SQL_MARK).fetchall()
    return Mark(*row)


def is_settled(connection: Connection, before: Mark) -> bool:
    """Whether every transaction that recorded something before the mark has ended."""
    [row] = connection.execute(SQL_IS_SETTLED, (before.transaction,)).fetchall()
    return bool(row[0])


def lines(tx: Connection, stretch: Stretch) -> Iterator[Line]:
    """The lines of the stretch, by number; they are streamed, not gathered."""
    values = {
        "since": stretch.since,
        "until": stretch.until,
        "time": 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"',
    }
    with tx.cursor() as cursor, cursor.copy(SQL_LINES, values) as copy:
        for row in copy:
            entry_id, delta, text = bytes(row).rstrip(b"\n").split(b"\t")
            # In a line of JSON, COPY escapes backslashes and nothing else.
            yield Line(int(entry_id), int(delta), text.replace(b"\\\\", b"\\"))


def first_entry_at(connection: Connection) -> dt.datetime | None:
    """When the first entry was recorded."""
    [row] = connection.execute(SQL_FIRST_ENTRY).fetchall()
    at: dt.datetime | None = row[0]
    return at


def latest(connection: Connection) -> Seal | None:
    """The last seal."""
    found = _seals(connection, SQL_LATEST, {})
    return found[0] if found else None


def between(connection: Connection, since: dt.datetime, until: dt.datetime) -> list[Seal]:
    """The seals of this time."""
    return _seals(connection, SQL_BETWEEN, {"since": since, "until": until})


def due(connection: Connection, *, recent: dt.datetime, rotation: int, turn: int) -> list[Seal]:
    """The seals that end after `recent`, and those whose turn it is."""
    values = {"recent": recent, "rotation": rotation, "turn": turn}
    return _seals(connection, SQL_DUE, values)


def insert(tx: Connection, seal: Seal, records: bytes) -> bool:
    """The seal is kept with its records, unless another run was quicker."""
    values = {name: getattr(seal, name) for name in Seal.__slots__} | {"hash": seal.hash}
    if tx.execute(SQL_INSERT, values).rowcount == 0:
        return False
    for position, start in enumerate(range(0, len(records), BLOCK_BYTES)):
        block = records[start : start + BLOCK_BYTES]
        tx.execute(SQL_INSERT_RECORDS, (seal.number, position, block))
    return True


def records(connection: Connection, number: int) -> bytes:
    """The records of the seal."""
    return b"".join(row[0] for row in connection.execute(SQL_RECORDS, (number,)))


def _seals(connection: Connection, query: str, values: dict[str, Any]) -> list[Seal]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, values).fetchall()
    return [Seal(**row | {"moved": int(row["moved"])}) for row in rows]

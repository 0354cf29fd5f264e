"""Files and their lines in SQL: brought in by COPY, explained by a few statements on all of them.

No statement is of one line. What is brought in waits in a temporary table until its verdicts are
known, so that each row of `gateway_lines` is written once.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.settlement.acquirers.model import File, FileLine
from paynexus.settlement.acquirers.store.verdicts import SQL_EXPLAIN_FILE, SQL_EXPLAIN_WAITING

SQL_TIME = "SELECT set_config('statement_timeout', %s, TRUE), set_config('lock_timeout', %s, TRUE)"
SQL_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('gateway_files/' || %s, 0))"
SQL_IS_KNOWN = "SELECT EXISTS (SELECT FROM gateway_files WHERE gateway = %s AND sha256 = %s)"
SQL_INCOMING = """
CREATE TEMPORARY TABLE incoming_lines (
    position INTEGER, line_id TEXT, reference TEXT, gateway_reference TEXT, operation TEXT,
    currency TEXT, gross BIGINT, fee BIGINT, net BIGINT, occurred_at TIMESTAMPTZ,
    payout_reference TEXT, payout_on DATE
) ON COMMIT DROP
"""
SQL_COPY = "COPY incoming_lines FROM STDIN"
SQL_ANALYZE = "ANALYZE incoming_lines"
# A charge and its capture are one object to some gateways: what tells only the object's name is
# of the charge. Attempts have no index by it: their ids' time says where to look.
SQL_NAME = """
UPDATE incoming_lines AS l SET reference = a.reference
FROM attempts AS a
WHERE l.reference IS NULL AND a.gateway = %(gateway)s
    AND a.gateway_reference = l.gateway_reference
    AND a.operation = CASE l.operation WHEN 'release' THEN 'charge'
        WHEN 'refund_failure' THEN 'refund' ELSE l.operation END
    AND a.id >= (
        SELECT uuid_at(min(occurred_at) - INTERVAL '180 days') FROM incoming_lines
        WHERE reference IS NULL
    )
"""
SQL_NAME_BY_THEIRS = """
UPDATE incoming_lines SET reference = coalesce(gateway_reference, line_id)
WHERE reference IS NULL
"""
SQL_LACKS_REFERENCES = "SELECT EXISTS (SELECT FROM incoming_lines WHERE reference IS NULL)"
SQL_COVERED = """
SELECT count(*), min((occurred_at AT TIME ZONE 'UTC')::DATE),
    max((occurred_at AT TIME ZONE 'UTC')::DATE)
FROM incoming_lines
"""
SQL_INSERT_FILE = """
INSERT INTO gateway_files
    (gateway, sha256, name, format, lines, day, covers_from, covers_to, processed_at)
VALUES (%(gateway)s, %(sha256)s, %(name)s, %(format)s, %(lines)s, %(day)s, %(covers_from)s,
    %(covers_to)s, %(now)s)
"""

SQL_FORGET = "DROP TABLE explained_lines"
# The transfer of a line that differs from it is named, too: it is not missing besides.
NAMES_ITS_TRANSFER = "verdict IN ('matched', 'fee', 'timing', 'amount', 'currency')"
SQL_INSERT_LINES = f"""
INSERT INTO gateway_lines (gateway, file_sha256, position, line_id, reference,
    gateway_reference, operation, mode, currency, gross, fee, net, occurred_at,
    payout_reference, payout_on, is_counted, attempt_id, payment_id, transfer_id, verdict)
SELECT gateway, file_sha256, position, line_id, reference, gateway_reference, operation, mode,
    currency, gross, fee, net, occurred_at, payout_reference, payout_on,
    payout_reference IS NOT NULL AND operation <> 'payout' AND NOT (is_repeated AND EXISTS (
        SELECT FROM gateway_lines AS e
        WHERE e.gateway = x.gateway AND e.line_id = x.line_id AND e.is_counted
    )),
    attempt_id, payment_id, CASE WHEN {NAMES_ITS_TRANSFER} THEN found_id END, verdict
FROM explained_lines AS x
"""  # noqa: S608 - a constant of this file
SQL_UPDATE_LINES = f"""
UPDATE gateway_lines AS l SET
    attempt_id = x.attempt_id, payment_id = x.payment_id, verdict = x.verdict,
    transfer_id = CASE WHEN x.{NAMES_ITS_TRANSFER} THEN x.found_id END
FROM explained_lines AS x
WHERE (l.gateway, l.file_sha256, l.position) = (x.gateway, x.file_sha256, x.position)
    AND x.verdict <> x.was
"""  # noqa: S608
SQL_KEEP_EXTRA = """
UPDATE explained_lines SET verdict = 'extra'
WHERE (file_sha256, position) IN (
    SELECT u.file_sha256, u.position FROM unnest(%s::BYTEA[], %s::INTEGER[])
        AS u (file_sha256, position)
)
"""
SQL_NEWS = """
SELECT file_sha256, position, reference, operation, mode, currency, gross, fee, said, expected,
    said_fee, expected_fee, booked_currency, asked_currency, occurred_at, verdict, was,
    payment_id, found_id AS transfer_id
FROM explained_lines
WHERE verdict IN ('amount', 'fee', 'currency', 'duplicate', 'extra', 'timing')
        AND verdict IS DISTINCT FROM was
    OR was = 'extra' AND verdict <> 'extra'
ORDER BY file_sha256, position LIMIT %s
"""
SQL_WAITING = """
SELECT DISTINCT a.reference, l.gateway_reference
FROM gateway_lines AS l
INNER JOIN attempts AS a ON a.id = l.attempt_id
WHERE l.gateway = %s AND l.verdict = 'waiting'
    AND (a.operation IN ('charge', 'capture', 'refund')
        OR EXISTS (SELECT FROM late_approvals AS p WHERE p.id = a.operation_id))
    AND (a.operation, l.operation) <> ('refund', 'refund_failure')
ORDER BY a.reference LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class News:
    """A line whose verdict is new, and a break or the end of one."""

    file_sha256: bytes
    position: int
    reference: str
    operation: str
    mode: str
    currency: str
    gross: int
    fee: int
    said: int
    expected: int | None
    said_fee: int
    expected_fee: int | None
    booked_currency: str | None
    asked_currency: str | None
    occurred_at: dt.datetime
    verdict: str
    was: str | None
    payment_id: UUID | None
    transfer_id: UUID | None


def begin(tx: Connection, gateway: str, *, seconds: int) -> None:
    """One transaction at a time works on the gateway's files, for so long at most."""
    milliseconds = str(seconds * 1000)
    tx.execute(SQL_TIME, (milliseconds, milliseconds))
    tx.execute(SQL_LOCK, (gateway,))


def is_known(tx: Connection, gateway: str, sha256: bytes) -> bool:
    """Whether the same bytes were taken before."""
    row = tx.execute(SQL_IS_KNOWN, (gateway, sha256)).fetchone()
    return bool(row and row[0])


def bring_in(tx: Connection, gateway: str, lines: Iterable[FileLine]) -> None:
    """All lines are in `incoming_lines`, each with our reference where that can be found."""
    tx.execute(SQL_INCOMING)
    with tx.cursor() as cursor, cursor.copy(SQL_COPY) as copy:
        for position, line in enumerate(lines, 1):
            copy.write_row(
                (
                    position,
                    line.line_id,
                    line.reference,
                    line.gateway_reference,
                    line.operation,
                    line.currency,
                    line.gross,
                    line.fee,
                    line.net,
                    line.occurred_at,
                    line.payout_reference,
                    line.payout_on,
                )
            )
    row = tx.execute(SQL_LACKS_REFERENCES).fetchone()
    if row and row[0]:
        tx.execute(SQL_NAME, {"gateway": gateway})
        tx.execute(SQL_NAME_BY_THEIRS)
    tx.execute(SQL_ANALYZE)


def record(tx: Connection, file: File, *, now: dt.datetime) -> int:
    """The file is on record with the days that it covers; how many lines came in."""
    row = tx.execute(SQL_COVERED).fetchone()
    count, first, last = row or (0, None, None)
    days = [day for day in (first, last, file.day) if day]
    values = {
        "gateway": file.gateway,
        "sha256": file.sha256,
        "name": file.name,
        "format": file.format,
        "lines": count,
        "day": file.day,
        # A line of another day than the file's says nothing of the rest of that day.
        "covers_from": file.day or min(days, default=None),
        "covers_to": file.day or max(days, default=None),
        "now": now,
    }
    tx.execute(SQL_INSERT_FILE, values)
    return int(count)


def explain(tx: Connection, file: File, *, now: dt.datetime) -> None:
    """Each line that was brought in has its verdict, in `explained_lines`."""
    values = {
        "gateway": file.gateway,
        "mode": file.mode,
        "sha256": file.sha256,
        "day": file.day,
        "now": now,
        "waited_since": None,
        "is_asked": False,
    }
    tx.execute(SQL_EXPLAIN_FILE.encode(), values)


def explain_waiting(
    tx: Connection,
    gateway: str,
    *,
    now: dt.datetime,
    waited_since: dt.datetime | None,
    is_asked: bool,
) -> None:
    """Each line of the gateway that waits has its verdict of now, in `explained_lines`.

    With `is_asked`, what it proves has been told: what was certain otherwise stays so. One of a
    file before `waited_since`, if that is given, has waited in vain.
    """
    values = {
        "gateway": gateway,
        "now": now,
        "waited_since": waited_since,
        "is_asked": is_asked,
    }
    tx.execute(SQL_EXPLAIN_WAITING.encode(), values)


def news(tx: Connection, *, limit: int) -> list[News]:
    """Lines in `explained_lines` that are breaks and were none, or were extra and are explained."""
    with tx.cursor(row_factory=class_row(News)) as cursor:
        return cursor.execute(SQL_NEWS, (limit,)).fetchall()


def keep_extra(tx: Connection, lines: Iterable[News]) -> None:
    """These stay what a person has decided them to be."""
    keys = [(line.file_sha256, line.position) for line in lines]
    if keys:
        hashes, positions = zip(*keys, strict=True)
        tx.execute(SQL_KEEP_EXTRA, (list(hashes), list(positions)))


def keep_file(tx: Connection) -> None:
    """The file's lines are on record as explained."""
    tx.execute(SQL_INSERT_LINES)
    tx.execute(SQL_FORGET)


def keep_waiting(tx: Connection) -> None:
    """The lines that waited are on record as explained now."""
    tx.execute(SQL_UPDATE_LINES)
    tx.execute(SQL_FORGET)


def waiting(connection: Connection, gateway: str, *, limit: int) -> list[tuple[str, str | None]]:
    """Our references of which lines wait, with the gateway's: what these lines are proof of."""
    return connection.execute(SQL_WAITING, (gateway, limit)).fetchall()

"""Bank files, their statements and lines, and the transfers that book them."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import NamedTuple

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.settlement.bank.messages import Header, Statement
from paynexus.settlement.statements.model import Answer, Judged, Line, Match

BATCH = 20_000
"""Lines that one statement judges."""
STATEMENT_SECONDS = 300
"""How long one statement of a file may take: it moves 100,000 lines at once."""

SQL_PATIENCE = f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'"

SQL_FILE = """
INSERT INTO bank_files (direction, sha256, name, kind, message_id, made_at, processed_at)
VALUES ('in', %s, %s, %s, %s, %s, %s) ON CONFLICT (direction, sha256) DO NOTHING
"""

SQL_STATEMENT = """
INSERT INTO bank_statements (file_sha256, position, account_iban, mode, number, day, currency,
                             opening, closing)
SELECT %(file)s, %(position)s, %(iban)s, (
    SELECT mode FROM house_accounts WHERE iban = %(iban)s
     ORDER BY currency = %(currency)s DESC, mode LIMIT 1
), %(number)s, %(day)s, %(currency)s, %(opening)s, %(closing)s
ON CONFLICT (account_iban, currency, day, coalesce(number, -1)) WHERE NOT is_repeated DO NOTHING
RETURNING mode
"""
SQL_REPEATED_STATEMENT = """
INSERT INTO bank_statements (file_sha256, position, account_iban, mode, number, day, currency,
                             opening, closing, is_repeated)
SELECT %(file)s, %(position)s, account_iban, mode, number, day, currency, %(opening)s, %(closing)s,
       TRUE
  FROM bank_statements
 WHERE account_iban = %(iban)s AND currency = %(currency)s AND day = %(day)s
   AND coalesce(number, -1) = coalesce(%(number)s, -1) AND NOT is_repeated
RETURNING mode
"""
SQL_COUNT_ENTRIES = """
UPDATE bank_statements AS s SET entries = l.entries
  FROM (SELECT statement, count(*) AS entries FROM bank_lines
         WHERE file_sha256 = %(file)s AND kind = 'entry' GROUP BY statement) AS l
 WHERE s.file_sha256 = %(file)s AND s.position = l.statement
"""

SQL_COPY = """
COPY bank_lines (file_sha256, position, kind, reference, statement, whole, account_iban,
                 message_id, end_to_end_id, code, reason_code, amount, currency, is_debit,
                 is_return, booked_on, value_on, remittance, counterparty, verdict)
FROM STDIN
"""

SQL_ANSWERS = """
SELECT position, message_id, end_to_end_id, code, reason_code FROM bank_lines
 WHERE file_sha256 = %s AND kind = 'status' ORDER BY position
"""
SQL_LINES = """
SELECT l.position, l.whole, l.end_to_end_id, l.message_id, l.amount, l.currency, l.is_debit,
       l.is_return, l.reason_code, l.booked_on, s.account_iban AS iban, s.mode
  FROM bank_lines AS l
  JOIN bank_statements AS s ON s.file_sha256 = l.file_sha256 AND s.position = l.statement
 WHERE l.file_sha256 = %s AND l.kind IN ('entry', 'part') AND l.verdict IS NULL
 ORDER BY l.position
"""
SQL_TEXTS = """
SELECT coalesce(l.whole, l.position), l.reference, l.message_id, l.end_to_end_id, l.remittance,
       l.counterparty
  FROM bank_lines AS l
 WHERE l.file_sha256 = %s AND coalesce(l.whole, l.position) = ANY(%s)
 ORDER BY l.position
"""

SQL_JUDGE = """
UPDATE bank_lines AS l SET verdict = j.verdict, matched = j.matched
  FROM unnest(%(positions)s::INTEGER[], %(verdicts)s::TEXT[], %(matched)s::UUID[])
    AS j (position, verdict, matched)
 WHERE l.file_sha256 = %(file)s AND l.position = j.position
"""
SQL_COPY_MATCHES = """
COPY bank_matches (transfer_id, file_sha256, position, rule, amount) FROM STDIN
"""
SQL_DIFFERED = """
SELECT DISTINCT end_to_end_id FROM bank_lines
 WHERE end_to_end_id = ANY(%s) AND verdict IN ('amount', 'currency') AND file_sha256 <> %s
"""
SQL_REPEATED = """
SELECT s.mode, s.currency,
       coalesce(sum(CASE WHEN l.is_debit THEN -l.amount ELSE l.amount END), 0)::BIGINT
  FROM bank_statements AS s
  LEFT JOIN bank_lines AS l
    ON l.file_sha256 = s.file_sha256 AND l.statement = s.position AND l.kind = 'entry'
 WHERE s.file_sha256 = %s AND s.is_repeated AND s.mode IS NOT NULL
 GROUP BY s.mode, s.currency ORDER BY s.mode, s.currency
"""


class Row(NamedTuple):
    """A line as it is copied; see bank_lines."""

    position: int
    kind: str
    reference: str
    statement: int | None = None
    whole: int | None = None
    account_iban: str | None = None
    message_id: str | None = None
    end_to_end_id: str | None = None
    code: str | None = None
    reason_code: str | None = None
    amount: int | None = None
    currency: str | None = None
    is_debit: bool | None = None
    is_return: bool = False
    booked_on: dt.date | None = None
    value_on: dt.date | None = None
    remittance: str | None = None
    counterparty: str | None = None
    verdict: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """A statement of a file; `mode` is that of our account, None where it isn't ours."""

    position: int
    account_iban: str
    mode: str | None
    is_repeated: bool


def be_patient(tx: Connection) -> None:
    """Until the transaction ends, a statement may take as long as a large file needs."""
    tx.execute(SQL_PATIENCE)


def insert_file(
    tx: Connection, header: Header, *, sha256: bytes, name: str, now: dt.datetime
) -> bool:
    """The file is on record as processed; False when the same bytes were before."""
    values = (sha256, name, header.kind, header.message_id, header.created_at, now)
    return tx.execute(SQL_FILE, values).rowcount == 1


def insert_statement(tx: Connection, sha256: bytes, position: int, statement: Statement) -> Head:
    """The statement is on record; as a repetition when another one of its number and day is."""
    values = {
        "file": sha256,
        "position": position,
        "iban": statement.account_iban,
        "number": statement.number,
        "day": statement.day,
        "currency": statement.currency,
        "opening": statement.opening,
        "closing": statement.closing,
    }
    row = tx.execute(SQL_STATEMENT, values).fetchone()
    is_repeated = row is None
    if row is None:
        row = tx.execute(SQL_REPEATED_STATEMENT, values).fetchone()
    assert row is not None, "what is in the way is on record"  # noqa: S101
    return Head(position, statement.account_iban, row[0], is_repeated)


def copy(tx: Connection, sha256: bytes, rows: Iterable[Row]) -> None:
    """The lines are on record, with a verdict or to be judged."""
    with tx.cursor() as cursor, cursor.copy(SQL_COPY) as target:
        for row in rows:
            target.write_row((sha256, *row))


def count_entries(tx: Connection, sha256: bytes) -> None:
    """Each statement of the file knows how many entries it has."""
    tx.execute(SQL_COUNT_ENTRIES, {"file": sha256})


def answers(tx: Connection, sha256: bytes) -> list[Answer]:
    """The file's statuses, in its order."""
    with tx.cursor(row_factory=class_row(Answer)) as cursor:
        return cursor.execute(SQL_ANSWERS, (sha256,)).fetchall()


def lines(tx: Connection, sha256: bytes) -> list[Line]:
    """What the file says was booked on our accounts and is to be judged, in its order."""
    with tx.cursor(row_factory=class_row(Line)) as cursor:
        return cursor.execute(SQL_LINES, (sha256,)).fetchall()


def texts(tx: Connection, sha256: bytes, positions: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Of each entry, all that it and its parts say in words."""
    found: dict[int, tuple[str, ...]] = {}
    for position, *words in tx.execute(SQL_TEXTS, (sha256, list(positions))):
        found[position] = (*found.get(position, ()), *filter(None, words))
    return found


def judge(tx: Connection, sha256: bytes, judged: Sequence[Judged]) -> None:
    """The lines have their verdicts."""
    for batch in batched(judged, BATCH, strict=False):
        values = {
            "file": sha256,
            "positions": [one.position for one in batch],
            "verdicts": [one.verdict for one in batch],
            "matched": [one.matched for one in batch],
        }
        tx.execute(SQL_JUDGE, values)


def match(tx: Connection, sha256: bytes, matches: Iterable[Match]) -> None:
    """It is on record which transfers book which entry."""
    with tx.cursor() as cursor, cursor.copy(SQL_COPY_MATCHES) as target:
        for one in matches:
            target.write_row((one.transfer_id, sha256, one.position, one.rule, one.amount))


def differed(tx: Connection, sha256: bytes, references: Sequence[str]) -> set[str]:
    """Which of the references a line of another file had, with an amount or currency not ours."""
    rows = tx.execute(SQL_DIFFERED, (list(references), sha256))
    return {row[0] for row in rows}


def repeated(tx: Connection, sha256: bytes) -> list[tuple[str, str, int]]:
    """Mode, currency and sum of the file's repeated statements of our accounts."""
    return [(row[0], row[1], row[2]) for row in tx.execute(SQL_REPEATED, (sha256,))]

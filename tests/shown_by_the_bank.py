"""A bank's statement of what a test has moved through cash by itself, without a bank."""

import datetime as dt
import hashlib

from paynexus.db import Database

SQL_MOVED = """
SELECT transfer_id, mode, currency, amount FROM cash_movements AS c
 WHERE NOT EXISTS (SELECT FROM bank_matches AS m WHERE m.transfer_id = c.transfer_id)
 ORDER BY transfer_id
"""
SQL_FILE = """
INSERT INTO bank_files (direction, sha256, name, kind, message_id, processed_at)
VALUES ('in', %s, 'inbox/shown.xml', 'camt.053', 'SHOWN', %s)
"""
SQL_STATEMENT = """
INSERT INTO bank_statements (file_sha256, position, account_iban, mode, number, day, currency)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
SQL_LINE = """
INSERT INTO bank_lines (file_sha256, position, statement, kind, reference, amount, currency,
    is_debit, booked_on, verdict)
VALUES (%s, %s, %s, 'entry', 'SHOWN', %s, %s, %s, %s, 'gateway')
"""
SQL_MATCH = """
INSERT INTO bank_matches (transfer_id, file_sha256, position, rule, amount)
VALUES (%s, %s, %s, 'shown', %s)
"""


def show(database: Database, *, now: dt.datetime) -> None:
    """Each transfer that moved cash has a line of a bank's, as if that had booked it."""
    with database.transaction() as tx:
        moved = tx.execute(SQL_MOVED).fetchall()
        sha256 = hashlib.sha256(str(moved).encode()).digest()
        if not moved:
            return
        tx.execute(SQL_FILE, (sha256, now))
        for position, (transfer_id, mode, currency, amount) in enumerate(moved):
            statement = (sha256, position, f"SHOWN-{position}", mode, None, now.date(), currency)
            tx.execute(SQL_STATEMENT, statement)
            line = (sha256, position, position, abs(amount), currency, amount < 0, now.date())
            tx.execute(SQL_LINE, line)
            tx.execute(SQL_MATCH, (transfer_id, sha256, position, amount))

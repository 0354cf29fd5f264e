"""Cases and their diaries in SQL, run on the caller's connection."""

from typing import Any, LiteralString
from uuid import UUID

from psycopg import sql
from psycopg.abc import Params
from psycopg.rows import dict_row

from paynexus.db import Connection
from paynexus.fraud.cases.model import (
    CaseOutcome,
    CaseState,
    FraudCase,
    FraudCaseId,
    Note,
    NoteKind,
)
from paynexus.fraud.model import Verdict
from paynexus.ids import MerchantId, PaymentId
from paynexus.lists import store as lists
from paynexus.lists.model import Page
from paynexus.money import Money

SQL_OPEN = """
INSERT INTO fraud_cases (
    id, payment_id, merchant_id, mode, verdict, score, amount, currency, created_at
) VALUES (
    %(id)s, %(payment_id)s, %(merchant_id)s, %(mode)s, %(verdict)s, %(score)s, %(amount)s,
    %(currency)s, %(created_at)s
)
ON CONFLICT ON CONSTRAINT a_payment_has_one_fraud_case DO NOTHING
"""
SQL_FIND = "SELECT * FROM fraud_cases WHERE id = %s AND merchant_id = %s AND mode = %s"
SQL_LOCK = SQL_FIND + " FOR UPDATE"
SQL_LIST = """
SELECT * FROM fraud_cases
WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s
    AND id >= %(least)s AND id < %(above)s
    AND created_at >= %(since)s AND created_at < %(until)s
    {like}
ORDER BY id DESC
LIMIT %(limit)s
"""
FILTERS: lists.Filters = {
    "state": "AND state = %(state)s",
    "outcome": "AND outcome = %(outcome)s",
    "payment": "AND payment_id = %(payment)s",
}
SQL_PUT = """
UPDATE fraud_cases SET
    state = %(state)s, outcome = %(outcome)s, assignee = %(assignee)s, closed_at = %(closed_at)s
WHERE id = %(id)s
"""
SQL_ADD_NOTE = """
INSERT INTO fraud_case_notes (id, case_id, kind, text, author, created_at)
VALUES (%(id)s, %(case_id)s, %(kind)s, %(text)s, %(author)s, %(created_at)s)
"""
SQL_COUNT_NOTES = "SELECT count(*) FROM fraud_case_notes WHERE case_id = %s AND kind = 'note'"
SQL_NOTES = """
SELECT id, kind, text, author, created_at FROM fraud_case_notes
WHERE case_id = %(case_id)s
ORDER BY id DESC
LIMIT %(limit)s
"""
SQL_DECISION = """
SELECT reasons, trace FROM fraud_decisions WHERE payment_id = %s
"""
SQL_VALUES = """
SELECT p.fingerprint, c.email
FROM transactions AS p LEFT JOIN payment_customers AS c ON c.payment_id = p.id
WHERE p.id = %s
"""


def open_case(tx: Connection, case: FraudCase) -> bool:
    """There is a case about the payment; whether it is this one."""
    values = {
        "id": case.id,
        "payment_id": case.payment_id,
        "merchant_id": case.merchant_id,
        "mode": case.mode,
        "verdict": case.verdict,
        "score": case.score,
        "amount": case.money.amount,
        "currency": case.money.currency,
        "created_at": case.created_at,
    }
    return tx.execute(SQL_OPEN, values).rowcount == 1


def find(
    connection: Connection, case_id: FraudCaseId, merchant_id: MerchantId, mode: str
) -> FraudCase | None:
    """The merchant's case of this id, or None: another merchant's is as good as none."""
    found = _all(connection, SQL_FIND, (case_id, merchant_id, mode))
    return found[0] if found else None


def lock(
    tx: Connection, case_id: FraudCaseId, merchant_id: MerchantId, mode: str
) -> FraudCase | None:
    """The same, and it stays as it is until the transaction ends."""
    found = _all(tx, SQL_LOCK, (case_id, merchant_id, mode))
    return found[0] if found else None


def page(
    connection: Connection, merchant_id: MerchantId, mode: str, page: Page[UUID]
) -> list[FraudCase]:
    """The merchant's cases on the page, newest first, and the one after them."""
    query = lists.statement(SQL_LIST, FILTERS, page)
    return _all(connection, query, lists.values(page, merchant_id, mode))


def put(tx: Connection, case: FraudCase) -> None:
    """The case is on record as it is; its row is locked."""
    values = {
        "id": case.id,
        "state": case.state,
        "outcome": case.outcome,
        "assignee": case.assignee,
        "closed_at": case.closed_at,
    }
    tx.execute(SQL_PUT, values)


def add_note(tx: Connection, case_id: FraudCaseId, note: Note) -> None:
    """The entry is in the case's diary, for ever."""
    values = {
        "id": note.id,
        "case_id": case_id,
        "kind": note.kind,
        "text": note.text,
        "author": note.author,
        "created_at": note.created_at,
    }
    tx.execute(SQL_ADD_NOTE, values)


def count_notes(tx: Connection, case_id: FraudCaseId) -> int:
    """How many notes people have written; steps are not counted."""
    row = tx.execute(SQL_COUNT_NOTES, (case_id,)).fetchone()
    return row[0] if row else 0


def notes(connection: Connection, case_id: FraudCaseId, *, limit: int) -> list[Note]:
    """The latest entries of the diary, oldest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(SQL_NOTES, {"case_id": case_id, "limit": limit}).fetchall()
    return [Note(**{**row, "kind": NoteKind(row["kind"])}) for row in reversed(found)]


def decision(
    connection: Connection, payment_id: PaymentId
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Why the payment was decided about so: the reasons, and the trace of it."""
    row = connection.execute(SQL_DECISION, (payment_id,)).fetchone()
    return row or ([], {})


def listable(tx: Connection, payment_id: PaymentId) -> dict[str, str | None]:
    """What of the payment can be put on a list, by its kind; None where it isn't known."""
    row = tx.execute(SQL_VALUES, (payment_id,)).fetchone()
    fingerprint, email = row or (None, None)
    return {"fingerprint": fingerprint, "email": email}


def _all(
    connection: Connection, query: LiteralString | sql.Composed, values: Params
) -> list[FraudCase]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_from_row(row) for row in cursor.execute(query, values)]


def _from_row(row: dict[str, Any]) -> FraudCase:
    return FraudCase(
        id=FraudCaseId(row["id"]),
        payment_id=PaymentId(row["payment_id"]),
        merchant_id=MerchantId(row["merchant_id"]),
        mode=row["mode"],
        verdict=Verdict(row["verdict"]),
        score=row["score"],
        money=Money(row["amount"], row["currency"]),
        state=CaseState(row["state"]),
        created_at=row["created_at"],
        outcome=CaseOutcome(row["outcome"]) if row["outcome"] else None,
        assignee=row["assignee"],
        closed_at=row["closed_at"],
    )

"""What people proposed about breaks, as rows, and what others said to it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger.accounts import AccountType
from paynexus.settlement.breaks.model import (
    BreakId,
    BreakStatus,
    Correction,
    Resolution,
    Side,
)

SQL_RESOLUTIONS = "SELECT * FROM break_resolutions WHERE break_id = %s ORDER BY number"
SQL_PROPOSE = """
INSERT INTO break_resolutions (
    id, break_id, number, action, transfer, because, proposed_by, proposed_at
) VALUES (
    %(id)s, %(break_id)s, %(number)s, %(action)s, %(transfer)s, %(because)s, %(by)s, %(now)s
)
"""
SQL_MOVE = "UPDATE breaks SET status = %(status)s WHERE id = %(id)s"
SQL_RESOLVE = """
UPDATE breaks SET
    status = 'RESOLVED', resolved_at = %(now)s, resolution = %(resolution)s,
    transfer_id = %(transfer_id)s
WHERE id = %(id)s AND status = 'PROPOSED'
"""
SQL_DECIDE = """
UPDATE break_resolutions SET
    decided_by = %(by)s, decided_at = %(now)s, is_approved = %(is_approved)s,
    decision = %(decision)s
WHERE id = %(id)s AND decided_at IS NULL
"""
SQL_MERCHANT = "SELECT 1 FROM merchants WHERE id = %s"


def of_break(connection: Connection, of: BreakId) -> list[Resolution]:
    """All that was proposed about the break, in turn."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_resolution(row) for row in cursor.execute(SQL_RESOLUTIONS, (of,))]


def propose(tx: Connection, of: BreakId, proposal: Resolution) -> None:
    """The proposal is on record, and the break PROPOSED; its row is locked."""
    correction = proposal.correction
    values = {
        "id": proposal.id,
        "break_id": of,
        "number": proposal.number,
        "action": "explanation" if correction is None else "transfer",
        "transfer": None if correction is None else Jsonb(_written(correction)),
        "because": proposal.because,
        "by": proposal.proposed_by,
        "now": proposal.proposed_at,
    }
    tx.execute(SQL_PROPOSE, values)
    tx.execute(SQL_MOVE, {"status": BreakStatus.PROPOSED, "id": of})


def approve(
    tx: Connection,
    of: BreakId,
    proposal: Resolution,
    *,
    by: str,
    transfer_id: TransferId | None,
    now: dt.datetime,
) -> bool:
    """The break is resolved as proposed; False when the proposal stood no longer."""
    resolved = {"id": of, "now": now, "resolution": proposal.because, "transfer_id": transfer_id}
    if tx.execute(SQL_RESOLVE, resolved).rowcount == 0:
        return False
    return _decide(tx, proposal, by=by, now=now, is_approved=True, decision=None)


def refuse(
    tx: Connection, of: BreakId, proposal: Resolution, *, by: str, because: str, now: dt.datetime
) -> None:
    """The break is OPEN again; its row is locked."""
    tx.execute(SQL_MOVE, {"status": BreakStatus.OPEN, "id": of})
    _decide(tx, proposal, by=by, now=now, is_approved=False, decision=because)


def has_merchant(connection: Connection, merchant_id: MerchantId) -> bool:
    """Whether there is such a merchant."""
    return connection.execute(SQL_MERCHANT, (merchant_id,)).fetchone() is not None


def _decide(
    tx: Connection,
    proposal: Resolution,
    *,
    by: str,
    now: dt.datetime,
    is_approved: bool,
    decision: str | None,
) -> bool:
    values = {
        "id": proposal.id,
        "by": by,
        "now": now,
        "is_approved": is_approved,
        "decision": decision,
    }
    return tx.execute(SQL_DECIDE, values).rowcount == 1


def _resolution(row: dict[str, Any]) -> Resolution:
    written = row["transfer"]
    return Resolution(
        id=row["id"],
        number=row["number"],
        correction=None if written is None else _read(written),
        because=row["because"],
        proposed_by=row["proposed_by"],
        proposed_at=row["proposed_at"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        is_approved=row["is_approved"],
        decision=row["decision"],
    )


def _written(correction: Correction) -> dict[str, Any]:
    written = asdict(correction)
    for side in ("debit", "credit"):
        merchant_id = written[side]["merchant_id"]
        written[side]["merchant_id"] = None if merchant_id is None else str(merchant_id)
    return written


def _read(written: Mapping[str, Any]) -> Correction:
    debit, credit = (_side(written[side]) for side in ("debit", "credit"))
    return Correction(debit, credit, written["amount"])


def _side(written: Mapping[str, Any]) -> Side:
    merchant_id = written["merchant_id"]
    return Side(
        AccountType(written["type"]), None if merchant_id is None else MerchantId(UUID(merchant_id))
    )

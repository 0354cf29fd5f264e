"""What merchants read about a settlement: its resource, and its statement as JSON and CSV."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime

from paynexus import ids
from paynexus.settlement.model import Settlement, StatementLine

CSV_COLUMNS = ("entry", "created", "kind", "object", "payment", "amount", "currency")


def resource(settlement: Settlement) -> dict[str, object]:
    """The settlement as the API and its events show it."""
    return {
        "id": settlement.object_id,
        "object": "settlement",
        "status": settlement.status,
        "amount": _amount(settlement.amount, settlement.currency),
        "mode": settlement.mode,
        "cutoff": _moment(settlement.cutoff),
        "bank_reference": settlement.end_to_end_id,
        "failure": {"code": settlement.failure_code} if settlement.failure_code else None,
        "created": _moment(settlement.created_at),
        "processed": _moment(settlement.processed_at) if settlement.processed_at else None,
    }


def statement(settlement: Settlement, lines: Sequence[StatementLine]) -> dict[str, object]:
    """Every entry that the settlement pays out; their sum is its amount."""
    return {
        "object": "settlement_statement",
        "settlement": resource(settlement),
        "lines": [_line(line) for line in lines],
        "total": _amount(sum(line.amount for line in lines), settlement.currency),
    }


def statement_csv(lines: Sequence[StatementLine]) -> str:
    """The statement's lines as CSV, amounts in minor units."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    writer.writerows(
        (
            line.entry_id,
            _moment(line.created_at),
            line.kind,
            line.object_id,
            _payment(line) or "",
            line.amount,
            line.currency,
        )
        for line in lines
    )
    return out.getvalue()


def _line(line: StatementLine) -> dict[str, object]:
    return {
        "entry": str(line.entry_id),
        "kind": line.kind,
        "object_id": line.object_id,
        "payment": _payment(line),
        "amount": _amount(line.amount, line.currency),
        "created": _moment(line.created_at),
    }


def _payment(line: StatementLine) -> str | None:
    return ids.text("pay", line.payment_id) if line.payment_id else None


def _moment(at: datetime) -> str:
    # In UTC whatever the session's zone is.
    return at.astimezone(UTC).isoformat()


def _amount(amount: int, currency: str) -> dict[str, object]:
    return {"amount": amount, "currency": currency}

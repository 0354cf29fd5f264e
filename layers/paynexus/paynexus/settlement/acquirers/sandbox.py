"""The sandbox acquirer's settlement file (docs/sandbox.md). Pure."""

import datetime as dt
from collections.abc import Iterator
from typing import BinaryIO

from paynexus.settlement.acquirers.model import FileLine
from paynexus.settlement.acquirers.rows import Row, lines, require_net

COLUMNS = (
    "line",
    "reference",
    "operation",
    "charge_reference",
    "currency",
    "gross",
    "fee",
    "net",
    "created",
    "payout",
    "payout_on",
)


def read(file: BinaryIO) -> Iterator[FileLine]:
    """The file's lines; BankFileRefused, naming the line, for what is none."""
    return lines(file, COLUMNS, _line)


def _line(row: Row) -> FileLine:
    reference, operation = row.text("reference"), row.text("operation")
    line = FileLine(
        line_id=f"{operation}:{row.text('line')}",
        reference=reference,
        # Of a dispute, the acquirer's own name is all there is.
        gateway_reference=reference,
        operation=operation,
        currency=row.currency("currency"),
        gross=row.minor("gross"),
        fee=row.minor("fee"),
        occurred_at=row.moment("created"),
        payout_reference=row.optional("payout"),
        payout_on=_day(row, "payout_on"),
    )
    return require_net(row, line, row.minor("net"))


def _day(row: Row, column: str) -> dt.date | None:
    value = row.optional(column)
    try:
        return None if value is None else dt.date.fromisoformat(value)
    except ValueError:
        row.refuse(f"{column}: no day like 2026-11-27")

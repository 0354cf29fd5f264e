"""Stripe's reports of balance transactions, itemized: changes from activity, or payouts. Pure.

Amounts are decimal, in major units, and currencies in small letters. Our reference is in the
metadata that gateways/stripe put there; a report without these columns is matched by the
gateway's own ids, which takes longer.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import BinaryIO

from paynexus.gateways.stripe.answers import CAPTURE_REFERENCE, REFERENCE
from paynexus.settlement.acquirers.model import FileLine, Line
from paynexus.settlement.acquirers.rows import Row, lines, require_net

COLUMNS = (
    "balance_transaction_id",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "source_id",
)
"""What a report must have. Besides: `created_utc` or `created`; and, where they are there,
`payment_intent_id`, `automatic_payout_id` (or `payout_id`), `automatic_payout_effective_at_utc`
(or without `_utc`), `payment_metadata[paynexus_reference]`, `payment_metadata[paynexus_capture]`,
`refund_metadata[paynexus_reference]`."""
CATEGORIES: Mapping[str, Line] = MappingProxyType(
    {
        "charge": Line.CHARGE,
        "partial_capture_reversal": Line.RELEASE,
        "refund": Line.REFUND,
        "refund_failure": Line.REFUND_FAILURE,
        "dispute": Line.DISPUTE,
        "dispute_reversal": Line.DISPUTE_WON,
        "fee": Line.COST,
        "network_cost": Line.COST,
        "tax": Line.COST,
        "payout": Line.PAYOUT,
        "payout_reversal": Line.PAYOUT,
    }
)
"""Stripe's reporting categories in our words; a line of any other is nothing that we know of."""

_OF_A_PAYMENT = frozenset({Line.CHARGE, Line.RELEASE})
_OF_A_REFUND = frozenset({Line.REFUND, Line.REFUND_FAILURE})


def read(file: BinaryIO) -> Iterator[FileLine]:
    """The report's lines; BankFileRefused, naming the line, for what is none."""
    return lines(file, COLUMNS, _line)


def _line(row: Row) -> FileLine:
    category = row.text("reporting_category")
    operation: str = CATEGORIES.get(category, category)
    reference, gateway_reference = _named(row, operation)
    capture = row.optional(f"payment_metadata[{CAPTURE_REFERENCE}]")
    if operation is Line.CHARGE and capture is not None:
        operation = Line.CAPTURE
    currency = row.currency("currency")
    effective = "automatic_payout_effective_at"
    line = FileLine(
        line_id=row.text("balance_transaction_id"),
        reference=reference,
        gateway_reference=gateway_reference,
        operation=operation,
        currency=currency,
        gross=row.major("gross", currency),
        fee=row.major("fee", currency),
        occurred_at=row.moment(_either(row, "created")),
        payout_reference=row.optional("automatic_payout_id") or row.optional("payout_id"),
        payout_on=row.moment(_either(row, effective)).date()
        if row.optional(_either(row, effective))
        else None,
    )
    return require_net(row, line, row.major("net", currency))


def _named(row: Row, operation: str) -> tuple[str | None, str | None]:
    """Our reference and Stripe's of what the line is about."""
    source = row.optional("source_id")
    if operation in _OF_A_PAYMENT:
        ours = row.optional(f"payment_metadata[{CAPTURE_REFERENCE}]")
        ours = ours or row.optional(f"payment_metadata[{REFERENCE}]")
        return ours, row.optional("payment_intent_id") or source
    if operation in _OF_A_REFUND:
        return row.optional(f"refund_metadata[{REFERENCE}]"), source
    return None, source


def _either(row: Row, column: str) -> str:
    """The column in UTC, where the report has it."""
    return f"{column}_utc" if row.optional(f"{column}_utc") else column

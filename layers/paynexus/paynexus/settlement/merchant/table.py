"""A settlement's statement as CSV. Pure."""

import csv
import io

from paynexus.settlement.merchant.model import Statement
from paynexus.settlement.merchant.views import is_carried, moment, payment_of

COLUMNS = ("entry", "created", "kind", "object", "payment", "amount", "currency", "carried_over")


def table(found: Statement) -> str:
    """The lines as CSV (RFC 4180), amounts in minor units; every page has the header."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(
        (
            line.entry_id,
            moment(line.created_at),
            line.kind,
            line.object_id,
            payment_of(line) or "",
            line.amount,
            line.currency,
            "true" if is_carried(line, found) else "false",
        )
        for line in found.lines
    )
    return out.getvalue()

"""Schedule: every invariant of the books is checked; any row is an alarm."""

from collections.abc import Mapping
from typing import Any

from paynexus import runtime
from paynexus.ledger import audit
from paynexus.observability import count, logger


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """`violations`: how many rows break a rule; `rules`: how many rules were checked."""
    database = runtime.database()
    found = audit.violations(database)
    for violation in found:
        logger.error("ledger violation", rule=violation.rule, row=violation.row)
    count("LedgerImbalance", len(found))
    with database.reading() as connection:
        rules = audit.rules(connection)
    return {"violations": len(found), "rules": len(rules)}

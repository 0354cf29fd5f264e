"""Schedule: the hours that have settled are sealed; what was sealed is read again."""

from collections.abc import Mapping
from typing import Any

from paynexus import runtime
from paynexus.ledger.seals import service
from paynexus.observability import count, logger


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """`sealed`: the seals that this call added; `violations`: entries that were tampered with."""
    db, signer, now = runtime.database(), runtime.ledger_signer(), runtime.clock()()
    added = service.seal(db, signer, now=now)
    for one in added:
        # The logs are outside the database: what stands here can't be unsaid there.
        logger.info("ledger sealed", seal=one.number, until=one.until, hash=one.hash.hex())
    found = service.read_again(db, signer, now=now)
    for violation in found:
        logger.error("ledger violation", rule=violation.rule, row=violation.row)
    count("LedgerImbalance", len(found))
    return {"sealed": len(added), "violations": len(found)}

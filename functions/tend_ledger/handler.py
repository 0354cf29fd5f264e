"""Schedule: holds whose time is up are void; past balances stay quick to read."""

from collections.abc import Mapping
from typing import Any

from paynexus import runtime
from paynexus.ledger import upkeep


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """`expired`: the holds that this call voided. `checkpoints`: those that it made."""
    tended = upkeep.tend(runtime.database())
    return {"expired": tended.expired, "checkpoints": tended.checkpoints}

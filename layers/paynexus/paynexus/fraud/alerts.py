"""What fraud tells of: facts on `fraud.alerts`, each about the object that its data names."""

from collections.abc import Mapping
from typing import Any

from paynexus import changefeed
from paynexus.db import Connection
from paynexus.ids import MerchantId


def tell(
    tx: Connection,
    kind: str,
    data: Mapping[str, Any],
    *,
    mode: str,
    merchant_id: MerchantId | None,
) -> None:
    """The fact is part of the transaction, which holds the row of what `data` is of."""
    changefeed.append_event(
        tx,
        source="fraud.alerts",
        type=kind,
        mode=mode,
        merchant_id=merchant_id,
        object_id=data["id"],
        data=data,
    )

"""Orders as values of the SQL type `ledger_order`, for functions that book in their own commit."""

import json
from collections.abc import Sequence

from paynexus.ledger.model import Order, Transfer

ORDER = f"ROW({', '.join(['%s'] * 20)})::ledger_order"
"""One order; `values_of` are its values."""


def values_of(order: Order) -> Sequence[object]:
    """The order's values, in the order of the type's attributes."""
    transfer, timeout = order.transfer, order.timeout
    metadata = order.metadata if transfer is None else (order.metadata or transfer.metadata)
    amount = order.amount
    if amount is None and transfer is not None:
        amount = transfer.money.amount
    kind, debit, debit_merchant, credit, credit_merchant = _sides(transfer)
    return (
        order.id,
        order.state,
        kind,
        debit,
        debit_merchant,
        credit,
        credit_merchant,
        amount,
        transfer and transfer.money.currency,
        transfer and transfer.debit.mode,
        transfer and transfer.object_id,
        transfer and transfer.transaction_id,
        order.pending_id,
        order.is_final,
        timeout and int(timeout.total_seconds()),
        order.is_linked,
        transfer and transfer.balancing,
        order.reverses,
        order.effective_at,
        None if metadata is None else json.dumps(dict(metadata)),
    )


def array_of(orders: Sequence[Order]) -> tuple[str, list[object]]:
    """The SQL of an array of orders, and its values."""
    rows = ", ".join([ORDER] * len(orders))
    return f"ARRAY[{rows}]::ledger_order[]", [v for order in orders for v in values_of(order)]


def _sides(transfer: Transfer | None) -> Sequence[object]:
    if transfer is None:
        return (None,) * 5
    debit, credit = transfer.debit, transfer.credit
    return transfer.kind, debit.type, debit.merchant_id, credit.type, credit.merchant_id

"""Orders as values of the SQL type `ledger_order`, which all functions that book take."""

import json

from paynexus.ledger.model import Order, Transfer

type Row = tuple[object, ...]

ORDER = "%s::ledger_order"
ORDERS = "%s::ledger_order[]"


def row_of(order: Order) -> Row:
    """The order's values, in the order of the type's attributes."""
    transfer, timeout = order.transfer, order.timeout
    amount, metadata = order.amount, order.metadata
    if amount is None and transfer is not None:
        amount = transfer.money.amount
    if metadata is None and transfer is not None:
        metadata = transfer.metadata
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
        None if timeout is None else int(timeout.total_seconds()),
        order.is_linked,
        transfer and transfer.balancing,
        order.reverses,
        order.effective_at,
        None if metadata is None else json.dumps(dict(metadata)),
    )


def _sides(transfer: Transfer | None) -> Row:
    if transfer is None:
        return (None,) * 5
    debit, credit = transfer.debit, transfer.credit
    return transfer.kind, debit.type, debit.merchant_id, credit.type, credit.merchant_id

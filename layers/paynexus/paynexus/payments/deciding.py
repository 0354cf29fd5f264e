"""Decided without a lock by what was read, then written only if that still holds."""

from collections.abc import Callable
from uuid import UUID

from paynexus.db import Connection, Database
from paynexus.errors import ChangedMeanwhile, NotFound
from paynexus.ids import PaymentId
from paynexus.payments.store import payments, standings
from paynexus.payments.store.standings import Standing


def decide[T](
    db: Database,
    payment_id: PaymentId,
    operation_id: UUID,
    act: Callable[[Connection, Standing], T],
    *,
    seen: Standing | None = None,
) -> T:
    """What `act` came to, by the payment and the operation on it as they are now.

    `act` decides by what it is handed and writes in one statement, which fails if that has
    changed meanwhile. Then all happens once more with the payment locked, and can't fail so
    again. What the step before has `seen` of a charge is as good as what is read now, and spares
    the reading. Raises NotFound for an unknown payment, and what `act` raises.
    """
    is_of_it = seen is not None and seen.payment.id == payment_id == operation_id
    known = seen if is_of_it else None
    try:
        with db.statement() as connection:
            return act(connection, known or _read(connection, payment_id, operation_id))
    except ChangedMeanwhile:
        with db.transaction() as tx:
            payments.lock(tx, payment_id)
            return act(tx, _read(tx, payment_id, operation_id))


def _read(connection: Connection, payment_id: PaymentId, operation_id: UUID) -> Standing:
    found = standings.of_operation(connection, payment_id, operation_id)
    if found is None:
        raise NotFound("There is no such payment.")
    return found

"""Where an operation stands: all that a step decides by, in one query."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from paynexus.db import Connection
from paynexus.gateways.port import Operation
from paynexus.ids import PaymentId
from paynexus.payments.model import Payment, Refund
from paynexus.payments.store import payments, refunds
from paynexus.payments.store.attempts import Attempt

SQL_STANDING = """
SELECT t.*, c.payment_id IS NOT NULL AS has_customer, c.customer_id, c.email, c.country,
    c.name, c.ip, c.card_bin,
    a.id AS attempt_id, a.outcome, a.code, a.message, a.operation, a.number,
    a.created_at AS attempt_created_at, a.called_off_at, a.gateway AS attempt_gateway,
    a.reference AS attempt_reference,
    CASE WHEN a.number > 1 THEN (
        SELECT array_agg(gateway ORDER BY number) FROM attempts
        WHERE operation_id = %(operation_id)s
    ) END AS tried,
    m.configuration -> 'routing' AS routing,
    o.gateway AS charge_gateway, o.reference AS charge_reference,
    o.gateway_reference AS charge_gateway_reference,
    r.id AS refund_id, r.amount AS refund_amount, r.status AS refund_status,
    r.reason AS refund_reason, r.transfer_id AS refund_transfer_id,
    r.failure_code AS refund_failure_code, r.failure_message AS refund_failure_message,
    r.created_at AS refund_created_at
FROM transactions AS t
LEFT JOIN payment_customers AS c ON c.payment_id = t.id
LEFT JOIN merchants AS m ON m.id = t.merchant_id
LEFT JOIN LATERAL (
    SELECT * FROM attempts
    WHERE operation_id = %(operation_id)s ORDER BY number DESC LIMIT 1
) AS a ON TRUE
-- The charge that all other operations speak of; none of them begins without one.
LEFT JOIN LATERAL (
    SELECT gateway, reference, gateway_reference FROM attempts
    WHERE operation_id = t.id AND t.id <> %(operation_id)s
    ORDER BY number DESC LIMIT 1
) AS o ON TRUE
LEFT JOIN refunds AS r ON r.id = %(operation_id)s
WHERE t.id = %(payment_id)s
"""


LEFT_OUT = frozenset({"email", "country", "name", "ip", "card_bin", "gateway_response"})
"""What is not handed on."""
# Of a charge: what was seen of any other operation is not handed on.
UUIDS = ("id", "merchant_id", "qr_code_id", "transfer_id", "open_operation_id", "attempt_id")
MOMENTS = ("created_at", "attempt_created_at", "called_off_at")


@dataclass(frozen=True, slots=True)
class Charge:
    """Where the payment's money was taken, under which names of ours and of the gateway's."""

    gateway: str
    reference: str
    gateway_reference: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """A payment, the latest attempt of one operation on it, and the refund that this is."""

    payment: Payment
    attempt: Attempt | None
    refund: Refund | None
    charge: Charge | None = None
    """What this operation speaks of; none where it is the charge itself."""
    tried: tuple[str, ...] = ()
    """The gateways that the operation's attempts were made at, in their order."""
    routing: Mapping[str, Any] | None = None
    """What the merchant wants of the choice of a gateway."""
    row: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """As it was read."""


def of_operation(
    connection: Connection, payment_id: PaymentId, operation_id: UUID
) -> Standing | None:
    """All that is known of one operation on a payment; None without the payment."""
    values = {"payment_id": payment_id, "operation_id": operation_id}
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(SQL_STANDING, values).fetchone()
    return _from_row(row) if row else None


def written(standing: Standing) -> str:
    """The standing for the step that follows, which `read` makes of it again.

    Without the payer's address and country, which nothing but their own table may keep: a step
    that decides by them is handed nothing (`places.depends_on_country`).
    """
    row = {name: value for name, value in standing.row.items() if name not in LEFT_OUT}
    return json.dumps(row | _written(standing.attempt), default=str)


def read(text: str) -> Standing | None:
    """The standing that `written` made text of; None for anything else."""
    try:
        found = json.loads(text)
        row = {name: _READ.get(name, _as_it_is)(value) for name, value in found.items()}
        is_whole = type(row["version"]) is int and type(row["amount"]) is int
        return _from_row(dict.fromkeys(LEFT_OUT) | row) if is_whole else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _from_row(row: dict[str, Any]) -> Standing:
    attempt = _attempt(row)
    return Standing(
        payments.from_row(row),
        attempt,
        _refund(row),
        _charge(row),
        tried=tuple(row["tried"] or ([attempt.gateway] if attempt else [])),
        routing=row["routing"],
        row=row,
    )


def _written(attempt: Attempt | None) -> dict[str, Any]:
    if attempt is None:
        return {}
    return {
        "attempt_id": attempt.id,
        "outcome": attempt.outcome,
        "code": attempt.code,
        "message": attempt.message,
        "operation": attempt.operation,
        "number": attempt.number,
        "attempt_created_at": attempt.began,
        "attempt_gateway": attempt.gateway,
        "attempt_reference": attempt.reference,
    }


def _as_it_is(value: object) -> object:
    return value


def _uuid(value: str | None) -> UUID | None:
    return UUID(value) if value else None


def _moment(value: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(value) if value else None


_READ: Mapping[str, Callable[[Any], object]] = MappingProxyType(
    dict.fromkeys(UUIDS, _uuid) | dict.fromkeys(MOMENTS, _moment)
)


def _charge(row: dict[str, Any]) -> Charge | None:
    gateway = row["charge_gateway"]
    if gateway is None:
        return None
    return Charge(gateway, row["charge_reference"], row["charge_gateway_reference"])


def _attempt(row: dict[str, Any]) -> Attempt | None:
    if row["attempt_id"] is None:
        return None
    return Attempt(
        id=row["attempt_id"],
        outcome=row["outcome"],
        code=row["code"],
        message=row["message"],
        operation=Operation(row["operation"]),
        number=row["number"],
        began=row["attempt_created_at"],
        is_called_off=row["called_off_at"] is not None,
        gateway=row["attempt_gateway"],
        reference=row["attempt_reference"],
    )


def _refund(row: dict[str, Any]) -> Refund | None:
    if row["refund_id"] is None:
        return None
    own = {name.removeprefix("refund_"): v for name, v in row.items() if name[:7] == "refund_"}
    # A refund is in its payment's name and currency.
    shared = {name: row[name] for name in ("merchant_id", "mode", "currency")}
    return refunds.from_row(own | shared | {"payment_id": row["id"]})

"""The commits of a payment: one call each of 0015_payment_commits.sql, with what was decided.

Each is a single statement: on a connection without a transaction it commits by itself.
"""

import datetime as dt
from collections.abc import Mapping
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from paynexus import idempotency, ids
from paynexus.db import Connection
from paynexus.fraud import observations
from paynexus.idempotency import Answer, Claim, ClaimRow
from paynexus.ledger import rows
from paynexus.ledger.model import Order
from paynexus.ledger.rows import Row
from paynexus.payments.changes import Change, Told
from paynexus.payments.model import Customer, Payment, Refund
from paynexus.payments.payer import subject_of

NULL = "NULL"
ANSWER = "ROW(%s, %s, %s, %s)::payment_answer"
NO_EVENT = (None,) * 4

type Part = tuple[str, list[object]]
"""A piece of SQL and its values."""


def accept(
    connection: Connection,
    payment: Payment,
    claim: Mapping[str, object],
    *,
    hold: Order,
    told: Told,
    is_claimed: bool = False,
) -> Claim:
    """By the first under its key: the payment is on record, its money reserved, its event told.

    With `is_claimed` this transaction has claimed the key before. Its fees are those agreed now,
    whatever `payment` says of them. Raises as `idempotency.claim` does, and InvalidRequest for a
    currency in which none are agreed.
    """
    parts: list[Part] = [
        _values(payment.id, payment.merchant_id, payment.mode),
        _claim(claim),
        _values(is_claimed, *_asked(payment)),
        _customer(payment, payment.customer),
        ("%s::fraud_observations", [observations.row_of(subject_of(payment))]),
        (rows.ORDER, [rows.row_of(hold)]),
        _values(ids.new_id(), told.object_id, Jsonb(told.data)),
    ]
    return _claimed(connection, "SELECT * FROM payment_accept", parts, claim)


def end(connection: Connection, change: Change, *, now: dt.datetime) -> None:
    """The payment is as decided, with all that belongs to it.

    Raises ChangedMeanwhile when it is no longer what was decided about.
    """
    text, values = _call("SELECT payment_end", _change(change, now))
    connection.execute(text, values)


def begin(
    connection: Connection, change: Change, claim: Mapping[str, object], *, now: dt.datetime
) -> Claim:
    """The same, by the first under a key.

    Raises as `end` and as `idempotency.claim` do.
    """
    parts = [_claim(claim), _values(claim["object_id"]), *_change(change, now)]
    return _claimed(connection, "SELECT * FROM payment_begin", parts, claim)


def _claimed(
    connection: Connection, function: str, parts: list[Part], claim: Mapping[str, object]
) -> Claim:
    text, values = _call(function, parts)
    with connection.cursor(row_factory=class_row(ClaimRow)) as cursor:
        row = cursor.execute(text, values).fetchone()
    return idempotency.judged(row, str(claim["operation"]))


def _call(function: str, parts: list[Part]) -> tuple[bytes, list[object]]:
    arguments = ", ".join(text for text, _ in parts)
    return f"{function}({arguments})".encode(), [value for _, part in parts for value in part]


def _values(*values: object) -> Part:
    return ", ".join(["%s"] * len(values)), list(values)


def _claim(claim: Mapping[str, object]) -> Part:
    names = ("operation", "key", "fingerprint", "now", "running_until", "expires_at")
    return _values(*(claim[name] for name in names))


def _asked(payment: Payment) -> list[object]:
    return [
        payment.money.amount,
        payment.money.currency,
        payment.capture,
        payment.payment_method,
        payment.fingerprint,
        payment.reference,
        payment.description,
        Jsonb(payment.metadata),
        payment.qr_code_id,
    ]


def _customer(payment: Payment, who: Customer | None) -> Part:
    if who is None:
        return NULL, []
    named = (who.id, who.email, who.country, who.name, who.ip, who.card_bin)
    return "%s::payment_customers", [(payment.id, *named)]


def _change(change: Change, now: dt.datetime) -> list[Part]:
    payment, told = change.payment, change.told
    return [
        _values(payment.id, payment.version, now),
        ("%s::payment_state", [_state(payment)]),
        _values(change.charged),
        _refund(change.refund, now),
        _values(*(_event(told) if told else NO_EVENT)),
        _answers(change.answers),
        (rows.ORDERS, [[rows.row_of(order) for order in change.orders]]),
    ]


def _state(payment: Payment) -> Row:
    failure, opened = payment.failure, payment.open_operation
    return (
        payment.status,
        payment.captured_amount,
        payment.captures,
        payment.refunded_amount,
        payment.refunding_amount,
        payment.disputed_amount,
        payment.disputed_excess,
        payment.fee_amount,
        payment.challenge,
        failure and failure.code,
        failure and failure.message,
        opened and opened.name,
        opened and opened.id,
        opened and opened.amount,
        opened and opened.is_final,
    )


def _refund(refund: Refund | None, now: dt.datetime) -> Part:
    if refund is None:
        return NULL, []
    failure = refund.failure
    row = (
        refund.id,
        refund.payment_id,
        refund.merchant_id,
        refund.mode,
        refund.money.amount,
        refund.money.currency,
        refund.status,
        refund.reason,
        refund.transfer_id,
        failure and failure.code,
        failure and failure.message,
        refund.created_at,
        now,
    )
    return "%s::refunds", [row]


def _event(told: Told) -> Row:
    return ids.new_id(), told.type, told.object_id, Jsonb(told.data)


def _answers(answers: Mapping[UUID, Answer]) -> Part:
    # Each value by itself: in an array of rows, every quote of a body would be three.
    texts = ", ".join([ANSWER] * len(answers))
    values: list[object] = [
        value
        for object_id, answer in answers.items()
        for value in (object_id, answer.status, Jsonb(answer.headers), answer.body)
    ]
    return f"ARRAY[{texts}]::payment_answer[]", values

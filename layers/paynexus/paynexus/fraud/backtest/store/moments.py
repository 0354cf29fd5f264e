"""The past as moments, read as it is asked for."""

import datetime as dt
import heapq
from collections.abc import Iterator
from functools import lru_cache
from operator import attrgetter
from typing import Any, LiteralString

from psycopg import sql

from paynexus.db import Connection
from paynexus.fraud.backtest.model import Period, Scope
from paynexus.fraud.backtest.replay import Label, Moment, Observed, Payment
from paynexus.fraud.model import Entities, EntityKind, Subject, entity
from paynexus.fraud.velocity.windows import LOGGED
from paynexus.ids import MerchantId, PaymentId, QrCodeId
from paynexus.money import Money

BATCH = 2_000
"""Rows that a server-side cursor hands over at a time."""
FETCH_SECONDS = 60
"""How long one batch may take: the first of them sorts the whole period."""

# One snapshot for payments, labels and configuration.
SQL_SNAPSHOT = f"""
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL statement_timeout = '{FETCH_SECONDS}s'
"""


def snapshot(tx: Connection) -> None:
    """All that is read from here on is of one moment, and nothing can be written."""
    tx.execute(SQL_SNAPSHOT)


SQL_COUNT = """
SELECT count(*) FROM (
    SELECT FROM fraud_observations AS o
    WHERE o.mode = %(mode)s AND o.observed_at >= %(since)s AND o.observed_at < %(until)s
        {of_merchant}
    LIMIT %(limit)s
) AS found
"""


def count(connection: Connection, scope: Scope, period: Period, *, limit: int) -> int:
    """How many payments the period holds; counted no further than to `limit`."""
    values = _values(scope, period) | {"limit": limit}
    row = connection.execute(_statement(SQL_COUNT, scope), values).fetchone()
    assert row is not None, "an aggregate has one row"  # noqa: S101 - says why
    number: int = row[0]
    return number


SQL_MERCHANTS = """
SELECT DISTINCT o.merchant_id FROM fraud_observations AS o
WHERE o.mode = %(mode)s AND o.observed_at >= %(since)s AND o.observed_at < %(until)s
    {of_merchant}
"""


def merchants(connection: Connection, scope: Scope, period: Period) -> list[MerchantId]:
    """Whose payments the period holds."""
    rows = connection.execute(_statement(SQL_MERCHANTS, scope), _values(scope, period))
    return [MerchantId(row[0]) for row in rows]


def moments(tx: Connection, scope: Scope, period: Period) -> Iterator[Moment]:
    """Payments of the period and labels that became known in it, by their time.

    What becomes known at the very moment of a payment comes after it. For use within the
    transaction, which is a snapshot.
    """
    return heapq.merge(
        _payments(tx, scope, period), _labels(tx, scope, period), key=attrgetter("at")
    )


SQL_PAYMENTS = """
SELECT o.payment_id, o.merchant_id, o.mode, o.observed_at, o.amount, o.currency,
    o.card, o.customer, o.email, o.ip, o.terminal,
    coalesce(t.fingerprint, ''), t.qr_code_id, coalesce(t.status = 'COMPLETED', FALSE),
    c.customer_id, c.email, c.name, host(c.ip), c.country, c.card_bin
FROM fraud_observations AS o
LEFT JOIN transactions AS t ON t.id = o.payment_id
LEFT JOIN payment_customers AS c ON c.payment_id = o.payment_id
WHERE o.mode = %(mode)s AND o.observed_at >= %(since)s AND o.observed_at < %(until)s
    {of_merchant}
ORDER BY o.observed_at, o.payment_id
"""


def _payments(tx: Connection, scope: Scope, period: Period) -> Iterator[Observed]:
    for row in _read(tx, "payments", SQL_PAYMENTS, scope, period):
        yield _observed(row)


def _observed(row: tuple[Any, ...]) -> Observed:
    payment_id, merchant_id, mode, at, amount, currency = row[:6]
    hashes = dict(zip(LOGGED, row[6:11], strict=True))
    fingerprint, qr_code_id, was_charged, customer_id, email, name, ip, country, card_bin = row[11:]
    subject = Subject(
        payment_id=PaymentId(payment_id),
        merchant_id=MerchantId(merchant_id),
        mode=mode,
        money=Money(amount, currency),
        fingerprint=fingerprint,
        created_at=at.astimezone(dt.UTC),
        customer_id=customer_id,
        email=email,
        name=name,
        ip=ip,
        country=country,
        card_bin=card_bin,
        qr_code_id=qr_code_id and QrCodeId(qr_code_id),
    )
    told = {EntityKind.CUSTOMER: customer_id, EntityKind.EMAIL: email, EntityKind.IP: ip}
    is_kept = all(hashes[kind] is None or value is not None for kind, value in told.items())
    return Observed(Payment(subject, _entities(subject, hashes)), was_charged, is_kept)


def _entities(subject: Subject, hashes: dict[EntityKind, bytes | None]) -> Entities:
    known = {kind: value for kind, value in hashes.items() if value is not None}
    known[EntityKind.MERCHANT] = _entity_of(subject.mode, subject.merchant_id)
    return known


@lru_cache(maxsize=1_000)
def _entity_of(mode: str, merchant_id: MerchantId) -> bytes:
    return entity(mode, merchant_id, EntityKind.MERCHANT, merchant_id.hex)


SQL_LABELS = """
SELECT o.known_at, o.payment_id, o.is_fraud, o.card, o.terminal, o.merchant_id, o.observed_at
FROM fraud_labels AS o
WHERE o.mode = %(mode)s AND o.known_at >= %(since)s AND o.known_at < %(until)s
    {of_merchant}
ORDER BY o.known_at, o.id
"""


def _labels(tx: Connection, scope: Scope, period: Period) -> Iterator[Label]:
    for row in _read(tx, "labels", SQL_LABELS, scope, period):
        known_at, payment_id, is_fraud, card, terminal, merchant_id, observed_at = row
        merchant = _entity_of(scope.mode, merchant_id)
        yield Label(known_at, payment_id, is_fraud, card, terminal, merchant, observed_at)


SQL_HINDSIGHT = """
SELECT DISTINCT ON (o.payment_id) o.payment_id, o.is_fraud
FROM fraud_labels AS o
WHERE o.mode = %(mode)s AND o.observed_at >= %(since)s AND o.observed_at < %(until)s
    AND o.known_at <= %(as_of)s
    {of_merchant}
ORDER BY o.payment_id, o.known_at DESC, o.id DESC
"""


def hindsight(
    tx: Connection, scope: Scope, period: Period, *, as_of: dt.datetime
) -> dict[PaymentId, bool]:
    """Whether it was fraud, of each payment of the period that has a label by then."""
    values = _values(scope, period) | {"as_of": as_of}
    return dict(tx.execute(_statement(SQL_HINDSIGHT, scope), values).fetchall())


def _read(
    tx: Connection, name: str, text: LiteralString, scope: Scope, period: Period
) -> Iterator[tuple[Any, ...]]:
    """Row by row: no more than a batch is held at a time."""
    with tx.cursor(name=f"backtest_{name}") as cursor:
        cursor.itersize = BATCH
        cursor.execute(_statement(text, scope), _values(scope, period))
        yield from cursor


def _statement(text: LiteralString, scope: Scope) -> sql.Composed:
    # A condition that is off is not there: an index serves the other.
    of_merchant = "" if scope.merchant_id is None else "AND o.merchant_id = %(merchant_id)s"
    return sql.SQL(text).format(of_merchant=sql.SQL(of_merchant))


def _values(scope: Scope, period: Period) -> dict[str, object]:
    return {
        "merchant_id": scope.merchant_id,
        "mode": scope.mode,
        "since": period.since,
        "until": period.until,
    }

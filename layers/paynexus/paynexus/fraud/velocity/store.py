"""The windows in SQL, over the log of observations; and that log, read again for Redis."""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from paynexus.db import STATEMENT_TIMEOUT_MS, Connection, bounded
from paynexus.fraud.model import EntityKind, entity
from paynexus.fraud.velocity.reference import Counts, Observation
from paynexus.fraud.velocity.windows import (
    BY_KIND,
    DAY_SECONDS,
    LOGGED,
    MEMBERS_MAX,
    MOST,
    Measure,
    Window,
    apart,
    longest,
)
from paynexus.ids import MerchantId

MERCHANT_ROWS_MAX = 50_000
"""Of a merchant, the newest so many payments are read when Postgres counts; of one that has more
in its windows the answers are least numbers. Redis counts all."""

_MINUTE_OF = "date_trunc('minute', %(at)s)"


def _term(window: Window) -> str:
    since = f"%(at)s - INTERVAL '{window.seconds} s'"
    within = f"observed_at > {since}"
    if window.of is EntityKind.MERCHANT:
        within = f"observed_at >= {_MINUTE_OF} - INTERVAL '{window.seconds} s'"
    match window.measure:
        case Measure.COUNT:
            return f"count(*) FILTER (WHERE {within})"
        case Measure.SUM:
            # Beyond 64 bits there is no telling: it is as much as can be told.
            total = f"sum(amount) FILTER (WHERE {within} AND currency = %(currency)s)"
            return f"least(coalesce({total}, 0), {MOST})::BIGINT"
        case Measure.DISTINCT:
            return f"count(DISTINCT {window.distinct}) FILTER (WHERE {within})"


def _rows(kind: EntityKind) -> str:
    """The newest payments of the longest window, read from the kind's index."""
    seconds = longest(kind)
    told = apart(kind)
    columns = f"observed_at, amount, currency{f', {told}' if told else ''}"
    if kind is EntityKind.MERCHANT:
        return f"""
            SELECT {columns} FROM fraud_observations
            WHERE merchant_id = (SELECT merchant_id FROM this) AND mode = (SELECT mode FROM this)
                AND observed_at >= {_MINUTE_OF} - INTERVAL '{seconds} s'
                AND observed_at < {_MINUTE_OF} + INTERVAL '1 minute'
            ORDER BY observed_at DESC LIMIT {MERCHANT_ROWS_MAX}
        """  # noqa: S608 - of our own words alone
    return f"""
            SELECT {columns} FROM fraud_observations
            WHERE {kind} = %({kind})s::BYTEA
                AND observed_at > %(at)s - INTERVAL '{seconds} s' AND observed_at <= %(at)s
            ORDER BY observed_at DESC, payment_id DESC LIMIT {MEMBERS_MAX}
        """  # noqa: S608 - likewise


def _counting(kind: EntityKind) -> str:
    terms = ", ".join(f"{_term(window)} AS {window.name}" for window in BY_KIND[kind])
    return f"(SELECT {terms} FROM ({_rows(kind)}) AS newest) AS of_{kind}"  # noqa: S608 - likewise


ANSWERED = tuple(window for kind in EntityKind for window in BY_KIND[kind])

SQL_COUNT = f"""
WITH this AS (
    SELECT merchant_id, mode FROM fraud_observations WHERE payment_id = %(payment_id)s
), gap AS (
    INSERT INTO fraud_velocity_gaps (payment_id, merchant_id, mode, noticed_at)
    SELECT %(payment_id)s, merchant_id, mode, %(missed_at)s::TIMESTAMPTZ FROM this
    WHERE %(missed_at)s::TIMESTAMPTZ IS NOT NULL
    ON CONFLICT (payment_id) DO NOTHING
)
SELECT {", ".join(window.name for window in ANSWERED)}
FROM {" CROSS JOIN ".join(_counting(kind) for kind in EntityKind)}
"""  # noqa: S608 - likewise
"""One row, made of one look at the log: the newest rows of each entity, by its index."""


def count(
    connection: Connection,
    observation: Observation,
    *,
    missed_at: dt.datetime | None = None,
    milliseconds: int = STATEMENT_TIMEOUT_MS,
) -> Counts:
    """What the windows answer about it; its row in the log is committed already.

    One round trip; QueryCanceled (psycopg) when the time is up. With `missed_at`, it is on
    record that Redis may not know of it.
    """
    values = values_of(observation, missed_at=missed_at)
    with bounded(connection, SQL_COUNT, values, milliseconds=milliseconds) as cursor:
        row = cursor.fetchone()
    assert row is not None, "aggregates have one row"  # noqa: S101 - says why
    return {
        window.name: told if window.of in observation.entities else None
        for window, told in zip(ANSWERED, row, strict=True)
    }


def values_of(observation: Observation, *, missed_at: dt.datetime | None = None) -> dict[str, Any]:
    """What SQL_COUNT is asked."""
    return {
        "payment_id": observation.payment_id,
        "at": observation.at,
        "currency": observation.currency,
        "missed_at": missed_at,
        **{kind: observation.entities.get(kind) for kind in LOGGED},
    }


# Each merchant's index is walked by itself: there is none by time alone, which every payment
# would have to pay for.
SQL_SCOPES = """
WITH RECURSIVE scope AS (
    (SELECT merchant_id, mode FROM fraud_observations ORDER BY merchant_id, mode LIMIT 1)
    UNION ALL
    SELECT following.merchant_id, following.mode
    FROM scope
    CROSS JOIN LATERAL (
        SELECT o.merchant_id, o.mode FROM fraud_observations AS o
        WHERE (o.merchant_id, o.mode) > (scope.merchant_id, scope.mode)
        ORDER BY o.merchant_id, o.mode LIMIT 1
    ) AS following
)
SELECT merchant_id, mode FROM scope
"""

type Scope = tuple[MerchantId, str]
"""A merchant and a mode."""
type Place = tuple[dt.datetime, UUID]
"""Of an observation within its scope: time and payment."""


def scopes(connection: Connection) -> list[Scope]:
    """Every merchant and mode that has observations."""
    return [(MerchantId(row[0]), row[1]) for row in connection.execute(SQL_SCOPES)]


_COLUMNS = (
    "o.payment_id, o.merchant_id, o.mode, o.observed_at, o.amount, o.currency,"
    " o.card, o.customer, o.email, o.ip, o.terminal"
)
_LONG = tuple(kind for kind in LOGGED if longest(kind) > DAY_SECONDS)
_IS_LONG = " OR ".join(f"o.{kind} IS NOT NULL" for kind in _LONG)

SQL_AFTER = f"""
SELECT {_COLUMNS} FROM fraud_observations AS o
WHERE o.merchant_id = %(merchant_id)s AND o.mode = %(mode)s
    AND (o.observed_at, o.payment_id) > (%(at)s, %(payment_id)s)
    AND (o.observed_at >= %(recent)s OR {_IS_LONG})
ORDER BY o.observed_at, o.payment_id
LIMIT %(limit)s
"""  # noqa: S608 - likewise


def after(
    connection: Connection, scope: Scope, place: Place, *, recent: dt.datetime, limit: int
) -> list[Observation]:
    """The next observations of the scope, in order; of those before `recent` only what counts."""
    values = {
        "merchant_id": scope[0],
        "mode": scope[1],
        "at": place[0],
        "payment_id": place[1],
        "recent": recent,
        "limit": limit,
    }
    return _observations(connection.execute(SQL_AFTER.encode(), values))


SQL_GAPS = f"""
SELECT {_COLUMNS} FROM fraud_velocity_gaps AS g
INNER JOIN fraud_observations AS o ON o.payment_id = g.payment_id
ORDER BY o.observed_at, o.payment_id
LIMIT %s
"""  # noqa: S608 - likewise


def gaps(connection: Connection, *, limit: int) -> list[Observation]:
    """Observations that Redis may not know of, oldest first."""
    return _observations(connection.execute(SQL_GAPS.encode(), (limit,)))


SQL_CLOSE = "DELETE FROM fraud_velocity_gaps WHERE payment_id = ANY(%s)"


def close(connection: Connection, payment_ids: Sequence[UUID]) -> None:
    """Redis knows of these, or need not."""
    connection.execute(SQL_CLOSE, (list(payment_ids),))


SQL_FORGET = "DELETE FROM fraud_velocity_gaps WHERE noticed_at < %s"


def forget_gaps(connection: Connection, *, before: dt.datetime) -> None:
    """What was missed before then lies outside of every window."""
    connection.execute(SQL_FORGET, (before,))


def _observations(rows: Iterable[tuple[Any, ...]]) -> list[Observation]:
    found = []
    for payment_id, merchant_id, mode, at, amount, currency, *named in rows:
        merchant = entity(mode, merchant_id, EntityKind.MERCHANT, merchant_id.hex)
        entities = {EntityKind.MERCHANT: merchant}
        entities |= {kind: one for kind, one in zip(LOGGED, named, strict=True) if one is not None}
        found.append(Observation(payment_id, at, amount, currency, entities))
    return found

"""Samples of decisions, and what was found in them, in SQL."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.fraud.drift.psi import Drift


@dataclass(frozen=True, slots=True)
class Seen:
    """What one decision saw."""

    mode: str
    features: Mapping[str, Any]
    score: float | None
    model: str | None


@dataclass(frozen=True, slots=True)
class Week:
    """Of a week's labelled payments, which were stopped and which were let through.

    `week` is its Monday. Stopped are those that were challenged or blocked.
    """

    week: dt.date
    stopped_fraud: int
    stopped_genuine: int
    allowed_fraud: int


# Ids of payments are in order of time, so each slice is a short walk along the primary key.
SQL_SAMPLE = """
SELECT d.mode, d.trace -> 'features' AS features, (d.trace ->> 'score')::DOUBLE PRECISION AS score,
    d.trace ->> 'model' AS model
FROM unnest(%(starts)s::UUID [], %(ends)s::UUID []) AS s (least, above)
CROSS JOIN LATERAL (
    SELECT mode, trace FROM fraud_decisions
    WHERE payment_id >= s.least AND payment_id < s.above
    ORDER BY payment_id
    LIMIT %(rows)s
) AS d
WHERE d.trace ? 'features'
"""
SQL_WEEKS = """
SELECT date_trunc('week', l.observed_at AT TIME ZONE 'UTC')::DATE AS week,
    count(*) FILTER (WHERE d.verdict <> 'ALLOW' AND l.is_fraud) AS stopped_fraud,
    count(*) FILTER (WHERE d.verdict <> 'ALLOW' AND NOT l.is_fraud) AS stopped_genuine,
    count(*) FILTER (WHERE d.verdict = 'ALLOW' AND l.is_fraud) AS allowed_fraud
FROM (
    SELECT DISTINCT ON (payment_id) payment_id, is_fraud, observed_at
    FROM fraud_labels
    WHERE mode = %(mode)s AND observed_at >= %(since)s AND known_at <= %(now)s
    ORDER BY payment_id, known_at DESC, id DESC
) AS l
INNER JOIN fraud_decisions AS d ON d.payment_id = l.payment_id
GROUP BY week
ORDER BY week
"""
SQL_PUT_DRIFT = """
INSERT INTO fraud_drift (day, mode, feature, psi, n, reference_n)
VALUES (%(day)s, %(mode)s, %(feature)s, %(psi)s, %(n)s, %(reference_n)s)
ON CONFLICT (day, mode, feature) DO UPDATE SET
    psi = excluded.psi, n = excluded.n, reference_n = excluded.reference_n
"""
SQL_PUT_WEEK = """
INSERT INTO fraud_precision (week, mode, stopped_fraud, stopped_genuine, allowed_fraud)
VALUES (%(week)s, %(mode)s, %(stopped_fraud)s, %(stopped_genuine)s, %(allowed_fraud)s)
ON CONFLICT (week, mode) DO UPDATE SET
    stopped_fraud = excluded.stopped_fraud, stopped_genuine = excluded.stopped_genuine,
    allowed_fraud = excluded.allowed_fraud
"""


def sample(connection: Connection, slices: Iterable[tuple[UUID, UUID]], *, rows: int) -> list[Seen]:
    """The first `rows` decisions of each slice of ids, from its first id to before its second."""
    starts, ends = zip(*slices, strict=True)
    values = {"starts": list(starts), "ends": list(ends), "rows": rows}
    with connection.cursor(row_factory=class_row(Seen)) as cursor:
        return cursor.execute(SQL_SAMPLE, values).fetchall()


def weeks(connection: Connection, mode: str, *, since: dt.datetime, now: dt.datetime) -> list[Week]:
    """By week, how payments observed since then had been judged, by what is known `now`."""
    with connection.cursor(row_factory=class_row(Week)) as cursor:
        values = {"mode": mode, "since": since, "now": now}
        return cursor.execute(SQL_WEEKS, values).fetchall()


def put_drift(tx: Connection, day: dt.date, mode: str, drifts: Mapping[str, Drift]) -> None:
    """The day's drift by feature is on record, in the place of what was."""
    rows = [
        {
            "day": day,
            "mode": mode,
            "feature": feature,
            "psi": drift.psi,
            "n": drift.n,
            "reference_n": drift.reference_n,
        }
        for feature, drift in drifts.items()
    ]
    with tx.cursor() as cursor:
        cursor.executemany(SQL_PUT_DRIFT, rows)


def put_weeks(tx: Connection, mode: str, found: Iterable[Week]) -> None:
    """The weeks are on record as they are known now."""
    rows = [
        {
            "week": one.week,
            "mode": mode,
            "stopped_fraud": one.stopped_fraud,
            "stopped_genuine": one.stopped_genuine,
            "allowed_fraud": one.allowed_fraud,
        }
        for one in found
    ]
    with tx.cursor() as cursor:
        cursor.executemany(SQL_PUT_WEEK, rows)

"""What rules did: folded from decisions, and read."""

import datetime as dt
from collections.abc import Sequence

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.fraud.rulebook.model import Statistics, VersionId

SQL_STATISTICS = """
WITH counted AS (
    SELECT version_id, mode, sum(evaluated)::BIGINT AS evaluated, sum(hits)::BIGINT AS hits,
        sum(errors)::BIGINT AS errors, sum(challenged)::BIGINT AS challenged,
        sum(blocked)::BIGINT AS blocked
    FROM fraud_rule_statistics
    WHERE version_id = ANY(%(versions)s) AND day >= %(since)s AND day < %(until)s
    GROUP BY version_id, mode
), labelled AS (
    SELECT h.version_id, h.mode, count(*) FILTER (WHERE label.is_fraud) AS fraud,
        count(*) FILTER (WHERE NOT label.is_fraud) AS genuine
    FROM fraud_rule_hits AS h
    CROSS JOIN LATERAL (
        SELECT l.is_fraud FROM fraud_labels AS l WHERE l.payment_id = h.payment_id
        ORDER BY l.known_at DESC, l.id DESC LIMIT 1
    ) AS label
    WHERE h.version_id = ANY(%(versions)s)
        AND h.hit_at >= %(since)s::TIMESTAMP AT TIME ZONE 'UTC'
        AND h.hit_at < %(until)s::TIMESTAMP AT TIME ZONE 'UTC'
    GROUP BY h.version_id, h.mode
)
SELECT c.version_id, v.number, c.mode, c.evaluated, c.hits, c.errors,
    c.hits - c.challenged - c.blocked AS allowed, c.challenged, c.blocked,
    coalesce(l.fraud, 0) AS fraud, coalesce(l.genuine, 0) AS genuine
FROM counted AS c
INNER JOIN fraud_rule_versions AS v ON v.id = c.version_id
LEFT JOIN labelled AS l ON l.version_id = c.version_id AND l.mode = c.mode
ORDER BY v.number DESC, c.mode
"""
SQL_FOLD = "SELECT fraud_fold_statistics(%s, %s)"


def of_versions(
    connection: Connection, versions: Sequence[VersionId], *, since: dt.date, until: dt.date
) -> list[Statistics]:
    """What these versions did from `since` to before `until`, the newest version first."""
    values = {"versions": list(versions), "since": since, "until": until}
    with connection.cursor(row_factory=class_row(Statistics)) as cursor:
        return cursor.execute(SQL_STATISTICS, values).fetchall()


def fold(tx: Connection, *, until: dt.datetime, most: dt.timedelta) -> dt.datetime:
    """Up to when decisions are in the statistics now: `until`, or `most` later than before."""
    row = tx.execute(SQL_FOLD, (until, most)).fetchone()
    assert row is not None, "the function answers one row"  # noqa: S101 - says why
    folded: dt.datetime = row[0]
    return folded

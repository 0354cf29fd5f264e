"""How old unresolved breaks are, and what clearing accounts hold: sums, in two statements."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.ledger.accounts import AccountType

SQL_GROUPS = """
SELECT mode, type, currency, width_bucket(%(now)s - opened_at, %(limits)s::INTERVAL[]) AS bucket,
    count(*) AS breaks, sum(abs(amount))::BIGINT AS amount, min(opened_at) AS oldest,
    count(*) FILTER (WHERE due_at <= %(now)s) AS overdue,
    count(*) FILTER (WHERE policy = %(silence)s) AS silent
FROM breaks
WHERE status <> 'RESOLVED'
GROUP BY mode, type, currency, bucket
"""
SQL_CLEARING = """
SELECT a.type, a.mode, a.currency,
    (CASE a.normal_side WHEN 'debit' THEN 1 ELSE -1 END * b.posted)::BIGINT AS balance,
    CASE WHEN b.posted <> 0 THEN oldest_in_balance(a.id) END AS oldest
FROM accounts AS a
CROSS JOIN LATERAL (
    SELECT coalesce(sum(debits_posted - credits_posted), 0) AS posted
    FROM account_balances WHERE account_id = a.id
) AS b
WHERE a.type = ANY (%s) AND a.merchant_id IS NULL
ORDER BY a.type, a.mode, a.currency
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Unresolved breaks of one mode, type, currency and age: `bucket` counts the limits passed."""

    mode: str
    type: str
    currency: str
    bucket: int
    breaks: int
    amount: int
    oldest: dt.datetime
    overdue: int
    silent: int


@dataclass(frozen=True, slots=True)
class Clearing:
    """A clearing account: its balance on its normal side, and since when it holds the oldest."""

    type: str
    mode: str
    currency: str
    balance: int
    oldest: dt.datetime | None


def groups(
    connection: Connection, *, limits: Sequence[dt.timedelta], silence: str, now: dt.datetime
) -> list[Group]:
    """All that is unresolved, in groups; `silence` is the policy for banks that say nothing."""
    values = {"now": now, "limits": list(limits), "silence": silence}
    with connection.cursor(row_factory=class_row(Group)) as cursor:
        return cursor.execute(SQL_GROUPS, values).fetchall()


def clearing(connection: Connection, types: Iterable[AccountType]) -> list[Clearing]:
    """The platform's accounts of these types, in each mode and currency."""
    with connection.cursor(row_factory=class_row(Clearing)) as cursor:
        return cursor.execute(SQL_CLEARING, (list(types),)).fetchall()

"""Gateways' payouts in SQL: what is to come, what of it came, and what never was told of."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.ids import MerchantId
from paynexus.settlement.acquirers.model import Payout

COLUMNS = "gateway, mode, currency, reference, amount, expected_on, arrived_amount"

SQL_MIXED = """
SELECT payout_reference, string_agg(DISTINCT currency, ' and ' ORDER BY currency) FROM (
    SELECT payout_reference, currency FROM explained_lines
    WHERE payout_reference IS NOT NULL AND operation <> 'payout'
    UNION ALL
    SELECT p.reference, p.currency FROM gateway_payouts AS p
    INNER JOIN explained_lines AS l
        ON (l.gateway, l.mode, l.payout_reference) = (p.gateway, p.mode, p.reference)
) AS named
GROUP BY payout_reference HAVING count(DISTINCT currency) > 1 ORDER BY payout_reference LIMIT 1
"""
# In the order of the key: two files, or a file and the bank's, never wait in a circle.
SQL_GROW = f"""
INSERT INTO gateway_payouts (gateway, mode, currency, reference, amount, expected_on, lines)
SELECT gateway, mode, currency, payout_reference, sum(net),
    coalesce(max(payout_on), (max(occurred_at) AT TIME ZONE 'UTC')::DATE + 1), count(*)
FROM gateway_lines
WHERE gateway = %(gateway)s AND file_sha256 = %(sha256)s AND is_counted
GROUP BY gateway, mode, currency, payout_reference
ORDER BY gateway, mode, payout_reference
ON CONFLICT (gateway, mode, reference) DO UPDATE SET
    amount = gateway_payouts.amount + excluded.amount,
    lines = gateway_payouts.lines + excluded.lines,
    expected_on = greatest(gateway_payouts.expected_on, excluded.expected_on)
RETURNING {COLUMNS}
"""  # noqa: S608 - a constant of this file
SQL_COSTS = """
SELECT payout_reference, mode, currency,
    sum(CASE WHEN operation = 'cost' THEN -net ELSE fee END)::BIGINT
FROM gateway_lines
WHERE gateway = %(gateway)s AND file_sha256 = %(sha256)s AND is_counted
GROUP BY payout_reference, mode, currency
HAVING sum(CASE WHEN operation = 'cost' THEN -net ELSE fee END) <> 0
ORDER BY payout_reference
"""
SQL_OVERDUE = f"""
SELECT {COLUMNS} FROM gateway_payouts
WHERE arrived_at IS NULL AND amount <> 0 AND expected_on < %s
ORDER BY gateway, mode, reference LIMIT %s
"""  # noqa: S608
SQL_LOCK_NAMED = f"""
SELECT {COLUMNS}, reference_key FROM gateway_payouts
WHERE reference_key = ANY(%s)
ORDER BY gateway, mode, reference FOR UPDATE
"""  # noqa: S608
SQL_LOCK_OPEN = f"""
SELECT {COLUMNS} FROM gateway_payouts
WHERE arrived_at IS NULL AND amount = ANY(%(amounts)s)
    AND expected_on BETWEEN %(since)s AND %(until)s
ORDER BY gateway, mode, reference FOR UPDATE
"""  # noqa: S608
# Of acquirers that pay each payment by itself there are no files with payouts.
SQL_ATTEMPTS = """
SELECT a.gateway, p.mode::TEXT, a.currency, a.reference,
    CASE WHEN a.operation = 'refund' THEN -a.amount ELSE a.amount END
FROM attempts AS a
INNER JOIN transactions AS p ON p.id = a.payment_id
WHERE a.reference = ANY(%s) AND a.outcome = 'APPROVED'
    AND NOT EXISTS (
        SELECT FROM gateway_lines AS l
        WHERE l.gateway = a.gateway AND l.reference = a.reference
            AND l.payout_reference IS NOT NULL
    )
ORDER BY a.reference
"""
SQL_PAYOUT_OF_ONE = """
INSERT INTO gateway_payouts (gateway, mode, currency, reference, amount, expected_on, lines)
SELECT u.*, 0 FROM unnest(%s::TEXT[], %s::TEXT[], %s::TEXT[], %s::TEXT[], %s::BIGINT[], %s::DATE[])
    AS u (gateway, mode, currency, reference, amount, expected_on)
ON CONFLICT (gateway, mode, reference) DO NOTHING
"""
SQL_ARRIVED = """
UPDATE gateway_payouts AS p SET
    arrived_at = coalesce(p.arrived_at, %(now)s),
    arrived_amount = coalesce(p.arrived_amount, 0) + u.amount,
    file_sha256 = coalesce(p.file_sha256, u.sha256), position = coalesce(p.position, u.position)
FROM unnest(
    %(gateways)s::TEXT[], %(modes)s::TEXT[], %(references)s::TEXT[], %(amounts)s::BIGINT[],
    %(hashes)s::BYTEA[], %(positions)s::INTEGER[]
) AS u (gateway, mode, reference, amount, sha256, position)
WHERE (p.gateway, p.mode, p.reference) = (u.gateway, u.mode, u.reference)
"""

# What was booked in the days that a file covers, and no line of the gateway tells of. A transfer's
# id tells the time at which it was made; whose it is, its attempt or dispute says.
SQL_DUE_FILES = """
SELECT sha256, covers_from, covers_to FROM gateway_files
WHERE gateway = %s AND looked_through_at IS NULL AND covers_to < %s
ORDER BY covers_to, sha256 FOR UPDATE
"""
SQL_LOOKED_THROUGH = """
UPDATE gateway_files SET looked_through_at = %s WHERE gateway = %s AND sha256 = ANY(%s)
"""
SQL_MISSING = """
WITH days AS (
    SELECT DISTINCT generate_series(f.covers_from, f.covers_to, INTERVAL '1 day')::DATE AS day
    FROM gateway_files AS f WHERE f.gateway = %(gateway)s AND f.sha256 = ANY(%(files)s)
), moved AS (
    SELECT t.id, t.kind, t.state, t.amount, t.currency, t.mode, t.merchant_id, t.pending_id,
        t.part, t.object_id, t.transaction_id, d.day
    FROM days AS d
    INNER JOIN transfers AS t
        ON t.id >= uuid_at(d.day::TIMESTAMP AT TIME ZONE 'UTC')
        AND t.id < uuid_at((d.day + 1)::TIMESTAMP AT TIME ZONE 'UTC')
    WHERE t.kind IN ('payment', 'refund') AND t.state = 'post'
        OR t.kind IN ('dispute', 'dispute_won', 'late_approval', 'reversal')
        AND t.state = 'single' AND t.transaction_id IS NOT NULL
)
SELECT m.id, m.kind::TEXT, gateway_movement(m.kind, m.amount) AS amount, m.currency, m.mode,
    m.merchant_id, m.object_id, m.day
FROM moved AS m
CROSS JOIN LATERAL (
    -- A payment captured at once has no captures; of another, the part's own is the one.
    SELECT a.gateway, a.reference, a.operation
    FROM attempts AS a
    WHERE m.kind = 'payment' AND a.payment_id = m.transaction_id AND a.outcome = 'APPROVED'
        AND a.operation IN ('charge', 'capture')
        AND CASE a.operation WHEN 'capture' THEN m.part ELSE 0 END = (
            SELECT count(*) FROM attempts AS c
            WHERE c.payment_id = a.payment_id AND c.operation = 'capture'
                AND c.outcome = 'APPROVED' AND (a.operation = 'charge' OR c.id <= a.id)
        )
    UNION ALL
    SELECT a.gateway, a.reference, a.operation
    FROM refunds AS r
    INNER JOIN attempts AS a ON a.operation_id = r.id AND a.outcome = 'APPROVED'
    WHERE m.kind = 'refund' AND r.payment_id = m.transaction_id AND r.transfer_id = m.pending_id
    UNION ALL
    SELECT d.gateway, d.gateway_reference, m.kind::TEXT
    FROM disputes AS d
    WHERE m.kind IN ('dispute', 'dispute_won') AND d.payment_id = m.transaction_id
        AND public_id('dp', d.id) = m.object_id
    UNION ALL
    SELECT a.gateway, a.reference, a.operation
    FROM attempts AS a
    INNER JOIN late_approvals AS p ON p.attempt_id = a.id
    WHERE m.kind IN ('late_approval', 'reversal') AND a.payment_id = m.transaction_id
        AND m.id IN (p.transfer_id, p.reversal_id)
) AS o
WHERE o.gateway = %(gateway)s
    AND NOT EXISTS (SELECT FROM gateway_lines AS l WHERE l.transfer_id = m.id)
    AND NOT EXISTS (
        SELECT FROM gateway_lines AS l
        WHERE m.kind <> 'reversal' AND l.gateway = o.gateway AND l.reference = o.reference
            AND l.operation = o.operation AND l.verdict IN ('amount', 'currency', 'waiting')
    )
ORDER BY m.id LIMIT %(limit)s
"""
SQL_TOLD_AT_LAST = """
SELECT l.transfer_id FROM breaks AS b
-- From the few breaks to the many lines.
INNER JOIN gateway_lines AS l
    ON l.transfer_id = substring(b.subject FROM 10)::UUID AND l.gateway = %s
WHERE b.type = 'missing' AND b.status <> 'RESOLVED' AND b.subject LIKE 'transfer:%%'
ORDER BY l.transfer_id
"""


@dataclass(frozen=True, slots=True)
class Missing:
    """A transfer that no line of its gateway tells of."""

    id: UUID
    kind: str
    amount: int
    """As the gateway should have said it: negative for money that went back."""
    currency: str
    mode: str
    merchant_id: MerchantId | None
    object_id: str
    day: dt.date


def mixed(tx: Connection) -> tuple[str, str] | None:
    """A payout of which `explained_lines` and what is on record name several currencies."""
    return tx.execute(SQL_MIXED).fetchone()


def grow(tx: Connection, gateway: str, sha256: bytes) -> list[Payout]:
    """The payouts that the file's lines are of, with these lines."""
    with tx.cursor(row_factory=class_row(Payout)) as cursor:
        return cursor.execute(SQL_GROW, {"gateway": gateway, "sha256": sha256}).fetchall()


def costs(tx: Connection, gateway: str, sha256: bytes) -> list[tuple[str, str, str, int]]:
    """Payout, mode, currency and what the gateway charges, of the file's lines."""
    return tx.execute(SQL_COSTS, {"gateway": gateway, "sha256": sha256}).fetchall()


def overdue(tx: Connection, *, before: dt.date, limit: int) -> list[Payout]:
    """Payouts that were expected before the day and have not come."""
    with tx.cursor(row_factory=class_row(Payout)) as cursor:
        return cursor.execute(SQL_OVERDUE, (before, limit)).fetchall()


def lock_named(tx: Connection, keys: Sequence[str]) -> list[tuple[Payout, str]]:
    """Payouts whose reference is one of these keys, with it; held until the transaction ends."""
    rows = tx.execute(SQL_LOCK_NAMED, (list(keys),)).fetchall()
    return [(Payout(*row[:-1]), row[-1]) for row in rows]


def lock_open(
    tx: Connection, *, amounts: Sequence[int], since: dt.date, until: dt.date
) -> list[Payout]:
    """Payouts to come of these amounts, expected in these days; held likewise."""
    values = {"amounts": list(amounts), "since": since, "until": until}
    with tx.cursor(row_factory=class_row(Payout)) as cursor:
        return cursor.execute(SQL_LOCK_OPEN, values).fetchall()


def attempts_named(
    tx: Connection, references: Sequence[str]
) -> list[tuple[str, str, str, str, int]]:
    """Gateway, mode, currency, reference and amount of approved attempts no payout has."""
    return tx.execute(SQL_ATTEMPTS, (list(references),)).fetchall()


def insert_of_one(tx: Connection, payouts: Sequence[Payout]) -> None:
    """Payouts of a payment each are on record, unless they were."""
    columns: list[list[Any]] = [
        [getattr(payout, name) for payout in payouts]
        for name in ("gateway", "mode", "currency", "reference", "amount", "expected_on")
    ]
    tx.execute(SQL_PAYOUT_OF_ONE, columns)


def arrived(
    tx: Connection,
    arrivals: Sequence[tuple[Payout, int, tuple[bytes, int]]],
    *,
    now: dt.datetime,
) -> None:
    """Each payout has arrived, with so much (more), by the line of the bank that came first."""
    values = {
        "now": now,
        "gateways": [payout.gateway for payout, _, _ in arrivals],
        "modes": [payout.mode for payout, _, _ in arrivals],
        "references": [payout.reference for payout, _, _ in arrivals],
        "amounts": [amount for _, amount, _ in arrivals],
        "hashes": [key[0] for _, _, key in arrivals],
        "positions": [key[1] for _, _, key in arrivals],
    }
    tx.execute(SQL_ARRIVED, values)


def missing(
    tx: Connection, gateway: str, *, before: dt.date, limit: int, now: dt.datetime
) -> list[Missing]:
    """Transfers that the gateway's files up to the day should have told of and do not.

    Each file is asked about once.
    """
    rows = tx.execute(SQL_DUE_FILES, (gateway, before)).fetchall()
    if not rows:
        return []
    files = [row[0] for row in rows]
    values = {"gateway": gateway, "files": files, "limit": limit}
    with tx.cursor(row_factory=class_row(Missing)) as cursor:
        found = cursor.execute(SQL_MISSING, values).fetchall()
    tx.execute(SQL_LOOKED_THROUGH, (now, gateway, files))
    return found


def told_at_last(tx: Connection, gateway: str) -> list[UUID]:
    """Transfers that are an open break as missing, and that a line tells of now."""
    return [row[0] for row in tx.execute(SQL_TOLD_AT_LAST, (gateway,))]

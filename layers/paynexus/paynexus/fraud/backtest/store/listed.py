"""What lists may say of the payments that are replayed."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import batched
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.fraud.backtest.model import Scope
from paynexus.fraud.backtest.replay import Moment, Observed, Payment
from paynexus.fraud.lists.model import Candidate
from paynexus.fraud.lists.rules import keys

BATCH = 500
"""Moments whose payments are looked up on lists at a time."""

SQL_HAS_LISTS = """
SELECT EXISTS (
    SELECT FROM fraud_lists
    WHERE state = 'active' AND (
        merchant_id IS NULL OR merchant_id = coalesce(%(merchant_id)s, merchant_id)
    )
)
"""
SQL_CANDIDATES = """
SELECT fraud_list_candidates(
    k.merchant_id, k.fingerprint, k.email, k.ip, k.country, k.bin, k.name_blocks, %(now)s
)
FROM jsonb_to_recordset(%(keys)s) AS k (
    place INTEGER, merchant_id UUID, fingerprint TEXT, email TEXT [], ip INET, country TEXT,
    bin TEXT [], name_blocks BIGINT []
)
ORDER BY k.place
"""


def on_lists(
    tx: Connection,
    moments: Iterable[Moment],
    scope: Scope,
    *,
    since: dt.datetime,
    now: dt.datetime,
) -> Iterator[Moment]:
    """The moments, in their order; payments from `since` on with what lists of `now` may say."""
    row = tx.execute(SQL_HAS_LISTS, {"merchant_id": scope.merchant_id}).fetchone()
    if row is None or not row[0]:
        yield from moments
        return
    for batch in batched(moments, BATCH, strict=False):
        judged = [one for one in batch if isinstance(one, Observed) and one.at >= since]
        found = iter(_candidates(tx, [one.payment for one in judged], now))
        for one in batch:
            if isinstance(one, Observed) and one.at >= since:
                yield replace(one, payment=replace(one.payment, listed=next(found)))
            else:
                yield one


def _candidates(
    tx: Connection, payments: list[Payment], now: dt.datetime
) -> list[tuple[Candidate, ...]]:
    wanted = [_written(place, payment) for place, payment in enumerate(payments)]
    rows = tx.execute(SQL_CANDIDATES, {"keys": Jsonb(wanted), "now": now})
    return [tuple(Candidate.of(one) for one in row[0]) for row in rows]


def _written(place: int, payment: Payment) -> dict[str, Any]:
    asked = asdict(keys(payment.subject))
    return asked | {"place": place, "merchant_id": str(asked["merchant_id"])}


SQL_WITH_VALUES = """
SELECT id FROM fraud_list_entries
WHERE list_id = %s AND value = ANY (%s) AND removed_at IS NULL
"""


def with_values(connection: Connection, list_id: UUID, values: Sequence[str]) -> list[UUID]:
    """The entries of the list that have one of these values and aren't removed."""
    return [row[0] for row in connection.execute(SQL_WITH_VALUES, (list_id, list(values)))]


SQL_WITH_IDS = """
SELECT id FROM fraud_list_entries
WHERE list_id = %s AND id = ANY (%s) AND removed_at IS NULL
"""


def with_ids(connection: Connection, list_id: UUID, entries: Sequence[UUID]) -> list[UUID]:
    """Those of the entries that are on the list and aren't removed."""
    return [row[0] for row in connection.execute(SQL_WITH_IDS, (list_id, list(entries)))]

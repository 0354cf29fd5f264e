"""Who is owed what, and settlements made of it, in Postgres."""

import datetime as dt
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.ids import MerchantId, SettlementId, TransferId
from paynexus.ledger.model import Transfer
from paynexus.settlement.batching.model import Candidate
from paynexus.settlement.calendars import Holidays

_CANDIDATE = """
SELECT a.id AS account_id, a.merchant_id, a.currency, a.mode,
       to_jsonb(t) - ARRAY['merchant_id', 'currency'] AS agreed,
       to_jsonb(p) - ARRAY['merchant_id', 'currency', 'updated_at'] AS payee,
       p.updated_at AS payee_changed_at,
       CASE WHEN h.iban IS NOT NULL THEN jsonb_build_object(
           'holder', h.holder, 'iban', h.iban, 'bic', h.bic, 'address', h.address) END AS payer,
       h.calendar AS payer_calendar, to_jsonb(w) AS held, l.cutoff AS last_cutoff,
       b.posted, b.available
  FROM accounts AS a
  JOIN LATERAL (SELECT coalesce(sum(credits_posted - debits_posted), 0)::BIGINT AS posted,
                       coalesce(sum(credits_posted - debits_posted - debits_pending), 0)::BIGINT
                           AS available
                  FROM account_balances WHERE account_id = a.id) AS b ON TRUE
  LEFT JOIN settlement_terms AS t USING (merchant_id, currency)
  LEFT JOIN payout_accounts AS p USING (merchant_id, currency)
  LEFT JOIN house_accounts AS h USING (mode, currency)
  LEFT JOIN payout_holds AS w USING (merchant_id, currency, mode)
  LEFT JOIN LATERAL (SELECT cutoff FROM settlements WHERE account_id = a.id
                      ORDER BY through_entry DESC LIMIT 1) AS l ON TRUE
 WHERE a.type = 'merchant_payable'
"""
SELECT_CANDIDATES = f"{_CANDIDATE} AND b.posted > 0 ORDER BY a.id"
SELECT_OF_MERCHANT = f"{_CANDIDATE} AND a.merchant_id = %s AND a.mode = %s ORDER BY a.currency"

SELECT_HOLIDAYS = "SELECT calendar, day FROM bank_holidays"

MAKE = """
SELECT p.n, settlement_make(jsonb_populate_record(NULL::settlement_plan, p.plan), %(now)s)
  FROM jsonb_array_elements(%(plans)s) WITH ORDINALITY AS p (plan, n)
 ORDER BY p.n
"""

DUE_RESERVES = """
SELECT s.id AS settlement_id, s.merchant_id, s.currency, s.mode, s.reserve_amount AS amount
  FROM reserves AS r JOIN settlements AS s ON s.id = r.settlement_id
 WHERE r.released_at IS NULL AND r.release_at <= %s
 ORDER BY r.release_at LIMIT %s FOR UPDATE OF r SKIP LOCKED
"""

RELEASE = "UPDATE reserves SET release_id = %s, released_at = %s WHERE settlement_id = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A settlement to be made of what its account is owed up to the cut-off.

    At least `minimum_amount` is paid; of the payments in it a share is held back until
    `release_at`.
    """

    id: SettlementId
    object_id: str
    account_id: UUID
    cutoff: dt.datetime
    minimum_amount: int
    reserve_basis_points: int
    release_at: dt.datetime
    expected_on: dt.date
    end_to_end_id: str
    instruction: dict[str, Any]
    payout_id: TransferId
    reserve_id: TransferId


@dataclass(frozen=True, slots=True)
class Reserve:
    """What was held back of a settlement."""

    settlement_id: SettlementId
    merchant_id: UUID
    currency: str
    mode: str
    amount: int


def candidates(connection: Connection) -> list[Candidate]:
    """Every payable account with a positive balance, in the order in which accounts are locked."""
    with connection.cursor(row_factory=class_row(Candidate)) as cursor:
        return cursor.execute(SELECT_CANDIDATES).fetchall()


def candidates_of(connection: Connection, merchant_id: MerchantId, mode: str) -> list[Candidate]:
    """The merchant's payable accounts, by currency, whatever their balance."""
    with connection.cursor(row_factory=class_row(Candidate)) as cursor:
        return cursor.execute(SELECT_OF_MERCHANT, (merchant_id, mode)).fetchall()


def holidays(connection: Connection) -> Holidays:
    """The days on record, by calendar."""
    found: defaultdict[str, set[dt.date]] = defaultdict(set)
    for calendar, day in connection.execute(SELECT_HOLIDAYS):
        found[calendar].add(day)
    return {calendar: frozenset(days) for calendar, days in found.items()}


def make(tx: Connection, plans: list[Plan], *, now: dt.datetime) -> list[str]:
    """Each plan's settlement is PENDING and booked (`made`), or the answer says why not.

    Plans come in the order of their accounts.
    """
    written = [_jsonable(plan) for plan in plans]
    rows = tx.execute(MAKE, {"plans": Jsonb(written), "now": now}).fetchall()
    return [outcome for _, outcome in rows]


def due_reserves(tx: Connection, *, now: dt.datetime, limit: int) -> list[Reserve]:
    """Reserves whose time is over, locked; those that another run has are left out."""
    with tx.cursor(row_factory=class_row(Reserve)) as cursor:
        return cursor.execute(DUE_RESERVES, (now, limit)).fetchall()


def mark_released(
    tx: Connection, released: list[tuple[Reserve, Transfer]], *, now: dt.datetime
) -> None:
    """The reserves are on record as given back by these bookings."""
    with tx.cursor() as cursor:
        cursor.executemany(
            RELEASE, [(transfer.id, now, reserve.settlement_id) for reserve, transfer in released]
        )


def _jsonable(plan: Plan) -> dict[str, Any]:
    return {
        name: value if isinstance(value, (int, dict)) else str(value)
        for name, value in asdict(plan).items()
    }

"""Terms of settlement, payout accounts and bank holidays, in Postgres."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.ids import MerchantId
from paynexus.settlement.bank.messages import BankAccount

LOCK_MERCHANT = "SELECT id FROM merchants WHERE id = %s FOR NO KEY UPDATE"

SELECT_TERMS = """
SELECT c.currency, to_jsonb(t) - ARRAY['merchant_id', 'currency']
  FROM (SELECT currency FROM merchant_fees WHERE merchant_id = %(merchant_id)s
         UNION SELECT currency FROM payout_accounts WHERE merchant_id = %(merchant_id)s
         UNION SELECT currency FROM settlement_terms WHERE merchant_id = %(merchant_id)s) AS c
  LEFT JOIN settlement_terms AS t
    ON t.merchant_id = %(merchant_id)s AND t.currency = c.currency
 ORDER BY c.currency
"""

UPSERT_TERMS = """
INSERT INTO settlement_terms (merchant_id, currency, frequency, weekday, month_day, cutoff_time,
                              time_zone, calendar, minimum_amount, reserve_basis_points,
                              reserve_days)
VALUES (%(merchant_id)s, %(currency)s, %(frequency)s, %(weekday)s, %(month_day)s,
        %(cutoff_time)s, %(time_zone)s, %(calendar)s, %(minimum_amount)s,
        %(reserve_basis_points)s, %(reserve_days)s)
ON CONFLICT (merchant_id, currency) DO UPDATE SET
    frequency = excluded.frequency, weekday = excluded.weekday,
    month_day = excluded.month_day, cutoff_time = excluded.cutoff_time,
    time_zone = excluded.time_zone, calendar = excluded.calendar,
    minimum_amount = excluded.minimum_amount,
    reserve_basis_points = excluded.reserve_basis_points, reserve_days = excluded.reserve_days
"""

UPSERT_PAYOUT_ACCOUNT = """
INSERT INTO payout_accounts (merchant_id, currency, holder, iban, bic, address, updated_at)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (merchant_id, currency) DO UPDATE SET
    holder = excluded.holder, iban = excluded.iban, bic = excluded.bic,
    address = excluded.address, updated_at = excluded.updated_at
"""

INSERT_HOLIDAY = """
INSERT INTO bank_holidays (calendar, day, name) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""
SELECT_HOLIDAYS = "SELECT day, name FROM bank_holidays WHERE calendar = %s ORDER BY day"


def lock_merchant(tx: Connection, merchant_id: MerchantId) -> bool:
    """The merchant exists, and is locked: two changes of its terms wait for each other."""
    return tx.execute(LOCK_MERCHANT, (merchant_id,)).fetchone() is not None


def terms(connection: Connection, merchant_id: MerchantId) -> dict[str, dict[str, Any] | None]:
    """Of each currency that the merchant has to do with, the row of what was agreed, if any."""
    return dict(connection.execute(SELECT_TERMS, {"merchant_id": merchant_id}).fetchall())


def put_terms(
    tx: Connection, merchant_id: MerchantId, currency: str, terms: Mapping[str, object]
) -> None:
    """This is what was agreed."""
    tx.execute(UPSERT_TERMS, {**terms, "merchant_id": merchant_id, "currency": currency})


def put_payout_account(
    tx: Connection,
    merchant_id: MerchantId,
    currency: str,
    account: BankAccount,
    *,
    now: dt.datetime,
) -> None:
    """This is where the merchant is paid, since now."""
    address = Jsonb(asdict(account.address)) if account.address else None
    values = (merchant_id, currency, account.holder, account.iban, account.bic, address, now)
    tx.execute(UPSERT_PAYOUT_ACCOUNT, values)


def add_holidays(tx: Connection, calendar: str, days: Sequence[tuple[dt.date, str]]) -> int:
    """The days are on record; how many were not before."""
    return sum(tx.execute(INSERT_HOLIDAY, (calendar, *day)).rowcount for day in days)


def holidays(connection: Connection, calendar: str) -> list[tuple[dt.date, str]]:
    """The days on record, the earliest first."""
    return connection.execute(SELECT_HOLIDAYS, (calendar,)).fetchall()

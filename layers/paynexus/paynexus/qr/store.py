"""QR codes and their scans in Postgres."""

import datetime as dt
from typing import Any

from psycopg.rows import class_row, dict_row

from paynexus.db import Connection
from paynexus.ids import MerchantId, PaymentId, QrCodeId
from paynexus.qr.model import QrCode, Shop, Ticket, Uses

INSERT_CODE = """
INSERT INTO qr_codes
    (id, merchant_id, mode, usage, amount, currency, reference, payload, created_at, expires_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

# What became of a code stands in its scans: the last one made, and the one that was spent.
SELECT_CODE = """
SELECT code.id, code.merchant_id, code.mode, code.usage, code.amount, code.currency,
       code.reference, code.payload, code.created_at, code.expires_at,
       latest.scanned_at, latest.expires_at AS token_expires_at, spent.payment_id
  FROM qr_codes AS code
  LEFT JOIN LATERAL (
      SELECT scanned_at, expires_at
        FROM qr_scans
       WHERE qr_code_id = code.id
       ORDER BY scanned_at DESC
       LIMIT 1
  ) AS latest ON TRUE
  LEFT JOIN qr_scans AS spent
    ON spent.qr_code_id = code.id AND spent.usage = 'single' AND spent.payment_id IS NOT NULL
"""

SELECT_OWN_CODE = (
    SELECT_CODE
    + """
 WHERE code.id = %s AND code.merchant_id = %s AND code.mode = %s
"""
)

SELECT_CODE_THAT_SAYS = (
    SELECT_CODE
    + """
 WHERE code.payload = %s AND code.merchant_id = %s AND code.mode = %s
"""
)

INSERT_SCAN = """
INSERT INTO qr_scans (token_hash, qr_code_id, usage, scanned_at, expires_at)
VALUES (%s, %s, %s, %s, %s)
"""

LOCK_CODE_OF_SCAN = """
SELECT code.id
  FROM qr_codes AS code
  JOIN qr_scans AS scan ON scan.qr_code_id = code.id
 WHERE scan.token_hash = %s AND code.merchant_id = %s AND code.mode = %s
   FOR UPDATE OF code
"""

SELECT_SCAN = """
SELECT scan.expires_at, scan.payment_id IS NOT NULL AS is_spent, recent.minute, recent.day
  FROM qr_scans AS scan
 CROSS JOIN LATERAL (
     SELECT count(*) FILTER (WHERE spent_at > %(now)s - INTERVAL '1 minute') AS minute,
            count(*) AS day
       FROM qr_scans
      WHERE qr_code_id = scan.qr_code_id AND scan.usage = 'static'
        AND spent_at > %(now)s - INTERVAL '1 day'
 ) AS recent
 WHERE scan.token_hash = %(token_hash)s
"""

UPDATE_SPENT = "UPDATE qr_scans SET payment_id = %s, spent_at = %s WHERE token_hash = %s"

SELECT_SHOP = """
SELECT name, country, city, category_code AS category FROM merchants WHERE id = %s
"""

DELETE_SCANS = """
DELETE FROM qr_scans WHERE token_hash IN (
    SELECT token_hash FROM qr_scans
     WHERE payment_id IS NULL AND expires_at < %(before)s
     LIMIT %(limit)s
       FOR UPDATE SKIP LOCKED
)
"""


def insert_code(tx: Connection, code: QrCode) -> None:
    """The code exists, unscanned."""
    tx.execute(
        INSERT_CODE,
        (
            code.id,
            code.merchant_id,
            code.mode,
            code.usage,
            code.amount,
            code.currency,
            code.reference,
            code.payload,
            code.created_at,
            code.expires_at,
        ),
    )


def code(tx: Connection, code_id: QrCodeId, merchant_id: MerchantId, mode: str) -> QrCode | None:
    """The merchant's code of this id."""
    with tx.cursor(row_factory=class_row(QrCode)) as cursor:
        return cursor.execute(SELECT_OWN_CODE, (code_id, merchant_id, mode)).fetchone()


def code_that_says(
    tx: Connection, payload: str, merchant_id: MerchantId, mode: str
) -> QrCode | None:
    """The merchant's code whose text is exactly this."""
    with tx.cursor(row_factory=class_row(QrCode)) as cursor:
        return cursor.execute(SELECT_CODE_THAT_SAYS, (payload, merchant_id, mode)).fetchone()


def insert_scan(
    tx: Connection,
    code: QrCode,
    *,
    token_hash: bytes,
    scanned_at: dt.datetime,
    expires_at: dt.datetime,
) -> None:
    """The code can be spent with this token until it expires."""
    tx.execute(INSERT_SCAN, (token_hash, code.id, code.usage, scanned_at, expires_at))


def locked_ticket(
    tx: Connection, token_hash: bytes, merchant_id: MerchantId, mode: str, *, now: dt.datetime
) -> Ticket | None:
    """The merchant's scan of this token; its code is locked until the transaction ends."""
    locked = tx.execute(LOCK_CODE_OF_SCAN, (token_hash, merchant_id, mode)).fetchone()
    # Read after the lock, in statements of their own: they see who had it before.
    found = code(tx, QrCodeId(locked[0]), merchant_id, mode) if locked else None
    if found is None:
        return None
    with tx.cursor(row_factory=dict_row) as cursor:
        row: dict[str, Any] | None = cursor.execute(
            SELECT_SCAN, {"token_hash": token_hash, "now": now}
        ).fetchone()
    if row is None:
        return None
    return Ticket(found, row["expires_at"], row["is_spent"], Uses(row["minute"], row["day"]))


def mark_spent(
    tx: Connection, token_hash: bytes, *, payment_id: PaymentId, spent_at: dt.datetime
) -> None:
    """The scan belongs to this payment for ever."""
    tx.execute(UPDATE_SPENT, (payment_id, spent_at, token_hash))


def shop(connection: Connection, merchant_id: MerchantId) -> Shop:
    """The merchant as its codes name it."""
    with connection.cursor(row_factory=class_row(Shop)) as cursor:
        found = cursor.execute(SELECT_SHOP, (merchant_id,)).fetchone()
    if found is None:
        raise LookupError("a code is issued by a merchant that exists")
    return found


def forget_scans(tx: Connection, *, before: dt.datetime, limit: int) -> int:
    """So many scans that expired unpaid before then are gone; their number."""
    return tx.execute(DELETE_SCANS, {"before": before, "limit": limit}).rowcount

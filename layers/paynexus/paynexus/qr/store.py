"""QR codes in Postgres."""

import datetime as dt

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.ids import MerchantId, PaymentId, QrCodeId
from paynexus.qr.model import QrCode

INSERT_CODE = """
INSERT INTO qr_codes
    (id, merchant_id, mode, amount, currency, reference, payload, created_at, expires_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

SELECT_CODE = """
SELECT id, merchant_id, mode, amount, currency, reference, payload, created_at, expires_at,
       scanned_at, token_expires_at, payment_id
  FROM qr_codes
 WHERE id = %s AND merchant_id = %s AND mode = %s
"""

LOCK_CODE = SELECT_CODE + "FOR UPDATE"

LOCK_SCANNED_CODE = """
SELECT id, merchant_id, mode, amount, currency, reference, payload, created_at, expires_at,
       scanned_at, token_expires_at, payment_id
  FROM qr_codes
 WHERE token_hash = %s AND merchant_id = %s AND mode = %s
   FOR UPDATE
"""

UPDATE_SCAN = """
UPDATE qr_codes SET scanned_at = %s, token_hash = %s, token_expires_at = %s WHERE id = %s
"""

UPDATE_SPENT = "UPDATE qr_codes SET payment_id = %s, spent_at = %s WHERE id = %s"


def insert_code(tx: Connection, code: QrCode) -> None:
    """The code exists, unscanned."""
    tx.execute(
        INSERT_CODE,
        (
            code.id,
            code.merchant_id,
            code.mode,
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
        return cursor.execute(SELECT_CODE, (code_id, merchant_id, mode)).fetchone()


def locked_code(
    tx: Connection, code_id: QrCodeId, merchant_id: MerchantId, mode: str
) -> QrCode | None:
    """The merchant's code of this id, locked until the transaction ends."""
    with tx.cursor(row_factory=class_row(QrCode)) as cursor:
        return cursor.execute(LOCK_CODE, (code_id, merchant_id, mode)).fetchone()


def locked_code_by_token(
    tx: Connection, token_hash: bytes, merchant_id: MerchantId, mode: str
) -> QrCode | None:
    """The merchant's code that was scanned for this token, locked until the transaction ends."""
    with tx.cursor(row_factory=class_row(QrCode)) as cursor:
        return cursor.execute(LOCK_SCANNED_CODE, (token_hash, merchant_id, mode)).fetchone()


def mark_scanned(
    tx: Connection,
    code_id: QrCodeId,
    *,
    token_hash: bytes,
    scanned_at: dt.datetime,
    token_expires_at: dt.datetime,
) -> None:
    """The code can be spent with this token, and with none given out before."""
    tx.execute(UPDATE_SCAN, (scanned_at, token_hash, token_expires_at, code_id))


def mark_spent(
    tx: Connection, code_id: QrCodeId, *, payment_id: PaymentId, spent_at: dt.datetime
) -> None:
    """The code belongs to this payment for ever."""
    tx.execute(UPDATE_SPENT, (payment_id, spent_at, code_id))

"""Use cases of QR codes: issue, read, scan; and spending, inside the payment's transaction."""

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass, replace

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.errors import NotFound, QrRefused
from paynexus.ids import MerchantId, PaymentId, QrCodeId
from paynexus.money import Money
from paynexus.qr import model, store
from paynexus.qr import payload as payloads
from paynexus.qr.model import QrCode
from paynexus.qr.payload import KeyRing, Payload

TOKEN_PREFIX = "qrt_"  # noqa: S105 - a prefix is no secret
TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True)
class Scan:
    """A scanned code and the token that a payment spends it with."""

    code: QrCode
    token: str
    expires_at: dt.datetime


def issue(
    tx: Connection,
    ring: KeyRing,
    *,
    merchant_id: MerchantId,
    mode: str,
    amount: int | None,
    currency: str,
    reference: str | None = None,
    lifetime: dt.timedelta = model.LIFETIME,
    now: dt.datetime,
) -> QrCode:
    """A signed code exists, to be paid once before its lifetime is over.

    Runs in the caller's transaction, which also claims the Idempotency-Key.
    """
    # Whole seconds, as the payload says them.
    expires_at = (now + lifetime).replace(microsecond=0)
    payload = Payload(
        qr_code_id=QrCodeId(ids.new_id()),
        merchant_id=merchant_id,
        mode=mode,
        amount=amount,
        currency=currency,
        expires_at=expires_at,
        nonce=secrets.token_bytes(payloads.NONCE_BYTES),
    )
    code = QrCode(
        id=payload.qr_code_id,
        merchant_id=merchant_id,
        mode=mode,
        amount=amount,
        currency=currency,
        reference=reference,
        payload=payloads.sign(payload, ring.signing),
        created_at=now,
        expires_at=expires_at,
    )
    store.insert_code(tx, code)
    return code


def find(db: Database, code_id: QrCodeId, *, merchant_id: MerchantId, mode: str) -> QrCode:
    """The merchant's code of this id; NotFound for another's."""
    with db.transaction() as tx:
        code = store.code(tx, code_id, merchant_id, mode)
    if code is None:
        raise NotFound("There is no such QR code.")
    return code


def scan(
    db: Database,
    ring: KeyRing,
    text: str,
    *,
    merchant_id: MerchantId,
    mode: str,
    now: dt.datetime,
) -> Scan:
    """The code in `text` can be spent with the token of this scan, and with no earlier one."""
    payload = payloads.verify(text, ring)
    token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    token_expires_at = now + model.TOKEN_LIFETIME
    with db.transaction() as tx:
        code = store.locked_code(tx, payload.qr_code_id, merchant_id, mode)
        if code is None:
            raise _unknown("payload")
        model.require_scannable(code, now=now)
        store.mark_scanned(
            tx,
            code.id,
            token_hash=_hash_of(token),
            scanned_at=now,
            token_expires_at=token_expires_at,
        )
    scanned = replace(code, scanned_at=now, token_expires_at=token_expires_at)
    return Scan(scanned, token, token_expires_at)


def spend(
    tx: Connection,
    token: str,
    *,
    merchant_id: MerchantId,
    mode: str,
    money: Money,
    payment_id: PaymentId,
    now: dt.datetime,
) -> QrCodeId:
    """The code of this scan belongs to the payment for ever, if the transaction commits.

    Raises QrRefused, each refusal with its own code. Two payments that race for one code meet
    at its row's lock: the second finds it spent.
    """
    code = store.locked_code_by_token(tx, _hash_of(token), merchant_id, mode)
    if code is None:
        raise _unknown("qr_code")
    model.require_spendable(code, money, now=now)
    store.mark_spent(tx, code.id, payment_id=payment_id, spent_at=now)
    return code.id


def _unknown(param: str) -> QrRefused:
    return QrRefused("There is no such QR code.", reason="qr_unknown", param=param)


def _hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()

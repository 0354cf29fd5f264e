"""Use cases of QR codes: issue, read, scan; and spending, inside the payment's transaction."""

import datetime as dt
import hashlib
import secrets
from dataclasses import replace
from uuid import UUID

from paynexus import idempotency, ids, jsontext
from paynexus.db import Connection, Database
from paynexus.errors import NotFound, QrRefused
from paynexus.ids import MerchantId, PaymentId, QrCodeId
from paynexus.money import Money
from paynexus.qr import model, store, views
from paynexus.qr import payload as payloads
from paynexus.qr.model import Order, QrCode, Scan
from paynexus.qr.payload import KeyRing, Payload

TOKEN_PREFIX = "qrt_"  # noqa: S105 - a prefix is no secret
TOKEN_BYTES = 24


def issue(
    db: Database,
    ring: KeyRing,
    order: Order,
    *,
    scope: idempotency.Scope,
    fingerprint: bytes,
    now: dt.datetime,
) -> idempotency.Answer:
    """A signed code exists, to be paid once before its lifetime is over; this is its answer.

    The same key answers with the same code, however often it comes.
    """

    def act(tx: Connection, code_id: UUID) -> idempotency.Answer:
        code = _signed(order, ring, QrCodeId(code_id), scope=scope, now=now)
        store.insert_code(tx, code)
        return idempotency.Answer(201, jsontext.write(views.resource(code, now=now)), {})

    return idempotency.run(
        db, scope, fingerprint=fingerprint, object_id=ids.new_id(), now=now, act=act
    )


def find(db: Database, code_id: str, *, merchant_id: MerchantId, mode: str) -> QrCode:
    """The merchant's code of this id; NotFound for another's and for what is no id."""
    try:
        parsed = QrCodeId(ids.parse("qr", code_id))
    except ValueError:
        raise NotFound("There is no such QR code.") from None
    with db.transaction() as tx:
        code = store.code(tx, parsed, merchant_id, mode)
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


def _signed(
    order: Order, ring: KeyRing, code_id: QrCodeId, *, scope: idempotency.Scope, now: dt.datetime
) -> QrCode:
    # Whole seconds, as the payload says them.
    expires_at = (now + order.lifetime).replace(microsecond=0)
    payload = Payload(
        qr_code_id=code_id,
        merchant_id=scope.merchant_id,
        mode=scope.mode,
        amount=order.amount,
        currency=order.currency,
        expires_at=expires_at,
        nonce=secrets.token_bytes(payloads.NONCE_BYTES),
    )
    return QrCode(
        id=code_id,
        merchant_id=scope.merchant_id,
        mode=scope.mode,
        amount=order.amount,
        currency=order.currency,
        reference=order.reference,
        payload=payloads.sign(payload, ring.signing),
        created_at=now,
        expires_at=expires_at,
    )


def _unknown(param: str) -> QrRefused:
    return QrRefused("There is no such QR code.", reason="qr_unknown", param=param)


def _hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()

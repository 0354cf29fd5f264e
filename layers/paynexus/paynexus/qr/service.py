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
from paynexus.qr.keys import KeyRing
from paynexus.qr.model import Order, QrCode, Scan, Shop
from paynexus.qr.payload import Payload, printed

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
    """A signed code exists, to be paid before its lifetime is over; this is its answer.

    The same key answers with the same code, however often it comes.
    """

    def act(tx: Connection, code_id: UUID) -> idempotency.Answer:
        shop = store.shop(tx, scope.merchant_id)
        code = _signed(order, ring, QrCodeId(code_id), shop=shop, scope=scope, now=now)
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
    """The code in `text` can be spent with the token of this scan.

    Raises QrRefused, each refusal with its own code; what we did not sign is refused before the
    database is asked.
    """
    payloads.verify(text, ring)
    token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    expires_at = now + model.TOKEN_LIFETIME
    with db.transaction() as tx:
        code = store.code_that_says(tx, text, merchant_id, mode)
        if code is None:
            raise _unknown("payload")
        model.require_scannable(code, now=now)
        store.insert_scan(
            tx, code, token_hash=_hash_of(token), scanned_at=now, expires_at=expires_at
        )
    return Scan(replace(code, scanned_at=now, token_expires_at=expires_at), token, expires_at)


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
    """The scan belongs to the payment for ever, if the transaction commits.

    Raises QrRefused, each refusal with its own code. Two payments that race for one code meet
    at its row's lock: the second finds it spent, or, of many uses, counted.
    """
    ticket = store.locked_ticket(tx, _hash_of(token), merchant_id, mode, now=now)
    if ticket is None:
        raise _unknown("qr_code")
    model.require_spendable(ticket, money, now=now)
    store.mark_spent(tx, _hash_of(token), payment_id=payment_id, spent_at=now)
    return ticket.code.id


def forget_scans(tx: Connection, *, before: dt.datetime, limit: int) -> int:
    """So many scans that expired unpaid before then are gone; their number."""
    return store.forget_scans(tx, before=before, limit=limit)


def _signed(
    order: Order,
    ring: KeyRing,
    code_id: QrCodeId,
    *,
    shop: Shop,
    scope: idempotency.Scope,
    now: dt.datetime,
) -> QrCode:
    # Whole seconds, as the payload says them.
    expires_at = (now + order.lifetime).replace(microsecond=0) if order.lifetime else None
    payload = Payload(
        usage=order.usage,
        mode=scope.mode,
        merchant_id=scope.merchant_id,
        category=shop.category,
        amount=order.amount,
        currency=order.currency,
        country=shop.country,
        name=printed(shop.name, limit=payloads.NAME_CHARACTERS_MAX),
        city=printed(shop.city, limit=payloads.CITY_CHARACTERS_MAX),
        reference=_label(order.reference),
        expires_at=expires_at,
        nonce=secrets.token_bytes(payloads.NONCE_BYTES),
    )
    return QrCode(
        id=code_id,
        merchant_id=scope.merchant_id,
        mode=scope.mode,
        usage=order.usage,
        amount=order.amount,
        currency=order.currency,
        reference=order.reference,
        payload=payloads.sign(payload, ring.signing),
        created_at=now,
        expires_at=expires_at,
    )


def _label(reference: str | None) -> str | None:
    # A reference that a wallet would show cut or respelt would be another one: it is left out.
    limit = payloads.REFERENCE_CHARACTERS_MAX
    return reference if reference and printed(reference, limit=limit) == reference else None


def _unknown(param: str) -> QrRefused:
    return QrRefused("There is no such QR code.", reason="qr_unknown", param=param)


def _hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()

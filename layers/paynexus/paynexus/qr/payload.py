"""What a QR code says: fixed binary fields and an Ed25519 signature over all of them.

Text: `PNX1.` and base64url of body and signature, 181 characters. Body, big-endian:

| bytes | field |
|---|---|
| 8 | key id: the first bytes of the public key's SHA-256 |
| 1 | mode: 0 test, 1 live |
| 16, 16 | ids of the code and of its merchant |
| 8 | amount in minor units, 0 when the customer chooses it |
| 3 | currency |
| 8 | expiry, in seconds since 1970 |
| 8 | nonce |
"""

import base64
import binascii
import datetime as dt
import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from paynexus.errors import QrRefused
from paynexus.ids import MerchantId, QrCodeId
from paynexus.money import EXPONENTS

PREFIX = "PNX1."
NONCE_BYTES = 8
KEY_ID_BYTES = 8
SIGNATURE_BYTES = 64

_BODY = struct.Struct(f">{KEY_ID_BYTES}sB16s16sQ3sQ{NONCE_BYTES}s")
_MODES = ("test", "live")
_PURPOSE = b"paynexus qr 1\x00"
"""Signed in front of the body, so that no other use of the key makes a valid code."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What the merchant asks for, as its customer's wallet reads it."""

    qr_code_id: QrCodeId
    merchant_id: MerchantId
    mode: str
    amount: int | None
    currency: str
    expires_at: dt.datetime
    nonce: bytes


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The key that signs, and every key whose signatures are honoured, by key id."""

    signing: Ed25519PrivateKey
    verifying: Mapping[bytes, Ed25519PublicKey]


def key_ring_from(seed: bytes, *former: bytes) -> KeyRing:
    """Sign with the key of `seed`; honour it and the `former` public keys."""
    signing = Ed25519PrivateKey.from_private_bytes(seed)
    public = [signing.public_key(), *map(Ed25519PublicKey.from_public_bytes, former)]
    return KeyRing(signing, {key_id_of(key): key for key in public})


def key_id_of(key: Ed25519PublicKey) -> bytes:
    """The name of `key` inside a payload."""
    return hashlib.sha256(key.public_bytes_raw()).digest()[:KEY_ID_BYTES]


def sign(payload: Payload, key: Ed25519PrivateKey) -> str:
    """`payload` as text, signed; `verify` reads it back."""
    body = _BODY.pack(
        key_id_of(key.public_key()),
        _MODES.index(payload.mode),
        payload.qr_code_id.bytes,
        payload.merchant_id.bytes,
        payload.amount or 0,
        payload.currency.encode("ascii"),
        int(payload.expires_at.timestamp()),
        payload.nonce,
    )
    return _encoded(body + key.sign(_PURPOSE + body))


def verify(text: str, ring: KeyRing) -> Payload:
    """The payload that one of our keys signed; QrRefused for anything else.

    Says nothing about expiry or use: the row in the database decides these.
    """
    signed = _decoded(text)
    body, signature = signed[: _BODY.size], signed[_BODY.size :]
    key = ring.verifying.get(body[:KEY_ID_BYTES])
    if key is None:
        raise QrRefused(
            "This code was signed by a key that is not ours.", reason="qr_forged", param="payload"
        )
    try:
        key.verify(signature, _PURPOSE + body)
    except InvalidSignature:
        raise _forged() from None
    return _parsed(body)


def _decoded(text: str) -> bytes:
    try:
        signed = base64.b64decode(text.removeprefix(PREFIX), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _forged() from None
    # Written back, because decoders forgive: one code has exactly one spelling.
    if len(signed) != _BODY.size + SIGNATURE_BYTES or text != _encoded(signed):
        raise _forged()
    return signed


def _parsed(body: bytes) -> Payload:
    _, mode, code, merchant, amount, currency, expires_at, nonce = _BODY.unpack(body)
    # It was ours that signed: what follows can only fail by our own mistake.
    assert mode < len(_MODES) and currency.decode() in EXPONENTS  # noqa: S101, PT018 - see above
    return Payload(
        qr_code_id=QrCodeId(UUID(bytes=code)),
        merchant_id=MerchantId(UUID(bytes=merchant)),
        mode=_MODES[mode],
        amount=amount or None,
        currency=currency.decode(),
        expires_at=dt.datetime.fromtimestamp(expires_at, dt.UTC),
        nonce=nonce,
    )


def _encoded(signed: bytes) -> str:
    return PREFIX + base64.urlsafe_b64encode(signed).decode()


def _forged() -> QrRefused:
    return QrRefused("This is not a code that we signed.", reason="qr_forged", param="payload")

"""What a QR code says: an EMVCo merchant-presented payload with an Ed25519 signature in it.

Every wallet reads the standard's own objects; ours stand in two unreserved templates (80-99),
each of which says so by `dev.pnx`:

| object | holds |
|---|---|
| 00, 01 | `01`; `11` for a code of many uses, `12` for one of a single use |
| 26 | 00 `dev.pnx`, 01 the merchant's id (26 digits) |
| 52, 53, 54 | category (ISO 18245), currency (ISO 4217 digits), amount unless the payer chooses |
| 58, 59, 60 | country, name and city, as far as ASCII spells them |
| 62 | 05 the merchant's reference, where it fits |
| 80 | 00 `dev.pnx`, 01 in base 85: form and mode (1 byte), key id (4), expiry (4), nonce (8) |
| 81 | 00 `dev.pnx`, 01 in base 85: the signature over the text in front of this object |
| 63 | the standard's checksum |

Base 85 is RFC 1924's alphabet: four bytes in five characters, none of them a quote.
"""

import base64
import datetime as dt
import re
import struct
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from paynexus import ids
from paynexus.errors import QrRefused
from paynexus.ids import MerchantId
from paynexus.money import EXPONENTS, NUMERIC_CODES
from paynexus.qr import emv
from paynexus.qr.keys import KEY_ID_BYTES, KeyRing, key_id_of

PAYLOAD_CHARACTERS_MAX = 299
"""Under 300, so that level M needs no more than version 13 (69 modules a side)."""
NAME_CHARACTERS_MAX = 25
CITY_CHARACTERS_MAX = 15
REFERENCE_CHARACTERS_MAX = 25
NONCE_BYTES = 8
SIGNATURE_BYTES = 64
GUID = "dev.pnx"

_PURPOSE = b"paynexus qr 1\x00"
"""Signed in front of the text, so that no other use of the key makes a valid code."""
_STAMP = struct.Struct(f">B{KEY_ID_BYTES}sI{NONCE_BYTES}s")
_FORM = 1 << 1
_FORMS = {_FORM: "test", _FORM | 1: "live"}
_NEVER = 0
"""The expiry of a code that has none."""
_CURRENCY_OF = {number: code for code, number in NUMERIC_CODES.items()}
_POINT_OF = {"static": "11", "single": "12"}
_USAGE_OF = {point: usage for usage, point in _POINT_OF.items()}


@dataclass(frozen=True, slots=True)
class Payload:
    """What the merchant asks for, as its customer's wallet reads it.

    `amount` is in minor units, None when the payer chooses it. `name`, `city` and `reference`
    are as `printed` spells them.
    """

    usage: str
    mode: str
    merchant_id: MerchantId
    category: str
    amount: int | None
    currency: str
    country: str
    name: str
    city: str
    reference: str | None
    expires_at: dt.datetime | None
    nonce: bytes


def printed(text: str, *, limit: int) -> str:
    """As much of `text` as ASCII spells, in `limit` characters: accents go, nothing is invented."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    letters = "".join(letter for letter in plain if " " <= letter <= "~")
    return re.sub(" +", " ", letters).strip()[:limit].strip() or "-"


def sign(payload: Payload, key: Ed25519PrivateKey) -> str:
    """`payload` as text, signed; `verify` reads it back. A reference that won't fit is left out."""
    text = _signed(payload, key, reference=payload.reference)
    if len(text) > PAYLOAD_CHARACTERS_MAX:
        text = _signed(payload, key, reference=None)
    return text


def verify(text: str, ring: KeyRing) -> Payload:
    """The payload that one of our keys signed.

    Raises QrRefused: `qr_unreadable` for what is no code of this kind or was read wrongly,
    `qr_unknown_key` for a key that the ring lacks, `qr_forged` for a signature that is not over
    this very text. Says nothing about expiry or use.
    """
    try:
        content = emv.opened(text)
        values = emv.read(content)
        stamp = _STAMP.unpack(_ours(values["80"]))
        signature = _ours(values["81"])
    except (ValueError, LookupError, struct.error):
        raise QrRefused(
            "This is no PayNexus code, or it was misread: scan again.",
            reason="qr_unreadable",
            param="payload",
        ) from None
    key = ring.verifying.get(stamp[1])
    if key is None:
        raise QrRefused(
            "This code was signed by a key that is not ours.",
            reason="qr_unknown_key",
            param="payload",
        )
    # Nothing may stand behind the signature: it would not be covered.
    last = emv.write([("81", values["81"])])
    covered = content.removesuffix(last) if content.endswith(last) else ""
    try:
        key.verify(signature, _PURPOSE + covered.encode())
    except InvalidSignature:
        raise QrRefused(
            "This is not a code that we signed.", reason="qr_forged", param="payload"
        ) from None
    return _read(values, stamp)


def _signed(payload: Payload, key: Ed25519PrivateKey, *, reference: str | None) -> str:
    text = emv.write(_objects(payload, key_id_of(key.public_key()), reference=reference))
    signature = key.sign(_PURPOSE + text.encode())
    return emv.sealed(text + emv.write([("81", _template(signature))]))


def _objects(payload: Payload, key_id: bytes, *, reference: str | None) -> list[tuple[str, str]]:
    account = [("00", GUID), ("01", _digits(payload.merchant_id))]
    objects = [
        ("00", "01"),
        ("01", _POINT_OF[payload.usage]),
        ("26", emv.write(account)),
        ("52", payload.category),
        ("53", NUMERIC_CODES[payload.currency]),
        ("54", _decimal(payload)),
        ("58", payload.country),
        ("59", payload.name),
        ("60", payload.city),
        ("62", emv.write([("05", reference)]) if reference else ""),
        ("80", _template(_stamp(payload, key_id))),
    ]
    return [(number, value) for number, value in objects if value]


def _stamp(payload: Payload, key_id: bytes) -> bytes:
    form = _FORM | (payload.mode == "live")
    expiry = int(payload.expires_at.timestamp()) if payload.expires_at else _NEVER
    return _STAMP.pack(form, key_id, expiry, payload.nonce)


def _template(content: bytes) -> str:
    return emv.write([("00", GUID), ("01", base64.b85encode(content).decode())])


def _ours(template: str) -> bytes:
    match emv.read(template):
        case {"00": guid, "01": content, **rest} if guid == GUID and not rest:
            return base64.b85decode(content)
    raise ValueError("not a template of ours")


def _read(values: dict[str, str], stamp: tuple[int, bytes, int, bytes]) -> Payload:
    # It was ours that signed: what follows can only fail by our own mistake.
    form, _, expiry, nonce = stamp
    currency = _CURRENCY_OF[values["53"]]
    account = emv.read(values["26"])
    return Payload(
        usage=_USAGE_OF[values["01"]],
        mode=_FORMS[form],
        merchant_id=MerchantId(ids.parse("mer", f"mer_{account['01']}")),
        category=values["52"],
        amount=_minor_units(values["54"], currency) if "54" in values else None,
        currency=currency,
        country=values["58"],
        name=values["59"],
        city=values["60"],
        reference=emv.read(values["62"])["05"] if "62" in values else None,
        expires_at=dt.datetime.fromtimestamp(expiry, dt.UTC) if expiry != _NEVER else None,
        nonce=nonce,
    )


def _digits(merchant_id: MerchantId) -> str:
    return ids.text("mer", merchant_id).removeprefix("mer_")


def _decimal(payload: Payload) -> str:
    if payload.amount is None:
        return ""
    return f"{Decimal(payload.amount).scaleb(-EXPONENTS[payload.currency]):f}"


def _minor_units(text: str, currency: str) -> int:
    return int(Decimal(text).scaleb(EXPONENTS[currency]))

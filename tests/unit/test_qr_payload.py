"""The QR payload: what is written is read, and nothing else is."""

import base64
import datetime as dt

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from paynexus import ids
from paynexus.errors import QrRefused
from paynexus.ids import MerchantId, QrCodeId
from paynexus.money import EXPONENTS
from paynexus.qr import payload as payloads
from paynexus.qr.payload import Payload, key_ring_from

RING = key_ring_from(b"k" * 32)
MOMENT = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)

some_payloads = st.builds(
    Payload,
    qr_code_id=st.uuids().map(QrCodeId),
    merchant_id=st.uuids().map(MerchantId),
    mode=st.sampled_from(["test", "live"]),
    amount=st.none() | st.integers(1, 2**63 - 1),
    currency=st.sampled_from(sorted(EXPONENTS)),
    expires_at=st.datetimes(
        min_value=dt.datetime(2026, 1, 1),  # noqa: DTZ001 - the zone comes from the strategy
        max_value=dt.datetime(2100, 1, 1),  # noqa: DTZ001 - likewise
        timezones=st.just(dt.UTC),
    ).map(lambda moment: moment.replace(microsecond=0)),
    nonce=st.binary(min_size=payloads.NONCE_BYTES, max_size=payloads.NONCE_BYTES),
)


def refusal(text: str) -> str:
    """The code that reading `text` is refused with."""
    with pytest.raises(QrRefused) as caught:
        payloads.verify(text, RING)
    assert caught.value.param == "payload"
    return caught.value.code


@given(payload=some_payloads)
def test_what_is_written_is_read(payload: Payload) -> None:
    """parse(format(x)) = x, in under 300 bytes."""
    text = payloads.sign(payload, RING.signing)

    assert payloads.verify(text, RING) == payload
    assert len(text) == 181


@given(payload=some_payloads, data=st.data())
def test_no_flipped_bit_verifies(payload: Payload, data: st.DataObject) -> None:
    """Every bit of body and signature counts."""
    signed = bytearray(_signed_bytes(payload))
    position = data.draw(st.integers(0, len(signed) * 8 - 1))
    signed[position // 8] ^= 1 << position % 8

    assert refusal(_text(bytes(signed))) == "qr_forged"


@given(payload=some_payloads, data=st.data())
def test_no_changed_character_verifies(payload: Payload, data: st.DataObject) -> None:
    """One code has one spelling: prefix, alphabet and padding count too."""
    text = payloads.sign(payload, RING.signing)
    position = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.characters(codec="utf-8").filter(lambda c: c != text[position]))

    assert refusal(text[:position] + character + text[position + 1 :]) == "qr_forged"


@given(payload=some_payloads, data=st.data())
def test_no_truncation_or_extension_verifies(payload: Payload, data: st.DataObject) -> None:
    """A code has exactly one length, and its prefix is part of it."""
    text = payloads.sign(payload, RING.signing)
    cut = data.draw(st.integers(0, len(text) - 1))
    tail = data.draw(st.text(min_size=1, max_size=8))

    assert refusal(text[:cut]) == "qr_forged"
    assert refusal(text + tail) == "qr_forged"
    assert refusal(text.removeprefix(payloads.PREFIX)) == "qr_forged"


@given(one=some_payloads, other=some_payloads)
def test_a_signature_fits_its_own_body_only(one: Payload, other: Payload) -> None:
    """A signature of one code says nothing about another."""
    if one == other:
        return
    body, signature = _signed_bytes(one)[:-64], _signed_bytes(other)[-64:]

    assert refusal(_text(body + signature)) == "qr_forged"


@given(payload=some_payloads)
def test_a_foreign_key_signs_nothing(payload: Payload) -> None:
    """Neither under its own key id nor under ours."""
    foreign = Ed25519PrivateKey.from_private_bytes(b"f" * 32)
    text = payloads.sign(payload, foreign)
    body = _bytes(text)[:-64]
    ours = payloads.key_id_of(RING.signing.public_key()) + body[payloads.KEY_ID_BYTES :]

    assert refusal(text) == "qr_forged"
    assert refusal(_text(ours + foreign.sign(ours))) == "qr_forged"


def test_a_former_key_is_honoured() -> None:
    """After a rotation, codes of the former key still verify; the new one signs."""
    code, merchant = QrCodeId(ids.new_id()), MerchantId(ids.new_id())
    payload = Payload(code, merchant, "test", 5, "EUR", MOMENT, bytes(8))
    former = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    rotated = key_ring_from(b"k" * 32, former.public_key().public_bytes_raw())

    assert payloads.verify(payloads.sign(payload, former), rotated) == payload
    assert payloads.sign(payload, rotated.signing) == payloads.sign(payload, RING.signing)


def _signed_bytes(payload: Payload) -> bytes:
    return _bytes(payloads.sign(payload, RING.signing))


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.removeprefix(payloads.PREFIX))


def _text(signed: bytes) -> str:
    return payloads.PREFIX + base64.urlsafe_b64encode(signed).decode()


def test_a_refusal_says_whether_the_key_or_the_code_is_strange() -> None:
    """Whoever rotates keys looks for the one, whoever is cheated for the other."""
    foreign = Ed25519PrivateKey.from_private_bytes(b"f" * 32)
    code, merchant = QrCodeId(ids.new_id()), MerchantId(ids.new_id())
    text = payloads.sign(Payload(code, merchant, "test", 5, "EUR", MOMENT, bytes(8)), foreign)

    with pytest.raises(QrRefused, match=r"^This code was signed by a key that is not ours\.$"):
        payloads.verify(text, RING)
    with pytest.raises(QrRefused, match=r"^This is not a code that we signed\.$"):
        payloads.verify("PNX", RING)

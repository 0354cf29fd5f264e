"""The QR payload: what is written is read, any wallet reads it, and nothing else verifies."""

import base64
import datetime as dt
import json
import random
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import cemacqr
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from paynexus import ids
from paynexus.errors import QrRefused
from paynexus.ids import MerchantId
from paynexus.money import EXPONENTS, NUMERIC_CODES, limit_of
from paynexus.qr import emv
from paynexus.qr import payload as payloads
from paynexus.qr.keys import key_id_of, key_ring_from
from paynexus.qr.payload import Payload, printed

RING = key_ring_from(b"k" * 32, following=None, former=[])
FOREIGN = Ed25519PrivateKey.from_private_bytes(b"f" * 32)
MOMENT = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)
VERIFIER = Path(__file__).parents[2] / "docs/verify_qr.py"
MUTANTS = 10_000

letters = st.characters(min_codepoint=32, max_codepoint=126)


def texts(limit: int) -> st.SearchStrategy[str]:
    """What `printed` leaves of any text."""
    return st.text(letters, min_size=1, max_size=limit).map(lambda t: printed(t, limit=limit))


@st.composite
def some_payloads(draw: st.DrawFn) -> Payload:
    """Any payload that the product can make."""
    currency = draw(st.sampled_from(sorted(EXPONENTS)))
    usage = draw(st.sampled_from(["single", "static"]))
    amounts = st.none() if usage == "static" else st.none() | st.integers(1, limit_of(currency))
    moments = st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2100, 1, 1))  # noqa: DTZ001 - below
    expiry = draw(moments).replace(microsecond=0, tzinfo=dt.UTC)
    return Payload(
        usage=usage,
        mode=draw(st.sampled_from(["test", "live"])),
        merchant_id=MerchantId(draw(st.uuids())),
        category=draw(st.from_regex(r"[0-9]{4}", fullmatch=True)),
        amount=draw(amounts),
        currency=currency,
        country=draw(st.from_regex(r"[A-Z]{2}", fullmatch=True)),
        name=draw(texts(payloads.NAME_CHARACTERS_MAX)),
        city=draw(texts(payloads.CITY_CHARACTERS_MAX)),
        reference=draw(st.none() | texts(payloads.REFERENCE_CHARACTERS_MAX)),
        expires_at=draw(st.just(expiry) if usage == "single" else st.none() | st.just(expiry)),
        nonce=draw(st.binary(min_size=payloads.NONCE_BYTES, max_size=payloads.NONCE_BYTES)),
    )


def a_payload(**changes: object) -> Payload:
    """A payload of an ordinary shop."""
    usual = Payload(
        usage="single",
        mode="test",
        merchant_id=MerchantId(UUID(int=7)),
        category="5812",
        amount=1250,
        currency="EUR",
        country="DE",
        name="Cafe Muller",
        city="Berlin",
        reference="Table 4",
        expires_at=MOMENT,
        nonce=bytes(8),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]  # of the fields' own types


def refusal(text: str) -> str:
    """The code that reading `text` is refused with."""
    with pytest.raises(QrRefused) as caught:
        payloads.verify(text, RING)
    assert caught.value.param == "payload"
    return caught.value.code


@given(payload=some_payloads())
def test_what_is_written_is_read(payload: Payload) -> None:
    """parse(format(x)) = x, in under 300 bytes; a reference that won't fit is left out alone."""
    text = payloads.sign(payload, RING.signing)
    read = payloads.verify(text, RING)

    assert read in (payload, replace(payload, reference=None))
    assert (read == payload) or len(text) + len("6200050000") > 300 - 25
    assert len(text.encode()) < 300


@given(payload=some_payloads())
def test_another_parser_reads_it(payload: Payload) -> None:
    """An independent one, which finds nothing against EMVCo's rules."""
    code = cemacqr.parse_payload(payloads.sign(payload, RING.signing))
    report = cemacqr.validate(code, cemacqr.EMVCO)

    assert report.ok, report
    assert code.crc_ok
    assert code.is_static is (payload.usage == "static")
    assert code.currency == NUMERIC_CODES[payload.currency]
    assert (code.merchant_name, code.merchant_city) == (payload.name, payload.city)
    assert (code.country_code, code.merchant_category_code) == (payload.country, payload.category)
    if payload.amount is None:
        assert code.amount is None
    else:
        assert code.amount_decimal is not None
        assert code.amount_decimal.scaleb(EXPONENTS[payload.currency]) == payload.amount


def test_the_longest_payload_keeps_within_its_limit() -> None:
    """Every field at its longest, and no room for a reference."""
    longest = a_payload(
        amount=limit_of("KWD"),
        currency="KWD",
        name="N" * payloads.NAME_CHARACTERS_MAX,
        city="C" * payloads.CITY_CHARACTERS_MAX,
        reference="R" * payloads.REFERENCE_CHARACTERS_MAX,
    )
    text = payloads.sign(longest, RING.signing)

    assert len(text) == 290
    assert payloads.verify(text, RING) == replace(longest, reference=None)


SPELT = [
    ("Café Müller", "Cafe Muller"),
    ("Straße 7", "Strasse 7"),
    ("  a   b ", "a b"),
    ("寿司", "-"),
    ("A寿B", "AB"),
    ("x" * 30, "x" * 25),
    ("tab\tline\n", "tabline"),
]


@pytest.mark.parametrize(("name", "spelt"), SPELT)
def test_names_are_spelt_in_ascii(name: str, spelt: str) -> None:
    """As EMVCo's fields want them; nothing is invented."""
    assert printed(name, limit=25) == spelt


@given(payload=some_payloads(), data=st.data())
def test_no_changed_character_verifies(payload: Payload, data: st.DataObject) -> None:
    """With the checksum as it was, it is misread; with one that fits, it is forged."""
    text = payloads.sign(payload, RING.signing)
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(letters.filter(text[at].__ne__))
    changed = text[:at] + letter + text[at + 1 :]

    assert refusal(changed) == "qr_unreadable"
    if at < len(text) - emv.CHECKSUM_CHARACTERS:
        resealed = emv.sealed(changed[: -emv.CHECKSUM_CHARACTERS])
        assert refusal(resealed) in ("qr_forged", "qr_unreadable", "qr_unknown_key")


@given(payload=some_payloads(), data=st.data())
def test_no_truncation_or_extension_verifies(payload: Payload, data: st.DataObject) -> None:
    """Also with a checksum that fits, in front of the signature and behind it."""
    text = payloads.sign(payload, RING.signing)
    content = text[: -emv.CHECKSUM_CHARACTERS]
    cut = data.draw(st.integers(0, len(text) - 1))
    more = emv.write([("82", data.draw(st.text(letters, min_size=1, max_size=20)))])

    assert refusal(text[:cut]) == "qr_unreadable"
    assert refusal(text + "0") == "qr_unreadable"
    assert refusal(emv.sealed(content + more)) == "qr_forged"
    assert refusal(emv.sealed(more + content)) == "qr_forged"


@given(one=some_payloads(), other=some_payloads())
def test_a_signature_fits_its_own_text_only(one: Payload, other: Payload) -> None:
    """A signature of one code says nothing about another."""
    if one == other:
        return
    spliced = _parts(one) | {"81": _parts(other)["81"]}

    assert refusal(emv.sealed(emv.write(spliced.items()))) == "qr_forged"


def test_a_foreign_key_signs_nothing() -> None:
    """Neither under its own id nor under ours."""
    theirs = payloads.sign(a_payload(), FOREIGN)
    stamp = bytearray(base64.b85decode(emv.read(_parts_of(theirs)["80"])["01"]))
    stamp[1:5] = key_id_of(RING.signing.public_key())
    template = emv.write([("00", payloads.GUID), ("01", base64.b85encode(stamp).decode())])
    text = emv.write((_parts_of(theirs) | {"80": template}).items())
    before = text[: text.rindex("8195")]
    signature = FOREIGN.sign(b"paynexus qr 1\x00" + before.encode())
    last = emv.write([("00", payloads.GUID), ("01", base64.b85encode(signature).decode())])
    under_our_name = emv.sealed(before + emv.write([("81", last)]))

    assert refusal(theirs) == "qr_unknown_key"
    assert refusal(under_our_name) == "qr_forged"


def test_announced_and_former_keys_are_honoured() -> None:
    """Before and after a rotation codes of either key verify; one key signs."""
    former = FOREIGN.public_key().public_bytes_raw()
    following = b"n" * 32
    ring = key_ring_from(b"k" * 32, following=following, former=[former])
    keys = [FOREIGN, RING.signing, Ed25519PrivateKey.from_private_bytes(following)]

    for key in keys:
        assert payloads.verify(payloads.sign(a_payload(), key), ring) == a_payload()
    assert len(ring.jwks()["keys"]) == 3
    assert payloads.sign(a_payload(), ring.signing) == payloads.sign(a_payload(), RING.signing)


@settings(max_examples=300)
@given(text=st.text(max_size=200))
def test_any_other_text_is_unreadable(text: str) -> None:
    """Whatever a camera reads: no other error, and no database is asked."""
    assert refusal(text) == "qr_unreadable"
    assert refusal(emv.sealed(text)) == "qr_unreadable"


def test_ten_thousand_mutants_and_none_is_accepted(tmp_path: Path) -> None:
    """Flipped bits, cuts, swapped fields, other merchants' parts, checksums made to fit.

    By the product and by the verifier that docs/ gives away.
    """
    chance = random.Random(20261127)  # noqa: S311 - a reproducible one is wanted
    own = [a_payload(nonce=chance.randbytes(8), amount=chance.randint(1, 10**6)) for _ in range(20)]
    theirs = [replace(p, merchant_id=MerchantId(ids.new_id()), name="Other") for p in own]
    codes = [payloads.sign(payload, RING.signing) for payload in own + theirs]
    mutants = [_mutant(chance, codes) for _ in range(MUTANTS)]
    verified = _verified_offline(tmp_path, [*mutants, *codes])

    assert {refusal(mutant) for mutant in mutants} == {
        "qr_unreadable",
        "qr_forged",
        "qr_unknown_key",
    }
    assert verified == len(codes)


def test_the_published_verifier_takes_fifty_lines() -> None:
    """Of code: docstrings, comments and blank lines apart."""
    code = re.sub(r'""".*?"""', "", VERIFIER.read_text(encoding="utf-8"), flags=re.DOTALL)

    assert sum(1 for line in code.splitlines() if line.strip()) <= 50


def test_the_published_verifier_says_what_is_asked(tmp_path: Path) -> None:
    """As its head says to call it; an expired code is refused after two minutes of skew."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)  # noqa: TID251 - the verifier's own clock
    (tmp_path / "keys.json").write_text(json.dumps(RING.jwks()))
    skewed, late = now - dt.timedelta(seconds=60), now - dt.timedelta(seconds=130)

    assert _told(tmp_path, a_payload(expires_at=now)) == "Cafe Muller 12.50 978"
    assert _told(tmp_path, a_payload(expires_at=skewed)) == "Cafe Muller 12.50 978"
    assert "expired" in _told(tmp_path, a_payload(expires_at=late))
    assert _told(tmp_path, a_payload(usage="static", amount=None, expires_at=None)).startswith(
        "Cafe Muller any amount"
    )


def _told(folder: Path, payload: Payload) -> str:
    command = [sys.executable, str(VERIFIER), "keys.json"]
    text = payloads.sign(payload, RING.signing) + "\n"
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, cwd=folder, check=False
    )
    return (done.stdout + done.stderr).strip()


def _mutant(chance: random.Random, codes: list[str]) -> str:
    """A text that none of the codes is, made of them."""
    while True:
        text = chance.choice(codes)
        mutant = chance.choice(_MUTATIONS)(chance, text, chance.choice(codes))
        if chance.random() < 0.7:
            mutant = emv.sealed(mutant[: -emv.CHECKSUM_CHARACTERS])
        if mutant not in codes:
            return mutant


def _flipped(chance: random.Random, text: str, _: str) -> str:
    at = chance.randrange(len(text))
    return text[:at] + chr(ord(text[at]) ^ 1 << chance.randrange(7)) + text[at + 1 :]


def _cut(chance: random.Random, text: str, _: str) -> str:
    return text[: chance.randrange(len(text))]


def _swapped(chance: random.Random, text: str, _: str) -> str:
    objects = list(_parts_of(text).items())
    one, other = chance.sample(range(len(objects)), 2)
    objects[one], objects[other] = objects[other], objects[one]
    return emv.sealed(emv.write(objects))


def _dropped(chance: random.Random, text: str, _: str) -> str:
    objects = _parts_of(text)
    del objects[chance.choice(list(objects))]
    return emv.sealed(emv.write(objects.items()))


def _spliced(chance: random.Random, text: str, other: str) -> str:
    objects, theirs = _parts_of(text), _parts_of(other)
    number = chance.choice(list(objects))
    return emv.sealed(emv.write((objects | {number: theirs.get(number, "9")}).items()))


def _dearer(chance: random.Random, text: str, _: str) -> str:
    amount = f"{chance.randint(0, 9999)}.{chance.randint(0, 99):02d}"
    return emv.sealed(emv.write((_parts_of(text) | {"54": amount}).items()))


_MUTATIONS = [_flipped, _cut, _swapped, _dropped, _spliced, _dearer]


def _parts(payload: Payload) -> dict[str, str]:
    return _parts_of(payloads.sign(payload, RING.signing))


def _parts_of(text: str) -> dict[str, str]:
    return emv.read(text[: -emv.CHECKSUM_CHARACTERS])


def _verified_offline(folder: Path, texts: list[str]) -> int:
    """How many of the texts the published verifier takes, all in one process."""
    (folder / "texts.json").write_text(json.dumps(texts))
    (folder / "keys.json").write_text(json.dumps(RING.jwks()))
    script = f"""
import json, runpy
verified = runpy.run_path({str(VERIFIER)!r})["verified"]
keys, accepted = json.load(open("keys.json")), 0
for text in json.load(open("texts.json")):
    try:
        verified(text, keys, {MOMENT.timestamp()})
        accepted += 1
    except Exception:
        continue
print(accepted)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=folder, check=True
    )
    return int(done.stdout)

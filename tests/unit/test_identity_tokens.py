"""Forged, stale and misdirected tokens: only what our key signed for us, now, is accepted."""

import base64
import datetime as dt
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from paynexus import ids
from paynexus.errors import Unauthenticated
from paynexus.identity.model import Client
from paynexus.identity.token_keys import KEYS_SECONDS, KeySet, aliases_of
from paynexus.identity.tokens import (
    LIFETIME_SECONDS,
    TOKEN_CHARACTERS_MAX,
    TokenSigner,
    TokenVerifier,
)
from paynexus.ids import MerchantId
from tools import rotate_keys

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
ISSUER = "https://paynexus.test"
MERCHANT = MerchantId(ids.new_id())
CLIENT = Client("pnx_test_1", MERCHANT, "test", b"", ["payments:read"], None)


class NotFoundException(Exception):
    """What KMS answers about an alias that names no key."""


class LocalKms:
    """Signs as KMS does, with keys of this process; counts what it is asked."""

    exceptions = SimpleNamespace(NotFoundException=NotFoundException)

    def __init__(self, *key_ids: str) -> None:
        self.keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in key_ids}
        self.aliases = {name: name for name in key_ids}
        self.fetches = 0
        self.is_away = False

    def sign(self, **request: Any) -> Mapping[str, Any]:  # noqa: ANN401 - as boto3's client
        """The DER signature of a digest."""
        assert request["MessageType"] == "DIGEST"
        assert request["SigningAlgorithm"] == "ECDSA_SHA_256"
        key = self.keys[request["KeyId"]]
        return {"Signature": key.sign(request["Message"], ec.ECDSA(Prehashed(SHA256())))}

    def get_public_key(self, **request: str) -> Mapping[str, Any]:
        """The public key in DER."""
        self.fetches += 1
        if self.is_away:
            raise OSError("KMS does not answer")
        key_id = self.aliases.get(request["KeyId"])
        if key_id is None:
            raise NotFoundException
        public = self.keys[key_id].public_key()
        return {
            "KeyId": key_id,
            "PublicKey": public.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
        }


KMS = LocalKms("one", "other")
KEYS = KeySet(KMS, ["one"])
SIGNER = TokenSigner(KMS, "one", issuer=ISSUER)
VERIFIER = TokenVerifier(KEYS, issuer=ISSUER)
TOKEN = SIGNER.sign(CLIENT, scopes=["payments:read"], token_id=ids.new_id(), now=NOW)
HEADER: dict[str, Any] = jwt.get_unverified_header(TOKEN)
CLAIMS: dict[str, Any] = jwt.decode(TOKEN, options={"verify_signature": False})
IAT = CLAIMS["iat"]


def segment(value: object) -> str:
    """A base64url segment of a JWT."""
    if isinstance(value, str) and value.startswith("{"):
        value = value.encode()
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(
    claims: object, header: object = HEADER, *, key: ec.EllipticCurvePrivateKey | None = None
) -> str:
    """A token with any claims and header, signed with our key or another."""
    message = f"{segment(header)}.{segment(claims)}"
    der = (key or KMS.keys["one"]).sign(message.encode(), ec.ECDSA(SHA256()))
    return f"{message}.{segment(_raw(der))}"


def _raw(der: bytes) -> bytes:
    # The fixed-length form: r and s, 32 bytes each.
    length = der[3]
    r, s = der[4 : 4 + length], der[6 + length :]
    return r[-32:].rjust(32, b"\0") + s[-32:].rjust(32, b"\0")


def with_claims(**changes: Any) -> str:  # noqa: ANN401 - any JSON value
    """A rightly signed token with other claims; None leaves one out."""
    claims = {**CLAIMS, **changes}
    return signed({name: value for name, value in claims.items() if value is not None})


def with_header(**changes: Any) -> str:  # noqa: ANN401 - any JSON value
    """A rightly signed token with another header."""
    header = {**HEADER, **changes}
    return signed(CLAIMS, {name: value for name, value in header.items() if value is not None})


def hmac_signed(algorithm: str) -> str:
    """A token whose HMAC key is our public key in PEM: the classic confusion."""
    pem = (
        KMS.keys["one"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    message = f"{segment({**HEADER, 'alg': algorithm})}.{segment(CLAIMS)}"
    return f"{message}.{segment(hmac.digest(pem, message.encode(), 'sha256'))}"


HEAD, BODY, SIGNATURE = TOKEN.split(".")
OTHER = KMS.keys["other"]
JWK = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}

TWICE = '{"%s":"%s",%s'

ATTACKS = {
    "alg none, no signature": f"{segment({'alg': 'none', 'typ': 'JWT'})}.{BODY}.",
    "alg none with kid": f"{segment({**HEADER, 'alg': 'none'})}.{BODY}.",
    "alg None in another case": f"{segment({**HEADER, 'alg': 'nOnE'})}.{BODY}.",
    "alg none keeps the signature": f"{segment({**HEADER, 'alg': 'none'})}.{BODY}.{SIGNATURE}",
    "HS256 with the public key": hmac_signed("HS256"),
    "HS384 with the public key": hmac_signed("HS384"),
    "alg RS256": with_header(alg="RS256"),
    "alg ES384": with_header(alg="ES384"),
    "alg ES256K": with_header(alg="ES256K"),
    "alg EdDSA": with_header(alg="EdDSA"),
    "alg is a list": with_header(alg=["ES256"]),
    "alg absent": with_header(alg=None),
    "kid absent": with_header(kid=None),
    "kid unknown": with_header(kid="unknown"),
    "kid walks up": with_header(kid="../../../../dev/null"),
    "kid asks SQL": with_header(kid="' OR 1=1 --"),
    "kid is a number": with_header(kid=1),
    "kid is a list": with_header(kid=[HEADER["kid"]]),
    "kid is empty": with_header(kid=""),
    "jku": with_header(jku="https://attacker.example/jwks.json"),
    "x5u": with_header(x5u="https://attacker.example/cert.pem"),
    "x5c": with_header(x5c=["AA=="]),
    "jwk": with_header(jwk=JWK),
    "crit unknown": with_header(crit=["exp"]),
    "crit b64": with_header(crit=["b64"], b64=False),
    "b64 false": with_header(b64=False),
    "zip": with_header(zip="DEF"),
    "header is a list": signed(CLAIMS, [HEADER]),
    "header is text": signed(CLAIMS, "ES256"),
    "header is no JSON": f"{segment(b'{')}.{BODY}.{SIGNATURE}",
    "signed by another key": signed(CLAIMS, key=OTHER),
    "signature of another token": f"{HEAD}.{segment({**CLAIMS, 'mode': 'live'})}.{SIGNATURE}",
    "signature empty": f"{HEAD}.{BODY}.",
    "signature zero": f"{HEAD}.{BODY}.{segment(bytes(64))}",
    "signature half": f"{HEAD}.{BODY}.{segment(b'a' * 32)}",
    "signature too long": f"{HEAD}.{BODY}.{SIGNATURE}AAAA",
    "signature in DER": ".".join(
        [HEAD, BODY, segment(KMS.keys["one"].sign(f"{HEAD}.{BODY}".encode(), ec.ECDSA(SHA256())))]
    ),
    "signature padded": TOKEN + "==",
    "signature with a newline": TOKEN + "\n",
    "signature with trailing bytes": TOKEN + "\0",
    "space in front": " " + TOKEN,
    "standard base64 alphabet": f"{HEAD}.{BODY}.{'+' + SIGNATURE[1:]}",
    "four parts": TOKEN + ".AA",
    "two parts": f"{HEAD}.{BODY}",
    "empty": "",
    "dots": "..",
    "no ASCII": "é.é.é",
    "a lone surrogate": "\ud800.a.b",
    "a JWE": f"{HEAD}.{BODY}.{SIGNATURE}.{BODY}.{SIGNATURE}",
    "a megabyte": TOKEN + "A" * 1_000_000,
    "a megabyte of dots": "." * 1_000_000,
    "exp absent": with_claims(exp=None),
    "iat absent": with_claims(iat=None),
    "iss absent": with_claims(iss=None),
    "aud absent": with_claims(aud=None),
    "sub absent": with_claims(sub=None),
    "merchant absent": with_claims(merchant_id=None),
    "mode absent": with_claims(mode=None),
    "scope absent": with_claims(scope=None),
    "expired": with_claims(iat=IAT - 901, exp=IAT - 1),
    "expires this very second": with_claims(exp=IAT),
    "exp as text": with_claims(exp=str(IAT + 900)),
    "exp as a fraction": with_claims(exp=IAT + 900.5),
    "exp is true": with_claims(exp=True),
    "exp is huge": with_claims(exp=10**400),
    "exp is infinite": signed(json.dumps(CLAIMS).replace(str(IAT + 900), "Infinity").encode()),
    "exp is nobody's number": signed(json.dumps(CLAIMS).replace(str(IAT + 900), "NaN").encode()),
    "lives too long": with_claims(exp=IAT + LIFETIME_SECONDS + 1),
    "issued in the future": with_claims(iat=IAT + 120, exp=IAT + 900),
    "not yet valid": with_claims(nbf=IAT + 120),
    "nbf as text": with_claims(nbf="0"),
    "aud of another": with_claims(aud="another-api"),
    "aud is a list": with_claims(aud=["paynexus-api", "another-api"]),
    "aud empty": with_claims(aud=""),
    "iss of another": with_claims(iss="https://attacker.example"),
    "iss with a slash": with_claims(iss=ISSUER + "/"),
    "iss is a list": with_claims(iss=[ISSUER]),
    "sub is a number": with_claims(sub=7),
    "mode unknown": with_claims(mode="both"),
    "mode is a list": with_claims(mode=["test"]),
    "merchant is no id": with_claims(merchant_id="mer_1"),
    "merchant is a bare UUID": with_claims(merchant_id=str(MERCHANT)),
    "merchant is a number": with_claims(merchant_id=1),
    "scope is a list": with_claims(scope=["admin"]),
    "sub twice, ours last": signed(TWICE % ("sub", "attacker", json.dumps(CLAIMS)[1:])),
    "exp twice, ours last": signed(TWICE % ("exp", "9", json.dumps(CLAIMS)[1:])),
    "sub twice, spelt otherwise": signed(TWICE % ("\\u0073ub", "x", json.dumps(CLAIMS)[1:])),
    "alg twice": signed(CLAIMS, TWICE % ("alg", "none", json.dumps(HEADER)[1:])),
    "claims after a byte order mark": signed(b"\xef\xbb\xbf" + json.dumps(CLAIMS).encode()),
    "claims are a list": signed([CLAIMS]),
    "claims are text": signed("x"),
    "claims are no JSON": signed(b"{"),
    "claims nest deeply": signed(b"[" * 2_000),
    "claims are no UTF-8": signed(b"\xff\xfe"),
}


def test_our_token_is_accepted() -> None:
    """The signer's token proves its client, until the second at which it expires."""
    token = VERIFIER.verify(TOKEN, now=NOW)
    last = NOW + dt.timedelta(seconds=LIFETIME_SECONDS - 1)

    assert token.principal.merchant_id == MERCHANT
    assert token.principal.client_id == CLIENT.id
    assert token.principal.scopes == {"payments:read"}
    assert token.expires_at == int(NOW.timestamp()) + LIFETIME_SECONDS
    assert VERIFIER.verify(TOKEN, now=last) == token
    assert len(TOKEN) < TOKEN_CHARACTERS_MAX / 4
    with pytest.raises(Unauthenticated):
        VERIFIER.verify(TOKEN, now=last + dt.timedelta(seconds=1))


def test_the_attacks_forge_as_we_sign() -> None:
    """Without a change the attacks' own signer is accepted, so each change alone is refused."""
    assert VERIFIER.verify(with_claims(), now=NOW) == VERIFIER.verify(TOKEN, now=NOW)
    assert VERIFIER.verify(with_header(), now=NOW) == VERIFIER.verify(TOKEN, now=NOW)


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_is_refused(attack: str) -> None:
    """Every one is an Unauthenticated and nothing else."""
    with pytest.raises(Unauthenticated):
        VERIFIER.verify(ATTACKS[attack], now=NOW)


def test_skewed_clock_is_forgiven_for_a_minute() -> None:
    """An issuer whose clock is a little ahead is believed."""
    ahead = with_claims(iat=IAT + 59, exp=IAT + 900)

    assert VERIFIER.verify(ahead, now=NOW).principal.client_id == CLIENT.id


def test_unknown_kids_cost_one_fetch_in_thirty_seconds() -> None:
    """A flood of invented key ids does not reach KMS."""
    kms = LocalKms("one")
    keys = KeySet(kms, ["one"])
    for second in range(31):
        for attempt in range(100):
            keys.find(f"kid {attempt}", now=NOW + dt.timedelta(seconds=second))

    assert kms.fetches == 2


def test_known_keys_outlive_kms_and_withdrawn_ones_do_not() -> None:
    """While KMS is away what was known is honoured; once it answers, only what it names."""
    kms = LocalKms("one", "other")
    keys = KeySet(kms, ["one", "other"])
    kid, gone = (key["kid"] for key in keys.jwks(now=NOW)["keys"])
    kms.is_away = True
    later = NOW + dt.timedelta(seconds=KEYS_SECONDS)

    assert keys.find(kid, now=later) is not None
    kms.is_away = False
    del kms.aliases["other"]
    assert keys.find(kid, now=later + dt.timedelta(seconds=KEYS_SECONDS)) is not None
    assert keys.find(gone, now=later + dt.timedelta(seconds=KEYS_SECONDS)) is None


def test_kms_away_from_the_start_is_not_a_bad_token() -> None:
    """Nothing is known yet: the caller is told to come again, and the next call asks again."""
    kms = LocalKms("one")
    keys = KeySet(kms, ["one"])
    kms.is_away = True

    with pytest.raises(OSError, match="KMS"):
        keys.find("any", now=NOW)
    kms.is_away = False
    assert len(keys.jwks(now=NOW)["keys"]) == 1


INTERVAL = rotate_keys.MIN_AGE_MINUTES * 60


def test_no_token_fails_while_keys_rotate() -> None:
    """Ten rotations, a token a second, verifiers whose sets are up to five minutes old.

    What `tools.rotate_keys` does to the aliases, in its order, with its time between two.
    """
    kms = LocalKms("key 0", "key 1")
    current, following, former = aliases_of("alias")
    kms.aliases = {current: "key 0", following: "key 1", former: "key 0"}
    signers = [TokenSigner(kms, current, issuer=ISSUER) for _ in range(3)]
    verifiers = [TokenVerifier(KeySet(kms, aliases_of("alias")), issuer=ISSUER) for _ in range(3)]
    alive: deque[str] = deque(maxlen=LIFETIME_SECONDS // 20)
    kids = set()
    for second in range(0, 10 * INTERVAL, 20):
        now = NOW + dt.timedelta(seconds=second)
        if second % INTERVAL == INTERVAL - 20:
            name = f"key {len(kms.keys)}"
            kms.keys[name] = ec.generate_private_key(ec.SECP256R1())
            kms.aliases[former] = kms.aliases[current]
            alive.append(_issued(signers, second, now))
            kms.aliases[current] = kms.aliases[following]
            alive.append(_issued(signers, second, now))
            kms.aliases[following] = name
        alive.append(_issued(signers, second, now))
        kids.add(jwt.get_unverified_header(alive[-1])["kid"])
        for token in (alive[-1], alive[len(alive) // 2], alive[0]):
            verifiers[second // 20 % 3].verify(token, now=now)

    assert len(kids) == 10


def _issued(signers: list[TokenSigner], second: int, now: dt.datetime) -> str:
    signer = signers[second // 20 % len(signers)]
    return signer.sign(CLIENT, scopes=["payments:read"], token_id=ids.new_id(), now=now)


def test_announced_and_retired_keys_verify() -> None:
    """While keys rotate, tokens of each published key are accepted."""
    keys = KeySet(KMS, ["one", "other"])
    verifier = TokenVerifier(keys, issuer=ISSUER)
    former = TokenSigner(KMS, "other", issuer=ISSUER)
    token = former.sign(CLIENT, scopes=["payments:read"], token_id=ids.new_id(), now=NOW)

    assert verifier.verify(token, now=NOW).principal.client_id == CLIENT.id
    assert verifier.verify(TOKEN, now=NOW).principal.client_id == CLIENT.id
    assert len(keys.jwks(now=NOW)["keys"]) == 2


def test_kid_is_stable() -> None:
    """The key's name depends on the key alone."""
    (key,) = KEYS.jwks(now=NOW)["keys"]
    canonical = json.dumps(
        {name: key[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":")
    )

    assert key["kid"] == segment(hashlib.sha256(canonical.encode()).digest()) == HEADER["kid"]

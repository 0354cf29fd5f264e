"""Which published keys may verify tokens, and which addresses may publish them."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from paynexus.identity.issuers.jwks import KEYS_MAX, usable_keys
from paynexus.identity.issuers.model import client_id_of, is_issuer, is_jwks_url
from tests.integration.issuer_world import jwk_of, new_key, segment, set_of

ALGORITHMS = ("RS256", "ES256", "EdDSA")
JWKS = {name: jwk_of(new_key(name), name) for name in ALGORITHMS}
RSA_1024 = rsa.generate_private_key(65537, 1024)  # noqa: S505 - refused, as the test shows
P384 = ec.generate_private_key(ec.SECP384R1())
OCT = {"kty": "oct", "k": segment(b"k" * 32), "kid": "oct", "alg": "HS256"}


def rsa_jwk(**members: object) -> dict[str, Any]:
    """The RSA key with other members."""
    return {**JWKS["RS256"], **members}


def published(kind: Any, key: Any) -> dict[str, Any]:  # noqa: ANN401 - PyJWT's kinds
    """What an issuer would publish of the key."""
    written: dict[str, Any] = kind.to_jwk(key, as_dict=True)
    return {**written, "kid": "weak"}


UNUSABLE: dict[str, dict[str, Any]] = {
    "RSA of 1024 bits": jwk_of(RSA_1024, "weak"),
    "RSA with exponent 1": rsa_jwk(e="AQ"),
    "RSA with exponent 3": rsa_jwk(e="Aw"),
    "RSA with an even exponent": rsa_jwk(e="AQAA"),
    "RSA with a huge exponent": rsa_jwk(e=segment(b"\xff" * 200)),
    "RSA of ten thousand bits": rsa_jwk(n=segment(b"\xff" * 1_300)),
    "RSA without a modulus": rsa_jwk(n=""),
    "RSA whose modulus is a number": rsa_jwk(n=5),
    "RSA for RS384": rsa_jwk(alg="RS384"),
    "RSA for PS256": rsa_jwk(alg="PS256"),
    "RSA for HS256": rsa_jwk(alg="HS256"),
    "RSA for a list": rsa_jwk(alg=["RS256"]),
    "RSA for encryption": rsa_jwk(use="enc"),
    "RSA of no use": rsa_jwk(use=None),
    "RSA that only signs": rsa_jwk(key_ops=["sign"]),
    "RSA without kid": {name: one for name, one in JWKS["RS256"].items() if name != "kid"},
    "RSA with an empty kid": rsa_jwk(kid=""),
    "RSA with a number for kid": rsa_jwk(kid=1),
    "RSA with its private half": {**published(RSAAlgorithm, RSA_1024), **rsa_jwk(d="AQ")},
    "EC on P-384": published(ECAlgorithm, P384.public_key()),
    "EC on secp256k1": {**JWKS["ES256"], "crv": "secp256k1"},
    "EC off the curve": {**JWKS["ES256"], "x": segment(b"\1" * 32)},
    "EC at infinity": {**JWKS["ES256"], "x": segment(bytes(32)), "y": segment(bytes(32))},
    "EC with a short coordinate": {**JWKS["ES256"], "x": "AA"},
    "EC for ES384": {**JWKS["ES256"], "alg": "ES384"},
    "EC for RS256": {**JWKS["ES256"], "alg": "RS256"},
    "Ed448": published(OKPAlgorithm, ed448.Ed448PrivateKey.generate().public_key()),
    "X25519": {
        **JWKS["EdDSA"],
        "crv": "X25519",
        "x": segment(x25519.X25519PrivateKey.generate().public_key().public_bytes_raw()),
    },
    "Ed25519, short": {**JWKS["EdDSA"], "x": "AA"},
    "a symmetric key": OCT,
    "a symmetric key for RS256": {**OCT, "alg": "RS256"},
    "a symmetric key in an RSA key": rsa_jwk(k=OCT["k"]),
    "no kind": {"kid": "a"},
    "a list for kind": rsa_jwk(kty=["RSA"]),
}

NO_SETS = {
    "HTML": b"<html>",
    "nothing": b"",
    "a list": json.dumps([JWKS["ES256"]]).encode(),
    "a bare key": json.dumps(JWKS["ES256"]).encode(),
    "keys as an object": json.dumps({"keys": JWKS}).encode(),
    "keys of texts": set_of("a"),
    "fifty-one keys": set_of(*({**JWKS["ES256"], "kid": str(n)} for n in range(KEYS_MAX + 1))),
    "a megabyte": set_of(JWKS["ES256"])[:-1] + b" " * 1_000_000 + b"}",
    "keys twice": b'{"keys": [], ' + set_of(JWKS["ES256"])[1:],
    "a member twice": set_of(JWKS["ES256"]).replace(b'"kid":', b'"kid": "a", "kid":'),
    "text after it": set_of(JWKS["ES256"]) + b"x",
    "UTF-16": set_of(JWKS["ES256"]).decode().encode("utf-16"),
    "deep nesting": b'{"keys": ' + b"[" * 100 + b"]" * 100 + b"}",
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_kind_of_a_key_decides_its_algorithm(algorithm: str) -> None:
    """With `alg` and `use`, and without."""
    bare = {name: one for name, one in JWKS[algorithm].items() if name != "use"}
    for jwk in (JWKS[algorithm], bare, {**bare, "alg": algorithm, "key_ops": ["verify"]}):
        assert usable_keys(set_of(jwk))[algorithm].algorithm == algorithm


@pytest.mark.parametrize("name", UNUSABLE)
def test_weak_and_foreign_keys_are_passed_over(name: str) -> None:
    """They open nothing, and cost the set's good keys nothing."""
    good = {**JWKS["EdDSA"], "kid": "good"}

    assert usable_keys(set_of(UNUSABLE[name], good)).keys() == {"good"}


@pytest.mark.parametrize("first", ALGORITHMS)
@pytest.mark.parametrize("second", [*ALGORITHMS, "oct"])
def test_a_kid_that_stands_twice_names_no_key(first: str, second: str) -> None:
    """Whatever the two are, the same one included; the third is not touched."""
    other = {**(OCT if second == "oct" else JWKS[second]), "kid": first}
    third = {**JWKS["EdDSA"], "kid": "third"}

    assert usable_keys(set_of(JWKS[first], other, third)).keys() == {"third"}


@pytest.mark.parametrize("name", NO_SETS)
def test_what_is_no_set_is_refused_whole(name: str) -> None:
    """Not one key of it is taken."""
    with pytest.raises(ValueError, match=r".+"):
        usable_keys(NO_SETS[name])


def test_an_empty_set_withdraws_every_key() -> None:
    """It is a set all the same."""
    assert usable_keys(set_of()) == {}
    assert len(usable_keys(set_of(*({**JWKS["ES256"], "kid": str(n)} for n in range(50))))) == 50


@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("https://issuer.example", True),
        ("https://issuer.example/", True),
        ("https://issuer.example:8443/realms/a%20b", True),
        ("http://127.0.0.1:8080/a", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8080/a", True),
        ("http://issuer.example", False),
        ("http://localhost:8080", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://127.1", False),
        ("http://0.0.0.0", False),
        ("http://[::ffff:127.0.0.1]", False),
        ("http://127.0.0.1@evil.example", False),
        ("https://user:secret@issuer.example", False),
        ("https://issuer.example\\@evil.example", False),
        ("https://issuer.example/#fragment", False),
        ("https://issuer.example/ space", False),
        ("https://issuer.example/\n", False),
        ("https://issuer.example/é", False),
        ("HTTPS://issuer.example", False),
        ("ftp://issuer.example", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("https://" + "a" * 3_000, False),
        ("", False),
        (None, False),
        (7, False),
    ],
)
def test_addresses_are_safe_and_read_in_one_way(url: object, is_good: bool) -> None:  # noqa: FBT001
    """TLS, or this machine; nothing that two parsers could take for two hosts."""
    assert is_issuer(url) is is_good
    assert is_jwks_url(url) is is_good


def test_only_key_sets_may_have_a_query() -> None:
    """OpenID Connect Core, 2: an issuer has neither query nor fragment."""
    assert is_jwks_url("https://issuer.example/keys?p=b2c")
    assert not is_issuer("https://issuer.example/keys?p=b2c")


def test_a_client_id_is_one_subject_of_one_issuer() -> None:
    """Stable, and apart from every other pair."""
    pairs = [("https://a.test", "x"), ("https://a.test", "y"), ("https://b.test", "x")]

    assert len({client_id_of(*pair) for pair in pairs}) == len(pairs)
    assert client_id_of(*pairs[0]) == client_id_of(*pairs[0])
    assert len(client_id_of(*pairs[0])) < 40

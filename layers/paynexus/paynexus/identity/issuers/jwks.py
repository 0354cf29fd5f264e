"""Which keys of a JSON Web Key Set (RFC 7517) may verify tokens, and by which algorithm.

Pure: no I/O, clock or randomness. A key that is not usable is passed over, because an honest
issuer also publishes keys for encryption and for algorithms that we don't take. A set that is
no set is refused whole.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from paynexus import jsontext
from paynexus.errors import InvalidRequest, RequestTooLarge
from paynexus.identity.issuers.model import VerifyingKey, is_plain

KEYS_MAX = 50
RSA_BITS_MIN = 2_048
RSA_BITS_MAX = 8_192
"""Verifying with a longer one would cost each token more than a request does."""
RSA_EXPONENT_MIN = 65_537
RSA_EXPONENT_MAX = 2**32
"""An exponent of 1 makes every text its own signature; a huge one makes each token dear."""
MEMBER_CHARACTERS_MAX = 1_400
"""8,192 bits in base64url, and a little."""

_PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
_ALGORITHM_OF = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
_READ: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "RS256": RSAAlgorithm.from_jwk,
    "ES256": ECAlgorithm.from_jwk,
    "EdDSA": OKPAlgorithm.from_jwk,
}


def usable_keys(content: bytes) -> dict[str, VerifyingKey]:
    """The keys of the set that may verify tokens, by their `kid`.

    A `kid` that stands twice names no key at all. ValueError for what is no key set, has
    duplicate members or more than 50 keys.
    """
    keys = _keys_in(content)
    times = Counter(str(key.get("kid")) for key in keys)
    found = (_usable(key) for key in keys if times[str(key.get("kid"))] == 1)
    return {key.kid: key for key in found if key is not None}


def _keys_in(content: bytes) -> list[dict[str, Any]]:
    try:
        value = jsontext.parse(content.decode())
    except (InvalidRequest, RequestTooLarge):
        raise ValueError("no JSON, or JSON that parsers disagree about") from None
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise ValueError("no key set")
    if len(keys) > KEYS_MAX:
        raise ValueError("too many keys")
    return keys


def _usable(jwk: dict[str, Any]) -> VerifyingKey | None:
    """The key, with the algorithm that its kind decides; None for one that is not for us."""
    algorithm = _algorithm_of(jwk)
    if algorithm is None or not is_plain(jwk.get("kid")):
        return None
    try:
        key = _READ[algorithm](jwk)
    except (jwt.PyJWTError, ValueError, TypeError, LookupError, AttributeError):
        return None
    return VerifyingKey(jwk["kid"], algorithm, key) if _is_strong(key) else None


def _algorithm_of(jwk: Mapping[str, Any]) -> str | None:
    kind = (jwk.get("kty"), jwk.get("crv"))
    if not all(part is None or isinstance(part, str) for part in kind):
        return None
    algorithm = _ALGORITHM_OF.get(kind)  # type: ignore[arg-type]  # texts or None, just seen
    if jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
        return None
    if not _may_verify(jwk.get("key_ops", ["verify"])) or jwk.keys() & _PRIVATE_MEMBERS:
        # A private half that is published is everybody's.
        return None
    is_short = all(len(part) <= MEMBER_CHARACTERS_MAX for part in _numbers_of(jwk))
    return algorithm if is_short else None


def _may_verify(operations: object) -> bool:
    return isinstance(operations, list) and "verify" in operations


def _numbers_of(jwk: Mapping[str, Any]) -> list[str]:
    return [str(jwk[name]) for name in ("n", "e", "x", "y") if name in jwk]


def _is_strong(key: object) -> bool:
    if isinstance(key, RSAPublicKey):
        exponent = key.public_numbers().e
        is_sound = RSA_EXPONENT_MIN <= exponent <= RSA_EXPONENT_MAX
        return is_sound and RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX
    if isinstance(key, EllipticCurvePublicKey):
        return key.curve.name == "secp256r1"
    return isinstance(key, Ed25519PublicKey)

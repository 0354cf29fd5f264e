"""Access tokens: JWTs that KMS signs (ES256), that we assemble, and that PyJWT verifies."""

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from paynexus import ids
from paynexus.errors import Unauthenticated
from paynexus.identity.model import Client, Mode, Principal

ALGORITHM = "ES256"
AUDIENCE = "paynexus-api"
LIFETIME_SECONDS = 15 * 60
CLOCK_SKEW_SECONDS = 60
TOKEN_CHARACTERS_MAX = 4_096
REFRESH_INTERVAL_SECONDS = 30
"""However many unknown `kid`s arrive, keys are fetched again at most this often."""

HEADER_MEMBERS = {"alg", "kid", "typ"}
"""Ours carry these and no other: no `jku`, `x5u`, `jwk`, `crit` to be tempted by."""
REQUIRED_CLAIMS = ["aud", "exp", "iat", "iss", "sub"]
_COORDINATE_BYTES = 32


class Kms(Protocol):
    """The two calls of the KMS client that tokens need."""

    def sign(self, **request: str | bytes) -> Mapping[str, Any]:
        """Sign a digest."""

    def get_public_key(self, **request: str) -> Mapping[str, Any]:
        """Describe the public half of a key."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that tokens may be signed with, and its name: the RFC 7638 thumbprint."""

    kid: str
    key: ec.EllipticCurvePublicKey

    def jwk(self) -> dict[str, str]:
        """This key as a JSON Web Key."""
        return {**_required_members(self.key), "kid": self.kid, "use": "sig", "alg": ALGORITHM}


class KeySet:
    """The public keys that may have signed a token.

    The first key of `key_ids` signs; the others are published beside it, so that a key can
    be announced before it signs and honoured after it has stopped.
    """

    def __init__(self, kms: Kms, key_ids: Sequence[str]) -> None:
        self._kms = kms
        self._key_ids = tuple(key_ids)
        self._keys: dict[str, PublicKey] = {}
        self._fetched_at: dt.datetime | None = None

    def find(self, kid: str, *, now: dt.datetime) -> PublicKey | None:
        """The key named `kid`, if it is ours."""
        if kid not in self._keys and self._is_refresh_due(now):
            self._keys = {key.kid: key for key in map(self._fetch, self._key_ids)}
            self._fetched_at = now
        return self._keys.get(kid)

    def jwks(self, *, now: dt.datetime) -> dict[str, list[dict[str, str]]]:
        """The set as RFC 7517 publishes it."""
        self.find("", now=now)
        return {"keys": [key.jwk() for key in self._keys.values()]}

    def _is_refresh_due(self, now: dt.datetime) -> bool:
        if self._fetched_at is None:
            return True
        return now - self._fetched_at >= dt.timedelta(seconds=REFRESH_INTERVAL_SECONDS)

    def _fetch(self, key_id: str) -> PublicKey:
        return public_key_from(self._kms.get_public_key(KeyId=key_id)["PublicKey"])


class TokenSigner:
    """Signs with a private key that never leaves KMS."""

    def __init__(self, kms: Kms, key_id: str, *, issuer: str) -> None:
        self._kms = kms
        self._key_id = key_id
        self._issuer = issuer

    @cached_property
    def _kid(self) -> str:
        return public_key_from(self._kms.get_public_key(KeyId=self._key_id)["PublicKey"]).kid

    def sign(
        self, client: Client, *, scopes: Sequence[str], token_id: UUID, now: dt.datetime
    ) -> str:
        """A token that lets `client` act with `scopes` for fifteen minutes."""
        issued_at = int(now.timestamp())
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": client.id,
            "iat": issued_at,
            "exp": issued_at + LIFETIME_SECONDS,
            "jti": str(token_id),
            "merchant_id": ids.text("mer", client.merchant_id),
            "mode": client.mode,
            "scope": " ".join(scopes),
        }
        header = {"alg": ALGORITHM, "kid": self._kid, "typ": "JWT"}
        signing_input = f"{_encoded_json(header)}.{_encoded_json(claims)}"
        return f"{signing_input}.{_encoded(self._signature(signing_input))}"

    def _signature(self, signing_input: str) -> bytes:
        # KMS takes at most 4096 bytes of message: it gets the digest, whatever the claims.
        answer = self._kms.sign(
            KeyId=self._key_id,
            Message=hashlib.sha256(signing_input.encode()).digest(),
            MessageType="DIGEST",
            SigningAlgorithm="ECDSA_SHA_256",
        )
        r, s = decode_dss_signature(answer["Signature"])
        return r.to_bytes(_COORDINATE_BYTES) + s.to_bytes(_COORDINATE_BYTES)


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What a token proved."""

    principal: Principal
    expires_at: int


class TokenVerifier:
    """Accepts the tokens that `TokenSigner` made, and nothing else."""

    def __init__(self, keys: KeySet, *, issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer

    def verify(self, token: str, *, now: dt.datetime) -> VerifiedToken:
        """What `token` proves; Unauthenticated for a token that is not wholly valid now."""
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise Unauthenticated("The token is too long.")
        try:
            claims = self._claims(token, now=now)
            return VerifiedToken(_principal_of(claims), _valid_expiry_of(claims, now=now))
        except (jwt.PyJWTError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            # Which check failed is no business of whoever forged the token.
            raise Unauthenticated("The token is not valid: ask for another.") from None

    def _claims(self, token: str, *, now: dt.datetime) -> dict[str, Any]:
        _require_canonical(token)
        header = jwt.get_unverified_header(token)
        if header.keys() - HEADER_MEMBERS or header.get("alg") != ALGORITHM:
            raise ValueError("not a header of ours")
        key = self._keys.find(header["kid"], now=now)
        if key is None:
            raise ValueError("not a key of ours")
        # Times are compared below, against the injected clock.
        return jwt.decode(
            token,
            key.key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=self._issuer,
            options={
                "require": REQUIRED_CLAIMS,
                "strict_aud": True,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )


def public_key_from(der: bytes) -> PublicKey:
    """The key that KMS describes in DER."""
    key = load_der_public_key(der)
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise TypeError("tokens are signed by an ECC_NIST_P256 key")
    members = json.dumps(_required_members(key), separators=(",", ":"), sort_keys=True)
    return PublicKey(kid=_encoded(hashlib.sha256(members.encode()).digest()), key=key)


def _required_members(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    point = key.public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": _encoded(point.x.to_bytes(_COORDINATE_BYTES)),
        "y": _encoded(point.y.to_bytes(_COORDINATE_BYTES)),
    }


def _require_canonical(token: str) -> None:
    # base64 decoders forgive stray bits and bytes; one token has exactly one spelling here.
    for part in token.split("."):
        if _encoded(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) != part:
            raise ValueError("not base64url as RFC 7515 writes it")


def _valid_expiry_of(claims: Mapping[str, Any], *, now: dt.datetime) -> int:
    issued_at, expires_at = claims["iat"], claims["exp"]
    if type(issued_at) is not int or type(expires_at) is not int:
        raise TypeError("times are whole seconds")
    moment = now.timestamp()
    starts_at = max(issued_at, claims.get("nbf", issued_at))
    if not starts_at - CLOCK_SKEW_SECONDS <= moment < expires_at:
        raise ValueError("not valid now")
    if expires_at - issued_at > LIFETIME_SECONDS:
        raise ValueError("valid for too long")
    return expires_at


def _principal_of(claims: Mapping[str, Any]) -> Principal:
    return Principal(
        merchant_id=ids.MerchantId(ids.parse("mer", claims["merchant_id"])),
        client_id=claims["sub"],
        mode=Mode(claims["mode"]).value,
        scopes=frozenset(claims["scope"].split()),
    )


def _encoded_json(value: Mapping[str, object]) -> str:
    return _encoded(json.dumps(value, separators=(",", ":")).encode())


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

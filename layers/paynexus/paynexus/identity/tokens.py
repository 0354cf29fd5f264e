"""Access tokens: JWTs that KMS signs (ES256), that we assemble, and that PyJWT verifies."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from paynexus import ids
from paynexus.clock import Renewed
from paynexus.errors import ConfigurationError, Unauthenticated
from paynexus.identity.model import Client, Mode, Principal
from paynexus.identity.token_keys import (
    ALGORITHM,
    COORDINATE_BYTES,
    KeySet,
    Kms,
    PublicKey,
    described,
    encoded,
    tell_unavailable,
)
from paynexus.identity.unverified import Refused, UnverifiedToken, unverified

AUDIENCE = "paynexus-api"
LIFETIME_SECONDS = 15 * 60
CLOCK_SKEW_SECONDS = 60
TOKEN_CHARACTERS_MAX = 4_096
SIGNING_KEY_SECONDS = 15
"""How long a signer uses the key that its alias named."""
HEADER_MEMBERS = {"alg", "kid", "typ"}
"""Ours carry these and no other: no `jku`, `x5u`, `jwk`, `crit` to be tempted by."""
REQUIRED_CLAIMS = ["aud", "exp", "iat", "iss", "sub"]


class TokenSigner:
    """Signs with a private key that never leaves KMS: the one that the alias names just now."""

    def __init__(self, kms: Kms, alias: str, *, issuer: str) -> None:
        self._kms = kms
        self._alias = alias
        self._issuer = issuer
        self._key = Renewed(self._described, seconds=SIGNING_KEY_SECONDS, tell=tell_unavailable)

    def _described(self) -> PublicKey:
        key = described(self._kms, self._alias)
        if key is None:
            raise ConfigurationError(f"KMS has no key of the alias {self._alias}")
        return key

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
        key = self._key(now=now)
        header = {"alg": ALGORITHM, "kid": key.kid, "typ": "JWT"}
        signing_input = f"{_encoded_json(header)}.{_encoded_json(claims)}"
        return f"{signing_input}.{encoded(self._signature(signing_input, key))}"

    def _signature(self, signing_input: str, key: PublicKey) -> bytes:
        # KMS takes at most 4096 bytes of message: it gets the digest, whatever the claims.
        answer = self._kms.sign(
            # The key itself: its alias may have moved on since its name went into the header.
            KeyId=key.key_id,
            Message=hashlib.sha256(signing_input.encode()).digest(),
            MessageType="DIGEST",
            SigningAlgorithm="ECDSA_SHA_256",
        )
        r, s = decode_dss_signature(answer["Signature"])
        return r.to_bytes(COORDINATE_BYTES) + s.to_bytes(COORDINATE_BYTES)


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
        try:
            return self.verify_parts(unverified(token), now=now)
        except Refused:
            raise Unauthenticated("The token is not valid: ask for another.") from None

    def verify_parts(self, token: UnverifiedToken, *, now: dt.datetime) -> VerifiedToken:
        """The same of a token that was taken apart before."""
        if len(token.text) > TOKEN_CHARACTERS_MAX:
            raise Unauthenticated("The token is too long.")
        try:
            claims = self._claims(token, now=now)
            return VerifiedToken(_principal_of(claims), _valid_expiry_of(claims, now=now))
        except (jwt.PyJWTError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            # Which check failed is no business of whoever forged the token.
            raise Unauthenticated("The token is not valid: ask for another.") from None

    def _claims(self, token: UnverifiedToken, *, now: dt.datetime) -> dict[str, Any]:
        header = token.header
        if header.keys() - HEADER_MEMBERS or header.get("alg") != ALGORITHM:
            raise ValueError("not a header of ours")
        key = self._keys.find(header["kid"], now=now)
        if key is None:
            raise ValueError("not a key of ours")
        # Times are compared below, against the injected clock.
        return jwt.decode(
            token.text,
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
    return encoded(json.dumps(value, separators=(",", ":")).encode())

"""The keys of access tokens: they live in KMS under aliases, and rotate there."""

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from paynexus.observability import count, logger, trace_of

ALGORITHM = "ES256"
UNKNOWN_SECONDS = 30
"""However many unknown `kid`s arrive, keys are looked up again at most this often."""
KEYS_SECONDS = 300
"""A key that was withdrawn is honoured for so long at most."""
COORDINATE_BYTES = 32


class Kms(Protocol):
    """The two calls of the KMS client that tokens need."""

    exceptions: Any

    def sign(self, **request: str | bytes) -> Mapping[str, Any]:
        """Sign a digest."""

    def get_public_key(self, **request: str) -> Mapping[str, Any]:
        """Describe the public half of a key."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that tokens may be signed with: where it is, and its name, the RFC 7638 thumbprint."""

    key_id: str
    kid: str
    key: ec.EllipticCurvePublicKey

    def jwk(self) -> dict[str, str]:
        """This key as a JSON Web Key."""
        return {**_required_members(self.key), "kid": self.kid, "use": "sig", "alg": ALGORITHM}


def aliases_of(alias: str) -> tuple[str, str, str]:
    """The aliases of the key that signs, of its successor, and of its predecessor."""
    return alias, f"{alias}-next", f"{alias}-former"


class KeySet:
    """The public keys that may have signed a token.

    Each alias names a key or none: one signs, one is announced before it will, one is honoured
    after it has. They are looked up again every five minutes, and for an unknown key's name once
    in thirty seconds; while KMS does not answer, those known stay.
    """

    def __init__(self, kms: Kms, aliases: Sequence[str]) -> None:
        self._kms = kms
        self._aliases = tuple(aliases)
        self._keys: dict[str, PublicKey] = {}
        self._asked_at: dt.datetime | None = None

    def find(self, kid: str, *, now: dt.datetime) -> PublicKey | None:
        """The key named `kid`, if it is ours."""
        self._renew(UNKNOWN_SECONDS if kid not in self._keys else KEYS_SECONDS, now=now)
        return self._keys.get(kid)

    def jwks(self, *, now: dt.datetime) -> dict[str, list[dict[str, str]]]:
        """The set as RFC 7517 publishes it."""
        self._renew(UNKNOWN_SECONDS, now=now)
        return {"keys": [key.jwk() for key in self._keys.values()]}

    def _renew(self, seconds: int, *, now: dt.datetime) -> None:
        if self._asked_at is not None and now - self._asked_at < dt.timedelta(seconds=seconds):
            return
        self._asked_at = now
        try:
            found = [key for alias in self._aliases if (key := described(self._kms, alias))]
        except Exception as error:
            if not self._keys:
                self._asked_at = None
                raise
            tell_unavailable(error)
            return
        self._keys = {key.kid: key for key in found}


def tell_unavailable(error: Exception) -> None:
    """Logs and metrics say that keys could not be read again, and that those known stay."""
    logger.warning("keys were not read again; those known stay", trace=trace_of(error))
    count("KeysUnavailable")


def described(kms: Kms, alias: str) -> PublicKey | None:
    """The key that `alias` names in KMS, if it names one."""
    try:
        answer = kms.get_public_key(KeyId=alias)
    except kms.exceptions.NotFoundException:
        return None
    key = load_der_public_key(answer["PublicKey"])
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise TypeError("tokens are signed by an ECC_NIST_P256 key")
    members = json.dumps(_required_members(key), separators=(",", ":"), sort_keys=True)
    kid = encoded(hashlib.sha256(members.encode()).digest())
    return PublicKey(key_id=answer["KeyId"], kid=kid, key=key)


def _required_members(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    point = key.public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": encoded(point.x.to_bytes(COORDINATE_BYTES)),
        "y": encoded(point.y.to_bytes(COORDINATE_BYTES)),
    }


def encoded(value: bytes) -> str:
    """base64url without padding, as RFC 7515 writes it."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

"""Seals are signed by a key that never leaves KMS: who owns the database can't make one."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from paynexus.ledger.seals.model import Seal


class Kms(Protocol):
    """The two calls of the KMS client that seals need."""

    def sign(self, **request: str | bytes) -> Mapping[str, Any]:
        """Sign a digest."""

    def get_public_key(self, **request: str) -> Mapping[str, Any]:
        """Describe the public half of a key."""


class PublicKeys:
    """Keys that are known to sign seals, by fingerprint."""

    def __init__(self, keys: Sequence[ec.EllipticCurvePublicKey]) -> None:
        self._keys = {fingerprint(key): key for key in keys}

    @property
    def fingerprints(self) -> list[bytes]:
        """SHA-256 of each key, in DER."""
        return list(self._keys)

    def have_signed(self, seal: Seal) -> bool:
        """Whether the seal says what one of these keys has signed."""
        key = self._keys.get(seal.key)
        if key is None:
            return False
        try:
            key.verify(seal.signature, seal.hash, ec.ECDSA(Prehashed(SHA256())))
        except InvalidSignature:
            return False
        return True


class Signer:
    """Signs with the first of `key_ids`; what the others have signed is believed, too."""

    def __init__(self, kms: Kms, key_ids: Sequence[str]) -> None:
        self._kms = kms
        self._key_ids = tuple(key_ids)

    @cached_property
    def keys(self) -> PublicKeys:
        """The public halves."""
        return PublicKeys([self._public(key_id) for key_id in self._key_ids])

    def signed(self, seal: Seal) -> Seal:
        """The seal, with the key's name in it, signed."""
        seal = replace(seal, key=self.keys.fingerprints[0])
        answer = self._kms.sign(
            KeyId=self._key_ids[0],
            Message=seal.hash,
            MessageType="DIGEST",
            SigningAlgorithm="ECDSA_SHA_256",
        )
        return replace(seal, signature=answer["Signature"])

    def _public(self, key_id: str) -> ec.EllipticCurvePublicKey:
        return public_key_from(self._kms.get_public_key(KeyId=key_id)["PublicKey"])


def public_key_from(der: bytes) -> ec.EllipticCurvePublicKey:
    """The key that KMS describes in DER; TypeError for one of another kind."""
    key = load_der_public_key(der)
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise TypeError("seals are signed by an ECC_NIST_P256 key")
    return key


def fingerprint(key: ec.EllipticCurvePublicKey) -> bytes:
    """SHA-256 of the key in DER, as seals name it."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).digest()

"""The keys that sign QR codes: one that signs, others announced ahead or honoured still."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

KEY_ID_BYTES = 4


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The key that signs, and every key whose signatures are honoured, by key id."""

    signing: Ed25519PrivateKey
    verifying: Mapping[bytes, Ed25519PublicKey]

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The honoured keys as RFC 7517 and RFC 8037 publish them; `kid` is the id in hex."""
        return {"keys": [_jwk(number, key) for number, key in self.verifying.items()]}


def key_ring_of(secret: Mapping[str, str]) -> KeyRing:
    """The ring that the keys' secret names, in base64 (docs/qr.md)."""
    following = secret.get("qr_next_key")
    return key_ring_from(
        base64.b64decode(secret["qr_signing_key"]),
        following=base64.b64decode(following) if following else None,
        former=map(base64.b64decode, secret.get("qr_former_keys", "").split()),
    )


def key_ring_from(seed: bytes, *, following: bytes | None, former: Iterable[bytes]) -> KeyRing:
    """Sign with the key of `seed`; honour it, that of the `following` seed, and `former` keys.

    Seeds are 32 bytes of private key, the `former` ones 32 bytes of public key.
    """
    signing = Ed25519PrivateKey.from_private_bytes(seed)
    public = [signing.public_key()]
    if following is not None:
        public.append(Ed25519PrivateKey.from_private_bytes(following).public_key())
    public += map(Ed25519PublicKey.from_public_bytes, former)
    return KeyRing(signing, {key_id_of(key): key for key in public})


def key_id_of(key: Ed25519PublicKey) -> bytes:
    """The name of `key` inside a payload: the first bytes of its SHA-256."""
    return hashlib.sha256(key.public_bytes_raw()).digest()[:KEY_ID_BYTES]


def _jwk(number: bytes, key: Ed25519PublicKey) -> dict[str, str]:
    x = base64.urlsafe_b64encode(key.public_bytes_raw()).rstrip(b"=").decode()
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": x,
        "kid": number.hex(),
        "use": "sig",
        "alg": "EdDSA",
    }

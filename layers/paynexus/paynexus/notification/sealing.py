"""Secrets at rest: sealed with AES-GCM and bound to the record that they belong to."""

import secrets
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12


class Vault:
    """Seals and opens texts; a sealed text opens only with the key and owner it was sealed for."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the sealing key has {KEY_BYTES} bytes")
        self._cipher = AESGCM(key)

    def seal(self, text: str, *, owner: UUID) -> bytes:
        """`text`, unreadable without the key; the same text never looks the same twice."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text.encode(), owner.bytes)

    def open(self, sealed: bytes, *, owner: UUID) -> str:
        """What was sealed; cryptography's InvalidTag if key, owner or bytes are not the same."""
        nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        return self._cipher.decrypt(nonce, ciphertext, owner.bytes).decode()

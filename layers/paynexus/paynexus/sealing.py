"""Secrets at rest: sealed with AES-GCM and bound to the record that they belong to."""

import base64
import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from paynexus import idempotency, ids, jsontext
from paynexus.db import Connection, Database

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


def run_sealed(
    db: Database,
    vault: Vault,
    scope: idempotency.Scope,
    *,
    fingerprint: bytes,
    now: dt.datetime,
    act: Callable[[Connection, UUID], Mapping[str, object]],
    status: int,
) -> idempotency.Answer:
    """`act` has happened once under the key; its answer, which holds a secret, is kept sealed."""

    def act_sealed(tx: Connection, object_id: UUID) -> idempotency.Answer:
        body = vault.seal(jsontext.write(act(tx, object_id)), owner=scope.merchant_id)
        return idempotency.Answer(status, base64.b64encode(body).decode(), {})

    kept = idempotency.run(
        db, scope, fingerprint=fingerprint, object_id=ids.new_id(), now=now, act=act_sealed
    )
    return replace(kept, body=vault.open(base64.b64decode(kept.body), owner=scope.merchant_id))

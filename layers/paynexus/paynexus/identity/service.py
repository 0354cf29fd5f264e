"""Use cases of identity: credentials are made, replaced, and exchanged for tokens."""

import datetime as dt
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from paynexus import ids
from paynexus.db import Database
from paynexus.errors import NotFound, TokenRefused
from paynexus.identity import store
from paynexus.identity.model import (
    ALL_SCOPES,
    SECRET_BYTES,
    Client,
    Mode,
    client_id_of,
    hash_of,
    is_client_id,
    secret_of,
)
from paynexus.identity.tokens import LIFETIME_SECONDS, TokenSigner
from paynexus.ids import MerchantId

_NOBODY = Client("", MerchantId(UUID(int=0)), "", hash_of(""), [], None)
"""Asked for its secret when there is no such client, so that both answers cost the same."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A client's id and its secret, which nobody can read again."""

    client_id: str
    client_secret: str


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token and what it allows."""

    text: str
    scopes: tuple[str, ...]
    expires_in: int


def issue_token(
    db: Database,
    signer: TokenSigner,
    client_id: str,
    client_secret: str,
    *,
    scope: str | None = None,
    admit: Callable[[str], None] = lambda _client_id: None,
    now: dt.datetime,
) -> AccessToken:
    """A token for the client that knows this secret, with all its scopes or those of `scope`.

    `admit` is asked once the client has proved who it is, before anything is signed; it may
    raise. Raises TokenRefused. An unknown client, a revoked one and a wrong secret get one answer,
    after the same work.
    """
    with db.transaction() as tx:
        # What can't be an id is looked up all the same, as one that nobody has.
        found = store.client(tx, client_id if is_client_id(client_id) else "")
    client = found or _NOBODY
    matches = client.knows(client_secret, now=now)
    if client is _NOBODY or not matches or client.revoked_at is not None:
        raise TokenRefused("Unknown client or wrong secret.", reason="invalid_client")
    scopes = _granted(client, scope)
    admit(client.id)
    text = signer.sign(client, scopes=scopes, token_id=ids.new_id(), now=now)
    return AccessToken(text=text, scopes=scopes, expires_in=LIFETIME_SECONDS)


def register_client(
    db: Database, merchant_id: MerchantId, *, mode: Mode, scopes: tuple[str, ...] = ALL_SCOPES
) -> Credentials:
    """The merchant has another client; its secret is in the answer and nowhere else."""
    client_id = client_id_of(mode, secrets.token_bytes(16))
    secret = secret_of(mode, secrets.token_bytes(SECRET_BYTES))
    client = Client(client_id, merchant_id, mode.value, hash_of(secret), list(scopes), None)
    with db.transaction() as tx:
        store.insert_client(tx, client)
    return Credentials(client_id, secret)


def has_client(db: Database, merchant_id: MerchantId, *, mode: Mode) -> bool:
    """Whether the merchant has a client in `mode` that is not revoked."""
    with db.transaction() as tx:
        return bool(store.clients_of_merchant(tx, merchant_id, mode=mode.value))


def replace_secret(db: Database, merchant_id: MerchantId, *, mode: Mode) -> Credentials:
    """The merchant's oldest client has a new secret, and those before are void.

    Raises NotFound when the merchant has no client in this mode.
    """
    secret = secret_of(mode, secrets.token_bytes(SECRET_BYTES))
    with db.transaction() as tx:
        clients = store.clients_of_merchant(tx, merchant_id, mode=mode.value)
        if not clients:
            raise NotFound(f"The merchant has no client in {mode.value} mode.")
        client = clients[0]
        store.replace_secret(tx, client.id, hash_of(secret), former_until=None)
    return Credentials(client.id, secret)


def _granted(client: Client, requested: str | None) -> tuple[str, ...]:
    if requested is None:
        return tuple(client.scopes)
    wanted = tuple(dict.fromkeys(requested.split()))
    if not wanted or set(wanted) - set(client.scopes):
        raise TokenRefused(
            "The client does not have every scope asked for.", reason="invalid_scope"
        )
    return wanted

"""Use cases of a merchant's clients: made, read, given another secret, revoked."""

import datetime as dt
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from paynexus import idempotency
from paynexus.db import Connection, Database
from paynexus.errors import InvalidState, NotFound
from paynexus.identity import store
from paynexus.identity.model import (
    CLIENTS_MAX,
    SECRET_BYTES,
    Client,
    Mode,
    Principal,
    client_id_of,
    hash_of,
    secret_of,
)
from paynexus.sealing import Vault, run_sealed


@dataclass(frozen=True, slots=True)
class Wanted:
    """The client that a merchant asks for."""

    name: str
    scopes: list[str]


def create(
    db: Database,
    vault: Vault,
    wanted: Wanted,
    *,
    scope: idempotency.Scope,
    fingerprint: bytes,
    now: dt.datetime,
) -> idempotency.Answer:
    """The merchant has another client; its secret is in this answer. InvalidState for too many."""
    mode = Mode(scope.mode)
    secret = secret_of(mode, secrets.token_bytes(SECRET_BYTES))
    client_id = client_id_of(mode, secrets.token_bytes(16))

    def act(tx: Connection, _object_id: UUID) -> Mapping[str, object]:
        store.lock_merchant(tx, scope.merchant_id)
        if len(store.clients_of_merchant(tx, scope.merchant_id, mode=mode)) >= CLIENTS_MAX:
            raise InvalidState(f"There are {CLIENTS_MAX} clients already: revoke one first.")
        client = Client(
            client_id,
            scope.merchant_id,
            mode.value,
            hash_of(secret),
            wanted.scopes,
            revoked_at=None,
            name=wanted.name,
        )
        made = replace(client, created_at=store.insert_client(tx, client))
        return resource(made) | {"client_secret": secret}

    return run_sealed(db, vault, scope, fingerprint=fingerprint, now=now, act=act, status=201)


def rotate_secret(
    db: Database,
    vault: Vault,
    client_id: str,
    *,
    former_lifetime: dt.timedelta,
    scope: idempotency.Scope,
    fingerprint: bytes,
    now: dt.datetime,
) -> idempotency.Answer:
    """The client has a new secret, in this answer; the present one ends after `former_lifetime`.

    One that a rotation before left over ends at once: there are two at most.
    """
    secret = secret_of(Mode(scope.mode), secrets.token_bytes(SECRET_BYTES))
    until = now + former_lifetime if former_lifetime else None

    def act(tx: Connection, _object_id: UUID) -> Mapping[str, object]:
        store.lock_merchant(tx, scope.merchant_id)
        client = _own(tx, client_id, scope)
        store.replace_secret(tx, client.id, hash_of(secret), former_until=until)
        return resource(replace(client, former_expires_at=until)) | {"client_secret": secret}

    return run_sealed(db, vault, scope, fingerprint=fingerprint, now=now, act=act, status=200)


def find(db: Database, client_id: str, *, owner: Principal) -> Client:
    """The merchant's client of this id that is not revoked; NotFound for any other."""
    with db.reading() as connection:
        return _own(connection, client_id, owner)


def list_of(db: Database, *, owner: Principal) -> list[Client]:
    """The merchant's clients that are not revoked, the oldest first: CLIENTS_MAX at most."""
    with db.reading() as connection:
        return store.clients_of_merchant(connection, owner.merchant_id, mode=owner.mode)


def revoke(db: Database, client_id: str, *, owner: Principal, now: dt.datetime) -> None:
    """The client gets no more tokens, and within a minute those it has open nothing.

    InvalidState for the client that asks: somebody has to be left who can make others.
    """
    if client_id == owner.client_id:
        raise InvalidState("A client can't revoke itself: let another with the scope admin do it.")
    with db.transaction() as tx:
        store.revoke(tx, _own(tx, client_id, owner).id, now=now)


def resource(client: Client) -> dict[str, object]:
    """The client as the API shows it, without a secret."""
    until = client.former_expires_at
    return {
        "id": client.id,
        "object": "client",
        "name": client.name,
        "scopes": client.scopes,
        "api_version": client.api_version,
        "former_secret_expires": until.isoformat() if until else None,
        "mode": client.mode,
        "created": client.created_at.isoformat() if client.created_at else None,
    }


def _own(connection: Connection, client_id: str, owner: Principal | idempotency.Scope) -> Client:
    client = store.client(connection, client_id)
    is_own = client and (client.merchant_id, client.mode) == (owner.merchant_id, owner.mode)
    if client is None or not is_own or client.revoked_at is not None:
        raise NotFound("There is no such client.")
    return client

"""Use cases of endpoints: create, read, change, delete, rotate the secret."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from paynexus.db import Connection, Database
from paynexus.errors import InvalidRequest, InvalidState, NotFound
from paynexus.idempotency import Answer, Scope
from paynexus.ids import EndpointId
from paynexus.lists.model import Page, cut
from paynexus.notification import store as delivery_store
from paynexus.notification import views, webhook
from paynexus.notification.addresses import AddressRefused, Network, require_usable
from paynexus.notification.endpoints import store
from paynexus.notification.model import (
    ENDPOINTS_MAX,
    LOOK_BACK,
    SECRET_OVERLAP,
    DisabledReason,
    Endpoint,
    EndpointStatus,
    Owner,
)
from paynexus.sealing import Vault, run_sealed

IN_FLIGHT = dt.timedelta(seconds=10)
"""No transaction takes longer from its first statement to its commit."""
HEAL_MAX = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """The endpoint that a merchant asks for."""

    url: str
    description: str
    event_types: list[str]


def create(
    db: Database,
    vault: Vault,
    wanted: Wanted,
    *,
    networks: Sequence[Network],
    scope: Scope,
    fingerprint: bytes,
    now: dt.datetime,
) -> Answer:
    """The endpoint exists and is sent what happens from now on; its secret is in this answer.

    InvalidRequest for a URL that webhooks may not reach, InvalidState when there are too many.
    """
    _require_usable(wanted.url, networks)
    secret = webhook.new_secret()

    def act(tx: Connection, object_id: UUID) -> dict[str, object]:
        endpoint_id = EndpointId(object_id)
        endpoint = store.insert(
            tx,
            Owner(scope.merchant_id, scope.mode),
            endpoint_id=endpoint_id,
            url=wanted.url,
            description=wanted.description,
            event_types=wanted.event_types,
            secret=vault.seal(secret, owner=endpoint_id),
        )
        if endpoint is None:
            raise InvalidState(f"There are {ENDPOINTS_MAX} endpoints already: delete one first.")
        return views.endpoint(endpoint, secret=secret)

    return run_sealed(db, vault, scope, fingerprint=fingerprint, now=now, act=act, status=201)


def rotate_secret(
    db: Database,
    vault: Vault,
    endpoint_id: EndpointId,
    *,
    scope: Scope,
    fingerprint: bytes,
    now: dt.datetime,
) -> Answer:
    """A new secret signs, and for SECRET_OVERLAP the old one along with it."""
    secret = webhook.new_secret()

    def act(tx: Connection, _object_id: UUID) -> dict[str, object]:
        endpoint = _find(tx, Owner(scope.merchant_id, scope.mode), endpoint_id, lock=True)
        sealed = vault.seal(secret, owner=endpoint_id)
        store.rotate_secret(tx, endpoint_id, sealed, expires_at=now + SECRET_OVERLAP)
        return views.endpoint(endpoint, secret=secret)

    return run_sealed(db, vault, scope, fingerprint=fingerprint, now=now, act=act, status=200)


def find(db: Database, owner: Owner, endpoint_id: EndpointId) -> Endpoint:
    """The owner's endpoint of this id; NotFound for another's or a deleted one."""
    with db.transaction() as tx:
        return _find(tx, owner, endpoint_id)


def list_of(db: Database, owner: Owner, page: Page[UUID]) -> tuple[list[Endpoint], bool]:
    """A page of the owner's endpoints, newest first, and whether there are more."""
    with db.transaction() as tx:
        return cut(store.list_of(tx, owner, page), page)


def change(
    db: Database,
    owner: Owner,
    endpoint_id: EndpointId,
    changes: Mapping[str, object],
    *,
    networks: Sequence[Network],
    now: dt.datetime,
) -> Endpoint:
    """The endpoint is as `changes` (url, description, event_types, status) say.

    What happened before is still delivered as it was subscribed to; disabling cancels it.
    """
    if "url" in changes:
        _require_usable(str(changes["url"]), networks)
    with db.transaction() as tx:
        _find(tx, owner, endpoint_id, lock=True)
        if "event_types" in changes:
            _close_subscription(tx, endpoint_id, now=now)
        store.update(tx, endpoint_id, {k: v for k, v in changes.items() if k != "status"})
        if changes.get("status") == EndpointStatus.DISABLED:
            store.disable(tx, endpoint_id, DisabledReason.MERCHANT, now=now)
        elif changes.get("status") == EndpointStatus.ENABLED:
            store.enable(tx, endpoint_id)
        return _find(tx, owner, endpoint_id)


def delete(db: Database, owner: Owner, endpoint_id: EndpointId, *, now: dt.datetime) -> None:
    """The endpoint is gone; what waited for it is canceled, what was delivered stays on record."""
    with db.transaction() as tx:
        _find(tx, owner, endpoint_id, lock=True)
        store.disable(tx, endpoint_id, DisabledReason.MERCHANT, now=now)
        store.delete(tx, endpoint_id, now=now)


def _close_subscription(tx: Connection, endpoint_id: EndpointId, *, now: dt.datetime) -> None:
    lost = delivery_store.lost_events(
        tx, since=now - LOOK_BACK, until=now + IN_FLIGHT, limit=HEAL_MAX, endpoint_id=endpoint_id
    )
    for event_id in lost:
        delivery_store.fan_out(tx, event_id, now=now, look_back=LOOK_BACK)
    store.resubscribe(tx, endpoint_id, margin=IN_FLIGHT)


def _require_usable(url: str, networks: Sequence[Network]) -> None:
    try:
        require_usable(url, networks=networks)
    except AddressRefused as error:
        raise InvalidRequest(f"url: {error}", param="url") from error


def _find(tx: Connection, owner: Owner, endpoint_id: EndpointId, *, lock: bool = False) -> Endpoint:
    endpoint = store.find(tx, owner, endpoint_id, lock=lock)
    if endpoint is None:
        raise NotFound("There is no such webhook endpoint.")
    return endpoint

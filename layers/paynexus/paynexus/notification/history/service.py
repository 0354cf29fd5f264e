"""Use cases of reading: what was announced, to whom, and how that went."""

from dataclasses import replace
from uuid import UUID

from paynexus.db import Database
from paynexus.errors import NotFound
from paynexus.ids import EventId
from paynexus.notification.history import store
from paynexus.notification.model import Attempt, Delivery, Event, Owner, Page


def event(db: Database, owner: Owner, event_id: EventId) -> Event:
    """The owner's event of this id; NotFound for another's."""
    with db.transaction() as tx:
        found = store.event(tx, owner, event_id)
    if found is None:
        raise NotFound("There is no such event.")
    return found


def events(
    db: Database, owner: Owner, page: Page, *, type_: str | None, object_id: str | None
) -> tuple[list[Event], bool]:
    """A page of the owner's events, newest first, and whether there are more."""
    with db.transaction() as tx:
        found = store.events_of(tx, owner, _one_more(page), type_=type_, object_id=object_id)
    return found[: page.limit], len(found) > page.limit


def deliveries(
    db: Database,
    owner: Owner,
    page: Page,
    *,
    event_id: UUID | None,
    endpoint_id: UUID | None,
    state: str | None,
) -> tuple[list[tuple[Delivery, list[Attempt]]], bool]:
    """A page of deliveries with their attempts, newest first, and whether there are more."""
    with db.transaction() as tx:
        found = store.deliveries_of(
            tx,
            owner,
            _one_more(page),
            event_id=event_id,
            endpoint_id=endpoint_id,
            state=state,
        )
        attempts = store.attempts_of(tx, [one.id for one in found])
    shown = found[: page.limit]
    made = [[at for at in attempts if at.delivery_id == one.id] for one in shown]
    return list(zip(shown, made, strict=True)), len(found) > page.limit


def _one_more(page: Page) -> Page:
    return replace(page, limit=page.limit + 1)

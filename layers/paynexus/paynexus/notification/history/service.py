"""Use cases of reading: what was announced, to whom, and how that went."""

from uuid import UUID

from paynexus.db import Database
from paynexus.errors import NotFound
from paynexus.ids import EventId
from paynexus.lists.model import Page, cut
from paynexus.notification.history import store
from paynexus.notification.model import Attempt, Delivery, Event, Owner


def event(db: Database, owner: Owner, event_id: EventId) -> Event:
    """The owner's event of this id; NotFound for another's."""
    with db.transaction() as tx:
        found = store.event(tx, owner, event_id)
    if found is None:
        raise NotFound("There is no such event.")
    return found


def events(db: Database, owner: Owner, page: Page[UUID]) -> tuple[list[Event], bool]:
    """A page of the owner's events, newest first, and whether there are more."""
    with db.transaction() as tx:
        return cut(store.events_of(tx, owner, page), page)


def deliveries(
    db: Database, owner: Owner, page: Page[UUID]
) -> tuple[list[tuple[Delivery, list[Attempt]]], bool]:
    """A page of deliveries with their attempts, newest first, and whether there are more."""
    with db.transaction() as tx:
        shown, has_more = cut(store.deliveries_of(tx, owner, page), page)
        attempts = store.attempts_of(tx, [one.id for one in shown])
    made = [[at for at in attempts if at.delivery_id == one.id] for one in shown]
    return list(zip(shown, made, strict=True)), has_more

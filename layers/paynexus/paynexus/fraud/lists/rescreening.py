"""Use cases of re-screening: past payments are held against a list that has changed."""

import datetime as dt
from typing import Any
from uuid import UUID

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.fraud.lists import rules
from paynexus.fraud.lists.model import FraudList, PastHit, State
from paynexus.fraud.lists.store import lists as lists_store
from paynexus.fraud.lists.store import rescreenings as store
from paynexus.fraud.model import Action, Hit, Subject
from paynexus.money import Money
from paynexus.observability import count

LOOK_BACK = dt.timedelta(days=30)
"""Payments so old are screened again: a payment is refunded or disputed within that time."""
PAYMENTS_PER_BATCH = 200
"""Payments of one transaction, each a lookup of a millisecond or a few."""
BATCHES_PER_RUN = 100
"""A run ends; what is left is the next run's."""


def want(tx: Connection, one: FraudList, *, now: dt.datetime) -> None:
    """Past payments are going to be screened; not for a list that lets pass, or isn't asked."""
    if one.action is not Action.ALLOW and one.state is State.ACTIVE:
        store.want_rescreening(tx, one.id, since=now - LOOK_BACK, now=now)


def rescreen_all(db: Database, *, now: dt.datetime) -> int:
    """Each list that has changed is screened a part further; the batches that it took.

    BATCHES_PER_RUN when more is left.
    """
    with db.reading() as connection:
        waiting = store.unfinished(connection)
    batches = 0
    for list_id in waiting:
        while batches < BATCHES_PER_RUN:
            batches += 1
            if rescreen(db, list_id, now=now):
                break
    return batches


def rescreen(db: Database, list_id: UUID, *, now: dt.datetime) -> bool:
    """One batch of past payments is held against the list; whether none is left.

    True as well while another run is at it. What was found before is not reported again.
    """
    with db.transaction() as tx:
        walk = store.lock_unfinished(tx, list_id)
        if walk is None:
            return True
        payments = store.payments_after(tx, walk, limit=PAYMENTS_PER_BATCH)
        hits = sum(_screened(tx, walk, payment, now=now) for payment in payments)
        is_over = len(payments) < PAYMENTS_PER_BATCH
        is_wanted_again = store.update_rescreening(
            tx,
            walk["id"],
            cursor=payments[-1]["payment_id"] if payments else None,
            examined=len(payments),
            hits=hits,
            finished_at=now if is_over else None,
        )
        if is_over and is_wanted_again:
            store.want_rescreening(tx, list_id, since=now - LOOK_BACK, now=now)
    count("FraudListPastHits", hits)
    return is_over and not is_wanted_again


def _screened(
    tx: Connection, walk: dict[str, Any], payment: dict[str, Any], *, now: dt.datetime
) -> int:
    """The number of new hits."""
    subject = _subject(payment)
    found = lists_store.candidates(tx, rules.keys(subject), now=now, list_id=walk["list_id"])
    hits = rules.judge(found, subject)
    return sum(store.insert_hit(tx, walk, _past(subject, hit), now=now) for hit in hits)


def _subject(payment: dict[str, Any]) -> Subject:
    known = {**payment, "money": Money(payment["amount"], payment["currency"])}
    del known["amount"], known["currency"]
    return Subject(**known)


def _past(subject: Subject, hit: Hit) -> PastHit:
    return PastHit(
        id=ids.new_id(),
        payment_id=subject.payment_id,
        merchant_id=subject.merchant_id,
        mode=subject.mode,
        entry_id=ids.parse(rules.ENTRY_PREFIX, hit.id),
        quality=hit.quality,
    )

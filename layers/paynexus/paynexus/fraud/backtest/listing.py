"""Changes of lists: how their entries stand, how a change is put in and put back."""

import datetime as dt
from dataclasses import replace
from uuid import UUID

from paynexus import ids
from paynexus.db import Connection
from paynexus.errors import InvalidState, NotFound
from paynexus.fraud.backtest.changes import ListChange, Proposal
from paynexus.fraud.backtest.model import By, Standing
from paynexus.fraud.backtest.store import listed
from paynexus.fraud.lists import checking, rescreening
from paynexus.fraud.lists.model import ENTRIES_MAX, FraudList, Kind, Written
from paynexus.fraud.lists.rules import ENTRY_PREFIX
from paynexus.fraud.lists.store import lists as store
from paynexus.ids import MerchantId


def checked(
    connection: Connection, change: ListChange, owner: MerchantId | None, now: dt.datetime
) -> ListChange:
    """The change with its values in normal form.

    Raises NotFound for a list that the scope doesn't have and an entry that isn't on it,
    InvalidRequest for a value that can't be, InvalidState for one that is on the list already.
    """
    one = find(connection, change, owner)
    added = tuple(_normal(one.kind, proposal, now) for proposal in change.added)
    normal = replace(change, added=added)
    stands = standing(connection, normal, owner)
    if len(stands["removed"]) < len(change.removed):
        raise NotFound("The list has no such entry.", param="change.remove")
    if stands["added"] or len({one.value for one in added}) < len(added):
        raise InvalidState("A value is on the list already, or twice.", param="change.add")
    if store.count_entries(connection, one.id) + len(added) > ENTRIES_MAX:
        raise InvalidState(f"The list holds {ENTRIES_MAX} entries at most.", param="change.add")
    return normal


def standing(connection: Connection, change: ListChange, owner: MerchantId | None) -> Standing:
    """Of what the change adds and removes, the ids of the entries that are on the list."""
    find(connection, change, owner)
    values = [proposal.value for proposal in change.added]
    return {
        "added": _shown(listed.with_values(connection, change.list_id, values)),
        "removed": _shown(listed.with_ids(connection, change.list_id, change.removed)),
    }


def put(tx: Connection, change: ListChange, by: By) -> None:
    """The list has the entries that are added, and no longer those that are removed."""
    one = find(tx, change, by.merchant_id, lock=True)
    added = [Written(each.value, each.note, each.expires_at) for each in change.added]
    _change(tx, one, added, list(change.removed), by)


def put_back(
    tx: Connection, change: ListChange, replaced: Standing, stands: Standing, by: By
) -> None:
    """The list no longer has the entries that were added, and has those that were removed anew."""
    one = find(tx, change, by.merchant_id, lock=True)
    removed = [store.find_entry(tx, one.id, entry) for entry in _parsed(replaced["removed"])]
    again = [
        Written(entry.value, entry.note, entry.expires_at, entry.source)
        for entry in removed
        if entry is not None and (entry.expires_at is None or entry.expires_at > by.now)
    ]
    _change(tx, one, again, _parsed(stands["added"]), by)


def find(
    tx: Connection, change: ListChange, owner: MerchantId | None, *, lock: bool = False
) -> FraudList:
    """The scope's list; NotFound."""
    found = store.find_list(tx, change.list_id, owner, lock=lock)
    if found is None:
        raise NotFound("There is no such list.", param="change.list")
    return found


def _change(
    tx: Connection, one: FraudList, added: list[Written], removed: list[UUID], by: By
) -> None:
    store.remove_entries(tx, removed, now=by.now)
    for written in added:
        store.insert_entry(tx, one, written, author=by.author, now=by.now)
    if added:
        rescreening.want(tx, one, now=by.now)


def _normal(kind: Kind, proposal: Proposal, now: dt.datetime) -> Proposal:
    written = checking.checked_entry(
        kind, proposal.value, note=proposal.note, expires_at=proposal.expires_at, now=now
    )
    return replace(proposal, value=written.value)


def _shown(entries: list[UUID]) -> list[str]:
    return [ids.text(ENTRY_PREFIX, entry) for entry in sorted(entries)]


def _parsed(shown: list[str]) -> list[UUID]:
    return [ids.parse(ENTRY_PREFIX, entry) for entry in shown]

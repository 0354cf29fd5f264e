"""Use cases of lists: made, changed, filled by hand or from a file, and asked.

Decisions read lists in SQL, so nothing that is cached depends on them: no change of a list raises
the revision of what decides.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.errors import InvalidState, ListFileRefused, NotFound
from paynexus.fraud.lists import checking, files, rescreening
from paynexus.fraud.lists.difference import difference
from paynexus.fraud.lists.files import Layout
from paynexus.fraud.lists.model import (
    ENTRIES_MAX,
    LISTS_MAX,
    Entry,
    FraudList,
    PastHit,
    Rescreening,
    Wanted,
    Written,
)
from paynexus.fraud.lists.rules import ENTRY_PREFIX
from paynexus.fraud.lists.store import lists as store
from paynexus.fraud.lists.store import rescreenings
from paynexus.fraud.lists.views import LIST_PREFIX, RESCREENING_PREFIX
from paynexus.ids import MerchantId
from paynexus.lists.model import Page, cut


@dataclass(frozen=True, slots=True)
class Report:
    """What an import has changed."""

    added: int
    removed: int
    changed: int
    unchanged: int


def create_list(
    db: Database, wanted: Wanted, *, merchant_id: MerchantId | None, author: str, now: dt.datetime
) -> FraudList:
    """The list exists, empty, and is asked at each decision from now on.

    InvalidRequest for what no list may be, InvalidState for too many and for a name twice.
    """
    with db.transaction() as tx:
        return created(tx, wanted, merchant_id=merchant_id, author=author, now=now)


def created(
    tx: Connection,
    wanted: Wanted,
    *,
    merchant_id: MerchantId | None,
    author: str,
    now: dt.datetime,
    list_id: UUID | None = None,
) -> FraudList:
    """As `create_list`, within the caller's transaction."""
    checked = checking.checked_list(wanted)
    if store.count_lists(tx, merchant_id) >= LISTS_MAX:
        raise InvalidState(f"There are {LISTS_MAX} lists already.")
    made = store.insert_list(
        tx,
        checked,
        list_id=list_id or ids.new_id(),
        merchant_id=merchant_id,
        author=author,
        now=now,
    )
    if made is None:
        raise InvalidState("There is a list of this name already.", param="name")
    return made


def lists_of(
    db: Database, page: Page[UUID], *, merchant_id: MerchantId | None
) -> tuple[list[FraudList], bool]:
    """A page of the owner's lists, newest first, and whether there are more."""
    with db.reading() as connection:
        return cut(store.lists_of(connection, merchant_id, page), page)


def find_list(db: Database, list_id: str, *, merchant_id: MerchantId | None) -> FraudList:
    """The owner's list of this id; NotFound for any other."""
    with db.reading() as connection:
        return _list(connection, list_id, merchant_id)


def change_list(
    db: Database,
    list_id: str,
    changes: Mapping[str, object],
    *,
    merchant_id: MerchantId | None,
    now: dt.datetime,
) -> FraudList:
    """The list is as `changes` (note, action, state, min_quality) say; a note alone asks nothing.

    Any other change has past payments screened again. InvalidRequest for other changes.
    """
    with db.transaction() as tx:
        one = _list(tx, list_id, merchant_id, lock=True)
        checked = checking.checked_changes(one, changes)
        store.update_list(tx, one.id, checked)
        changed = _list(tx, list_id, merchant_id)
        if set(checked) - {"note"}:
            rescreening.want(tx, changed, now=now)
    return changed


def add_entry(
    db: Database,
    list_id: str,
    value: str,
    *,
    merchant_id: MerchantId | None,
    author: str,
    now: dt.datetime,
    note: str = "",
    expires_at: dt.datetime | None = None,
) -> Entry:
    """The value is on the list in its normal form, and past payments are screened for it.

    InvalidRequest for a value that has none, InvalidState for one that is listed already.
    """
    with db.transaction() as tx:
        return entered(
            tx,
            list_id,
            value,
            merchant_id=merchant_id,
            author=author,
            now=now,
            note=note,
            expires_at=expires_at,
        )


def entered(
    tx: Connection,
    list_id: str,
    value: str,
    *,
    merchant_id: MerchantId | None,
    author: str,
    now: dt.datetime,
    note: str = "",
    expires_at: dt.datetime | None = None,
) -> Entry:
    """As `add_entry`, within the caller's transaction."""
    one = _list(tx, list_id, merchant_id, lock=True)
    written = checking.checked_entry(one.kind, value, note=note, expires_at=expires_at, now=now)
    entry = _inserted(tx, one, written, author=author, now=now)
    if entry is None:
        raise InvalidState("The value is on the list already.", param="value")
    return entry


def feed(
    tx: Connection,
    *,
    merchant_id: MerchantId,
    list_id: UUID,
    value: str,
    note: str,
    author: str,
    now: dt.datetime,
) -> None:
    """The value is on the merchant's list, from now on or from before; raises as `entered`."""
    one = _list(tx, ids.text(LIST_PREFIX, list_id), merchant_id, lock=True)
    written = checking.checked_entry(one.kind, value, note=note, expires_at=None, now=now)
    _inserted(tx, one, written, author=author, now=now)


def _inserted(
    tx: Connection, one: FraudList, written: Written, *, author: str, now: dt.datetime
) -> Entry | None:
    if store.count_entries(tx, one.id) >= ENTRIES_MAX:
        raise InvalidState(f"The list holds {ENTRIES_MAX} entries already.")
    entry = store.insert_entry(tx, one, written, author=author, now=now)
    if entry is not None:
        rescreening.want(tx, one, now=now)
    return entry


def entries_of(
    db: Database, list_id: str, page: Page[UUID], *, merchant_id: MerchantId | None
) -> tuple[list[Entry], bool]:
    """A page of the list's entries that aren't removed, newest first, and whether more follow."""
    with db.reading() as connection:
        one = _list(connection, list_id, merchant_id)
        return cut(store.entries_of(connection, one.id, page), page)


def remove_listed(
    db: Database, entry_id: str, *, merchant_id: MerchantId | None, now: dt.datetime
) -> Entry:
    """As `remove_entry`, of whichever of the owner's lists the entry is on."""
    key = _parsed(ENTRY_PREFIX, entry_id, "entry")
    with db.reading() as connection:
        list_id = store.list_of_entry(connection, key)
    if list_id is None:
        raise NotFound("There is no such entry.")
    own = ids.text(LIST_PREFIX, list_id)
    try:
        return remove_entry(db, own, entry_id, merchant_id=merchant_id, now=now)
    except NotFound:
        raise NotFound("There is no such entry.") from None


def remove_entry(
    db: Database,
    list_id: str,
    entry_id: str,
    *,
    merchant_id: MerchantId | None,
    now: dt.datetime,
) -> Entry:
    """The entry is listed no more; that it was is kept. NotFound if it isn't listed."""
    with db.transaction() as tx:
        one = _list(tx, list_id, merchant_id, lock=True)
        key = _parsed(ENTRY_PREFIX, entry_id, "entry")
        entry = store.find_entry(tx, one.id, key)
        if entry is None or entry.removed_at is not None:
            raise NotFound("There is no such entry.")
        store.remove_entries(tx, [entry.id], now=now)
        removed = store.find_entry(tx, one.id, key)
    if removed is None:
        raise LookupError("an entry is never deleted")
    return removed


def import_csv(
    db: Database,
    list_id: str,
    content: bytes,
    *,
    layout: Layout,
    merchant_id: MerchantId | None,
    author: str,
    now: dt.datetime,
    aliases: bytes | None = None,
) -> Report:
    """The entries of earlier imports of this layout are those of the file; others stay.

    The same file again changes nothing. ListFileRefused names the line at fault, and then
    nothing has changed.
    """
    one = find_list(db, list_id, merchant_id=merchant_id)
    wanted = files.read(layout, one.kind, content, aliases=aliases)
    with db.transaction() as tx:
        one = _list(tx, list_id, merchant_id, lock=True)
        return _replaced(tx, one, wanted, layout, author=author, now=now)


def imported(
    tx: Connection,
    list_id: str,
    content: bytes,
    *,
    layout: Layout,
    merchant_id: MerchantId | None,
    author: str,
    now: dt.datetime,
) -> Report:
    """As `import_csv`, within the caller's transaction: for files that are read at once."""
    one = _list(tx, list_id, merchant_id, lock=True)
    wanted = files.read(layout, one.kind, content, aliases=None)
    return _replaced(tx, one, wanted, layout, author=author, now=now)


def _replaced(
    tx: Connection,
    one: FraudList,
    wanted: list[Written],
    layout: Layout,
    *,
    author: str,
    now: dt.datetime,
) -> Report:
    listed = store.imported(tx, one.id, is_ofac=layout is Layout.SDN)
    diff = difference(listed, wanted)
    ended = [*diff.removed, *(entry for entry, _ in diff.changed)]
    begun = [*diff.added, *(written for _, written in diff.changed)]
    if store.count_entries(tx, one.id) - len(ended) + len(begun) > ENTRIES_MAX:
        raise ListFileRefused(f"A list holds {ENTRIES_MAX} entries at most.", param="file")
    store.remove_entries(tx, [entry.id for entry in ended], now=now)
    store.copy_entries(tx, one, begun, author=author, now=now)
    if begun:
        rescreening.want(tx, one, now=now)
    return Report(len(diff.added), len(diff.removed), len(diff.changed), diff.unchanged)


def rescreenings_of(
    db: Database, list_id: str, page: Page[UUID], *, merchant_id: MerchantId | None
) -> tuple[list[Rescreening], bool]:
    """A page of the list's re-screenings, newest first, and whether there are more."""
    with db.reading() as connection:
        one = _list(connection, list_id, merchant_id)
        return cut(rescreenings.rescreenings_of(connection, one.id, page), page)


def rescreening_hits(
    db: Database,
    list_id: str,
    rescreening_id: str,
    page: Page[UUID],
    *,
    merchant_id: MerchantId | None,
) -> tuple[list[PastHit], bool]:
    """A page of what a re-screening of the list found, and whether there are more."""
    with db.reading() as connection:
        one = _list(connection, list_id, merchant_id)
        key = _parsed(RESCREENING_PREFIX, rescreening_id, "re-screening")
        return cut(rescreenings.hits_of(connection, one.id, key, page), page)


def hits_of(
    db: Database, list_id: str, page: Page[UUID], *, merchant_id: MerchantId | None
) -> tuple[list[PastHit], bool]:
    """A page of what all re-screenings of the list found, and whether there are more."""
    with db.reading() as connection:
        one = _list(connection, list_id, merchant_id)
        return cut(rescreenings.hits_of_list(connection, one.id, page), page)


def _list(
    tx: Connection, list_id: str, merchant_id: MerchantId | None, *, lock: bool = False
) -> FraudList:
    key = _parsed(LIST_PREFIX, list_id, "list")
    found = store.find_list(tx, key, merchant_id, lock=lock)
    if found is None:
        raise NotFound("There is no such list.")
    return found


def _parsed(prefix: str, text: str, what: str) -> UUID:
    try:
        return ids.parse(prefix, text)
    except ValueError:
        raise NotFound(f"There is no such {what}.") from None

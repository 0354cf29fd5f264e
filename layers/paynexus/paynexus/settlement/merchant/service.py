"""What merchants ask of settlement: what was paid, of what it is made, and what comes next."""

import datetime as dt
from uuid import UUID

from paynexus import ids
from paynexus.db import Database
from paynexus.errors import InvalidRequest, NotFound
from paynexus.ids import MerchantId, SettlementId
from paynexus.lists.model import Page, cut
from paynexus.settlement.batching import store as batching
from paynexus.settlement.merchant import store
from paynexus.settlement.merchant.model import (
    LINES_LIMIT,
    Detail,
    Share,
    Statement,
    summary_of,
)
from paynexus.settlement.merchant.upcoming import Upcoming, upcoming_of
from paynexus.settlement.model import Settlement

_TOO_LONG = (
    f"limit: this settlement has more than {LINES_LIMIT} lines, too many for one answer. Ask for "
    f"pages: limit={LINES_LIMIT}, then with starting_after, the last entry that you have seen."
)


def list_settlements(
    db: Database,
    page: Page[UUID],
    *,
    merchant_id: MerchantId,
    mode: str,
) -> tuple[list[Settlement], bool]:
    """A page of the merchant's settlements, newest first, and whether there are more."""
    with db.reading() as connection:
        found = store.page(connection, page, merchant_id=merchant_id, mode=mode)
    return cut(found, page)


def settlement(
    db: Database, settlement_id: str, *, merchant_id: MerchantId, mode: str
) -> Settlement:
    """The merchant's own settlement of this id; NotFound for anybody else's."""
    own_id = _parse(settlement_id)
    with db.reading() as connection:
        found = store.settlement(connection, own_id, merchant_id=merchant_id, mode=mode)
    if found is None:
        raise NotFound("There is no such settlement.")
    return found


def detail(db: Database, settlement_id: str, *, merchant_id: MerchantId, mode: str) -> Detail:
    """The settlement and what it is made of; NotFound for anybody else's."""
    found = settlement(db, settlement_id, merchant_id=merchant_id, mode=mode)
    with db.reading() as connection:
        about = store.about(connection, found)
        return Detail(found, about, summary_of(store.kinds(connection, about)))


def statement(
    db: Database,
    settlement_id: str,
    *,
    merchant_id: MerchantId,
    mode: str,
    after: int = 0,
    limit: int | None = None,
) -> Statement:
    """The settlement's lines after the entry `after`, oldest first: `limit` of them, or all.

    InvalidRequest where all of them are too many for one answer.
    """
    found = settlement(db, settlement_id, merchant_id=merchant_id, mode=mode)
    size = limit or LINES_LIMIT
    with db.reading() as connection:
        about = store.about(connection, found)
        lines = store.lines(connection, about, after=after, limit=size + 1)
        before = store.before(connection, about, through=after) if after else Share()
    if limit is None and len(lines) > size:
        raise InvalidRequest(_TOO_LONG, param="limit")
    page = 1 + -(-before.count // size)
    has_more = len(lines) > size
    return Statement(found, about, lines[:size], before=before, has_more=has_more, page=page)


def next_settlements(
    db: Database, *, merchant_id: MerchantId, mode: str, now: dt.datetime
) -> list[Upcoming]:
    """The next payout of each currency in which the merchant has an account, by currency."""
    with db.reading() as connection:
        candidates = batching.candidates_of(connection, merchant_id, mode)
        holidays = batching.holidays(connection)
    return [upcoming_of(candidate, holidays, now) for candidate in candidates]


def _parse(settlement_id: str) -> SettlementId:
    try:
        return SettlementId(ids.parse("set", settlement_id))
    except ValueError:
        raise NotFound("There is no such settlement.") from None

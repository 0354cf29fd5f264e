"""A payment's timeline: everything known of it, one item a fact, in one order of time."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from paynexus import ids
from paynexus.db import Database
from paynexus.errors import InvalidRequest
from paynexus.ids import MerchantId, PaymentId
from paynexus.payments import service
from paynexus.payments.resource import timestamp
from paynexus.payments.store import timeline as store
from paynexus.payments.store.timeline import FactRow, Place, Subject

OPERATIONS = ("capture", "cancel", "confirm", "refunds")
"""Under `/payments/{id}/`: the requests about a payment whose keys are part of its story."""

PREFIX_OF = {
    "transfer": "tr",
    "event": "evt",
    "endpoint": "we",
    "delivery": "del",
    "settlement": "set",
}
"""The members of an item that are ids, and how each is written outside."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
# Sixteen digits of microseconds: the years 2001 to 2286.
_ITEM_ID = re.compile(r"([0-9]{16})-([0-9])-([0-9a-f:-]{1,128})", re.ASCII)


def page(
    db: Database,
    payment_id: PaymentId,
    merchant_id: MerchantId,
    mode: str,
    *,
    limit: int,
    starting_after: str | None = None,
) -> tuple[list[dict[str, Any]], bool]:
    """At most `limit` items of the merchant's payment, oldest first, and whether there are more.

    NotFound for another merchant's payment, InvalidRequest for a cursor that is no item's id.
    """
    after = None if starting_after is None else _place(starting_after)
    service.find(db, payment_id, merchant_id, mode)
    with db.reading() as connection:
        parts = [ids.text(*part) for part in store.parts_of(connection, payment_id)]
        name = ids.text("pay", payment_id)
        subject = Subject(
            payment_id,
            merchant_id,
            mode,
            objects=[name, ids.text("frd", payment_id), *parts],
            operations=[f"POST /payments/{name}/{what}" for what in OPERATIONS],
        )
        found = store.facts(connection, subject, after=after, limit=limit + 1)
    return [_item(row) for row in found[:limit]], len(found) > limit


def _item(row: FactRow) -> dict[str, Any]:
    return {
        "id": f"{(row.at - _EPOCH) // _MICROSECOND}-{row.rank}-{row.ref}",
        "at": timestamp(row.at),
        "kind": row.kind,
        **_fields(row.fields),
    }


def _fields(stored: Mapping[str, Any]) -> dict[str, Any]:
    # Postgres keeps no order of members; an amount is told with its currency, as everywhere.
    told = {name: _written(name, stored[name]) for name in sorted(stored) if name != "currency"}
    if stored.get("amount") is not None:
        told["amount"] = {"amount": stored["amount"], "currency": stored["currency"]}
    return told


def _written(name: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if value is None:
        return None
    if name in PREFIX_OF:
        return ids.text(PREFIX_OF[name], UUID(value))
    if name == "finished_at":
        return timestamp(dt.datetime.fromisoformat(value))
    return value


def _place(item_id: str) -> Place:
    match = _ITEM_ID.fullmatch(item_id)
    if match is None:
        raise InvalidRequest("No such item of a timeline.", param="starting_after")
    microseconds, rank, ref = match.groups()
    return Place(_EPOCH + int(microseconds) * _MICROSECOND, int(rank), ref)

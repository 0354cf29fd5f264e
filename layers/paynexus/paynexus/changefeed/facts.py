"""What a row of the log says to the outside: rows to entries for the bus. Pure."""

import datetime as dt
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from paynexus import ids
from paynexus.changefeed.pgoutput import Row
from paynexus.changefeed.port import Entry

LEDGER_SOURCE = "ledger.changes"

TRANSFER_FACTS = {
    "single": "transfer.posted.v1",
    "pending": "transfer.pending.v1",
    "post": "transfer.posted.v1",
    "void": "transfer.voided.v1",
    "expire": "transfer.expired.v1",
}
"""The state a transfer's row was written in, and the fact that it is."""

DEBIT_BALANCE, CREDIT_BALANCE = "debit_balance_after", "credit_balance_after"
"""What a transfer's row is told with beyond its own columns."""

TRUE = frozenset({"t", "true"})
"""As the log writes it, and as JSON does."""

type Values = Mapping[str, str | None]


class UnknownFact(ValueError):
    """A row that no fact is made of: a table or state that this version doesn't know."""


def entry_of(row: Row) -> Entry:
    """The fact that `row` records; UnknownFact when it can't be told."""
    try:
        return _MAKERS[row.table](row.values)
    except (KeyError, ValueError) as error:
        raise UnknownFact(f"a row of {row.table}: {error!r}") from error


def unreadable(row: Row, name: str, *, at: dt.datetime) -> Entry:
    """A row that no fact could be made of, under a name that is the same at every reading."""
    detail = json.dumps(dict(row.values), ensure_ascii=False)
    return Entry(name, source="unknown", type=row.table, object_id="", time=at, detail=detail)


def envelope(
    *,
    id: UUID,  # noqa: A002 - the envelope's own word
    type: str,  # noqa: A002 - likewise
    created: dt.datetime,
    mode: str,
    merchant_id: UUID | None,
    object_id: str,
    sequence: int,
    data: Mapping[str, Any],
) -> dict[str, Any]:
    """The event as every consumer sees it, on the bus, in webhooks and in the API."""
    return {
        "id": ids.text("evt", id),
        "type": type,
        "created": written(created),
        "mode": mode,
        "merchant_id": merchant_id and ids.text("mer", merchant_id),
        "object_id": object_id,
        "sequence": sequence,
        "data": dict(data),
    }


def written(moment: dt.datetime) -> str:
    """A time as events carry it: UTC, to the microsecond, `Z`."""
    if moment.tzinfo is not dt.UTC:
        moment = moment.astimezone(dt.UTC)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _event(values: Values) -> Entry:
    # The data is JSON already, and stays as it stands.
    return _entry(
        values,
        source=_text(values, "source"),
        type_=_text(values, "type"),
        object_id=_text(values, "object_id"),
        data=_text(values, "data"),
    )


def _transfer(values: Values) -> Entry:
    transfer = _public("tr", values["pending_id"] or _text(values, "id"))
    return _entry(
        values,
        source=LEDGER_SOURCE,
        type_=TRANSFER_FACTS[_text(values, "state")],
        object_id=transfer,
        data=_movement(values, transfer=transfer),
    )


def _movement(values: Values, *, transfer: str) -> str:
    """A transfer's data as JSON. Its numbers are JSON as they stand, once they are numbers."""
    return (
        f'{{"transfer":"{transfer}",'
        f'"kind":{_json(_text(values, "kind"))},'
        f'"payment":{_public_or_null("pay", values["transaction_id"])},'
        f'"cause":{_json(_text(values, "object_id"))},'
        f'"reverses":{_public_or_null("tr", values["reverses"])},'
        f'"debit_account":"{_public("acc", _text(values, "debit_account_id"))}",'
        f'"credit_account":"{_public("acc", _text(values, "credit_account_id"))}",'
        f'"amount":{int(_text(values, "amount"))},'
        f'"released":{int(_text(values, "released"))},'
        f'"currency":{_json(_text(values, "currency"))},'
        f'"final":{"true" if values["is_final"] in TRUE else "false"},'
        f'"effective":"{_moment(_text(values, "effective_at"))[1]}",'
        f'"debit_slot":{int(_text(values, "debit_slot"))},'
        f'"debit_balance_after":{int(_text(values, DEBIT_BALANCE))},'
        f'"credit_slot":{int(_text(values, "credit_slot"))},'
        f'"credit_balance_after":{int(_text(values, CREDIT_BALANCE))}}}'
    )


def _entry(values: Values, *, source: str, type_: str, object_id: str, data: str) -> Entry:
    """The envelope, member by member: a general encoder takes most of the time that facts take."""
    event_id = _public("evt", _text(values, "id"))
    created, created_text = _moment(_text(values, "created_at"))
    detail = (
        f'{{"id":"{event_id}",'
        f'"type":{_json(type_)},'
        f'"created":"{created_text}",'
        f'"mode":{_json(_text(values, "mode"))},'
        f'"merchant_id":{_public_or_null("mer", values["merchant_id"])},'
        f'"object_id":{_json(object_id)},'
        f'"sequence":{int(_text(values, "sequence"))},'
        f'"data":{data}}}'
    )
    return Entry(event_id, source, type_, object_id, created, detail)


def _text(values: Values, column: str) -> str:
    value = values[column]
    if value is None:
        raise ValueError(f"{column} is null")
    return value


# The same few words, accounts and merchants are in most rows, and a payment, a moment and an
# object in several that follow one another: what was written lately is kept.
_lately = lru_cache(maxsize=4096)
_json = _lately(json.JSONEncoder(ensure_ascii=False).encode)


@_lately
def _moment(value: str) -> tuple[dt.datetime, str]:
    moment = dt.datetime.fromisoformat(value)
    return moment, written(moment)


@_lately
def _digits(value: str) -> str:
    return ids.digits_of(value)


def _public(prefix: str, value: str) -> str:
    """An id as it is shown outside."""
    return f"{prefix}_{_digits(value)}"


def _public_or_null(prefix: str, value: str | None) -> str:
    return "null" if value is None else f'"{prefix}_{_digits(value)}"'


_MAKERS = {"events": _event, "transfers": _transfer}

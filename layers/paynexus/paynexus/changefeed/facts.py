"""What a row of the log says to the outside: rows to entries for the bus. Pure."""

import datetime as dt
import json
from collections.abc import Mapping
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
}
"""The state a transfer's row was written in, and the fact that it is."""

type Values = Mapping[str, str | None]


class UnknownFact(ValueError):
    """A row that no fact is made of: a table or state that this version doesn't know."""


def entry_of(row: Row) -> Entry:
    """The fact that `row` records; UnknownFact when it can't be told."""
    try:
        return _MAKERS[row.table](row.values)
    except (KeyError, ValueError) as error:
        raise UnknownFact(f"a row of {row.table}: {error!r}") from error


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
    text = moment.astimezone(dt.UTC).isoformat(timespec="microseconds")
    return text.removesuffix("+00:00") + "Z"


def _event(values: Values) -> Entry:
    created = dt.datetime.fromisoformat(_text(values, "created_at"))
    data = json.loads(_text(values, "data"))
    fact = envelope(
        id=UUID(_text(values, "id")),
        type=_text(values, "type"),
        created=created,
        mode=_text(values, "mode"),
        merchant_id=_uuid_or_none(values, "merchant_id"),
        object_id=_text(values, "object_id"),
        sequence=int(_text(values, "sequence")),
        data=data,
    )
    return _entry(_text(values, "source"), created, fact)


def _transfer(values: Values) -> Entry:
    created = dt.datetime.fromisoformat(_text(values, "created_at"))
    transfer = _uuid_or_none(values, "pending_id") or UUID(_text(values, "id"))
    object_id = ids.text("tr", transfer)
    fact = envelope(
        id=UUID(_text(values, "id")),
        type=TRANSFER_FACTS[_text(values, "state")],
        created=created,
        mode=_text(values, "mode"),
        merchant_id=_uuid_or_none(values, "merchant_id"),
        object_id=object_id,
        sequence=int(_text(values, "sequence")),
        data=_movement(values, transfer=object_id),
    )
    return _entry(LEDGER_SOURCE, created, fact)


def _movement(values: Values, *, transfer: str) -> dict[str, Any]:
    payment = _uuid_or_none(values, "transaction_id")
    return {
        "transfer": transfer,
        "kind": _text(values, "kind"),
        "payment": payment and ids.text("pay", payment),
        "cause": _text(values, "object_id"),
        "debit_account": ids.text("acc", UUID(_text(values, "debit_account_id"))),
        "credit_account": ids.text("acc", UUID(_text(values, "credit_account_id"))),
        "amount": int(_text(values, "amount")),
        "currency": _text(values, "currency"),
    }


def _entry(source: str, time: dt.datetime, fact: dict[str, Any]) -> Entry:
    return Entry(
        id=fact["id"],
        source=source,
        type=fact["type"],
        object_id=fact["object_id"],
        time=time,
        detail=json.dumps(fact, separators=(",", ":"), ensure_ascii=False),
    )


def _text(values: Values, column: str) -> str:
    value = values[column]
    if value is None:
        raise ValueError(f"{column} is null")
    return value


def _uuid_or_none(values: Values, column: str) -> UUID | None:
    value = values[column]
    return None if value is None else UUID(value)


_MAKERS = {"events": _event, "transfers": _transfer}

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
    head = _head(
        ids.text("evt", id),
        type,
        written(created),
        mode,
        ids.text("mer", merchant_id) if merchant_id else None,
        object_id,
        sequence,
    )
    return head | {"data": dict(data)}


def written(moment: dt.datetime) -> str:
    """A time as events carry it: UTC, to the microsecond, `Z`."""
    text = moment.astimezone(dt.UTC).isoformat(timespec="microseconds")
    return text.removesuffix("+00:00") + "Z"


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
    kind = TRANSFER_FACTS[_text(values, "state")]
    transfer = _public("tr", values["pending_id"] or _text(values, "id"))
    data = _json(_movement(values, transfer=transfer))
    return _entry(values, source=LEDGER_SOURCE, type_=kind, object_id=transfer, data=data)


def _movement(values: Values, *, transfer: str) -> dict[str, Any]:
    return {
        "transfer": transfer,
        "kind": _text(values, "kind"),
        "payment": values["transaction_id"] and _public("pay", values["transaction_id"]),
        "cause": _text(values, "object_id"),
        "reverses": values["reverses"] and _public("tr", values["reverses"]),
        "debit_account": _public("acc", _text(values, "debit_account_id")),
        "credit_account": _public("acc", _text(values, "credit_account_id")),
        "amount": int(_text(values, "amount")),
        "released": int(_text(values, "released")),
        "currency": _text(values, "currency"),
        "final": values["is_final"] in TRUE,
        "effective": written(dt.datetime.fromisoformat(_text(values, "effective_at"))),
        "debit_slot": int(_text(values, "debit_slot")),
        "debit_balance_after": int(_text(values, DEBIT_BALANCE)),
        "credit_slot": int(_text(values, "credit_slot")),
        "credit_balance_after": int(_text(values, CREDIT_BALANCE)),
    }


def _entry(values: Values, *, source: str, type_: str, object_id: str, data: str) -> Entry:
    created = dt.datetime.fromisoformat(_text(values, "created_at"))
    event_id = ids.text("evt", UUID(_text(values, "id")))
    merchant = values["merchant_id"] and _public("mer", values["merchant_id"])
    sequence = int(_text(values, "sequence"))
    head = _head(
        event_id, type_, written(created), _text(values, "mode"), merchant, object_id, sequence
    )
    detail = f'{_json(head)[:-1]},"data":{data}}}'
    return Entry(event_id, source, type_, object_id, created, detail)


def _head(  # noqa: PLR0917 - the envelope's members in their order
    id_: str,
    type_: str,
    created: str,
    mode: str,
    merchant_id: str | None,
    object_id: str,
    sequence: int,
) -> dict[str, Any]:
    """The envelope but for its data, which comes last."""
    return {
        "id": id_,
        "type": type_,
        "created": created,
        "mode": mode,
        "merchant_id": merchant_id,
        "object_id": object_id,
        "sequence": sequence,
    }


_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def _text(values: Values, column: str) -> str:
    value = values[column]
    if value is None:
        raise ValueError(f"{column} is null")
    return value


@lru_cache(maxsize=4096)
def _public(prefix: str, value: str) -> str:
    """An id as it is shown outside. A payment, an account, a merchant is named by many rows."""
    return ids.text(prefix, UUID(value))


_MAKERS = {"events": _event, "transfers": _transfer}

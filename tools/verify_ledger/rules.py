"""What must hold of every entry by itself, whoever sealed it. Pure: a line in, names out."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

RELEASES = ("void", "expire")
TYPE_OF_STATE = {"pending": "pending", "void": "voided", "expire": "voided"}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def contradictions(entry: Mapping[str, Any]) -> list[str]:
    """The fields in which the entry contradicts its transfer, its account or its number."""
    transfer, account = entry["transfer"], entry["account"]
    if transfer is None:
        return ["transfer_id"]
    if account is None:
        return ["account_id"]
    return [name for name, holds in _rules(entry, transfer, account).items() if not holds]


def _rules(
    entry: Mapping[str, Any], transfer: Mapping[str, Any], account: Mapping[str, Any]
) -> dict[str, bool]:
    state, delta = transfer["state"], entry["delta"]
    is_debit = (delta > 0) == (state not in RELEASES)
    released = transfer["released"] if state == "post" else 0
    return {
        "delta": abs(delta) == transfer["amount"],
        "released": entry["released"] == (released if delta > 0 else -released),
        "type": entry["type"] == TYPE_OF_STATE.get(state, "posted"),
        "account_id": entry["account_id"]
        == transfer["debit_account_id" if is_debit else "credit_account_id"],
        "slot": entry["slot"] == transfer["debit_slot" if is_debit else "credit_slot"],
        "currency": entry["currency"] == transfer["currency"],
        "account.currency": account["currency"] == transfer["currency"],
        "account.mode": account["mode"] == transfer["mode"],
        "transaction_id": entry["transaction_id"] == transfer["transaction_id"],
        "effective_at": entry["effective_at"] == transfer["effective_at"],
        "created_at": entry["created_at"] == transfer["created_at"],
        "id": _is_of(entry["id"], entry["created_at"]),
    }


def _is_of(number: int, created_at: str) -> bool:
    try:
        at = dt.datetime.fromisoformat(created_at)
    except ValueError:
        return False
    return number >> 10 == (at - _EPOCH) // _MICROSECOND

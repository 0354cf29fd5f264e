"""Lists and what belongs to them, as the API shows them. Pure."""

import datetime as dt
from typing import TYPE_CHECKING

from paynexus import ids
from paynexus.fraud.lists.model import Entry, FraudList, PastHit, Rescreening
from paynexus.fraud.lists.rules import ENTRY_PREFIX

if TYPE_CHECKING:
    from paynexus.fraud.lists.service import Report

LIST_PREFIX = "fls"
RESCREENING_PREFIX = "frs"
HIT_PREFIX = "frh"


def fraud_list(one: FraudList) -> dict[str, object]:
    """A list, without its entries."""
    return {
        "id": ids.text(LIST_PREFIX, one.id),
        "object": "fraud_list",
        "name": one.name,
        "kind": one.kind,
        "action": one.action,
        "note": one.note,
        "min_quality": one.min_quality,
        "state": one.state,
        "is_platform": one.merchant_id is None,
        "author": one.author,
        "created": one.created_at.isoformat(),
    }


def entry(one: Entry) -> dict[str, object]:
    """An entry, with its value in normal form."""
    return {
        "id": ids.text(ENTRY_PREFIX, one.id),
        "object": "fraud_list_entry",
        "list": ids.text(LIST_PREFIX, one.list_id),
        "value": one.value,
        "note": one.note,
        "source": one.source,
        "author": one.author,
        "expires": _moment(one.expires_at),
        "removed": _moment(one.removed_at),
        "created": one.created_at.isoformat(),
    }


def report(one: "Report") -> dict[str, object]:
    """What an import has changed."""
    return {
        "object": "fraud_list_import",
        "added": one.added,
        "removed": one.removed,
        "changed": one.changed,
        "unchanged": one.unchanged,
    }


def rescreening(one: Rescreening) -> dict[str, object]:
    """How far a re-screening has come."""
    return {
        "id": ids.text(RESCREENING_PREFIX, one.id),
        "object": "fraud_rescreening",
        "list": ids.text(LIST_PREFIX, one.list_id),
        "since": one.since.isoformat(),
        "examined": one.examined,
        "hits": one.hits,
        "finished": _moment(one.finished_at),
        "created": one.created_at.isoformat(),
    }


def past_hit(one: PastHit) -> dict[str, object]:
    """A payment that today's list would have met."""
    return {
        "id": ids.text(HIT_PREFIX, one.id),
        "object": "fraud_rescreening_hit",
        "payment": ids.text("pay", one.payment_id),
        "entry": ids.text(ENTRY_PREFIX, one.entry_id),
        "quality": one.quality,
        "mode": one.mode,
    }


def _moment(moment: dt.datetime | None) -> str | None:
    return moment.isoformat() if moment else None

"""Cases as the API and events show them. Pure."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paynexus import ids
from paynexus.fraud.cases.model import FraudCase, Note


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with all that lies in it: the diary's latest entries, and why it was decided so."""

    case: FraudCase
    notes: Sequence[Note]
    reasons: Sequence[Mapping[str, Any]]
    trace: Mapping[str, Any]


def case_resource(case: FraudCase) -> dict[str, Any]:
    """The case as JSON."""
    return {
        "id": ids.text("frc", case.id),
        "object": "fraud_case",
        "payment": ids.text("pay", case.payment_id),
        "verdict": str(case.verdict),
        "score": case.score,
        "amount": {"amount": case.money.amount, "currency": case.money.currency},
        "state": str(case.state),
        "outcome": str(case.outcome) if case.outcome else None,
        "assignee": case.assignee,
        "mode": case.mode,
        "created": _written(case.created_at),
        "closed": _written(case.closed_at) if case.closed_at else None,
    }


def case_fact(case: FraudCase) -> dict[str, Any]:
    """The case as its events tell it: they stay for ever, so that no person is named."""
    told = case_resource(case)
    del told["assignee"]
    return told


def file_resource(file: CaseFile) -> dict[str, Any]:
    """The case with its diary, oldest entry first, and the decision that it is about."""
    return case_resource(file.case) | {
        "notes": [note_resource(note) for note in file.notes],
        "decision": {"reasons": list(file.reasons), "trace": dict(file.trace)},
    }


def note_resource(note: Note) -> dict[str, Any]:
    """One entry of the diary as JSON."""
    return {
        "id": ids.text("frn", note.id),
        "object": "fraud_case_note",
        "kind": str(note.kind),
        "text": note.text,
        "author": note.author,
        "created": _written(note.created_at),
    }


def _written(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat()

"""Use cases of those who look at cases: list, read, take in hand, write down, close, reopen."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from paynexus import idempotency, ids, jsontext
from paynexus.db import Connection, Database
from paynexus.errors import InvalidRequest, InvalidState, NotFound
from paynexus.fraud.cases import opening, store
from paynexus.fraud.cases.model import (
    LABEL_OF_OUTCOME,
    CaseOutcome,
    FraudCase,
    FraudCaseId,
    Note,
    NoteKind,
)
from paynexus.fraud.cases.resource import CaseFile, case_resource, note_resource
from paynexus.fraud.labels import store as labels
from paynexus.identity.model import Principal
from paynexus.lists.model import Page, cut
from paynexus.observability import count

NOTES_MAX = 500
"""Notes that people may write about one case."""
NOTES_SHOWN = 500
"""Entries of a diary that are shown, the latest of them: steps are entries, too."""


class AddEntry(Protocol):
    """Puts a value on one of the merchant's lists, in the caller's transaction."""

    def __call__(
        self,
        tx: Connection,
        *,
        list_id: UUID,
        value: str,
        note: str,
        author: str,
        now: dt.datetime,
    ) -> object:
        """The value is on the list."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What of the payment is put on which list as its case is closed.

    `kinds` are of FEEDBACK_KINDS; what isn't known of the payment is left out.
    """

    list_id: UUID
    kinds: Sequence[str]
    add_entry: AddEntry


FEEDBACK_KINDS = ("fingerprint", "email")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to act on a case: by whom, on which, under which key."""

    principal: Principal
    case_id: FraudCaseId
    scope: idempotency.Scope
    fingerprint: bytes
    now: dt.datetime


def page(db: Database, principal: Principal, page: Page[UUID]) -> tuple[list[FraudCase], bool]:
    """One page of the merchant's cases, newest first, and whether there are more."""
    with db.reading() as connection:
        found = store.page(connection, principal.merchant_id, principal.mode, page)
    return cut(found, page)


def find(db: Database, principal: Principal, case_id: FraudCaseId) -> CaseFile:
    """The merchant's case with its diary and its decision; NotFound for another's."""
    with db.transaction() as tx:
        case = store.find(tx, case_id, principal.merchant_id, principal.mode)
        if case is None:
            raise _not_found()
        reasons, trace = store.decision(tx, case.payment_id)
        return CaseFile(case, store.notes(tx, case_id, limit=NOTES_SHOWN), reasons, trace)


def assign(db: Database, asked: Asked, *, assignee: str) -> idempotency.Answer:
    """The case is in that person's hands; InvalidState when it is closed."""

    def step(tx: Connection, case: FraudCase) -> Mapping[str, Any]:
        changed = case.assigned(assignee)
        _put(tx, asked, changed, NoteKind.ASSIGNED, assignee)
        return case_resource(changed)

    return _run(db, asked, step)


def add_note(db: Database, asked: Asked, *, text: str) -> idempotency.Answer:
    """The note is in the case's diary, for ever; InvalidState when there are too many."""

    def step(tx: Connection, case: FraudCase) -> Mapping[str, Any]:
        if store.count_notes(tx, case.id) >= NOTES_MAX:
            raise InvalidState(f"There are {NOTES_MAX} notes about the case already.")
        return note_resource(_write_down(tx, asked, NoteKind.NOTE, text))

    return _run(db, asked, step)


def close(
    db: Database,
    asked: Asked,
    *,
    outcome: CaseOutcome,
    text: str = "",
    feedback: Feedback | None = None,
) -> idempotency.Answer:
    """The case is closed and told, its payment labelled and listed, all in one commit.

    InvalidState when it is closed already; InvalidRequest for feedback of what is unclear.
    """
    if feedback is not None:
        _require_sound(feedback, outcome)

    def step(tx: Connection, case: FraudCase) -> Mapping[str, Any]:
        closed = case.closed(outcome, now=asked.now)
        entry = _put(tx, asked, closed, NoteKind.CLOSED, text or str(outcome))
        _label(tx, closed, entry)
        if feedback is not None:
            _feed_back(tx, asked, closed, feedback)
        opening.tell(tx, opening.CLOSED, closed)
        count("FraudCaseClosed", outcome=str(outcome))
        return case_resource(closed)

    return _run(db, asked, step)


def reopen(db: Database, asked: Asked, *, assignee: str, text: str) -> idempotency.Answer:
    """The case is in that person's hands again; InvalidState unless it is closed.

    The label of its closing stands until another is known.
    """

    def step(tx: Connection, case: FraudCase) -> Mapping[str, Any]:
        changed = case.reopened(assignee)
        _put(tx, asked, changed, NoteKind.REOPENED, text)
        return case_resource(changed)

    return _run(db, asked, step)


def _run(
    db: Database, asked: Asked, step: Callable[[Connection, FraudCase], Mapping[str, Any]]
) -> idempotency.Answer:
    principal = asked.principal

    def act(tx: Connection, _object_id: UUID) -> idempotency.Answer:
        case = store.lock(tx, asked.case_id, principal.merchant_id, principal.mode)
        if case is None:
            raise _not_found()
        return idempotency.Answer(200, jsontext.write(step(tx, case)), {})

    return idempotency.run(
        db,
        asked.scope,
        fingerprint=asked.fingerprint,
        object_id=ids.new_id(),
        now=asked.now,
        act=act,
    )


def _put(tx: Connection, asked: Asked, case: FraudCase, kind: NoteKind, text: str) -> Note:
    store.put(tx, case)
    return _write_down(tx, asked, kind, text)


def _write_down(tx: Connection, asked: Asked, kind: NoteKind, text: str) -> Note:
    entry = Note(ids.new_id(), kind, text, asked.principal.client_id, asked.now)
    store.add_note(tx, asked.case_id, entry)
    return entry


def _label(tx: Connection, case: FraudCase, closing: Note) -> None:
    if case.outcome is None or case.outcome not in LABEL_OF_OUTCOME:
        return
    labels.add_of_case(
        tx,
        case.payment_id,
        is_fraud=LABEL_OF_OUTCOME[case.outcome],
        closing_id=closing.id,
        known_at=closing.created_at,
    )


def _feed_back(tx: Connection, asked: Asked, case: FraudCase, feedback: Feedback) -> None:
    known = store.listable(tx, case.payment_id)
    for value in [known[kind] for kind in feedback.kinds]:
        if value is not None:
            feedback.add_entry(
                tx,
                list_id=feedback.list_id,
                value=value,
                note=f"{ids.text('frc', case.id)}: {case.outcome}",
                author=asked.principal.client_id,
                now=asked.now,
            )


def _require_sound(feedback: Feedback, outcome: CaseOutcome) -> None:
    if outcome not in LABEL_OF_OUTCOME:
        raise InvalidRequest("feedback: nothing is listed for what is unclear", param="feedback")
    for kind in feedback.kinds:
        if kind not in FEEDBACK_KINDS:
            known = ", ".join(FEEDBACK_KINDS)
            raise InvalidRequest(f"feedback.kinds: use {known}", param="feedback.kinds")


def _not_found() -> NotFound:
    return NotFound("There is no such fraud case.")

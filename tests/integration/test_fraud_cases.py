"""Cases on real Postgres: opened once, led by the book, closed with a label in one commit."""

import datetime as dt
import json
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from threading import Barrier
from typing import Any
from uuid import UUID

import psycopg
import pytest

from paynexus import events, idempotency, ids
from paynexus.changefeed.facts import envelope
from paynexus.db import Connection, Database
from paynexus.errors import InvalidRequest, InvalidState, NotFound
from paynexus.fraud import labels
from paynexus.fraud.cases import opening, resource, service
from paynexus.fraud.cases.model import (
    CASE_TRANSITIONS,
    CaseOutcome,
    CaseState,
    FraudCase,
    FraudCaseId,
)
from paynexus.fraud.cases.service import Asked, Feedback
from paynexus.fraud.model import Subject, Verdict
from paynexus.identity.model import Principal
from paynexus.ids import MerchantId, PaymentId
from paynexus.lists.model import Page
from paynexus.money import Money
from tests.flow import Flow

CHALLENGED = 60_000
"""Minor units that the default limits challenge."""
CLIENT = "pnx_test_0000000000000000000000"


@dataclass
class Desk:
    """Somebody who looks at a merchant's cases."""

    flow: Flow
    merchant: MerchantId
    mode: str = "test"

    @property
    def principal(self) -> Principal:
        """The client that asks."""
        return Principal(self.merchant, CLIENT, self.mode, frozenset())

    def asked(self, case_id: FraudCaseId, key: str | None = None) -> Asked:
        """A request under a key of its own."""
        scope = idempotency.Scope(
            self.merchant, self.mode, "POST /fraud/cases", key or secrets.token_hex(8)
        )
        fingerprint = idempotency.fingerprint_of("/fraud/cases", [])
        return Asked(self.principal, case_id, scope, fingerprint, self.flow.now)

    def open(self) -> FraudCase:
        """The case of a new payment that was challenged."""
        payment_id, _ = self.flow.take(amount=CHALLENGED, email="ada@example.com")
        return self.only(payment_id)

    def open_for(self, payment_id: PaymentId) -> bool:
        """Whether there is a new case of the payment, as its decision would open it."""
        subject = Subject(
            payment_id, self.merchant, self.mode, Money(CHALLENGED, "EUR"), "fp", self.flow.now
        )
        with self.flow.database.transaction() as tx:
            return opening.open_case(tx, subject, Verdict.CHALLENGE, score=0.5, now=self.flow.now)

    def only(self, payment_id: PaymentId) -> FraudCase:
        """The payment's case."""
        page = Page[UUID](2, like={"payment": payment_id})
        found, _ = service.page(self.flow.database, self.principal, page)
        assert len(found) == 1
        return found[0]

    def label(self, case: FraudCase) -> bool | None:
        """Whether the payment is known to be fraud by now."""
        found = labels.label_of(self.flow.database, case.payment_id, as_of=self.flow.now)
        return found.is_fraud if found else None


@pytest.fixture(name="desk")
def _desk(flow: Flow) -> Desk:
    return Desk(flow, flow.merchant)


@dataclass
class Listed:
    """A list that keeps what it is given."""

    entries: list[dict[str, object]] = field(default_factory=list)

    def __call__(self, tx: Connection, **entry: object) -> None:
        """The entry is kept."""
        tx.execute("SELECT 1")
        self.entries.append(entry)


def _events(database: Database) -> list[Any]:
    return (
        database.connection()
        .execute("SELECT * FROM events WHERE type LIKE 'fraud.case%' ORDER BY id")
        .fetchall()
    )


def test_a_payment_has_one_case(desk: Desk) -> None:
    """However often its decision is made; it is told once."""
    case = desk.open()

    assert not desk.open_for(case.payment_id)

    assert (case.state, case.verdict) == (CaseState.OPEN, Verdict.CHALLENGE)
    assert case.score is not None
    assert 0 <= case.score <= 1
    assert case.money == Money(CHALLENGED, "EUR")
    assert len(_events(desk.flow.database)) == 1


def test_a_case_that_is_not_committed_was_never_opened(desk: Desk) -> None:
    """It stands and falls with its decision."""
    payment_id, _ = desk.flow.take()
    subject = Subject(
        payment_id, desk.merchant, "test", Money(CHALLENGED, "EUR"), "fp", desk.flow.now
    )

    def decide() -> None:
        with desk.flow.database.transaction() as tx:
            opening.open_case(tx, subject, Verdict.CHALLENGE, score=None, now=desk.flow.now)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        decide()

    assert service.page(desk.flow.database, desk.principal, Page(10)) == ([], False)
    assert _events(desk.flow.database) == []


def test_the_database_holds_the_same_lifecycle(database: Database) -> None:
    """`fraud_case_may_become` allows exactly what the table in the code leads to."""
    allowed = {(old, new) for (old, _), new in CASE_TRANSITIONS.items()}
    for old, new in product(CaseState, repeat=2):
        row = (
            database.connection()
            .execute("SELECT fraud_case_may_become(%s, %s)", (old, new))
            .fetchone()
        )
        assert row == ((old, new) in allowed,), (old, new)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE fraud_cases SET amount = 1, state = 'INVESTIGATING', assignee = 'ada'",
        "UPDATE fraud_cases SET state = 'OPEN'",
        "DELETE FROM fraud_cases",
    ],
)
def test_the_database_refuses_what_the_lifecycle_does_not_know(desk: Desk, statement: str) -> None:
    """Whoever asks."""
    desk.open()

    with pytest.raises(psycopg.Error, match=r"never|can not become"):
        desk.flow.database.connection().execute(statement.encode())


def test_a_case_is_taken_in_hand_and_handed_on(desk: Desk) -> None:
    """Each step is in the diary, by the client that took it."""
    case, database = desk.open(), desk.flow.database
    service.assign(database, desk.asked(case.id), assignee="ada")
    service.assign(database, desk.asked(case.id), assignee="grace")
    service.add_note(database, desk.asked(case.id), text="The address is a warehouse.")

    file = service.find(database, desk.principal, case.id)

    assert (file.case.state, file.case.assignee) == (CaseState.INVESTIGATING, "grace")
    assert [(note.kind, note.text, note.author) for note in file.notes] == [
        ("assigned", "ada", CLIENT),
        ("assigned", "grace", CLIENT),
        ("note", "The address is a warehouse.", CLIENT),
    ]


def test_a_case_shows_why_its_payment_was_decided_so(desk: Desk) -> None:
    """All of it is JSON."""
    case = desk.open()

    shown = json.loads(
        json.dumps(
            resource.file_resource(service.find(desk.flow.database, desk.principal, case.id))
        )
    )

    assert shown["id"] == ids.text("frc", case.id)
    assert shown["payment"] == ids.text("pay", case.payment_id)
    assert [one["code"] for one in shown["decision"]["reasons"]] == ["amount_above_challenge_limit"]


@pytest.mark.parametrize(
    ("outcome", "is_fraud"),
    [
        (CaseOutcome.CONFIRMED, True),
        (CaseOutcome.FALSE_POSITIVE, False),
        (CaseOutcome.UNCLEAR, None),
    ],
)
def test_closing_labels_the_payment_and_tells_it(
    desk: Desk, outcome: CaseOutcome, *, is_fraud: bool | None
) -> None:
    """In one commit, known from that moment on."""
    case, database = desk.open(), desk.flow.database
    desk.flow.now += dt.timedelta(hours=1)

    answer = service.close(database, desk.asked(case.id), outcome=outcome, text="Called the payer.")

    closed = json.loads(answer.body)
    assert (closed["state"], closed["outcome"]) == ("CLOSED", outcome)
    assert desk.label(case) is is_fraud
    before = labels.label_of(
        database, case.payment_id, as_of=desk.flow.now - dt.timedelta(seconds=1)
    )
    assert before is None
    assert [kind for (kind,) in _kinds(database)] == [
        "fraud.case_opened.v1",
        "fraud.case_closed.v1",
    ]


def _kinds(database: Database) -> list[Any]:
    return (
        database.connection()
        .execute("SELECT type FROM events WHERE type LIKE 'fraud.case%' ORDER BY sequence")
        .fetchall()
    )


def test_what_is_told_of_a_case_is_as_its_schema_says(desk: Desk) -> None:
    """And names nobody who works on it."""
    case = desk.open()
    service.assign(desk.flow.database, desk.asked(case.id), assignee="ada")
    service.close(desk.flow.database, desk.asked(case.id), outcome=CaseOutcome.CONFIRMED)

    told = _events(desk.flow.database)
    for fact_id, source, kind, mode, merchant_id, object_id, sequence, data, created in told:
        assert source == "fraud.alerts"
        events.require_valid(
            envelope(
                id=fact_id,
                type=kind,
                created=created,
                mode=mode,
                merchant_id=merchant_id,
                object_id=object_id,
                sequence=sequence,
                data=data,
            )
        )
        assert "ada" not in json.dumps(data)
    assert [fact[6] for fact in told] == [1, 2]


def test_a_closed_case_takes_notes_and_no_other_outcome(desk: Desk) -> None:
    """Until it is reopened."""
    case, database = desk.open(), desk.flow.database
    service.close(database, desk.asked(case.id), outcome=CaseOutcome.CONFIRMED)

    with pytest.raises(InvalidState, match="CLOSED can't be closed"):
        service.close(database, desk.asked(case.id), outcome=CaseOutcome.FALSE_POSITIVE)
    with pytest.raises(InvalidState, match="CLOSED can't be assigned"):
        service.assign(database, desk.asked(case.id), assignee="ada")
    service.add_note(database, desk.asked(case.id), text="The payer called back.")
    assert desk.label(case) is True


def test_a_reopened_case_may_be_closed_otherwise(desk: Desk) -> None:
    """Each closing has a label of its own, and the last holds; also the third time."""
    case, database = desk.open(), desk.flow.database
    for outcome in (CaseOutcome.CONFIRMED, CaseOutcome.FALSE_POSITIVE, CaseOutcome.CONFIRMED):
        desk.flow.now += dt.timedelta(hours=1)
        service.close(database, desk.asked(case.id), outcome=outcome)
        assert desk.label(case) is (outcome is CaseOutcome.CONFIRMED)
        service.reopen(database, desk.asked(case.id), assignee="ada", text="New evidence.")

    assert desk.only(case.payment_id).state is CaseState.INVESTIGATING
    with pytest.raises(InvalidState, match="can't be reopened"):
        service.reopen(database, desk.asked(case.id), assignee="ada", text="Again.")


def test_of_two_who_close_a_case_at_once_one_does(
    desk: Desk, another_database: Callable[[], Database]
) -> None:
    """The other is told that it is closed; there is one label, and it is the first one's."""
    case, start = desk.open(), Barrier(2)

    def close(outcome: CaseOutcome) -> CaseOutcome | None:
        database, asked = another_database(), desk.asked(case.id)
        start.wait()
        try:
            service.close(database, asked, outcome=outcome)
        except InvalidState:
            return None
        return outcome

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(close, [CaseOutcome.CONFIRMED, CaseOutcome.FALSE_POSITIVE]))

    [won] = [outcome for outcome in said if outcome is not None]
    assert desk.only(case.payment_id).outcome is won
    assert desk.label(case) is (won is CaseOutcome.CONFIRMED)
    assert [kind for (kind,) in _kinds(desk.flow.database)] == [
        "fraud.case_opened.v1",
        "fraud.case_closed.v1",
    ]


def test_a_key_acts_once(desk: Desk) -> None:
    """The second request has the first one's answer."""
    case, database = desk.open(), desk.flow.database

    first = service.add_note(database, desk.asked(case.id, key="k"), text="Once.")
    again = service.add_note(database, desk.asked(case.id, key="k"), text="Once.")

    assert again.body == first.body
    assert len(service.find(database, desk.principal, case.id).notes) == 1


def test_notes_never_change(desk: Desk) -> None:
    """The diary is evidence."""
    case = desk.open()
    service.add_note(desk.flow.database, desk.asked(case.id), text="Seen.")

    for statement in (
        "UPDATE fraud_case_notes SET text = 'Unseen.'",
        "DELETE FROM fraud_case_notes",
        "TRUNCATE fraud_case_notes",
    ):
        with pytest.raises(psycopg.Error, match="never changed or deleted"):
            desk.flow.database.connection().execute(statement.encode())


def test_a_case_takes_so_many_notes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is refused, and says why."""
    monkeypatch.setattr(service, "NOTES_MAX", 1)
    case = desk.open()
    service.add_note(desk.flow.database, desk.asked(case.id), text="One.")

    with pytest.raises(InvalidState, match="There are 1 notes"):
        service.add_note(desk.flow.database, desk.asked(case.id), text="Two.")


@pytest.mark.parametrize("other", ["merchant", "mode"])
def test_a_case_is_its_merchants_in_its_mode(desk: Desk, other: str) -> None:
    """For everybody else it isn't there, to be read or acted on."""
    case, database = desk.open(), desk.flow.database
    stranger = (
        Desk(desk.flow, MerchantId(ids.new_id()))
        if other == "merchant"
        else Desk(desk.flow, desk.merchant, "live")
    )

    assert service.page(database, stranger.principal, Page(10)) == ([], False)
    with pytest.raises(NotFound):
        service.find(database, stranger.principal, case.id)
    with pytest.raises(NotFound):
        service.assign(database, stranger.asked(case.id), assignee="mallory")
    with pytest.raises(NotFound):
        service.add_note(database, stranger.asked(case.id), text="Nothing to see.")
    with pytest.raises(NotFound):
        service.close(database, stranger.asked(case.id), outcome=CaseOutcome.FALSE_POSITIVE)
    with pytest.raises(NotFound):
        service.reopen(database, stranger.asked(case.id), assignee="mallory", text="Mine.")
    assert desk.only(case.payment_id) == case


def test_cases_are_listed_newest_first_and_by_what_is_asked(desk: Desk) -> None:
    """State, outcome and payment narrow the list."""
    database = desk.flow.database
    first, second, third = desk.open(), desk.open(), desk.open()
    service.assign(database, desk.asked(second.id), assignee="ada")
    service.close(database, desk.asked(third.id), outcome=CaseOutcome.UNCLEAR)

    def listed(page: Page[UUID]) -> tuple[list[UUID], bool]:
        found, more = service.page(database, desk.principal, page)
        return [case.id for case in found], more

    assert listed(Page(2)) == ([third.id, second.id], True)
    assert listed(Page(2, before=second.id)) == ([first.id], False)
    assert listed(Page(9, like={"state": "OPEN"})) == ([first.id], False)
    assert listed(Page(9, like={"state": "INVESTIGATING"})) == ([second.id], False)
    assert listed(Page(9, like={"outcome": "unclear"})) == ([third.id], False)
    assert listed(Page(9, like={"payment": first.payment_id})) == ([first.id], False)


def test_feedback_puts_what_is_known_on_the_list(desk: Desk) -> None:
    """With the case as the reason, by whoever closed it."""
    case, wanted, list_id = desk.open(), Listed(), ids.new_id()
    feedback = Feedback(list_id, ("fingerprint", "email"), wanted)

    service.close(
        desk.flow.database,
        desk.asked(case.id),
        outcome=CaseOutcome.CONFIRMED,
        feedback=feedback,
    )

    fingerprint, email = wanted.entries
    assert email == {
        "list_id": list_id,
        "value": "ada@example.com",
        "note": f"{ids.text('frc', case.id)}: confirmed",
        "author": CLIENT,
        "now": desk.flow.now,
    }
    assert fingerprint["value"] == desk.flow.payment(case.payment_id).fingerprint


@pytest.mark.parametrize(
    ("outcome", "kinds", "said"),
    [
        (CaseOutcome.UNCLEAR, ("email",), "what is unclear"),
        (CaseOutcome.CONFIRMED, ("colour",), "use fingerprint, email"),
    ],
)
def test_feedback_that_means_nothing_is_refused(
    desk: Desk, outcome: CaseOutcome, kinds: tuple[str, ...], said: str
) -> None:
    """Before anything happens."""
    case, feedback = desk.open(), Feedback(ids.new_id(), kinds, Listed())

    with pytest.raises(InvalidRequest, match=said):
        service.close(desk.flow.database, desk.asked(case.id), outcome=outcome, feedback=feedback)

    assert desk.only(case.payment_id).state is CaseState.OPEN


def test_a_list_that_refuses_keeps_the_case_open(desk: Desk) -> None:
    """Outcome, label and entry are one commit."""

    def refuse(tx: Connection, **entry: object) -> None:
        raise InvalidState("The list is full.")

    case, feedback = desk.open(), Feedback(ids.new_id(), ("email",), refuse)

    with pytest.raises(InvalidState, match="full"):
        service.close(
            desk.flow.database,
            desk.asked(case.id),
            outcome=CaseOutcome.CONFIRMED,
            feedback=feedback,
        )

    assert desk.only(case.payment_id).state is CaseState.OPEN
    assert desk.label(case) is None

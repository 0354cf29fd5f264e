"""Decisions on real Postgres: made once, kept for ever, announced when they say no."""

import datetime as dt
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from paynexus import events, ids
from paynexus.changefeed.facts import envelope
from paynexus.db import Database
from paynexus.fraud import service
from paynexus.fraud.model import Subject
from paynexus.fraud.rules import Decision, ListKind, Verdict
from paynexus.ids import MerchantId, PaymentId, TransferId
from paynexus.ledger import store as books
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.money import Money

CARD = "fp_0123456789abcdef"

SQL_PAYMENT = """
INSERT INTO transactions (id, merchant_id, amount, currency, status, created_at, mode, capture,
    payment_method, fingerprint, transfer_id)
VALUES (%s, %s, %s, 'EUR', 'PENDING', %s, 'test', 'automatic', 'tok_approved', %s, %s)
"""


@pytest.fixture(name="payment")
def _payment(database: Database, merchant: MerchantId, now: dt.datetime) -> Callable[..., Subject]:
    """Takes in a payment, as the API would, and answers what is to be judged."""

    def accepted(
        amount: int = 1250, *, by: MerchantId = merchant, card: str = CARD, ago: int = 0
    ) -> Subject:
        subject = _subject(by, amount, card, now - dt.timedelta(minutes=ago))
        _accept(database, subject)
        return subject

    return accepted


def _subject(merchant: MerchantId, amount: int, card: str, at: dt.datetime) -> Subject:
    return Subject(
        payment_id=PaymentId(ids.new_id()),
        merchant_id=merchant,
        mode="test",
        money=Money(amount, "EUR"),
        fingerprint=card,
        created_at=at,
        email="ada@example.com",
        country="DE",
    )


def _accept(database: Database, subject: Subject) -> None:
    payable = Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", subject.merchant_id)
    hold = Transfer(
        id=TransferId(ids.new_id()),
        kind=TransferKind.PAYMENT,
        debit=Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR"),
        credit=payable,
        money=subject.money,
        object_id=ids.text("pay", subject.payment_id),
        transaction_id=subject.payment_id,
    )
    key, by, amount = subject.payment_id, subject.merchant_id, subject.money.amount
    at = subject.created_at
    with database.transaction() as tx:
        books.reserve(tx, hold, at=at)
        tx.execute(SQL_PAYMENT, (key, by, amount, at, subject.fingerprint, hold.id))


def _rows(database: Database, query: str) -> list[Any]:
    return database.connection().execute(query.encode()).fetchall()


def _other_merchant(database: Database) -> MerchantId:
    other = MerchantId(ids.new_id())
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Bakery')", (other,))
    return other


def _codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def test_an_ordinary_payment_is_allowed_and_its_signals_are_kept(
    database: Database, payment: Callable[..., Subject], now: dt.datetime
) -> None:
    """Without an alert: nobody need look at it."""
    decision = service.assess(database, payment(), now=now)

    assert decision.verdict is Verdict.ALLOW
    assert _rows(database, "SELECT verdict, reasons, signals FROM fraud_decisions") == [
        (
            "ALLOW",
            [],
            {"amount": 1250, "currency": "EUR", "matches": [], "payments_last_hour": 1},
        )
    ]
    assert _rows(database, "SELECT id FROM events") == []


@pytest.mark.parametrize(
    ("amount", "verdict", "kind"),
    [
        (50_001, Verdict.CHALLENGE, "fraud.challenged.v1"),
        (1_000_001, Verdict.BLOCK, "fraud.blocked.v1"),
    ],
)
def test_a_decision_against_a_payment_is_announced_as_its_schema_says(  # noqa: PLR0917 - fixtures
    database: Database,
    payment: Callable[..., Subject],
    now: dt.datetime,
    amount: int,
    verdict: Verdict,
    kind: str,
) -> None:
    """On `fraud.alerts`, in the transaction of the decision."""
    subject = payment(amount)

    decision = service.assess(database, subject, now=now)

    assert verdict == decision.verdict
    ((key, source, told, by, one, sequence, data, at),) = _rows(
        database,
        "SELECT id, source, type, merchant_id, object_id, sequence, data, created_at FROM events",
    )
    assert (source, told) == ("fraud.alerts", kind)
    assert data["payment"] == ids.text("pay", subject.payment_id)
    events.require_valid(
        envelope(
            id=key,
            type=told,
            created=at,
            mode="test",
            merchant_id=by,
            object_id=one,
            sequence=sequence,
            data=data,
        )
    )


def test_a_decision_is_made_once_whatever_changes_after_it(
    database: Database, payment: Callable[..., Subject], now: dt.datetime
) -> None:
    """A workflow that runs again goes the way it went."""
    subject = payment(60_000)
    first = service.assess(database, subject, now=now)
    service.add_to_list(
        database, kind=ListKind.FINGERPRINT, value=CARD, verdict=Verdict.BLOCK, note="Stolen"
    )

    again = service.assess(database, replace(subject, money=Money(1, "EUR")), now=now)

    assert first == again
    assert _rows(database, "SELECT count(*) FROM events") == [(1,)]


def test_concurrent_assessments_agree_and_announce_once(
    another_database: Callable[[], Database],
    database: Database,
    payment: Callable[..., Subject],
    now: dt.datetime,
) -> None:
    """Eight at once: one decision, one alert."""
    subject = payment(60_000)
    databases = [another_database() for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda one: service.assess(one, subject, now=now), databases))

    assert len(set(made)) == 1
    assert _rows(database, "SELECT count(*) FROM fraud_decisions") == [(1,)]
    assert _rows(database, "SELECT count(*) FROM events") == [(1,)]


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        (ListKind.FINGERPRINT, CARD, "fingerprint_listed"),
        (ListKind.EMAIL, " Ada@Example.COM", "email_listed"),
        (ListKind.COUNTRY, "de", "country_listed"),
    ],
)
def test_a_listed_payment_is_blocked_and_no_personal_data_is_kept(  # noqa: PLR0917 - fixtures
    database: Database,
    payment: Callable[..., Subject],
    now: dt.datetime,
    kind: ListKind,
    value: str,
    code: str,
) -> None:
    """Lists match in one normal form; the record names the list's row, not the address."""
    service.add_to_list(database, kind=kind, value=value, verdict=Verdict.BLOCK, note="Fraud ring")

    decision = service.assess(database, payment(), now=now)

    assert [code] == _codes(decision)
    assert decision.verdict is Verdict.BLOCK
    kept = _rows(database, "SELECT reasons, signals FROM fraud_decisions")
    assert "example.com" not in json.dumps(kept)
    ((_, signals),) = kept
    assert [(signals["matches"][0],)] == _rows(database, "SELECT id::TEXT FROM matchlists")


def test_a_merchants_list_is_its_own(
    database: Database, payment: Callable[..., Subject], merchant: MerchantId, now: dt.datetime
) -> None:
    """Another merchant's customers are none the wiser."""
    service.add_to_list(
        database,
        kind=ListKind.EMAIL,
        value="ada@example.com",
        verdict=Verdict.CHALLENGE,
        note="Never paid",
        merchant_id=merchant,
    )
    other = _other_merchant(database)

    assert _codes(service.assess(database, payment(), now=now)) == ["email_listed"]
    assert _codes(service.assess(database, payment(by=other), now=now)) == []


def test_velocity_counts_an_hour_of_this_card_at_this_merchant(
    database: Database, payment: Callable[..., Subject], now: dt.datetime
) -> None:
    """Neither older payments nor other cards nor other merchants; ten pass, more are challenged."""
    other = _other_merchant(database)
    for _ in range(8):
        payment()
    payment(ago=59)
    payment(ago=60)
    payment(card="fp_another")
    payment(by=other)

    tenth = service.assess(database, payment(), now=now)
    eleventh = service.assess(database, payment(), now=now)

    assert _codes(tenth) == []
    assert _codes(eleventh) == ["too_many_payments"]


def test_velocity_never_lets_more_pass_than_its_limit(
    another_database: Callable[[], Database],
    database: Database,
    merchant: MerchantId,
    now: dt.datetime,
) -> None:
    """Eight take in and judge forty payments of one card at once: at most ten pass."""
    connections = [another_database() for _ in range(8)]

    def take(connection: Database) -> list[Verdict]:
        verdicts = []
        for _ in range(5):
            subject = _subject(merchant, 1250, CARD, now)
            _accept(connection, subject)
            verdicts.append(service.assess(connection, subject, now=now).verdict)
        return verdicts

    with ThreadPoolExecutor(8) as pool:
        verdicts = [verdict for some in pool.map(take, connections) for verdict in some]

    assert len(verdicts) == 40
    assert 1 <= verdicts.count(Verdict.ALLOW) <= 10


def test_a_merchants_configuration_sets_its_limits(
    database: Database, payment: Callable[..., Subject], merchant: MerchantId, now: dt.datetime
) -> None:
    """What it leaves out keeps the default."""
    with database.transaction() as tx:
        tx.execute(
            "UPDATE merchants SET configuration = %s WHERE id = %s",
            (Jsonb({"fraud": {"challenge_above_minor": 1000}}), merchant),
        )

    assert _codes(service.assess(database, payment(1001), now=now)) == [
        "amount_above_challenge_limit"
    ]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE fraud_decisions SET verdict = 'ALLOW', reasons = '[]'",
        "DELETE FROM fraud_decisions",
        "TRUNCATE fraud_decisions",
    ],
)
def test_a_decision_is_never_changed(
    database: Database, payment: Callable[..., Subject], now: dt.datetime, change: str
) -> None:
    """Not even by those who can reach the table."""
    service.assess(database, payment(60_000), now=now)

    with pytest.raises(psycopg.Error, match="never changed") as refused:
        database.connection().execute(change.encode())
    assert refused.value.sqlstate == "PN020"


@pytest.mark.parametrize(
    ("row", "constraint"),
    [
        ("'email', 'Ada@example.com', 'BLOCK', 'n'", "value_is_in_its_normal_form"),
        ("'country', 'DEU', 'BLOCK', 'n'", "value_is_in_its_normal_form"),
        ("'email', 'ada@example.com', 'ALLOW', 'n'", "match_challenges_or_blocks"),
        ("'shoe_size', '42', 'BLOCK', 'n'", "kind_is_known"),
    ],
)
def test_a_list_holds_only_what_can_match(database: Database, row: str, constraint: str) -> None:
    """A value in another form would never match, in silence."""
    insert = f"INSERT INTO matchlists (kind, value, verdict, note) VALUES ({row})"  # noqa: S608 - the test's own

    with pytest.raises(psycopg.errors.CheckViolation, match=constraint):
        database.connection().execute(insert.encode())


def test_the_audit_names_a_blocked_payment_that_was_charged(
    database: Database, payment: Callable[..., Subject], now: dt.datetime
) -> None:
    """The one thing a block exists to prevent."""
    subject = payment(1_000_001)
    service.assess(database, subject, now=now)
    view = "SELECT payment_id FROM audit.blocked_payment_was_charged"
    assert _rows(database, view) == []

    with database.transaction() as tx:
        attempt = ids.new_id()
        tx.execute(
            "INSERT INTO attempts (id, payment_id, operation, operation_id, number, gateway,"
            " reference, amount, currency, created_at)"
            " VALUES (%s, %s, 'charge', %s, 1, 'sandbox', 'ref', 1, 'EUR', %s)",
            (attempt, subject.payment_id, subject.payment_id, now),
        )
        assert tx.execute(view).fetchall() == [(subject.payment_id,)]
        raise psycopg.Rollback

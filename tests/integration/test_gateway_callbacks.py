"""Gateways' callbacks over HTTP: usual ones, late ones, false ones, and those that die half-way."""

import datetime as dt
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
import pytest

import gateway_callbacks.handler as gateway_callbacks
from payments_api.handler import handler as payments_api
from paynexus import errors, ids, runtime
from paynexus.clock import system_clock
from paynexus.db import Database
from paynexus.gateways.port import GatewayDispute, Operation, Result
from paynexus.gateways.sandbox_callbacks import signature_of
from paynexus.ids import PaymentId
from paynexus.payments import callbacks, steps
from paynexus.payments.callbacks import BODY_LIMIT_BYTES
from paynexus.payments.step import Step
from paynexus.payments.store.callbacks import Callback
from paynexus.payments.verdicts import State
from paynexus.retention import service as retention
from sweep_payments.handler import handler as sweep_payments
from tests.flow import Line
from tests.integration.conftest import Answer, Caller, answer_of, gateway_event
from tests.sandbox import KEY, Sandbox

ORDER = {"amount": 1250, "currency": "EUR"}
LATER = dt.timedelta(minutes=2)

pytestmark = pytest.mark.usefixtures("acquirer")


def take(call: Caller, token: str, **order: object) -> dict[str, Any]:
    """A payment, as its merchant sees it."""
    body = {**ORDER, "payment_method": f"{token}_{ids.new_id().hex[-6:]}", **order}
    headers = {"Idempotency-Key": ids.new_id().hex}
    payment: dict[str, Any] = call(payments_api, "POST", "/payments", body, headers=headers).json()
    return payment


def act(call: Caller, payment: Mapping[str, Any], what: str, **order: object) -> dict[str, Any]:
    """What came of an operation on the payment."""
    headers = {"Idempotency-Key": ids.new_id().hex}
    path = f"/payments/{payment['id']}/{what}"
    made: dict[str, Any] = call(payments_api, "POST", path, order, headers=headers).json()
    return made


def read(call: Caller, payment: Mapping[str, Any]) -> dict[str, Any]:
    """The payment as it stands, as its merchant sees it."""
    found: dict[str, Any] = call(payments_api, "GET", f"/payments/{payment['id']}").json()
    return found


def tell(body: str, *, key: str = KEY, gateway: str = "sandbox", age: float = 0) -> Answer:
    """The API's answer to a callback signed so many seconds ago."""
    at = runtime.clock()() - dt.timedelta(seconds=age)
    headers = {"Acquirer-Signature": signature_of(body, key=key, at=at)}
    path = f"/gateways/{gateway}/callbacks"
    return answer_of(
        gateway_callbacks.handler(gateway_event("POST", path, text=body, headers=headers), None)
    )


def unasked(gateway: str, gateway_reference: str) -> GatewayDispute | Result:
    """Nobody is to be asked of a dispute here."""
    raise AssertionError(f"{gateway} was asked about {gateway_reference}")


def said(acquirer: Sandbox) -> list[str]:
    """Bodies of the callbacks that the acquirer has to deliver."""
    return [body for _, body in acquirer.store.pending_callbacks()]


def reworded(body: str, changes: dict[str, object], *, own_id: str | None = None) -> str:
    """The callback with another id and something else to say."""
    operation = json.loads(body)["operation"] | changes
    return json.dumps({"id": own_id or f"cb_{ids.new_id().hex}", "operation": operation})


def kept(database: Database) -> list[tuple[str, str | None, int]]:
    """State, verdict and deliveries of all callbacks, oldest first."""
    rows = database.connection().execute(
        "SELECT state, verdict, deliveries FROM gateway_callbacks ORDER BY id"
    )
    return [(row[0], row[1], row[2]) for row in rows]


def facts(database: Database) -> list[tuple[Any, ...]]:
    """All that a callback could change."""
    rows = database.connection().execute(
        "SELECT 'payment', id, status::TEXT, version FROM transactions"
        " UNION ALL SELECT 'attempt', id, outcome, calls FROM attempts"
        " UNION ALL SELECT 'refund', id, status, 0 FROM refunds"
        " UNION ALL SELECT 'transfer', id, state::TEXT, amount FROM transfers"
        " UNION ALL SELECT 'event', id, type, sequence FROM events ORDER BY 1, 2"
    )
    return rows.fetchall()


def test_what_is_known_is_confirmed(call: Caller, acquirer: Sandbox, database: Database) -> None:
    """A payment's life told by the acquirer: every callback applies, none changes anything."""
    payment = take(call, "tok_approve", capture="manual")
    act(call, payment, "capture")
    act(call, payment, "refunds", amount=300)
    canceled = take(call, "tok_approve", capture="manual")
    act(call, canceled, "cancel")
    before = facts(database)

    answers = [tell(body) for body in said(acquirer)]

    assert [(answer.status, answer.json()) for answer in answers] == [(200, {"received": True})] * 5
    assert kept(database) == [("APPLIED", "confirmed", 1)] * 5
    assert facts(database) == before


@pytest.mark.parametrize(
    ("operation", "token"),
    [
        ("charge", "tok_error_after"),
        ("capture", "tok_capture_error_after"),
        ("cancel", "tok_cancel_error_after"),
        ("refunds", "tok_refund_error_after"),
    ],
)
def test_a_lost_answer_is_found_by_its_callback(
    call: Caller, acquirer: Sandbox, database: Database, operation: str, token: str
) -> None:
    """At once, without a sweep; its repetition, even a late one, does nothing."""
    manual = operation in {"capture", "cancel"}
    payment = take(call, token, capture="manual" if manual else "automatic")
    if operation != "charge":
        act(call, payment, operation)
    undecided = facts(database)

    assert tell(said(acquirer)[-1]).status == 200
    decided = facts(database)
    repeated = [tell(said(acquirer)[-1]).status for _ in range(2)]

    expected = {"cancel": "CANCELED"}.get(operation, "COMPLETED")
    assert read(call, payment)["status"] == expected
    assert {row[2] for row in decided if row[0] == "attempt"} == {"APPROVED"}
    assert {row[2] for row in decided if row[0] == "refund"} <= {"COMPLETED"}
    assert decided != undecided
    assert (repeated, facts(database)) == ([200, 200], decided)
    assert kept(database) == [("APPLIED", "confirmed", 3)]


@pytest.mark.parametrize("case", ["key", "age", "future", "none"])
def test_a_forged_callback_leaves_no_trace(
    call: Caller,
    acquirer: Sandbox,
    database: Database,
    case: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """401, an alarm, nothing stored; nothing of the body in any log."""
    payment = take(call, "tok_error_after")
    body = said(acquirer)[0]
    if case == "none":
        event = gateway_event("POST", "/gateways/sandbox/callbacks", text=body)
        answer = answer_of(gateway_callbacks.handler(event, None))
    else:
        age = {"age": 301, "future": -302}.get(case, 0)
        answer = tell(body, key="another" if case == "key" else KEY, age=age)
    printed = capsys.readouterr()

    assert (answer.status, answer.json()["code"]) == (401, "signature_refused")
    assert answer.headers["WWW-Authenticate"] == "Signature"
    assert kept(database) == []
    assert read(call, payment)["status"] == "UNKNOWN"
    assert '"CallbackForged"' in printed.out
    assert "chg_" not in printed.out + printed.err


@pytest.mark.parametrize(
    "wrong",
    [
        ({"reference": "chg_00000000000000000000000000"}, "unknown_reference"),
        ({"amount": 1251}, "wrong_amount"),
        ({"amount": None}, "wrong_amount"),
        ({"currency": "USD"}, "wrong_currency"),
        ({"operation": "refund"}, "wrong_operation"),
        ({"status": "stolen"}, "unreadable"),
    ],
)
@pytest.mark.parametrize("token", ["tok_approve", "tok_error_after"])
def test_what_can_not_be_right_changes_nothing(
    *,
    call: Caller,
    acquirer: Sandbox,
    database: Database,
    token: str,
    wrong: tuple[dict[str, object], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Signed by the gateway all the same: kept with its verdict, and it rings."""
    changes, verdict = wrong
    take(call, token)
    before = facts(database)
    capsys.readouterr()

    answer = tell(reworded(said(acquirer)[0], changes))
    printed = capsys.readouterr()

    assert answer.status == 200
    assert kept(database) == [("REFUSED", verdict, 1)]
    assert facts(database) == before
    assert '"CallbackRefused"' in printed.out
    assert "chg_" not in printed.out + printed.err


@pytest.mark.parametrize(
    ("token", "status"), [("tok_approve", "declined"), ("tok_decline", "approved")]
)
def test_the_opposite_of_what_is_known_changes_nothing(
    call: Caller, acquirer: Sandbox, database: Database, token: str, status: str
) -> None:
    """Declined after approved, approved after declined."""
    payment = take(call, token)
    take(call, "tok_approve")
    row = database.connection().execute(
        "SELECT reference FROM attempts WHERE payment_id = %s", (ids.parse("pay", payment["id"]),)
    )
    (reference,) = row.fetchone() or ("",)
    before = facts(database)

    tell(reworded(said(acquirer)[-1], {"status": status, "reference": reference}))

    assert kept(database) == [("REFUSED", "contradicts", 1)]
    assert facts(database) == before


def test_the_gateway_is_asked_and_not_believed(
    call: Caller, acquirer: Sandbox, database: Database
) -> None:
    """A callback says declined, of a charge that the gateway has approved."""
    payment = take(call, "tok_error_after")
    tell(reworded(said(acquirer)[0], {"status": "declined"}))

    assert read(call, payment)["status"] == "COMPLETED"
    assert kept(database) == [("REFUSED", "contradicts", 1)]


def test_a_word_without_news_asks_nobody(
    call: Caller, acquirer: Sandbox, database: Database
) -> None:
    """The gateway says that it is at work."""
    take(call, "tok_error_after")
    before = facts(database)
    tell(reworded(said(acquirer)[0], {"status": "processing"}))

    assert kept(database) == [("APPLIED", "without_news", 1)]
    assert facts(database) == before


def test_a_callback_waits_for_a_gateway_that_is_away(
    call: Caller, acquirer: Sandbox, database: Database, deployed: pytest.MonkeyPatch
) -> None:
    """200 and PENDING; the sweeper asks again, in vain first, and ends it once it is back."""
    payment = take(call, "tok_error_after")
    body = said(acquirer)[0]
    acquirer.stop()
    assert tell(body).status == 200
    waiting = kept(database)
    _in(deployed, LATER)
    sweep_payments({}, None)
    still = (kept(database), read(call, payment)["status"])
    acquirer.start()
    _in(deployed, 2 * LATER)
    sweep_payments({}, None)

    assert waiting == [("PENDING", None, 1)]
    assert still == (waiting, "UNKNOWN")
    assert read(call, payment)["status"] == "COMPLETED"
    assert kept(database) == [("APPLIED", "confirmed", 1)]


def test_a_callback_that_dies_half_way_is_taken_up(
    call: Caller, acquirer: Sandbox, database: Database, now: dt.datetime
) -> None:
    """Kept, and then nobody came: not before a minute has passed, and by one sweep alone."""
    payment = take(call, "tok_error_after")
    _received(database, said(acquirer)[0], now)
    run = runtime.workflow().run
    swept = [
        callbacks.sweep(database, run, ask=unasked, now=now + wait)
        for wait in (LATER / 4, LATER, LATER)
    ]

    assert swept == [0, 1, 0]
    assert read(call, payment)["status"] == "COMPLETED"
    assert kept(database) == [("APPLIED", "confirmed", 1)]


def test_what_was_learned_but_not_finished_is_finished(
    call: Caller, acquirer: Sandbox, database: Database, now: dt.datetime
) -> None:
    """Somebody inquired, and died before the payment's end: no further question is needed."""
    payment = take(call, "tok_error_after")
    own_id = PaymentId(ids.parse("pay", payment["id"]))
    step = Step(own_id, Operation.CHARGE, own_id)
    line = Line({"test": acquirer.gateway})
    steps.call_gateway(database, line, step, clock=lambda: now, deadline_seconds=2)
    callback = _received(database, said(acquirer)[0], now)

    def nobody(_: Step) -> None:
        raise AssertionError("nothing is left to ask")

    assert callbacks.apply(database, nobody, callback, ask=unasked, now=now) is State.APPLIED
    assert read(call, payment)["status"] == "COMPLETED"


def test_a_run_that_fails_leaves_the_callback_to_the_sweeper(
    call: Caller, acquirer: Sandbox, database: Database, now: dt.datetime
) -> None:
    """And keeps no other from its turn."""
    for _ in range(2):
        take(call, "tok_error_after")
    first, _second = (_received(database, body, now) for body in said(acquirer))
    run, runs = runtime.workflow().run, []

    def fail_first(step: Step) -> None:
        runs.append(step)
        if len(runs) == 1:
            raise errors.DatabaseUnavailable("as it happens")
        run(step)

    assert callbacks.sweep(database, fail_first, ask=unasked, now=now + LATER) == 2
    assert sorted(kept(database)) == [("APPLIED", "confirmed", 1), ("PENDING", None, 1)]
    assert first.gateway == "sandbox"


def test_one_callback_applied_by_many_at_once(
    call: Caller,
    acquirer: Sandbox,
    database: Database,
    another_database: Callable[[], Database],
    now: dt.datetime,
) -> None:
    """One story: the payment is completed once, the callback decided once."""
    payment = take(call, "tok_error_after")
    callback = _received(database, said(acquirer)[0], now)
    own_id = PaymentId(ids.parse("pay", payment["id"]))
    start = threading.Barrier(4)

    def apply(db: Database) -> None:
        def run(step: Step) -> None:
            start.wait(20)
            line = Line({"test": acquirer.gateway})
            steps.call_gateway(db, line, step, clock=lambda: now, deadline_seconds=5)
            steps.finish(db, step, blocked=False, now=now)

        callbacks.apply(db, run, callback, ask=unasked, now=now)

    threads = [threading.Thread(target=apply, args=(another_database(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    events = database.connection().execute(
        "SELECT type FROM events WHERE object_id = %s ORDER BY sequence", (ids.text("pay", own_id),)
    )
    assert [row[0] for row in events][-1] == "payment.completed.v1"
    assert [row[2] for row in facts(database)].count("payment.completed.v1") == 1
    assert len(acquirer.charges()) == 1
    assert kept(database) == [("APPLIED", "confirmed", 1)]


def test_another_body_under_a_known_id_rings(
    call: Caller, acquirer: Sandbox, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first is kept; the second is told of, and asks nobody."""
    take(call, "tok_error_after")
    body = said(acquirer)[0]
    tell(reworded(body, {"amount": 1}, own_id=json.loads(body)["id"]))
    before = facts(database)
    capsys.readouterr()

    assert tell(body).status == 200
    assert '"CallbackRefused"' in capsys.readouterr().out
    assert kept(database) == [("REFUSED", "wrong_amount", 2)]
    assert facts(database) == before


@pytest.mark.parametrize("body", ["", "no JSON", "{}", '{"id": 7}', "[1]", "{" * 100])
def test_what_can_not_be_read_is_kept_once(database: Database, body: str) -> None:
    """By its digest, where it has no id of its own."""
    answers = [tell(body).status for _ in range(2)]

    assert answers == [200, 200]
    assert kept(database) == [("REFUSED", "unreadable", 2)]


@pytest.mark.parametrize("body", ["a\x00b", "a\ud800b"])
def test_what_is_no_text_is_refused(database: Database, body: str) -> None:
    """No database could hold it."""
    answer = tell(body)

    assert (answer.status, answer.json()["code"]) == (400, "invalid_request")
    assert kept(database) == []


def test_no_card_number_is_kept(database: Database) -> None:
    """The gateway must not send one; its body is not stored."""
    body = json.dumps({"id": "4242424242424242", "card": "4242 4242 4242 4242"})
    assert tell(body).status == 200

    rows = database.connection().execute("SELECT to_jsonb(c)::TEXT FROM gateway_callbacks AS c")
    (text,) = rows.fetchone() or ("",)
    assert "4242" not in text
    assert kept(database) == [("REFUSED", "card_number", 1)]


def test_bodies_are_bounded_and_gateways_known(database: Database) -> None:
    """Both before anything is verified or stored."""
    largest, larger = ("x" * size for size in (BODY_LIMIT_BYTES, BODY_LIMIT_BYTES + 1))

    assert tell(largest).status == 200
    assert (tell(larger).status, tell(larger, key="another").status) == (413, 413)
    assert tell("é" * (BODY_LIMIT_BYTES // 2 + 1)).status == 413
    assert tell("{}", gateway="nobody").status == 404
    assert len(kept(database)) == 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE gateway_callbacks SET state = 'PENDING', verdict = NULL, finished_at = NULL",
        "UPDATE gateway_callbacks SET body = 'x'",
        "UPDATE gateway_callbacks SET verdict = 'wrong_amount'",
    ],
)
def test_what_became_of_a_callback_never_changes(database: Database, change: str) -> None:
    """The database itself refuses it."""
    tell("{}")
    with pytest.raises(psycopg.Error, match="never changes"):
        database.connection().execute(change.encode())


def _received(database: Database, body: str, now: dt.datetime) -> Callback:
    headers = {"acquirer-signature": signature_of(body, key=KEY, at=now)}
    callback = callbacks.receive(database, "sandbox", headers, body, key=KEY, now=now)
    assert callback is not None
    return callback


def _in(deployed: pytest.MonkeyPatch, wait: dt.timedelta) -> None:
    deployed.setattr(runtime, "clock", lambda: lambda: system_clock() + wait)


def test_a_callback_is_kept_for_ninety_days(
    call: Caller, acquirer: Sandbox, database: Database
) -> None:
    """One that still waits for longer; one that comes again after that is asked about, no more."""
    take(call, "tok_approve")
    [body] = said(acquirer)
    tell(body)
    waiting = json.dumps({"id": "cb_waits", "dispute": {"id": "dsp_1"}})
    acquirer.stop()
    tell(waiting)
    now = runtime.clock()()
    assert retention.forget_callbacks(database, now=now + retention.CALLBACKS_KEPT - LATER) == 0
    assert retention.forget_callbacks(database, now=now + retention.CALLBACKS_KEPT + LATER) == 1
    assert kept(database) == [("PENDING", None, 1)]
    before = facts(database)
    tell(body)
    assert sorted(kept(database), key=str) == [
        ("APPLIED", "confirmed", 1),
        ("PENDING", None, 1),
    ]
    assert facts(database) == before
    acquirer.start()

"""A payment's timeline over HTTP: everything known of it, in one order, to its merchant alone."""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from merchants_api.handler import handler as merchants
from payments_api.handler import handler
from paynexus import ids
from paynexus.db import Database
from paynexus.ids import EventId, MerchantId, PaymentId
from paynexus.notification import service as notification
from paynexus.payments.store import timeline as store
from tests.integration.conftest import Caller
from tests.integration.notification_world import Time, World, running_sink
from tests.sandbox import Sandbox
from tests.settlement_world import SettlementWorld, debit, file_report, statement

ORDER = {"amount": 1250, "currency": "EUR", "payment_method": "tok_approve_timeline"}
KINDS = [
    "request",
    "transfer",
    "event",
    "fraud_decision",
    "attempt",
    "answer",
    "webhook_attempt",
    "settlement",
    "bank_line",
]
OTHERS = 60
"""Payments of the same merchant."""
TABLES = {
    "attempts",
    "bank_lines",
    "deliveries",
    "delivery_attempts",
    "events",
    "fraud_decisions",
    "idempotency_keys",
    "refunds",
    "settlements",
    "transfers",
}
"""What grows with the payments of others."""

# Nobody's, but as many as make reading all of them the worse plan.
SQL_OTHERS = """
INSERT INTO attempts (id, payment_id, operation, operation_id, number, gateway, reference, amount,
    currency, created_at)
SELECT uuidv7(), uuidv7(), 'cancel', uuidv7(), 1, 'x', n::TEXT, 1, 'EUR', now()
FROM generate_series(1, 20000) AS n;
INSERT INTO idempotency_keys (merchant_id, mode, operation, key, fingerprint, object_id,
    running_until, created_at, expires_at)
SELECT uuidv7(), 'test', 'POST /payments', n::TEXT, '', uuidv7(), now(), now(), now()
FROM generate_series(1, 20000) AS n;
INSERT INTO events (id, source, type, mode, merchant_id, object_id, sequence, data)
SELECT uuidv7(), 'payments.events', 'x', 'test', %(merchant)s, 'pay_' || n, 1, '{}'
FROM generate_series(1, 20000) AS n;
"""


@pytest.fixture
def world(
    database: Database, merchant: MerchantId, tmp_path: Path, now: dt.datetime
) -> Iterator[World]:
    """The merchant's own server, to which webhooks go."""
    with running_sink(tmp_path / "sink") as sink:
        yield World(database, merchant, sink, Time(now + dt.timedelta(seconds=30)))


def post(call: Caller, path: str, body: object, key: str) -> Any:  # noqa: ANN401 - any JSON value
    """What the request under the key comes to."""
    answer = call(handler, "POST", path, body, headers={"Idempotency-Key": key})
    assert answer.status in {200, 201, 202}, answer
    return answer.json()


def whole(call: Caller, payment_id: str, **query: str) -> list[dict[str, Any]]:
    """All items, of one page."""
    page = call(handler, "GET", f"/payments/{payment_id}/timeline", query=query).json()
    assert page["has_more"] is False
    items: list[dict[str, Any]] = page["data"]
    return items


def kinds(items: list[dict[str, Any]]) -> set[str]:
    """The kinds of fact that are told."""
    return {item["kind"] for item in items}


def of(items: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The items of one kind."""
    return [item for item in items if item["kind"] == kind]


def notify(world: World, object_id: str) -> None:
    """The object's events have been told to the merchant's server."""
    found = world.db.connection().execute(
        "SELECT id FROM events WHERE object_id = %s ORDER BY sequence", (object_id,)
    )
    for (event_id,) in found.fetchall():
        notification.deliver_event(world.means(), world.envelope(EventId(event_id)))


def pay_out(database: Database, merchant: MerchantId, now: dt.datetime) -> str:
    """What the merchant earned is paid and confirmed by the bank; the settlement's id."""
    world = SettlementWorld(database, merchant, now)
    world.settle()
    [made] = world.settlements()
    world.hear(file_report(made.message_id, "ACCP"), statement(debit(made)))
    return made.object_id


def test_a_timeline_joins_all_that_is_known(
    call: Caller, acquirer: Sandbox, world: World, now: dt.datetime
) -> None:
    """From the request to the bank: each kind of fact, with its fields, in order of time."""
    world.listen()
    payment = post(call, "/payments", {**ORDER, "capture": "manual"}, "order-1")["id"]
    post(call, f"/payments/{payment}/capture", {}, "capture-1")
    refund = post(call, f"/payments/{payment}/refunds", {"amount": 50}, "refund-1")["id"]
    post(call, "/payments", {**ORDER, "amount": 990}, "order-2")
    notify(world, payment)
    paid = pay_out(world.db, call.merchant_id, now + dt.timedelta(hours=1))

    items = whole(call, payment)
    told = {kind: of(items, kind) for kind in KINDS}

    assert kinds(items) == set(KINDS)
    assert [item["at"] for item in items] == sorted(item["at"] for item in items)
    assert len({item["id"] for item in items}) == len(items)
    assert [(one["operation"], one["key"]) for one in told["request"]] == [
        ("POST /payments", "order-1"),
        (f"POST /payments/{payment}/capture", "capture-1"),
        (f"POST /payments/{payment}/refunds", "refund-1"),
    ]
    assert [one["status"] for one in told["answer"]] == [201, 200, 201]
    assert (told["fraud_decision"][0]["verdict"], told["fraud_decision"][0]["reasons"]) == (
        "ALLOW",
        [],
    )
    assert [(one["operation"], one["outcome"]) for one in told["attempt"]] == [
        ("charge", "APPROVED"),
        ("capture", "APPROVED"),
        ("refund", "APPROVED"),
    ]
    assert [(one["transfer_kind"], one["state"]) for one in told["transfer"]] == [
        ("payment", "pending"),
        ("payment", "post"),
        ("fee", "single"),
        ("refund", "pending"),
        ("refund", "post"),
    ]
    assert told["transfer"][0]["amount"] == {"amount": 1250, "currency": "EUR"}
    assert {one["object_id"] for one in told["event"]} == {payment, refund}
    assert {one["status_code"] for one in told["webhook_attempt"]} == {200}
    assert told["webhook_attempt"][0]["endpoint"].startswith("we_")
    assert [one["settlement"] for one in told["settlement"] + told["bank_line"]] == [paid] * 3
    # 12.50 less a fee of 1.5 % and 25 cents, less the refund: of the payment alone.
    assert told["settlement"][0]["amount"] == {"amount": 1250 - 44 - 50, "currency": "EUR"}
    assert told["settlement"][0]["status"] == "PAID"
    # The bank's answer to the whole file, and its line on the statement.
    lines = {(one["line"], one["code"]) for one in told["bank_line"]}
    assert lines == {("status", "ACCP"), ("entry", "DBIT")}
    assert "tok_approve_timeline" not in json.dumps(items)


def test_pages_add_up_to_the_whole(call: Caller, acquirer: Sandbox) -> None:
    """By one, by three, by more than there are: nothing is told twice or left out."""
    payment = post(call, "/payments", ORDER, "order-1")["id"]
    items = whole(call, payment)
    for limit in (1, 3, len(items)):
        found: list[dict[str, Any]] = []
        page: Mapping[str, Any] = {"has_more": True}
        while page["has_more"]:
            query = {"limit": str(limit)} | ({"starting_after": found[-1]["id"]} if found else {})
            path = f"/payments/{payment}/timeline"
            page = call(handler, "GET", path, query=query).json()
            assert len(page["data"]) <= limit
            found += page["data"]
        assert found == items


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "101"),
        ("starting_after", "nonsense"),
        ("starting_after", "9999999999999999-99-0"),
        ("starting_after", "1" * 161),
        ("starting_after", "\u0661" * 16 + "-1-0"),
    ],
)
def test_an_odd_page_is_refused(call: Caller, acquirer: Sandbox, name: str, value: str) -> None:
    """400 names the parameter."""
    payment = post(call, "/payments", ORDER, "order-1")["id"]
    answer = call(handler, "GET", f"/payments/{payment}/timeline", query={name: value})

    assert (answer.status, answer.json()["param"]) == (400, name)


def test_a_timeline_is_its_merchants_alone(
    call: Caller, acquirer: Sandbox, database: Database
) -> None:
    """To another merchant, and in the other mode, there is no such payment; nor is one mixed in."""
    stranger = Caller(MerchantId(ids.new_id()))
    payment, other = (post(call, "/payments", ORDER, key)["id"] for key in ("one", "two"))
    path = f"/payments/{payment}/timeline"

    for who in (stranger, Caller(call.merchant_id, mode="live")):
        assert who(handler, "GET", path).status == 404
    assert other not in json.dumps(whole(call, payment))
    assert [one["key"] for one in of(whole(call, payment), "request")] == ["one"]


def test_a_timeline_tells_of_what_is_under_way(
    call: Caller, acquirer: Sandbox, database: Database
) -> None:
    """An attempt without an outcome, a request without an answer."""
    token = "tok_error_before_timeline"
    payment = post(call, "/payments", {**ORDER, "payment_method": token}, "one")["id"]
    items = whole(call, payment)

    assert [one["outcome"] for one in of(items, "attempt")] in ([None], ["UNKNOWN"])
    assert (len(of(items, "request")), of(items, "answer")) == (1, [])


def test_a_challenge_and_its_answer_are_told(call: Caller, acquirer: Sandbox) -> None:
    """The fraud alert, the confirm and its answer."""
    changed = call(
        merchants,
        "PATCH",
        "/merchant",
        {"configuration": {"fraud": {"challenge_above_minor": 100}}},
    )
    payment = post(call, "/payments", ORDER, "one")
    assert (changed.status, payment["status"]) == (200, "CHALLENGED")
    post(call, f"/payments/{payment['id']}/confirm", {"authentication": "failed"}, "two")
    items = whole(call, payment["id"])

    assert "fraud.challenged.v1" in {one["type"] for one in of(items, "event")}
    assert [one["key"] for one in of(items, "request")] == ["one", "two"]
    assert of(items, "fraud_decision")[0]["reasons"] != []


def test_no_plan_reads_what_others_have(
    call: Caller, acquirer: Sandbox, database: Database, now: dt.datetime
) -> None:
    """Among many rows of others, each table that grows is read through an index."""
    for n in range(OTHERS):
        # On the same accounts, whose entries are told apart by their time alone.
        order = {**ORDER, "payment_method": f"tok_approve_{n}"}
        payment = post(call, "/payments", order, str(n))["id"]
    own = PaymentId(ids.parse("pay", payment))
    pay_out(database, call.merchant_id, now + dt.timedelta(hours=1))
    connection = database.connection()
    for text in SQL_OTHERS.split(";\n")[:-1]:
        connection.execute(text.encode(), {"merchant": call.merchant_id})
    connection.execute("ANALYZE")
    subject = store.Subject(own, call.merchant_id, "test", [payment], [f"POST /payments/{payment}"])
    values = store.values_of(subject, after=None, limit=101)
    with connection.transaction():
        # The small tables too: whether an index can serve at all, whatever its price.
        connection.execute("SET LOCAL enable_seqscan = off")
        (row,) = connection.execute(
            b"EXPLAIN (ANALYZE, FORMAT JSON) " + store.SQL_FACTS.encode(), values
        ).fetchall()
    plan, dear = (
        row[0][0],
        connection.execute(b"EXPLAIN (FORMAT JSON) " + store.SQL_FACTS.encode(), values).fetchone(),
    )
    assert dear is not None

    assert {name for kind, name in scans(plan["Plan"]) if kind == "Seq Scan"} & TABLES == set()
    filled = {"attempts", "events", "idempotency_keys"}
    assert {n for kind, n in scans(dear[0][0]["Plan"]) if kind == "Seq Scan"} & filled == set()
    assert max(rows_read(plan["Plan"])) < OTHERS


def scans(plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """How each table of the plan is read."""
    if "Relation Name" in plan:
        yield plan["Node Type"], plan["Relation Name"]
    for part in plan.get("Plans", []):
        yield from scans(part)


def rows_read(plan: Mapping[str, Any]) -> Iterator[int]:
    """How many rows of a table each step read, also in vain."""
    if "Relation Name" in plan:
        in_vain = plan.get("Rows Removed by Filter", 0)
        yield plan["Actual Loops"] * (plan["Actual Rows"] + in_vain)
    for part in plan.get("Plans", []):
        yield from rows_read(part)

"""One key, one effect, as a client meets it: every rule of docs/idempotency.md over HTTP."""

import datetime as dt
import json
from typing import Any

import pytest
from psycopg import sql

from payments_api.handler import handler
from payments_api.schemas import PaymentOrder
from paynexus import idempotency, ids, runtime
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.idempotency import Scope
from paynexus.identity.allowance import Rate
from paynexus.ids import MerchantId
from tests.integration.conftest import Answer, Caller, answer_of, gateway_event
from tests.sandbox import Sandbox

ORDER = {"amount": 1250, "currency": "EUR", "payment_method": "tok_approve_key"}
DECLINED = {**ORDER, "payment_method": "tok_decline_key"}
HELD = {**ORDER, "capture": "manual"}
LONGEST = "k" * 255


def take(
    call: Caller, order: object = ORDER, *, key: str = "one", text: str | None = None
) -> Answer:
    """The answer to `POST /payments`."""
    body = order if text is None else None
    return call(handler, "POST", "/payments", body, headers={"Idempotency-Key": key}, text=text)


def act(
    call: Caller, payment: str, what: str, body: dict[str, Any] | None = None, *, key: str = "one"
) -> Answer:
    """The answer to an operation on the payment."""
    path = f"/payments/{payment}/{what}"
    return call(handler, "POST", path, body or {}, headers={"Idempotency-Key": key})


def counted(database: Database, table: str) -> int:
    """How many rows there are."""
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    row = database.connection().execute(query).fetchone()
    assert row is not None
    count: int = row[0]
    return count


def require_replay(first: Answer, again: Answer) -> None:
    """Status, body and the headers that belong to it are the first answer's own."""
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (
        None,
        "true",
    )


def forget_cache() -> None:
    """Redis holds nothing."""
    runtime.cache()._connected().flushall()


@pytest.mark.parametrize("key", [None, "", " ", '""', "k" * 256, "é", "a\tb", "a\x7fb", "\u200b"])
def test_a_key_is_needed_and_printable(call: Caller, database: Database, key: str | None) -> None:
    """400, and nothing is written."""
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = call(handler, "POST", "/payments", ORDER, headers=headers)

    assert (answer.status, answer.json()["code"]) == (400, "idempotency_key_missing")
    assert answer.json()["param"] == "Idempotency-Key"
    assert (counted(database, "transactions"), counted(database, "idempotency_keys")) == (0, 0)


@pytest.mark.parametrize(
    ("key", "same"), [("k", '"k"'), (LONGEST, f" {LONGEST} "), ("a b~!\\", "a b~!\\")]
)
def test_a_key_is_any_printable_text(call: Caller, acquirer: Sandbox, key: str, same: str) -> None:
    """From one character to 255; bare or quoted it is the same."""
    require_replay(take(call, key=key), take(call, key=same))
    assert len(acquirer.charges()) == 1


@pytest.mark.parametrize(
    "text",
    [
        '{"payment_method":"tok_approve_key","currency":"EUR","amount":1250}',
        '\n{ "currency" : "EUR",\t"amount": 1250, "payment_method": "tok_\\u0061pprove_key" } ',
        '{"amount":1250,"currency":"EUR","payment_method":"tok_approve_key","metadata":{}}',
        '{"amount":1250,"currency":"EUR","payment_method":"tok_approve_key","capture":"automatic"}',
        '{"amount":1250,"currency":"EUR","payment_method":"tok_approve_key","reference":null}',
    ],
)
def test_the_spelling_of_a_request_does_not_matter(
    call: Caller, acquirer: Sandbox, text: str
) -> None:
    """Order of members, spaces, escapes, a default that is written out."""
    require_replay(take(call), take(call, text=text))
    forget_cache()
    assert take(call, text=text).headers["Idempotent-Replayed"] == "true"
    assert len(acquirer.charges()) == 1


@pytest.mark.parametrize("number", ["1250.0", "1.25e3", "1250e0", '"1250"', "12500e-1", "01250"])
def test_a_number_has_one_spelling(
    call: Caller, acquirer: Sandbox, database: Database, number: str
) -> None:
    """Every other one is refused before the key is looked at, so none can differ in meaning."""
    text = json.dumps(ORDER).replace("1250", number)
    before = take(call, text=text)
    first = take(call)
    after = take(call, text=text)

    assert [before.status, first.status, after.status] == [400, 201, 400]
    assert counted(database, "idempotency_keys") == 1


@pytest.mark.parametrize(
    "change",
    [{"amount": 1251}, {"reference": "x"}, {"metadata": {"a": "b"}}, {"capture": "manual"}],
)
def test_another_request_under_the_key_is_refused(
    call: Caller, acquirer: Sandbox, change: dict[str, object]
) -> None:
    """422, which names the payment that the key stands for; a new key could charge twice."""
    payment = take(call).json()["id"]
    for _ in range(2):
        refused = take(call, {**ORDER, **change})
        told = refused.json()

        assert (refused.status, told["code"]) == (422, "idempotency_key_reused")
        assert (told["operation_state"], told["operation_ref"]) == ("finished", payment)
        assert told["safe_new_key"] is False
        forget_cache()
    assert len(acquirer.charges()) == 1


def test_a_new_key_is_safe_when_nothing_came_of_the_first(call: Caller, acquirer: Sandbox) -> None:
    """A declined payment, a refused capture: doing it under a new key does it once."""
    declined = take(call, DECLINED).json()["id"]
    told = take(call, ORDER).json()
    held = take(call, {**HELD, "payment_method": "tok_capture_decline"}, key="two").json()["id"]
    refused = act(call, held, "capture")
    other = act(call, held, "capture", {"amount": 5})

    assert (told["operation_ref"], told["safe_new_key"]) == (declined, True)
    assert (refused.status, refused.json()["code"]) == (402, "capture_refused")
    assert (other.status, other.json()["operation_ref"]) == (422, held)
    assert other.json()["safe_new_key"] is True
    require_replay(refused, act(call, held, "capture"))


def test_a_refunds_key_stands_for_the_refund(call: Caller, acquirer: Sandbox) -> None:
    """The conflict names it as `GET /refunds/{id}` does."""
    payment = take(call).json()["id"]
    refund = act(call, payment, "refunds", {"amount": 50})
    told = act(call, payment, "refunds", {"amount": 51})

    assert (told.status, told.json()["operation_ref"]) == (422, refund.json()["id"])
    require_replay(refund, act(call, payment, "refunds", {"amount": 50}))


def at_work(database: Database) -> None:
    """The first request has not ended yet: another process still has it."""
    with database.transaction() as tx:
        tx.execute(
            "UPDATE idempotency_keys SET running_until = now() + interval '1 minute'"
            " WHERE finished_at IS NULL"
        )


def test_while_the_first_is_at_work_the_rest_wait(
    call: Caller, acquirer: Sandbox, database: Database
) -> None:
    """409 and `Retry-After`; the payment is named, and a new key is not safe."""
    order = {**ORDER, "payment_method": "tok_error_before"}
    payment = take(call, order).json()["id"]
    at_work(database)
    running, other = take(call, order), take(call)

    assert (running.status, running.json()["code"]) == (409, "operation_running")
    assert int(running.headers["Retry-After"]) > 0
    for answer, status in ((running, 409), (other, 422)):
        told = answer.json()
        assert (answer.status, told["operation_state"]) == (status, "running")
        assert (told["operation_ref"], told["safe_new_key"]) == (payment, False)
    assert counted(database, "transactions") == 1


def test_a_second_operation_names_the_payment_that_is_busy(
    call: Caller, acquirer: Sandbox, database: Database
) -> None:
    """A capture that is not over keeps others away, whatever their key."""
    payment = take(call, {**HELD, "payment_method": "tok_capture_error_before"}).json()["id"]
    assert act(call, payment, "capture").status == 202
    busy = act(call, payment, "cancel", key="two")
    wrong = act(call, payment, "refunds", key="three")

    for answer in (busy, wrong):
        told = answer.json()
        assert (answer.status, told["code"], told["operation_ref"]) == (
            409,
            "invalid_state",
            payment,
        )
    assert (busy.json()["operation_state"], busy.json()["safe_new_key"]) == ("running", False)
    assert (wrong.json()["operation_state"], wrong.json()["safe_new_key"]) == ("AUTHORIZED", True)
    # A refusal binds no key.
    assert counted(database, "idempotency_keys") == 2


@pytest.mark.parametrize("token", ["tok_error_after", "tok_disconnect_after", "tok_garbled_after"])
def test_what_is_unfinished_is_resumed(
    call: Caller, acquirer: Sandbox, database: Database, token: str
) -> None:
    """No guess for an answer, no second charge: the repetition finds out what the first did."""
    order = {**ORDER, "payment_method": token}
    first = take(call, order)
    resumed = take(call, order)
    replayed = take(call, order)

    assert (first.status, first.json()["status"]) == (202, "UNKNOWN")
    assert (resumed.status, resumed.json()["status"]) == (201, "COMPLETED")
    assert resumed.json()["id"] == first.json()["id"]
    require_replay(resumed, replayed)
    assert (len(acquirer.charges()), counted(database, "transactions")) == (1, 1)


def test_an_unfinished_refund_is_resumed(
    call: Caller, acquirer: Sandbox, database: Database
) -> None:
    """The same refund, once."""
    payment = take(call, {**ORDER, "payment_method": "tok_refund_error_after"}).json()["id"]
    first, resumed = (act(call, payment, "refunds", {"amount": 50}) for _ in range(2))

    assert (first.status, resumed.status, resumed.json()["status"]) == (202, 201, "COMPLETED")
    assert first.json()["id"] == resumed.json()["id"]
    assert counted(database, "refunds") == 1


@pytest.mark.parametrize("is_cached", [True, False])
@pytest.mark.parametrize("order", [ORDER, DECLINED, HELD])
def test_a_finished_request_is_replayed(
    call: Caller, acquirer: Sandbox, order: dict[str, object], *, is_cached: bool
) -> None:
    """By Redis or by Postgres: the same bytes, whatever has become of the payment since."""
    first = take(call, order)
    if order is HELD:
        assert act(call, first.json()["id"], "capture").status == 200
    if not is_cached:
        forget_cache()
    require_replay(first, take(call, order))


def test_a_key_belongs_to_a_merchant_a_mode_and_an_operation(
    call: Caller, acquirer: Sandbox, database: Database
) -> None:
    """The same key elsewhere is another one."""
    stranger = MerchantId(ids.new_id())
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Other')", (stranger,))
        tx.execute("INSERT INTO merchant_fees VALUES (%s, 'EUR', 0, 0)", (stranger,))
    mine = take(call, HELD)
    theirs = take(Caller(stranger, client_id="pnx_test_other"), HELD)
    live = take(Caller(call.merchant_id, mode="live", client_id="pnx_live_1"), HELD)
    captured = act(call, mine.json()["id"], "capture")
    refunded = act(call, mine.json()["id"], "refunds")

    assert len({one.json()["id"] for one in (mine, theirs, live)}) == 3
    assert [captured.status, refunded.status] == [200, 201]
    assert not any("Idempotent-Replayed" in one.headers for one in (theirs, live, captured))


def test_refusals_bind_no_key(
    call: Caller, acquirer: Sandbox, database: Database, deployed: pytest.MonkeyPatch
) -> None:
    """Unknown caller, missing scope, used-up rate, wrong body, unknown QR code: none is stored."""
    event = gateway_event("POST", "/payments", text=json.dumps(ORDER))
    anonymous = answer_of(handler({**event, "headers": {"Idempotency-Key": "one"}}, None))
    reader = take(Caller(call.merchant_id, scope="payments:read"))
    unknown = take(call, {**ORDER, "amout": 1})
    much = take(call, {**ORDER, "amount": 10**12})
    forged = take(call, {**ORDER, "qr_code": "qrt_nobodys"})
    hasty = Caller(call.merchant_id, client_id="pnx_test_hasty")
    # Counted in this process: on a busy machine Redis may be late once, and its buckets empty.
    deployed.setenv("PAYNEXUS_REDIS_URL", "")
    for client in (runtime.settings, runtime.cache, runtime.rate_limiter):
        client.cache_clear()
    # A minute ahead: what is used up then has not come back when the request is made.
    limiter, now = runtime.rate_limiter(), runtime.clock()() + dt.timedelta(minutes=1)
    write = [limiter.allowances.request(Rate.WRITE)]
    while limiter.admit(hasty.client_id, write, now=now).is_allowed:
        pass
    limited = take(hasty)

    refused = [anonymous, reader, unknown, much, forged, limited]
    assert [one.status for one in refused] == [401, 403, 400, 400, 422, 429]
    assert counted(database, "idempotency_keys") == 0
    # The key is free for what was meant.
    assert take(call).status == 201


def test_a_replay_outlives_the_terms_that_it_was_made_under(
    call: Caller, acquirer: Sandbox, database: Database
) -> None:
    """The merchant no longer takes the currency; what was answered stays answered."""
    first = take(call)
    with database.transaction() as tx:
        tx.execute("DELETE FROM merchant_fees")
    forget_cache()

    require_replay(first, take(call))
    assert (take(call, key="two").status, counted(database, "idempotency_keys")) == (400, 1)


@pytest.mark.parametrize("lie", ["another's", "altered", "nonsense", "expired", "nothing"])
def test_redis_never_changes_an_answer(
    call: Caller,
    acquirer: Sandbox,
    database: Database,
    redis_url: str,
    now: dt.datetime,
    *,
    lie: str,
) -> None:
    """Whatever it holds under the key: a finished request is replayed, a new one is done."""
    first, other = take(call), take(call, DECLINED, key="two")
    client: Any = Cache(redis_url)._connected()
    names = client.keys("idempotency:*")
    values = {name: client.get(name) for name in names}
    one, two = names
    if lie == "another's":
        client.mset({one: values[two], two: values[one]})
    elif lie == "altered":
        for name, value in values.items():
            client.set(name, value.replace(b"COMPLETED", b"FAILED").replace(b"1250", b"1"))
    elif lie == "nonsense":
        client.mset(dict.fromkeys(names, b'["x", "[]"]'))
    elif lie == "expired":
        # Of the key's life before this one, which Redis should have dropped long ago.
        for key, order in (("one", ORDER), ("two", DECLINED)):
            idempotency.remember(
                runtime.cache(),
                Scope(call.merchant_id, "test", "POST /payments", key),
                fingerprint=idempotency.fingerprint_of(
                    "/payments", PaymentOrder.model_validate(order).model_dump()
                ),
                answer=idempotency.Answer(201, '{"id": "pay_of_old"}', {}),
                now=now - dt.timedelta(days=31),
            )
        assert {client.get(name) for name in names}.isdisjoint(values.values())
    else:
        client.flushall()

    require_replay(first, take(call))
    require_replay(other, take(call, DECLINED, key="two"))
    fresh = take(call, {**ORDER, "payment_method": "tok_approve_fresh"}, key="three")
    assert (fresh.status, "Idempotent-Replayed" in fresh.headers) == (201, False)
    assert counted(database, "transactions") == 3


def test_an_answer_of_redis_about_a_key_that_was_never_used_is_not_believed(
    call: Caller, acquirer: Sandbox, database: Database, redis_url: str
) -> None:
    """Every name holds the finished answer of the first request; the second acts all the same."""
    first = take(call)
    client: Any = Cache(redis_url)._connected()
    (name,) = client.keys("idempotency:*")
    said = client.get(name)
    second = take(call, key="two")
    client.mset(dict.fromkeys(client.keys("idempotency:*"), said))

    assert first.json()["id"] != second.json()["id"]
    require_replay(second, take(call, key="two"))
    assert counted(database, "transactions") == 2

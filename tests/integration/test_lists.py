"""Lists: a filter means what is shown, meets an index, and is refused when it means nothing."""

import datetime as dt
import itertools
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg
import pytest

from paynexus import ids
from paynexus.ids import MerchantId
from tests.integration import lists_world
from tests.integration.conftest import Caller
from tests.integration.lists_world import LISTS, List

OPERATORS: Mapping[str, Callable[[dt.datetime, dt.datetime], bool]] = {
    "gte": lambda made, bound: made >= bound,
    "gt": lambda made, bound: made > bound,
    "lte": lambda made, bound: made <= bound,
    "lt": lambda made, bound: made < bound,
}
SMALL = {"merchants", "accounts", "account_balances", "schema_migrations"}
"""Tables with a few rows in these tests, which nobody reads by an index."""
MONTHS_BACK = 2
WRITERS = 3

# Rows as they are made, each in a transaction of its own that ends at some later time.
SQL_WRITE = """
INSERT INTO transactions (
    id, merchant_id, amount, currency, status, mode, capture, payment_method, fingerprint,
    reference, transfer_id
) VALUES (%(id)s, %(merchant)s, 5, 'EUR', 'FAILED', 'test', 'manual', 't', 'x', 'order-17', %(id)s);
INSERT INTO disputes (
    id, payment_id, merchant_id, mode, amount, covered_amount, currency, status, gateway,
    gateway_reference, created_at, updated_at, asked_at
) VALUES (%(id)s, %(id)s, %(merchant)s, 'test', 5, 0, 'EUR', 'OPEN', 'sandbox', %(id)s, now(),
    now(), now());
INSERT INTO settlements (
    id, merchant_id, amount, status, currency, mode, cutoff, account_id, after_entry,
    through_entry, booked_entry, reserve_amount, expected_on, message_id, end_to_end_id,
    instruction, payout_id, created_at
) VALUES (%(id)s, %(merchant)s, 5, 'PENDING', 'EUR', 'test', clock_timestamp(), %(id)s, 0, 1, 2, 0,
    now()::DATE, %(id)s, %(id)s,
    '{"creditor": {"holder": "Café Müller", "iban": "DE89370400440532013000", "bic": null}}',
    %(id)s, now());
INSERT INTO events (id, source, type, mode, merchant_id, object_id, sequence, data)
VALUES (%(id)s, 'payments.events', 'payment.failed.v1', 'test', %(merchant)s, %(id)s, 1, '{}');
INSERT INTO webhook_endpoints (id, merchant_id, mode, url, secret)
VALUES (%(id)s, %(merchant)s, 'test', 'https://example.com', '');
INSERT INTO deliveries (
    id, event_id, endpoint_id, merchant_id, mode, event_type, object_id, sequence, state,
    resolved_at
) VALUES (%(id)s, %(id)s, %(id)s, %(merchant)s, 'test', 'payment.failed.v1', 'pay', 1,
    'exhausted', now());
INSERT INTO transfers (
    id, state, is_final, kind, debit_account_id, credit_account_id, debit_slot, credit_slot,
    amount, released, currency, mode, object_id, sequence, effective_at, created_at
) SELECT %(id)s, 'single', TRUE, 'payment', id, id, 0, 0, 5, 0, 'EUR', 'test', 'pay', 1, now(),
    now()
FROM accounts WHERE merchant_id = %(merchant)s AND currency = 'EUR';
INSERT INTO ledger_entries (
    id, account_id, delta, balance_after, type, transfer_id, currency, slot
) SELECT ledger_entry_number(clock_timestamp(), 0::SMALLINT), id, -5, 0, 'posted', %(id)s, 'EUR', 0
FROM accounts WHERE merchant_id = %(merchant)s AND currency = 'EUR';
"""


@pytest.fixture
def asker(deployed: pytest.MonkeyPatch, database_url: str) -> Caller:
    """A merchant with thousands of rows in each list; its books are no books."""
    merchant = MerchantId(ids.new_id())
    lists_world.filled(database_url, merchant)
    return Caller(merchant)


@pytest.fixture
def writing(asker: Caller, database_url: str) -> Iterator[list[int]]:
    """Others who write rows of the merchant all the while; how many so far."""
    done, written = threading.Event(), [0] * WRITERS

    def write(number: int) -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            cursor = psycopg.ClientCursor(connection)
            while not done.wait(random.random() / 200):  # noqa: S311 - any pause will do
                values = {"id": ids.new_id(), "merchant": asker.merchant_id}
                with connection.transaction():
                    cursor.execute(SQL_WRITE.encode(), values)
                    done.wait(random.random() / 100)  # noqa: S311
                written[number] += 1

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    yield written
    done.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("generic", [False, True], ids=["values known", "generic plan"])
def test_a_filtered_list_reads_by_indexes_the_months_it_needs(
    asker: Caller, *, generic: bool
) -> None:
    """No large table from end to end; no partition outside the time that is asked for.

    But for the ledger's entries, each shown with the balance after it, which is reckoned from a
    checkpoint onwards.
    """
    first = month_back(MONTHS_BACK) + dt.timedelta(days=5)
    window = {"created[gte]": text(first), "created[lt]": text(first + dt.timedelta(days=9))}
    month = first.strftime("_%Y_%m")
    for one in [each for each in LISTS if each.table != "ledger_entries"]:
        for like in one.filters:
            with lists_world.plans(generic=generic) as plans:
                answer = asker(one.handler, "GET", one.path, query={**like, **window})

            found = [scan for plan in plans for scan in lists_world.scans(plan)]
            told = (one.path, like, found)
            assert answer.status == 200, told
            assert {table for _, table, _ in found if table.startswith(one.table)}, told
            assert not [s for s in found if s[0] == "Seq Scan" and s[1] not in SMALL], told
            assert not unneeded(one, month, found), told
            if "reference" in like:
                assert f"transactions{month}_merchant_id_mode_reference_id_idx" in [
                    index for _, _, index in found
                ]


@pytest.mark.parametrize("one", LISTS, ids=lambda one: one.path)
def test_a_filter_means_what_the_list_shows(asker: Caller, one: List) -> None:
    """The same objects, in the same order, as when all are read and sorted out afterwards."""
    shown = list(one.walk(asker))
    assert len(shown) == lists_world.ROWS * 3 // 4
    assert len({item["id"] for item in shown}) == len(shown)
    for item, (name, holds) in zip(
        random.sample(shown, 2 * len(OPERATORS)), itertools.cycle(OPERATORS.items()), strict=False
    ):
        expected = [each["id"] for each in shown if holds(made(each), made(item))]
        if not expected:
            continue
        walked = one.walk(asker, {f"created[{name}]": item["created"]})
        assert [each["id"] for each in walked] == expected, (name, item)
    for like in one.filters:
        got = [each["id"] for each in one.walk(asker, like)]
        assert got == [each["id"] for each in shown if fits(each, like)], like


@pytest.mark.parametrize("one", LISTS, ids=lambda one: one.path)
def test_pages_hold_together_while_others_write(
    asker: Caller, writing: list[int], one: List
) -> None:
    """What was there at the start is seen once, and nothing is seen twice."""
    for like in one.filters:
        window = {"created[gte]": text(dt.datetime.now(dt.UTC) - dt.timedelta(days=3))}  # noqa: TID251
        there = [each["id"] for each in one.walk(asker, {**like, **window})]
        begun = sum(written for written in writing)
        limit = random.randint(1, 7)  # noqa: S311 - any will do
        seen = [each["id"] for each in one.walk(asker, {**like, **window}, limit=limit)]

        assert len(seen) == len(set(seen)), (like, limit)
        assert [each for each in seen if each in set(there)] == there, (like, limit)
        assert there or "object_id" in like or "reference" in like
        assert sum(writing) > begun or len(seen) <= limit


@pytest.mark.parametrize("one", LISTS, ids=lambda one: one.path)
@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"created[gte]": "2026-11-01T00:00:00"}, "created[gte]"),
        ({"created[gte]": "2026-11-01"}, "created[gte]"),
        ({"created[gte]": "1767225600"}, "created[gte]"),
        ({"created[gte]": ""}, "created[gte]"),
        ({"created[gte]": "2026-11-01T00:00:00 01:00"}, "created[gte]"),
        ({"created[gte]": "2026-11-01T00:00:00.1234567Z"}, "created[gte]"),
        ({"created[gte]": "2026-13-01T00:00:00Z"}, "created[gte]"),
        ({"created[gte]": "\u0662\u066026-11-01T00:00:00Z"}, "created[gte]"),
        ({"created[lt]": "1960-01-01T00:00:00Z"}, "created[lt]"),
        ({"created[gt]": "9999-12-31T23:59:59.999999-14:00"}, "created[gt]"),
        ({"created": "2026-11-01T00:00:00Z"}, "created"),
        ({"created[ge]": "2026-11-01T00:00:00Z"}, "created[ge]"),
        ({"created_gte": "2026-11-01T00:00:00Z"}, "created_gte"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "1e1"}, "limit"),
        ({"starting_after": ""}, "starting_after"),
        ({"starting_after": "pay_nonsense"}, "starting_after"),
        ({"limit": "5", "staus": "FAILED"}, "staus"),
        ({"Status": "FAILED"}, "Status"),
        ({"asked": "{}"}, "asked"),
        (
            {
                "created[gte]": "2026-11-01T00:00:00Z",
                "created[gt]": "2026-11-02T00:00:00Z",
            },
            "created[gt]",
        ),
        (
            {
                "created[lte]": "2026-11-01T00:00:00Z",
                "created[lt]": "2026-11-02T00:00:00Z",
            },
            "created[lt]",
        ),
        (
            {
                "created[gt]": "2026-11-02T00:00:00Z",
                "created[lte]": "2026-11-02T00:00:00Z",
            },
            "created[lte]",
        ),
        (
            {
                "created[gte]": "2026-11-02T00:00:00+01:00",
                "created[lt]": "2026-11-01T23:00:00Z",
            },
            "created[lt]",
        ),
    ],
)
def test_what_means_nothing_is_refused_by_name(
    call: Caller, one: List, query: dict[str, str], param: str
) -> None:
    """Never an answer to another question than the one that was asked."""
    require_refused(call, one, query, param)


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("/payments", "status", "failed"),
        ("/payments", "status", "FAILED,COMPLETED"),
        ("/payments", "currency", "eur"),
        ("/payments", "reference", ""),
        ("/payments", "reference", "r" * 201),
        ("/disputes", "status", "CLOSED"),
        ("/disputes", "payment", "dp_1"),
        ("/settlements", "status", "OPEN"),
        ("/settlements", "currency", "EU"),
        ("/events", "type", "payment.lost.v1"),
        ("/events", "object_id", ""),
        ("/deliveries", "state", "lost"),
        ("/deliveries", "event", "evt_1"),
        ("/deliveries", "endpoint", "pay_00000000000000000000000000"),
        ("/ledger-entries", "currency", "EUX"),
        ("/ledger-entries", "starting_after", "0"),
        ("/ledger-entries", "starting_after", str(2**63)),
        ("/webhook-endpoints", "status", "on"),
    ],
)
def test_a_filter_of_its_own_is_refused_by_name(
    call: Caller, path: str, name: str, value: str
) -> None:
    """An unknown status would be an empty list, and an empty list an answer."""
    one = next(each for each in LISTS if each.path == path)
    require_refused(call, one, {name: value}, name)


@pytest.mark.parametrize("path", ["/balances", "/merchant", "/payments/x/timeline", "/payments/x"])
def test_no_route_takes_a_parameter_that_it_does_not_know(call: Caller, path: str) -> None:
    """Not lists alone."""
    handler = LISTS[0 if path.startswith("/payments") else -1].handler
    answer = call(handler, "GET", path, query={"expand": "all"})

    assert (answer.status, answer.json().get("param")) == (400, "expand")


def test_a_parameter_that_is_given_twice_is_refused(call: Caller) -> None:
    """One of them would be dropped unseen."""
    answer = call(
        LISTS[0].handler,
        "GET",
        "/payments",
        query={"status": "FAILED"},
        queries={"status": ["COMPLETED", "FAILED"]},
    )

    assert (answer.status, answer.json()["param"]) == (400, "status")


def require_refused(call: Caller, one: List, query: dict[str, str], param: str) -> None:
    """400 as problem+json that names the parameter."""
    answer = call(one.handler, "GET", one.path, query=query)
    problem: dict[str, Any] = answer.json()
    assert (answer.status, problem["code"], problem.get("param")) == (
        400,
        "invalid_request",
        param,
    ), problem


def unneeded(one: List, month: str, found: list[lists_world.Scan]) -> list[lists_world.Scan]:
    """Partitions of another month that were looked in."""
    return [
        scan
        for scan in found
        if scan[1].startswith(one.table + "_") and not scan[1].endswith(month)
    ]


def fits(item: dict[str, Any], like: Mapping[str, str]) -> bool:
    """Whether the item is as the filters say, by what it shows."""
    flat = {**item, "currency": item.get("currency") or item.get("amount", {}).get("currency")}
    return all(flat[name] == value for name, value in like.items())


def made(item: dict[str, Any]) -> dt.datetime:
    """When the item says that it was made."""
    return dt.datetime.fromisoformat(item["created"])


def month_back(months: int) -> dt.datetime:
    """The beginning of the month that was so many months ago."""
    moment = dt.datetime.now(dt.UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)  # noqa: TID251
    for _ in range(months):
        moment = (moment - dt.timedelta(days=1)).replace(day=1)
    return moment


def text(moment: dt.datetime) -> str:
    """As a query says it."""
    return moment.isoformat().replace("+00:00", "Z")

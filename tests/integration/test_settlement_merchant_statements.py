"""What a settlement is made of, as merchants read it: in three forms, whole and page by page."""

import csv
import datetime as dt
import io
import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from merchants_api.handler import handler as merchants_api
from paynexus import ids
from paynexus.db import Database
from paynexus.ids import MerchantId
from paynexus.ledger.model import TransferKind
from paynexus.settlement.bank import reader, xsd
from paynexus.settlement.bank.messages import Entry
from paynexus.settlement.bank.messages import Statement as BankStatement
from paynexus.settlement.merchant import camt053, service
from tests.integration.conftest import Answer, Caller
from tests.settling import Shop, open_shop, real_now

SCHEMA = "camt.053.001.08"
XML, CSV = "application/xml", "text/csv"


@pytest.fixture
def shop(database: Database, merchant: MerchantId) -> Shop:
    """The test's merchant, who may name itself as it likes."""
    with database.transaction() as tx:
        tx.execute("UPDATE merchants SET name = %s", ("<Süß> & Söhne \x01 " + "x" * 150,))
    return Shop(database, merchant)


@pytest.fixture
def settled(shop: Shop) -> str:
    """A settlement of five payments and their fees, a refund and a reserve."""
    shop.agrees(reserve_basis_points=1_000, reserve_days=30)
    for _ in range(5):
        shop.pays(10_000, fee=175)
    shop.refunds(1_500)
    shop.run()
    return shop.settlements()[0].object_id


def asked(call: Caller, path: str, accept: str = "", **query: str) -> Answer:
    """The answer to a GET."""
    return call(merchants_api, "GET", path, headers={"Accept": accept}, query=query or None)


def pages(call: Caller, path: str, accept: str, limit: int) -> Iterator[Answer]:
    """Every page, by the link of the one before."""
    query = {"limit": str(limit)}
    while query:
        answer = asked(call, path, accept, **query)
        yield answer
        link = answer.headers.get("Link", "")
        query = dict(re.findall(r"(\w+)=(\d+)", link))


def read(document: bytes | str) -> tuple[BankStatement, list[Entry]]:
    """What a bank's file says, by the reader of banks' files; the schema holds."""
    content = document.encode() if isinstance(document, str) else document
    assert xsd.violation(content, schema=SCHEMA) is None
    head, *entries = reader.read(io.BytesIO(content)).records()
    assert isinstance(head, BankStatement)
    assert all(isinstance(entry, Entry) for entry in entries)
    return head, entries  # type: ignore[return-value]  # asserted just before


def moved(entries: list[Entry]) -> int:
    """What the entries come to."""
    return sum(-one.money.amount if one.is_debit else one.money.amount for one in entries)


def test_a_settlement_is_explained(call: Caller, settled: str) -> None:
    """By kind, with its reserve and when that comes back: it adds up to what is paid."""
    found = asked(call, f"/settlements/{settled}").json()
    parts = {
        name: (one["count"], one["amount"]["amount"]) for name, one in found["summary"].items()
    }

    assert parts == {
        "payments": (5, 50_000),
        "refunds": (1, -1_500),
        "fees": (5, -875),
        "disputes": (0, 0),
        "adjustments": (0, 0),
        "returned_payouts": (0, 0),
        "reserves_released": (0, 0),
    }
    assert found["reserve"]["amount"] == 5_000
    assert found["reserve_release"] > found["cutoff"]
    assert found["amount"]["amount"] == 50_000 - 1_500 - 875 - 5_000
    assert found["payout_account"]["iban"] == "DE89…3000"
    assert (found["paid"], found["returned"], found["failure"]) == (None, None, None)


def test_a_failure_says_what_to_do(call: Caller, shop: Shop, settled: str) -> None:
    """The bank's code, and a sentence."""
    shop.fails(shop.settlements()[0], "AC04")

    assert asked(call, f"/settlements/{settled}").json()["failure"] == {
        "code": "AC04",
        "message": "The account is closed: give us another one.",
    }


@pytest.mark.parametrize("limit", [1, 4, 11, 12])
def test_a_statement_is_read_page_by_page(call: Caller, settled: str, limit: int) -> None:
    """As JSON and as CSV: each entry once, in order, and the sum is the total."""
    path = f"/settlements/{settled}/statement"
    as_json = [page.json() for page in pages(call, path, "*/*", limit)]
    as_csv = [page.body.decode() for page in pages(call, path, CSV, limit)]
    lines = [line for page in as_json for line in page["lines"]]
    rows = [row for page in as_csv for row in csv.DictReader(io.StringIO(page))]

    assert [page["has_more"] for page in as_json] == [True] * (len(as_json) - 1) + [False]
    assert len(as_json) == -(-11 // limit)
    assert [line["entry"] for line in lines] == sorted({line["entry"] for line in lines}, key=int)
    assert sum(line["amount"]["amount"] for line in lines) == as_json[0]["total"]["amount"]
    assert [row["entry"] for row in rows] == [line["entry"] for line in lines]
    assert sum(int(row["amount"]) for row in rows) == as_json[0]["total"]["amount"]


def test_our_camt_053_is_a_banks_statement(call: Caller, settled: str, database: Database) -> None:
    """Valid by the schema, and it foots: by each entry, payout and reserve, to nothing."""
    answer = asked(call, f"/settlements/{settled}/statement", XML)
    head, entries = read(answer.body)
    [(account,)] = database.connection().execute(
        "SELECT id FROM accounts WHERE type = 'merchant_payable'"
    )

    assert answer.headers["Content-Type"] == XML
    assert head.account_iban == ids.text("acc", account)
    assert (head.opening, head.closing, head.currency) == (0, 0, "EUR")
    assert moved(entries) == 0
    assert len(entries) == 11 + 2
    assert [one.money.amount for one in entries[-2:]] == [42_625, 5_000]
    assert all(one.is_booked for one in entries)
    assert len({one.reference for one in entries}) == len(entries)
    assert answer.body == asked(call, f"/settlements/{settled}/statement", XML).body


@pytest.mark.parametrize("limit", [1, 4, 11])
def test_pages_of_a_camt_053_foot_one_by_one(call: Caller, settled: str, limit: int) -> None:
    """Each opens where the one before has closed, and says which page it is."""
    path, balance = f"/settlements/{settled}/statement", 0
    found = list(pages(call, path, XML, limit))
    for number, page in enumerate(found, start=1):
        text = page.body.decode()
        assert xsd.violation(page.body, schema=SCHEMA) is None
        if len(found) > 1:
            last = "true" if number == len(found) else "false"
            assert f"<PgNb>{number}</PgNb><LastPgInd>{last}</LastPgInd>" in text
        opening, closing = (
            int(amount.replace(".", "")) * (1 if side == "CRDT" else -1)
            for amount, side in re.findall(
                r'<Amt Ccy="EUR">([\d.]+)</Amt><CdtDbtInd>(\w+)</CdtDbtInd><Dt>', text
            )
        )
        net = moved(read(page.body)[1])
        assert (opening, closing) == (balance, balance + net)
        balance = closing

    assert balance == 0


def test_what_one_answer_cannot_hold_says_how_to_go_on(
    call: Caller, settled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of too many entries is refused, and pages of it are not."""
    monkeypatch.setattr(service, "LINES_LIMIT", 10)
    path = f"/settlements/{settled}/statement"
    for accept in (XML, CSV):
        refused = asked(call, path, accept)
        assert (refused.status, refused.json()["code"]) == (400, "invalid_request")
        assert refused.json()["param"] == "limit"
        assert "starting_after" in refused.json()["detail"]

    assert asked(call, path, "application/json").status == 200
    assert asked(call, path, XML, limit="10").status == 200


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "5001"}, "limit"),
        ({"starting_after": "x"}, "starting_after"),
        ({"starting_after": "99999999999999999999"}, "starting_after"),
    ],
)
def test_impossible_pages_are_refused(
    call: Caller, settled: str, query: dict[str, str], param: str
) -> None:
    """By the name of what is wrong."""
    refused = asked(call, f"/settlements/{settled}/statement", **query)

    assert (refused.status, refused.json()["param"]) == (400, param)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/csv;q=0.9, application/json", CSV),
        ("text/xml", XML),
        ("image/png, application/xml", XML),
    ],
)
def test_the_form_is_the_first_that_is_accepted(
    call: Caller, settled: str, accept: str, media_type: str
) -> None:
    """JSON where nothing is said."""
    answer = asked(call, f"/settlements/{settled}/statement", accept)

    assert (answer.status, answer.headers["Content-Type"]) == (200, media_type)


def test_a_form_that_is_not_made_is_refused(call: Caller, settled: str) -> None:
    """With those that are."""
    refused = asked(call, f"/settlements/{settled}/statement", "application/pdf")

    assert (refused.status, refused.json()["code"]) == (406, "not_acceptable")


def test_a_merchant_reads_when_it_is_paid(call: Caller, shop: Shop) -> None:
    """What was agreed, the standard for other currencies, and what is next."""
    shop.pays(2_000)
    shop.agrees(frequency="weekly", weekday=5, minimum_amount=5_000, time_zone="Asia/Tokyo")
    terms = asked(call, "/merchant").json()["settlement_terms"]
    [upcoming] = asked(call, "/settlements/next").json()["data"]

    assert [(one["currency"], one["frequency"], one["weekday"]) for one in terms] == [
        ("EUR", "weekly", 5),
        ("USD", "daily", None),
    ]
    assert (terms[0]["minimum"]["amount"], terms[0]["time_zone"]) == (5_000, "Asia/Tokyo")
    assert upcoming["amount"] == {"amount": 2_000, "currency": "EUR"}
    assert [wait["code"] for wait in upcoming["waits_for"]] == ["below_minimum"]
    assert upcoming["instructed_on"] < upcoming["expected_on"]


def test_each_step_of_a_payout_is_a_webhook(call: Caller, shop: Shop, database: Database) -> None:
    """A merchant can listen to all six, and each is on record as it happens."""
    steps = ("created", "instructed", "accepted", "paid", "failed", "returned")
    types = [f"settlement.{step}.v1" for step in steps]
    order = {"url": "https://93.184.215.14/hook", "event_types": types}
    answer = call(
        merchants_api, "POST", "/webhook-endpoints", order, headers={"Idempotency-Key": "one"}
    )
    assert (answer.status, answer.json()["event_types"]) == (201, sorted(types))

    shop.pays(1_000)
    shop.run()
    shop.fails(shop.settlements()[0], "MS03")
    shop.run(at=real_now() + dt.timedelta(hours=2))
    shop.comes_back(shop.settlements()[0], "AC04")
    told = [row[0] for row in database.connection().execute("SELECT type FROM events")]
    told = [kind for kind in told if kind.startswith("settlement.")]

    assert set(told) == set(types)
    assert len(told) == 3 + 5


AMOUNTS = st.lists(st.tuples(st.sampled_from(list(TransferKind)[:3]), st.integers(1, 10**9)))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(currency=st.sampled_from(["EUR", "JPY", "KWD"]), movements=AMOUNTS)
def test_any_settlement_foots_in_any_currency(
    database: Database, currency: str, movements: list[tuple[TransferKind, int]]
) -> None:
    """To the last fil or yen: the schema holds, and the entries come to nothing."""
    shop = _selling_in(database, currency)
    shop.pays(10**10)
    for kind, amount in movements:
        shop.books(kind, amount)
    shop.run()
    for one in shop.settlements():
        found = service.statement(
            database, one.object_id, merchant_id=shop.merchant_id, mode="test"
        )
        head, entries = read(camt053.document(found))

        assert (head.opening, head.closing, moved(entries)) == (0, 0, 0)
        assert {entry.money.currency for entry in entries} == {currency}


def _selling_in(database: Database, currency: str) -> Shop:
    shop = open_shop(database)
    with database.transaction() as tx:
        tx.execute(
            "INSERT INTO house_accounts (mode, currency, holder, iban, bic)"
            " SELECT 'test', %s, holder, iban, bic FROM house_accounts WHERE currency = 'EUR'"
            " ON CONFLICT DO NOTHING",
            (currency,),
        )
        tx.execute(
            "UPDATE payout_accounts SET currency = %s WHERE merchant_id = %s",
            (currency, shop.merchant_id),
        )
    return Shop(database, shop.merchant_id, currency)

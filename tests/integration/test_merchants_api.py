"""A merchant over HTTP: its record, its configuration, its money."""

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from merchants_api.handler import handler
from paynexus import ids, runtime
from paynexus.db import Database
from paynexus.identity.model import hash_of
from paynexus.ids import MerchantId, PaymentId, TransferId
from paynexus.ledger import store as ledger
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.money import Money
from tests.integration.conftest import Caller

ROOT = Path(__file__).parents[2]


def book(database: Database, merchant: MerchantId, amount: int, *, mode: str = "test") -> None:
    """The merchant is owed `amount` more euro cents."""
    payable = Account(AccountType.MERCHANT_PAYABLE, mode, "EUR", merchant)
    gateway = Account(AccountType.GATEWAY_RECEIVABLE, mode, "EUR")
    payment_id = PaymentId(ids.new_id())
    transfer = Transfer(
        id=TransferId(ids.new_id()),
        kind=TransferKind.PAYMENT,
        debit=gateway,
        credit=payable,
        money=Money(amount, "EUR"),
        object_id=ids.text("pay", payment_id),
        transaction_id=None,
    )
    with database.transaction() as tx:
        ledger.post(tx, transfer, at=runtime.clock()())


def test_merchant_reads_its_own_record(call: Caller) -> None:
    """Fees as agreed, bank accounts just recognisable."""
    answer = call(handler, "GET", "/merchant")
    record = answer.json()

    assert answer.status == 200
    assert record["id"] == ids.text("mer", call.merchant_id)
    assert record["fees"][0] == {
        "currency": "EUR",
        "basis_points": 150,
        "fixed": {"amount": 25, "currency": "EUR"},
    }
    assert record["payout_accounts"][0]["iban"] == "DE89…3000"
    assert "DE89370400440532013000" not in answer.body.decode()


def test_changes_are_laid_over_what_there_is(call: Caller) -> None:
    """What is not mentioned stays; null takes a choice back."""

    def change(body: object) -> Any:  # noqa: ANN401 - any JSON value
        answer = call(handler, "PATCH", "/merchant", body)
        assert answer.status == 200
        return answer.json()

    change({"configuration": {"fraud": {"challenge_above_minor": 1, "block_above_minor": 2}}})
    change({"name": "Café Löwe", "configuration": {"fraud": {"max_payments_per_hour": 3}}})
    change({"configuration": {"fraud": {"case_above_minor": 5_000}}})
    record = change({"configuration": {"fraud": {"block_above_minor": None}}})

    assert record["name"] == "Café Löwe"
    assert record["configuration"] == {
        "fraud": {
            "challenge_above_minor": 1,
            "max_payments_per_hour": 3,
            "case_above_minor": 5_000,
        }
    }
    assert change({"configuration": {"fraud": None}})["configuration"] == {}
    assert change({})["name"] == "Café Löwe"


BAD_CHANGES: list[tuple[object, str]] = [
    ({"fees": []}, "fees"),
    ({"country": "FR"}, "country"),
    ({"name": ""}, "name"),
    ({"name": " "}, "name"),
    ({"name": "a\0b"}, "name"),
    ({"name": "a" * 201}, "name"),
    ({"name": 5}, "name"),
    ({"configuration": {"unknown": 1}}, "configuration.unknown"),
    ({"configuration": {"fraud": {"unknown": 1}}}, "configuration.fraud.unknown"),
    (
        {"configuration": {"fraud": {"block_above_minor": "5"}}},
        "configuration.fraud.block_above_minor",
    ),
    (
        {"configuration": {"fraud": {"block_above_minor": True}}},
        "configuration.fraud.block_above_minor",
    ),
    (
        {"configuration": {"fraud": {"block_above_minor": -1}}},
        "configuration.fraud.block_above_minor",
    ),
    (
        {"configuration": {"fraud": {"case_above_minor": -1}}},
        "configuration.fraud.case_above_minor",
    ),
]


def test_bad_change_names_its_field_and_changes_nothing(call: Caller) -> None:
    """400 with the field's name."""
    before = call(handler, "GET", "/merchant").body
    for body, param in BAD_CHANGES:
        answer = call(handler, "PATCH", "/merchant", body)

        assert (answer.status, answer.json()["param"]) == (400, param), body
    assert call(handler, "GET", "/merchant").body == before


def test_unknown_routes_and_methods(call: Caller) -> None:
    """404 for a path that is none, 405 for a method that a path does not answer."""
    assert call(handler, "GET", "/nothing").status == 404
    assert call(handler, "DELETE", "/merchant").status == 405


def test_balances_and_entries_are_the_ledgers(call: Caller, database: Database) -> None:
    """Money of this merchant in this mode, newest first, page by page."""
    other = MerchantId(ids.new_id())
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Other')", (other,))
    for amount in (100, 200, 300):
        book(database, call.merchant_id, amount)
    book(database, call.merchant_id, 9_000, mode="live")
    book(database, other, 7_000)
    (balance,) = call(handler, "GET", "/balances").json()["data"]
    first = call(handler, "GET", "/ledger-entries", query={"limit": "2"}).json()
    last = first["data"][-1]["id"]
    rest = call(handler, "GET", "/ledger-entries", query={"starting_after": last}).json()
    entries = first["data"] + rest["data"]

    assert balance["posted"] == balance["available"] == {"amount": 600, "currency": "EUR"}
    assert balance["pending"] == {"amount": 0, "currency": "EUR"}
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert [entry["amount"]["amount"] for entry in entries] == [300, 200, 100]
    assert entries[0]["transfer"].startswith("tr_")


def test_past_balances_count_what_counted_and_was_known(call: Caller, database: Database) -> None:
    """`at` a moment, as known now or then; the moment itself included."""
    payable = Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", call.merchant_id)
    gateway = Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR")
    now = runtime.clock()()
    late, early = now - dt.timedelta(days=1), now - dt.timedelta(days=2)
    for amount, at in ((100, early), (20, late), (3, None)):
        id_, money = TransferId(ids.new_id()), Money(amount, "EUR")
        transfer = Transfer(id_, TransferKind.ADJUSTMENT, gateway, payable, money, "x")
        with database.transaction() as tx:
            ledger.post(tx, transfer, at=at)

    def posted(**query: dt.datetime) -> int:
        texts = {name: moment.isoformat() for name, moment in query.items()}
        (balance,) = call(handler, "GET", "/balances", query=texts).json()["data"]
        assert balance["at"] == (query.get("at") or query["known_at"]).isoformat()
        amount: int = balance["posted"]["amount"]
        return amount

    assert posted(at=early - dt.timedelta(microseconds=1)) == 0
    assert posted(at=early) == 100
    assert posted(at=late) == 120
    assert posted(at=runtime.clock()()) == 123
    assert posted(at=late, known_at=now) == 0
    assert posted(known_at=late) == 0


def test_open_holds_are_told_with_the_balance(call: Caller, database: Database) -> None:
    """What is pending, with its sign; overdue holds are neither told nor counted."""
    payable = Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", call.merchant_id)
    gateway = Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR")
    book(database, call.merchant_id, 1_000)
    incoming, outgoing, overdue = (TransferId(ids.new_id()) for _ in range(3))
    with database.transaction() as tx:
        for id_, debit, credit, amount, timeout in (
            (incoming, gateway, payable, 50, None),
            (outgoing, payable, gateway, 7, dt.timedelta(hours=1)),
            (overdue, payable, gateway, 400, dt.timedelta(seconds=1)),
        ):
            money = Money(amount, "EUR")
            transfer = Transfer(id_, TransferKind.ADJUSTMENT, debit, credit, money, "x")
            ledger.reserve(tx, transfer, timeout=timeout)
        tx.execute(
            "UPDATE open_holds SET expires_at = clock_timestamp() WHERE transfer_id = %s",
            (overdue,),
        )
    (balance,) = call(handler, "GET", "/balances", query={"holds": "true"}).json()["data"]
    (bare,) = call(handler, "GET", "/balances").json()["data"]
    holds = balance.pop("holds")

    assert balance == bare
    assert balance["pending"]["amount"] == 50 - 7
    assert balance["available"]["amount"] == 1_000 - 7
    assert holds["has_more"] is False
    assert [(one["transfer"], one["amount"]["amount"]) for one in holds["data"]] == [
        (ids.text("tr", incoming), 50),
        (ids.text("tr", outgoing), -7),
    ]
    assert [one["expires"] is None for one in holds["data"]] == [True, False]


BAD_MOMENTS = [
    {"at": "yesterday"},
    {"at": "2026-01-01T00:00:00"},
    {"at": "9999-01-01T00:00:00Z"},
    {"known_at": "9999-01-01T00:00:00Z", "at": "2026-01-01T00:00:00Z"},
    {"holds": "true", "at": "2026-01-01T00:00:00Z"},
    {"holds": "perhaps"},
]


def test_bad_moment_is_a_400(call: Caller) -> None:
    """Not a time, without an offset, not come yet, or asked with what only the present has."""
    for query in BAD_MOMENTS:
        answer = call(handler, "GET", "/balances", query=query)

        assert (answer.status, answer.json()["param"]) == (400, next(iter(query))), query


BAD_QUERIES = [
    {"limit": "0"},
    {"limit": "101"},
    {"limit": "x"},
    {"starting_after": "x"},
    {"starting_after": "0"},
    {"starting_after": "9" * 30},
]


def test_bad_cursor_is_a_400(call: Caller) -> None:
    """And names the parameter."""
    for query in BAD_QUERIES:
        answer = call(handler, "GET", "/ledger-entries", query=query)

        assert (answer.status, answer.json()["param"]) == (400, next(iter(query))), query


def test_settlements_start_empty_and_unknown_ones_are_404(call: Caller) -> None:
    """Lists are empty, not absent."""
    unknown = ids.text("set", ids.new_id())

    assert call(handler, "GET", "/settlements").json() == {"data": [], "has_more": False}
    assert call(handler, "GET", f"/settlements/{unknown}").status == 404
    assert call(handler, "GET", f"/settlements/{unknown}/statement").status == 404


def onboard(database_url: str, *options: str) -> subprocess.CompletedProcess[str]:
    """The result of the command."""
    command = [sys.executable, "-m", "tools.onboard", "--database-url", database_url]
    return subprocess.run(
        [*command, "--name", "Corner Shop", "--json", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_onboarding_gives_a_working_client_once(database: Database, database_url: str) -> None:
    """A second run says what to do; `--rotate` replaces a lost secret of the same client."""
    first = json.loads(onboard(database_url).stdout)
    second = onboard(database_url)
    rotated = json.loads(onboard(database_url, "--rotate").stdout)
    live = json.loads(onboard(database_url, "--mode", "live").stdout)
    hashes: dict[str, bytes] = dict(
        database.connection().execute("SELECT id, secret_hash FROM clients").fetchall()
    )

    assert (second.returncode, second.stdout) == (1, "")
    assert "--rotate" in second.stderr
    assert rotated["client_id"] == first["client_id"]
    assert rotated["client_secret"] != first["client_secret"]
    assert live["client_id"].startswith("pnx_live_")
    assert live["merchant_id"] == first["merchant_id"]
    assert hashes[first["client_id"]] == hash_of(rotated["client_secret"])

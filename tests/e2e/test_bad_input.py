"""What can't be right is refused with the field's name, and leaves no trace."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from paynexus import ids
from tests.e2e.bad_tokens import bad_token
from tests.e2e.client import Answer, Client, card
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

LIMIT = 1_000_000_000
"""Ten million euros, in cents."""
BODY_LIMIT = 64 * 1024
KEY_LIMIT = 255
PROBLEM = "application/problem+json"

# Tables that carry the merchant's id; what hangs on its payments without carrying it is added.
SQL_TABLES = """
SELECT table_name FROM information_schema.columns
JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = 'public' AND column_name = 'merchant_id' AND table_type = 'BASE TABLE'
    -- What the clock writes, of decisions that were made before.
    AND table_name NOT IN ('fraud_rule_hits', 'fraud_rule_statistics')
"""
SQL_OF_MERCHANT = "SELECT count(*) FROM {} WHERE merchant_id = ANY(%(merchants)s)"
SQL_OF_PAYMENTS = """
SELECT count(*) FROM attempts JOIN transactions AS t ON t.id = payment_id
WHERE t.merchant_id = ANY(%(merchants)s)
"""
SQL_OF_TRANSFERS = """
SELECT count(*) FROM ledger_entries JOIN transfers AS t ON t.id = transfer_id
WHERE t.merchant_id = ANY(%(merchants)s)
"""

ORDER = {"amount": 1250, "currency": "EUR", "payment_method": "tok_approve"}

FIELDS: dict[str, tuple[dict[str, object], str]] = {
    "amount is text": ({"amount": "5"}, "amount"),
    "amount is a fraction": ({"amount": 5.0}, "amount"),
    "amount is a truth": ({"amount": True}, "amount"),
    "amount is null": ({"amount": None}, "amount"),
    "amount is an object": ({"amount": {"amount": 5}}, "amount"),
    "amount is nothing": ({"amount": 0}, "amount"),
    "amount is negative": ({"amount": -1}, "amount"),
    "amount is above the limit": ({"amount": LIMIT + 1}, "amount"),
    "amount is astronomic": ({"amount": 10**30}, "amount"),
    "amount of yen is above the limit": ({"amount": 10**7 + 1, "currency": "JPY"}, "amount"),
    "currency is unknown": ({"currency": "EUX"}, "currency"),
    "currency is in small letters": ({"currency": "eur"}, "currency"),
    "currency is empty": ({"currency": ""}, "currency"),
    "currency is null": ({"currency": None}, "currency"),
    "payment method is a card number": (
        {"payment_method": "4242424242424242"},
        "payment_method",
    ),
    "payment method is a card number with dashes": (
        {"payment_method": "4242-4242-4242-4242"},
        "payment_method",
    ),
    "payment method is empty": ({"payment_method": ""}, "payment_method"),
    "payment method is endless": ({"payment_method": "t" * 129}, "payment_method"),
    "capture is unknown": ({"capture": "later"}, "capture"),
    "reference has a control character": ({"reference": "a\x00b"}, "reference"),
    "reference is endless": ({"reference": "r" * 201}, "reference"),
    "customer has an unknown field": ({"customer": {"age": 5}}, "customer.age"),
    "customer is text": ({"customer": "Ann"}, "customer"),
    "e-mail is none": ({"customer": {"email": "nobody"}}, "customer.email"),
    "metadata is not text": ({"metadata": {"a": 1}}, "metadata.a"),
    "metadata has too many keys": ({"metadata": {str(n): "" for n in range(51)}}, "metadata"),
    "QR token is unknown": ({"qr_code": "nonsense"}, "qr_code"),
    "a field is unknown": ({"tip": 5}, "tip"),
    "a field is misspelt": ({"Amount": 5}, "Amount"),
}
TEXTS: dict[str, tuple[str, str | None]] = {
    "empty": ("", None),
    "no JSON": ("amount=5", None),
    "cut short": ('{"amount": 12', None),
    "a list": ("[]", None),
    "null": ("null", None),
    "NaN": (json.dumps({**ORDER, "amount": float("nan")}), None),
    "a key twice": (json.dumps(ORDER)[:-1] + ', "amount": 9}', "amount"),
    "a nested key twice": (
        json.dumps(ORDER)[:-1] + ', "metadata": {"a": "1", "a": "2"}}',
        "a",
    ),
    "nested without end": (json.dumps(ORDER)[:-1] + ', "metadata": ' + "[" * 5000, None),
}
MISSING = {"amount": "amount", "currency": "currency", "payment_method": "payment_method"}
KEYS = {"missing": None, "empty": "", "oversized": "k" * (KEY_LIMIT + 1)}


@dataclass(frozen=True, slots=True)
class Rows:
    """Counts what two merchants have in the database."""

    connection: psycopg.Connection
    query: sql.Composed
    merchants: list[UUID]

    def count(self) -> list[int]:
        """How many rows each table holds of them."""
        rows = self.connection.execute(self.query, {"merchants": self.merchants})
        return [row[0] for row in rows]


@pytest.fixture(scope="module")
def rows(stack: Stack, merchant: Client, stranger: Client) -> Iterator[Rows]:
    """Every row that either merchant could have caused."""
    with psycopg.connect(stack.described["database_url"], autocommit=True) as connection:
        tables = connection.execute(SQL_TABLES).fetchall()
        queries = [sql.SQL(SQL_OF_PAYMENTS), sql.SQL(SQL_OF_TRANSFERS)]
        counts = [sql.SQL(SQL_OF_MERCHANT).format(sql.Identifier(name)) for (name,) in tables]
        query = sql.SQL(" UNION ALL ").join([*queries, *counts])
        merchants = [ids.parse("mer", client.merchant_id) for client in (merchant, stranger)]
        yield Rows(connection, query, merchants)


@pytest.fixture(autouse=True)
def nothing_written(payment: str, rows: Rows) -> Iterator[None]:
    """No test of this module leaves a row behind."""
    before = rows.count()
    yield
    assert rows.count() == before


@pytest.fixture(scope="module")
def payment(merchant: Client) -> str:
    """A completed payment of 12.50."""
    order = {"amount": 1250, "currency": "EUR", "payment_method": card()}
    # The first of all finds no worker of any step running.
    answer = merchant.settle("/payments", order)
    assert answer.json["status"] == "COMPLETED", answer
    text: str = answer.json["id"]
    return text


@pytest.mark.parametrize("name", FIELDS)
def test_a_payment_with_a_wrong_field_is_refused_by_name(merchant: Client, name: str) -> None:
    """Wrong types, ranges, unknown words and unknown fields."""
    change, param = FIELDS[name]

    answer = merchant.post("/payments", {**ORDER, **change})

    require_problem(answer, 422 if param == "qr_code" else 400, param=param)


@pytest.mark.parametrize("name", MISSING)
def test_a_payment_without_a_needed_field_is_refused_by_name(merchant: Client, name: str) -> None:
    """Nothing is guessed."""
    answer = merchant.post("/payments", {k: v for k, v in ORDER.items() if k != name})

    require_problem(answer, 400, param=name)


@pytest.mark.parametrize("name", TEXTS)
def test_a_body_that_can_be_read_in_two_ways_or_none_is_refused(
    merchant: Client, name: str
) -> None:
    """Two parties never see two different payments."""
    text, param = TEXTS[name]

    answer = merchant.send("POST", "/payments", text=text, headers={"idempotency-key": name})

    require_problem(answer, 400, param=param)


def test_a_body_above_64_kilobytes_is_refused(merchant: Client) -> None:
    """However little of it means anything."""
    text = json.dumps(ORDER)
    padded = text + " " * (BODY_LIMIT - len(text) + 1)

    answer = merchant.send("POST", "/payments", text=padded, headers={"idempotency-key": "big"})

    require_problem(answer, 413)


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("path", ["/payments", "/qr-codes", "/webhook-endpoints"])
def test_a_request_that_acts_needs_a_usable_idempotency_key(
    merchant: Client, path: str, name: str
) -> None:
    """1 to 255 printable characters."""
    key = KEYS[name]
    bodies = {
        "/payments": ORDER,
        "/qr-codes": {"amount": 5, "currency": "EUR"},
        "/webhook-endpoints": {"url": "https://example.com/hook"},
    }

    answer = merchant.send(
        "POST",
        path,
        text=json.dumps(bodies[path]),
        headers={} if key is None else {"idempotency-key": key},
    )

    require_problem(answer, 400, param="Idempotency-Key")


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("refunds", {"amount": 1251}, "amount"),
        ("refunds", {"amount": 0}, "amount"),
        ("refunds", {"amount": "5"}, "amount"),
        ("refunds", {"amount": True}, "amount"),
        ("refunds", {"why": "so"}, "why"),
        ("capture", {"amount": -1}, "amount"),
        ("capture", {"amount": 5.0}, "amount"),
        ("cancel", {"amount": 5}, "amount"),
        ("confirm", {}, "authentication"),
        ("confirm", {"authentication": "maybe"}, "authentication"),
    ],
)
def test_an_operation_with_a_wrong_field_is_refused_by_name(
    merchant: Client, payment: str, path: str, body: dict[str, object], param: str
) -> None:
    """Refunds, captures, cancels and confirmations."""
    answer = merchant.post(f"/payments/{payment}/{path}", body)

    require_problem(answer, 400, param=param)


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/qr-codes", {"amount": 0, "currency": "EUR"}, "amount"),
        ("/qr-codes", {"amount": "5", "currency": "EUR"}, "amount"),
        ("/qr-codes", {"amount": LIMIT + 1, "currency": "EUR"}, "amount"),
        ("/qr-codes", {"amount": 5, "currency": "EUX"}, "currency"),
        ("/qr-codes", {"amount": 5, "currency": "EUR", "expires_in": 1}, "expires_in"),
        ("/qr-codes", {"amount": 5, "currency": "EUR", "size": 9}, "size"),
        ("/qr-codes/scan", {"payload": ""}, "payload"),
        ("/webhook-endpoints", {"url": "ftp://example.com"}, "url"),
        ("/webhook-endpoints", {"url": "https://169.254.169.254/latest"}, "url"),
        ("/webhook-endpoints", {"url": "https://a.example", "secret": "x"}, "secret"),
        (
            "/webhook-endpoints",
            {"url": "https://a.example", "event_types": ["payment.lost.v1"]},
            "event_types.0",
        ),
    ],
)
def test_other_orders_with_a_wrong_field_are_refused_by_name(
    merchant: Client, path: str, body: dict[str, object], param: str
) -> None:
    """QR codes, scans and webhook endpoints."""
    require_problem(merchant.post(path, body), 400, param=param)


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/payments?limit=0", "limit"),
        ("/payments?limit=101", "limit"),
        ("/payments?limit=ten", "limit"),
        ("/payments?starting_after=pay_nonsense", "starting_after"),
        ("/ledger-entries?limit=-1", "limit"),
        ("/settlements?limit=0", "limit"),
        ("/events?starting_after=evt_nonsense", "starting_after"),
        ("/deliveries?state=lost", "state"),
    ],
)
def test_a_list_with_a_wrong_parameter_is_refused_by_name(
    merchant: Client, path: str, param: str
) -> None:
    """Queries are as strict as bodies."""
    require_problem(merchant.get(path), 400, param=param)


@pytest.mark.parametrize("name", ["none", "garbled", "forged", "unsigned", "foreign", "expired"])
def test_a_request_without_a_valid_token_is_refused(
    stack: Stack, merchant: Client, name: str
) -> None:
    """Absent, torn, altered, unsigned, signed by others, or too old."""
    bad = bad_token(stack, merchant.token(), name)
    headers = {"authorization": f"Bearer {bad}"} if bad else {}

    answer = merchant.raw(
        "POST",
        "/payments",
        text=json.dumps(ORDER),
        content_type="application/json",
        idempotency_key="unauthorized",
        **headers,
    )

    require_problem(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_wrong_credentials_get_no_token(merchant: Client) -> None:
    """The error is that of RFC 6749."""
    wrong = Client(merchant.api_url, merchant.merchant_id, merchant.client_id, "pnx_secret_test_no")

    answer = wrong.ask_token()

    wrong.close()
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")


def test_what_belongs_to_another_merchant_is_not_there(
    merchant: Client, stranger: Client, payment: str
) -> None:
    """Read or act: 404, as for what never existed."""
    event = merchant.get("/events").json["data"][0]["id"]
    answers = [
        stranger.get(f"/payments/{payment}"),
        stranger.get(f"/payments/{payment}/timeline"),
        stranger.get(f"/events/{event}"),
        *(
            stranger.post(f"/payments/{payment}/{operation}", body)
            for operation, body in (
                ("refunds", {}),
                ("capture", {}),
                ("cancel", {}),
                ("confirm", {"authentication": "authenticated"}),
            )
        ),
    ]

    for answer in answers:
        require_problem(answer, 404)


@pytest.mark.parametrize("prefix", ["payments/pay", "refunds/re", "qr-codes/qr", "settlements/set"])
@pytest.mark.parametrize("rest", ["_nonsense", "_01m8255hrxe2kat5fdd67c4n33", ""])
def test_an_id_that_names_nothing_is_not_there(merchant: Client, prefix: str, rest: str) -> None:
    """Malformed or well-formed."""
    require_problem(merchant.get(f"/{prefix}{rest}"), 404)


def test_a_path_or_method_that_does_not_exist_is_not_there(merchant: Client) -> None:
    """Refused before any function runs."""
    require_problem(merchant.get("/nowhere"), 404)
    assert merchant.send("DELETE", "/payments").status in {404, 405}


def require_problem(answer: Answer, status: int, *, param: str | None = None) -> None:
    """The answer is problem+json of this status, about this field."""
    assert answer.status == status, answer
    assert answer.headers["Content-Type"].startswith(PROBLEM), answer
    assert answer.headers["Request-Id"]
    problem = answer.json
    assert problem["status"] == status, problem
    assert problem["code"]
    assert problem["detail"]
    assert problem["type"].endswith("#" + problem["code"])
    assert problem.get("param") == param, problem

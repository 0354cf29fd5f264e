"""What is secret or personal is printed nowhere, and kept in one place at most."""

import base64
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import sql

import authorize_request.handler as authorize
import tokens_api.handler as tokens
from merchants_api.handler import handler as merchants
from payments_api.handler import handler as payments
from paynexus import runtime
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.identity.model import Mode
from paynexus.identity.service import Credentials, register_client
from paynexus.ids import MerchantId
from paynexus.observability import logger
from qr_api.handler import handler as qr
from tests.integration.conftest import Answer, Handler, answer_of, form, gateway_event
from tests.sandbox import Sandbox

EMAIL = "canary.ada@example.com"
TEXTS = {"description": "canary-description", "reference": "canary-reference"}
METADATA = {"canary-key": "canary-value"}
PAYMENT_METHOD = "tok_approve_canary"
CARD = "4242 4242 4242 4242"
ORDER = {
    "amount": 1250,
    "currency": "EUR",
    "payment_method": PAYMENT_METHOD,
    "customer": {
        "id": "canary-customer",
        "email": EMAIL,
        "country": "DE",
        "name": "Canary Ada Lovelace",
        "ip_address": "::ffff:203.0.113.77",
        "card_bin": "42424242",
    },
    "metadata": METADATA,
    **TEXTS,
}


@dataclass(frozen=True, slots=True)
class Client:
    """A merchant's client, from its secret on: through the token and the authorizer."""

    credentials: Credentials
    token: str

    def __call__(
        self, handler: Handler, method: str, path: str, body: object = None, *, key: str = "canary"
    ) -> Answer:
        """The function's answer to this request of the client's."""
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": key}
        verdict = authorize.handler(_event_for_authorizer(headers), None)
        text = None if body is None else json.dumps(body)
        return answer_of(
            handler(
                gateway_event(
                    method, path, text=text, headers=headers, authorizer=verdict["context"]
                ),
                None,
            )
        )


@pytest.fixture
def printed(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Iterator[Callable[[], str]]:
    """All that was written since the test began, with every logger at its most talkative."""
    caplog.set_level(logging.DEBUG)
    level = logger.log_level
    logger.setLevel(logging.DEBUG)

    def all_of_it() -> str:
        return "".join([*capfd.readouterr(), caplog.text, repr(caplog.records)])

    yield all_of_it
    logger.setLevel(level)


@pytest.fixture
def client(deployed: pytest.MonkeyPatch, database: Database, merchant: MerchantId) -> Client:
    """A client with a token of its own."""
    credentials = register_client(database, merchant, mode=Mode.TEST)
    answer = _ask_token(credentials.client_id, credentials.client_secret)
    return Client(credentials, answer.json()["access_token"])


def test_nothing_secret_or_personal_is_printed(
    printed: Callable[[], str], client: Client, acquirer: Sandbox, database: Database
) -> None:
    """A merchant's day with its mishaps, at DEBUG: none of the canaries sang."""
    taken = client(payments, "POST", "/payments", ORDER)
    path = f"/payments/{taken.json()['id']}"
    replayed = client(payments, "POST", "/payments", ORDER)
    read = [client(payments, "GET", path + end) for end in ("", "/timeline")]
    refunded = client(payments, "POST", f"{path}/refunds", {"reason": "canary-reason"})
    declined = client(
        payments, "POST", "/payments", {**ORDER, "payment_method": "tok_decline_canary"}, key="2"
    )
    reused = client(payments, "POST", "/payments", {**ORDER, "amount": 5})
    invalid = client(payments, "POST", "/payments", {**ORDER, "canary-field": 1}, key="3")
    coded = client(qr, "POST", "/qr-codes", {"currency": "EUR", "reference": "canary-reference"})
    owed = client(merchants, "GET", "/balances")
    unforeseen = _with_a_broken_table(
        database, lambda: client(payments, "POST", "/payments", ORDER, key="4")
    )
    refused = _ask_token(client.credentials.client_id, "pnx_secret_test_canary")
    with pytest.raises(Exception, match="Unauthorized"):
        authorize.handler(_event_for_authorizer({"Authorization": f"Bearer {client.token}x"}), None)
    text = printed()

    answers = [taken, replayed, *read, refunded, declined, reused, invalid, coded, owed, unforeseen]
    assert [one.status for one in answers] == [
        201,
        201,
        200,
        200,
        201,
        201,
        422,
        400,
        201,
        200,
        500,
    ]
    assert refused.status == 401
    assert '"unforeseen error"' in text
    secrets = _secrets(client)
    assert [name for name, value in secrets.items() if value in text] == []
    assert "canary" not in text


def test_what_postgres_refuses_is_not_quoted(database: Database) -> None:
    """Its detail shows the failing row; an error that ends a function is printed by Lambda."""
    with pytest.raises(psycopg.errors.NotNullViolation) as refused, database.transaction() as tx:
        tx.execute("INSERT INTO payment_customers VALUES (NULL, NULL, %s, 'DE')", (EMAIL,))

    assert EMAIL in (refused.value.diag.message_detail or "")
    assert EMAIL not in str(refused.value)


def test_who_pays_is_kept_in_one_place(
    client: Client, acquirer: Sandbox, database_url: str, cache: Cache
) -> None:
    """Neither the kept answer nor Redis, events or attempts hold them: they can be erased."""
    answer = client(payments, "POST", "/payments", ORDER)
    replayed = client(payments, "POST", "/payments", ORDER)
    connection = cache._connected()
    remembered = [connection.get(key) for key in connection.keys("idempotency:*")]

    assert answer.json()["customer"] == {"id": "canary-customer"}
    assert (replayed.body, replayed.headers["Idempotent-Replayed"]) == (answer.body, "true")
    for secret in (EMAIL, "Canary Ada Lovelace", "203.0.113.77"):
        assert _tables_with(database_url, secret) == ["payment_customers"]
        assert secret not in str(remembered)
    assert len(remembered) == 1


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"payment_method": "4242424242424242"}, "payment_method"),
        ({"payment_method": "4242-4242-4242-4242"}, "payment_method"),
        ({"description": f"card {CARD}, thanks"}, "description"),
        ({"reference": "4242424242424242"}, "reference"),
        ({"customer": {"id": CARD}}, "customer.id"),
        ({"customer": {"name": CARD}}, "customer.name"),
        ({"customer": {"card_bin": "4242424242424242"}}, "customer.card_bin"),
        ({"customer": {"email": "4242424242424242@example.com"}}, "customer.email"),
        ({"metadata": {"card": CARD}}, "metadata.card"),
        ({"metadata": {CARD: "card"}}, "metadata"),
    ],
)
def test_a_card_number_is_refused_and_kept_nowhere(
    printed: Callable[[], str],
    client: Client,
    database_url: str,
    change: Mapping[str, Any],
    param: str,
) -> None:
    """400 names the field; no table has it, no log shows it."""
    answer = client(payments, "POST", "/payments", {**ORDER, **change})
    text = printed()

    assert (answer.status, answer.json()["param"]) == (400, param)
    assert b"4242" not in answer.body
    for number in (CARD, CARD.replace(" ", ""), CARD.replace(" ", "-")):
        assert _tables_with(database_url, number) == []
        assert number not in text


def test_a_card_number_is_no_idempotency_key_either(client: Client, acquirer: Sandbox) -> None:
    """Keys are kept, too."""
    answer = client(payments, "POST", "/payments", ORDER, key="4242424242424242")

    assert (answer.status, answer.json()["param"]) == (400, "Idempotency-Key")


def test_a_refund_takes_no_card_number(client: Client, acquirer: Sandbox) -> None:
    """Its reason is kept, and told by events."""
    taken = client(payments, "POST", "/payments", ORDER)
    path = f"/payments/{taken.json()['id']}/refunds"
    answer = client(payments, "POST", path, {"reason": CARD}, key="2")

    assert (answer.status, answer.json()["param"]) == (400, "reason")


def _event_for_authorizer(headers: Mapping[str, str]) -> dict[str, Any]:
    arn = "arn:aws:execute-api:eu-central-1:123456789012:api/v1/POST/payments"
    return {"type": "REQUEST", "methodArn": arn, "headers": dict(headers)}


def _ask_token(client_id: str, secret: str) -> Answer:
    basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    headers = {
        "Authorization": f"Basic {basic}",
        "content-type": "application/x-www-form-urlencoded",
    }
    text = form(grant_type="client_credentials")
    event = gateway_event("POST", "/oauth/token", text=text, headers=headers)
    return answer_of(tokens.handler(event, None))


def _secrets(client: Client) -> dict[str, str]:
    header, claims, signature = client.token.split(".")
    basic = f"{client.credentials.client_id}:{client.credentials.client_secret}"
    return {
        "client secret": client.credentials.client_secret,
        "basic credentials": base64.b64encode(basic.encode()).decode(),
        "token's header": header,
        "token's claims": claims,
        "token's signature": signature,
        "e-mail": EMAIL,
        **runtime.keys(),
    }


def _with_a_broken_table(database: Database, act: Callable[[], Answer]) -> Answer:
    """The answer while Postgres refuses each customer, quoting the row, as it does."""
    connection = database.connection()
    connection.execute(
        "ALTER TABLE payment_customers ADD CONSTRAINT broken CHECK (email IS NULL) NOT VALID"
    )
    answer = act()
    connection.execute("ALTER TABLE payment_customers DROP CONSTRAINT broken")
    return answer


def _tables_with(database_url: str, text: str) -> list[str]:
    """Names of all tables that hold `text` anywhere."""
    found = []
    with psycopg.connect(database_url, autocommit=True) as connection:
        tables = connection.execute(
            "SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace"
            " AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1"
        ).fetchall()
        for (name,) in tables:
            query = sql.SQL("SELECT count(*) FROM {0} WHERE to_jsonb({0})::TEXT LIKE {1}").format(
                sql.Identifier(name), sql.Literal(f"%{text}%")
            )
            row = connection.execute(query).fetchone()
            found += [name] if row and row[0] else []
    return found

"""An issuer is brought, used and removed: by the tool, and through the authorizer."""

import datetime as dt
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from psycopg.errors import CheckViolation

from authorize_request import handler as authorizer
from paynexus import ids, runtime
from paynexus.db import Database
from paynexus.errors import DatabaseUnavailable
from paynexus.identity.issuers import service, store
from paynexus.identity.issuers.model import TokenIssuer
from paynexus.identity.model import ALL_SCOPES, principal_from
from paynexus.ids import MerchantId
from tests.integration.conftest import gateway_event
from tests.integration.issuer_world import DISCOVERY, IssuerServer, Signer, new_key, set_of
from tools.issuers import main

METHOD_ARN = "arn:aws:execute-api:us-east-1:123456789012:api/v1/GET/merchant"
AUDIENCE = "https://api.paynexus.test"
SUBJECT = "canary.ada@example.com"
SIGNER = Signer("ES256", "one", new_key("ES256"))

type Tool = Callable[..., int]


@pytest.fixture(name="server")
def _server() -> Iterator[IssuerServer]:
    server = IssuerServer({"/keys": set_of(SIGNER.jwk)})
    server.start()
    document = {"issuer": server.url, "jwks_uri": f"{server.url}/keys"}
    server.answers[DISCOVERY] = json.dumps(document).encode()
    yield server
    server.stop()


@pytest.fixture(name="tool")
def _tool(database_url: str) -> Tool:
    """The tool's exit status."""
    return lambda *words: main(["--database-url", database_url, *words])


@pytest.fixture(name="mer")
def _mer(merchant: MerchantId) -> str:
    return ids.text("mer", merchant)


def token_of(server: IssuerServer, now: dt.datetime, **changes: object) -> str:
    """A token of the issuer, good for ten minutes."""
    iat = int(now.timestamp())
    claims = {"iss": server.url, "aud": AUDIENCE, "sub": SUBJECT, "iat": iat, "exp": iat + 600}
    return SIGNER.token(claims | changes)


def authorize(token: str) -> dict[str, Any]:
    """The authorizer's answer to a request with this token."""
    event = gateway_event("GET", "/merchant", headers={"Authorization": f"Bearer {token}"})
    return authorizer.handler({**event, "type": "REQUEST", "methodArn": METHOD_ARN}, None)


@pytest.mark.usefixtures("deployed")
def test_an_issuer_is_brought_used_and_removed(
    tool: Tool, server: IssuerServer, mer: str, merchant: MerchantId, now: dt.datetime
) -> None:
    """Discovered by its name; its answer is for the whole stage and ends with the token."""
    token = token_of(server, now)
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        authorize(token)
    assert tool("add", server.url, AUDIENCE, "--merchant", mer) == 0
    policy = authorize(token)
    principal = principal_from(policy["context"], now=now)

    assert principal.merchant_id == merchant
    assert principal.mode == "test"
    assert principal.scopes == set(ALL_SCOPES) - {"admin"}
    assert policy["context"]["expires_at"] == str(int(now.timestamp()) + 600)
    assert policy["principalId"] == principal.client_id
    assert policy["policyDocument"]["Statement"][0]["Resource"].endswith(":api/v1/*")
    assert all(isinstance(value, str) for value in policy["context"].values())
    assert tool("remove", server.url, AUDIENCE) == 0
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        authorize(token)


@pytest.mark.usefixtures("deployed")
def test_an_issuer_that_is_away_is_no_fault_of_ours(
    tool: Tool, server: IssuerServer, mer: str, now: dt.datetime
) -> None:
    """Its tokens are refused, with a 401 and not a 500, until it is back."""
    assert tool("add", server.url, AUDIENCE, "--merchant", mer) == 0
    server.answers["/keys"] = server.hang
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        authorize(token_of(server, now))


def test_a_database_that_is_away_is_no_verdict(
    deployed: pytest.MonkeyPatch, server: IssuerServer, now: dt.datetime
) -> None:
    """Neither an open door nor a 401: API Gateway answers a 5xx to any other error."""
    away = Database(lambda: "host=127.0.0.1 port=1 connect_timeout=1")
    deployed.setattr(runtime, "database", lambda: away)
    with pytest.raises(DatabaseUnavailable):
        authorize(token_of(server, now))


@pytest.mark.usefixtures("deployed")
def test_subjects_reach_no_log(  # noqa: PLR0917 - fixtures
    tool: Tool,
    server: IssuerServer,
    mer: str,
    now: dt.datetime,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Accepted or refused, whoever it is about stays between the merchant and its issuer."""
    caplog.set_level(logging.DEBUG)
    tool("add", server.url, AUDIENCE, "--merchant", mer)
    context = authorize(token_of(server, now))["context"]
    for token in (token_of(server, now, aud="x"), token_of(server, now) + "A"):
        with pytest.raises(Exception, match=r"^Unauthorized$"):
            authorize(token)
    printed = "".join([*capfd.readouterr(), caplog.text, repr(caplog.records)])

    assert "canary" not in printed
    assert "canary" not in str(context)


def test_what_is_brought_is_listed(
    tool: Tool, server: IssuerServer, mer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what it may do; admin by name alone."""
    words = ("--merchant", mer, "--mode", "live", "--scope", "admin", "--jwks-url")
    assert tool("add", "https://issuer.test", AUDIENCE, *words, f"{server.url}/keys") == 0
    capsys.readouterr()
    assert tool("list") == 0
    _, row = capsys.readouterr().out.splitlines()

    assert row.split("\t") == [
        *("https://issuer.test", AUDIENCE, mer),
        *("live", f"{server.url}/keys", "admin"),
    ]
    assert DISCOVERY not in server.asked


REFUSALS = {
    "not encrypted": ["http://issuer.test", AUDIENCE],
    "with a query": ["https://issuer.test?a=b", AUDIENCE],
    "keys not encrypted": ["URL", AUDIENCE, "--jwks-url", "http://issuer.test/keys"],
    "no audience": ["URL", ""],
    "an audience that prints badly": ["URL", "a\nb"],
    "nobody there": ["https://issuer.invalid", AUDIENCE],
    "no document": ["URL/nowhere", AUDIENCE],
    "a document of another": ["URL/", AUDIENCE],
    "no key set": ["URL", AUDIENCE, "--jwks-url", f"URL{DISCOVERY}"],
    "no usable key": ["URL", AUDIENCE, "--jwks-url", "URL/weak"],
    "unknown merchant": ["URL", AUDIENCE, "--merchant", ids.text("mer", ids.new_id())],
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_can_not_work_is_not_brought(
    tool: Tool, server: IssuerServer, mer: str, database: Database, name: str
) -> None:
    """The tool says why, and nothing is registered."""
    server.answers["/weak"] = set_of({"kty": "oct", "k": "AA", "kid": "a"})
    issuer, audience, *rest = [word.replace("URL", server.url) for word in REFUSALS[name]]

    assert tool("add", issuer, audience, "--merchant", mer, *rest) == 1
    assert service.registered(database) == []


DOCUMENTS = {
    "no JSON": b"<html>",
    "no UTF-8": b"\xff",
    "a list": b"[]",
    "nobody's": b'{"jwks_uri": "URL/keys"}',
    "another's": b'{"issuer": "https://attacker.example", "jwks_uri": "URL/keys"}',
    "ours and another's": b'{"issuer": "x", "issuer": "URL", "jwks_uri": "URL/keys"}',
    "without keys": b'{"issuer": "URL"}',
    "keys not encrypted": b'{"issuer": "URL", "jwks_uri": "http://issuer.test/keys"}',
    "keys in a list": b'{"issuer": "URL", "jwks_uri": ["URL/keys"]}',
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_discovery_document_must_be_the_issuers_own(
    tool: Tool, server: IssuerServer, mer: str, name: str
) -> None:
    """OpenID Connect Discovery 1.0, 4.3: it names the issuer, to the character."""
    server.answers[DISCOVERY] = DOCUMENTS[name].replace(b"URL", server.url.encode())

    assert tool("add", server.url, AUDIENCE, "--merchant", mer) == 1
    assert server.asked["/keys"] == 0


def test_an_audience_is_one_merchants_and_an_issuer_has_one_key_set(
    tool: Tool, server: IssuerServer, mer: str
) -> None:
    """What is there is not overwritten; what is not there is not removed."""
    server.answers["/more"] = server.answers["/keys"]
    add = ("add", server.url)

    assert tool(*add, AUDIENCE, "--merchant", mer) == 0
    assert tool(*add, AUDIENCE, "--merchant", mer, "--mode", "live") == 1
    assert tool(*add, "other", "--merchant", mer, "--jwks-url", f"{server.url}/more") == 1
    assert tool(*add, "other", "--merchant", mer) == 0
    assert [tool("remove", server.url, "other") for _ in range(2)] == [0, 1]


def test_scopes_are_known(tool: Tool, server: IssuerServer, mer: str) -> None:
    """The tool knows them as the product does."""
    with pytest.raises(SystemExit):
        tool("add", server.url, AUDIENCE, "--merchant", mer, "--scope", "everything")


@pytest.mark.parametrize(
    ("field", "value", "broken"),
    [
        ("issuer", "ftp://a", "issuer_is_a_web_address"),
        ("audience", "", "audience_is_a_short_text"),
        ("mode", "both", "mode_is_test_or_live"),
        ("jwks_url", "http://a.test/", "keys_travel_encrypted_or_stay_on_the_machine"),
        ("jwks_url", "http://127.0.0.1.a.test/", "keys_travel_encrypted_or_stay_on_the_machine"),
        ("scopes", [], "some_scope_is_granted"),
    ],
)
def test_the_database_holds_the_same_rules(
    database: Database, merchant: MerchantId, field: str, value: object, broken: str
) -> None:
    """Whoever writes the row."""
    row: dict[str, Any] = {
        "issuer": "https://a.test",
        "audience": "a",
        "merchant_id": merchant,
        "mode": "test",
        "jwks_url": "https://a.test/keys",
        "scopes": ["admin"],
    }
    with pytest.raises(CheckViolation) as violation, database.transaction() as tx:
        store.insert_issuer(tx, TokenIssuer(**{**row, field: value}))

    assert broken in str(violation.value)

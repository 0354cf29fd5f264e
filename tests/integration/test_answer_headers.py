"""What every answer carries: the request's name, the version, and what keeps browsers out."""

import uuid
from dataclasses import replace

import pytest

from authorize_request.handler import handler as authorizer
from merchants_api.handler import handler as merchants
from paynexus import http, ids, runtime, versions
from paynexus.db import Database
from paynexus.observability import logger
from tests.integration.conftest import Answer, Caller, answer_of, gateway_event
from tests.integration.test_clients_api import create
from tests.integration.test_identity_tokens_api import METHOD_ARN
from tokens_api.handler import handler as tokens


def answers(call: Caller) -> dict[str, Answer]:
    """A success, refusals by the business, the guard and the router, and a public route's."""
    return {
        "success": call(merchants, "GET", "/merchant"),
        "refused": call(merchants, "PATCH", "/merchant", {"name": ""}),
        "forbidden": replace(call, scope="qr:*")(merchants, "GET", "/merchant"),
        "not found": call(merchants, "GET", "/nowhere"),
        "wrong method": call(merchants, "PUT", "/merchant"),
        "unauthenticated": answer_of(merchants(gateway_event("GET", "/merchant"), None)),
        "public": answer_of(tokens(gateway_event("GET", "/health"), None)),
    }


def test_every_answer_carries_the_security_headers(call: Caller) -> None:
    """Whatever it says."""
    for name, answer in answers(call).items():
        assert answer.headers.items() >= http.SECURITY_HEADERS.items(), name
        assert answer.headers["PayNexus-Version"] == versions.NEWEST, name


def test_the_request_s_name_is_api_gateway_s(call: Caller) -> None:
    """One id in the access log, in the functions' logs and in the answer."""
    event = gateway_event("GET", "/merchant")
    number = uuid.UUID("0198f2c1-0000-4000-8000-00000000cafe")
    event["requestContext"]["requestId"] = str(number)
    answer = answer_of(merchants(event, None))
    with pytest.raises(Exception, match="Unauthorized"):
        authorizer({**event, "type": "REQUEST", "methodArn": METHOD_ARN}, None)
    name = ids.text("req", number)

    assert answer.headers["Request-Id"] == answer.json()["request_id"] == name
    assert logger.get_correlation_id() == name


def test_answers_to_requests_without_a_name_have_one(call: Caller) -> None:
    """Each its own."""
    names = {answer.headers["Request-Id"] for answer in answers(call).values()}

    assert len(names) == 7
    assert all(ids.parse("req", name) for name in names)


def test_a_client_keeps_the_version_of_its_birth(
    call: Caller, database: Database, deployed: pytest.MonkeyPatch
) -> None:
    """Until it asks for another by name; one that was never released is refused."""
    deployed.setattr(versions, "RELEASED", ("2026-11-27", "2031-01-01"))
    client = create(call).json()
    old = replace(call, client_id=client["id"])
    plain = old(merchants, "GET", "/merchant")
    asked = old(merchants, "GET", "/merchant", headers={"paynexus-version": "2031-01-01"})
    wrong = old(merchants, "GET", "/merchant", headers={"PayNexus-Version": "2030-01-01"})

    assert client["api_version"] == "2026-11-27"
    assert plain.headers["PayNexus-Version"] == "2026-11-27"
    assert asked.headers["PayNexus-Version"] == "2031-01-01"
    assert (wrong.status, wrong.json()["param"]) == (400, "PayNexus-Version")
    assert "2031-01-01" in wrong.json()["detail"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://shop.example.evil"])
def test_no_page_reads_answers_unless_its_origin_is_configured(
    call: Caller, deployed: pytest.MonkeyPatch, origin: str
) -> None:
    """By default none; then that one alone."""
    named = {"Origin": "https://shop.example"}
    off = call(merchants, "GET", "/merchant", headers=named)
    deployed.setenv("PAYNEXUS_CORS_ORIGIN", "https://shop.example")
    runtime.settings.cache_clear()
    own = call(merchants, "GET", "/merchant", headers=named)
    other = call(merchants, "GET", "/merchant", headers={"Origin": origin})

    assert not [name for name in off.headers if name.startswith("Access-Control")]
    assert own.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert (own.headers["Vary"], other.headers.get("Vary")) == ("Origin", None)
    assert not [name for name in other.headers if name.startswith("Access-Control")]

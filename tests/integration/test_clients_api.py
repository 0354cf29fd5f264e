"""Clients over HTTP: made, given two secrets, revoked; and what the authorizer makes of it."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from authorize_request.handler import handler as authorizer
from merchants_api.handler import handler
from paynexus import runtime
from paynexus.db import Database
from paynexus.errors import DatabaseUnavailable
from paynexus.identity import clients, model
from paynexus.identity.model import is_client_id, is_secret
from tests.integration.conftest import Answer, Caller, answer_of, form, gateway_event
from tests.integration.test_identity_tokens_api import METHOD_ARN
from tokens_api.handler import handler as tokens

ORDER = {"name": "till 4", "scopes": ["payments:write", "payments:read"]}


def create(call: Caller, order: object = ORDER, key: str = "one") -> Answer:
    """The answer to POST /clients."""
    return call(handler, "POST", "/clients", order, headers={"Idempotency-Key": key})


def rotate(call: Caller, client_id: str, body: object, key: str = "rotation") -> Answer:
    """The answer to POST …/rotate-secret."""
    path = f"/clients/{client_id}/rotate-secret"
    return call(handler, "POST", path, body, headers={"Idempotency-Key": key})


def ask_token(client_id: str, secret: str) -> Answer:
    """The token endpoint's answer."""
    body = form(grant_type="client_credentials", client_id=client_id, client_secret=secret)
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return answer_of(
        tokens(gateway_event("POST", "/oauth/token", text=body, headers=headers), None)
    )


def authorize(token: str) -> dict[str, Any]:
    """The authorizer's answer to a request with this token."""
    event = gateway_event("GET", "/payments", headers={"Authorization": f"Bearer {token}"})
    return authorizer({**event, "type": "REQUEST", "methodArn": METHOD_ARN}, None)


def test_a_client_is_made_and_its_secret_told_once(call: Caller) -> None:
    """In a form that secret scanners know; a repetition of the request tells it again."""
    made = create(call)
    again = create(call)
    client = made.json()
    read = call(handler, "GET", f"/clients/{client['id']}").json()
    listed = call(handler, "GET", "/clients").json()
    token = ask_token(client["id"], client["client_secret"]).json()

    assert made.status == 201
    assert is_client_id(client["id"])
    assert is_secret(client["client_secret"])
    assert again.body == made.body
    assert read == {name: value for name, value in client.items() if name != "client_secret"}
    assert listed == {"data": [read], "has_more": False}
    assert set(token["scope"].split()) == set(ORDER["scopes"])


def test_the_secret_is_nowhere_in_the_database(call: Caller, database: Database) -> None:
    """Neither in the client's row nor in the answer that is kept for repetitions."""
    secret = create(call).json()["client_secret"]
    rows = database.connection().execute(
        "SELECT clients::TEXT FROM clients UNION ALL SELECT k::TEXT FROM idempotency_keys AS k"
    )

    texts = [row[0] for row in rows]
    assert len(texts) == 2
    assert not any(secret in text for text in texts)


def test_two_secrets_are_honoured_for_as_long_as_asked(
    call: Caller, deployed: pytest.MonkeyPatch
) -> None:
    """The former until its time, and none before it; `0` ends it at once."""
    client = create(call).json()
    first = client["client_secret"]
    rotated = rotate(call, client["id"], {"former_expires_in": 3600}).json()
    second = rotated["client_secret"]
    now = runtime.clock()()

    assert dt.datetime.fromisoformat(rotated["former_secret_expires"]) > now
    assert [ask_token(client["id"], one).status for one in (first, second)] == [200, 200]
    third = rotate(call, client["id"], None, key="again").json()["client_secret"]
    assert [ask_token(client["id"], s).status for s in (first, second, third)] == [401, 200, 200]
    fourth = rotate(call, client["id"], {"former_expires_in": 0}, key="now").json()["client_secret"]
    assert [ask_token(client["id"], s).status for s in (second, third, fourth)] == [401, 401, 200]
    fifth = rotate(call, client["id"], {"former_expires_in": 60}, key="soon").json()[
        "client_secret"
    ]
    later = now + dt.timedelta(seconds=62)
    deployed.setattr(runtime, "clock", lambda: lambda: later)
    assert [ask_token(client["id"], one).status for one in (fourth, fifth)] == [401, 200]


def test_a_revoked_client_s_token_is_refused_at_once_by_the_authorizer(call: Caller) -> None:
    """API Gateway's minute is the only delay."""
    client = create(call).json()
    token = ask_token(client["id"], client["client_secret"]).json()["access_token"]
    let_in = authorize(token)
    gone = call(handler, "DELETE", f"/clients/{client['id']}")

    assert let_in["principalId"] == client["id"]
    assert (gone.status, gone.json()["revoked"]) == (200, True)
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        authorize(token)
    assert ask_token(client["id"], client["client_secret"]).status == 401
    assert call(handler, "GET", f"/clients/{client['id']}").status == 404
    assert call(handler, "DELETE", f"/clients/{client['id']}").status == 404


def test_a_database_that_is_away_is_neither_an_open_door_nor_a_bad_token(
    call: Caller, deployed: pytest.MonkeyPatch
) -> None:
    """API Gateway makes a 500 of it, and the same request may be sent again."""
    client = create(call).json()
    token = ask_token(client["id"], client["client_secret"]).json()["access_token"]
    away = Database(lambda: "host=127.0.0.1 port=1 dbname=none connect_timeout=1")
    runtime.database().close()
    deployed.setattr(runtime, "database", lambda: away)

    with pytest.raises(DatabaseUnavailable):
        authorize(token)


def test_a_client_does_not_revoke_itself(call: Caller) -> None:
    """Somebody is left who can make others."""
    client = create(call, {"name": "admin", "scopes": ["admin"]}).json()
    itself = replace(call, client_id=client["id"])

    refused = itself(handler, "DELETE", f"/clients/{client['id']}")

    assert (refused.status, refused.json()["code"]) == (409, "invalid_state")


def test_there_are_only_so_many_clients(call: Caller, deployed: pytest.MonkeyPatch) -> None:
    """A revoked one makes room."""
    deployed.setattr(clients, "CLIENTS_MAX", 2)
    first = create(call, key="1").json()["id"]
    create(call, key="2")

    assert create(call, key="3").json()["code"] == "invalid_state"
    call(handler, "DELETE", f"/clients/{first}")
    assert create(call, key="4").status == 201


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"scopes": "admin"}, "scopes"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"mode": "live"}, "mode"),
    ],
)
def test_bad_orders_name_their_field(call: Caller, change: dict[str, object], param: str) -> None:
    """And make nothing."""
    answer = create(call, ORDER | change)

    assert (answer.status, answer.json()["param"]) == (400, param)
    assert call(handler, "GET", "/clients").json()["data"] == []


@pytest.mark.parametrize("seconds", [-1, 604_801, 1.5, True, "60"])
def test_bad_lifetimes_are_refused(call: Caller, seconds: object) -> None:
    """A secret that never ends is no rotation."""
    client_id = create(call).json()["id"]
    answer = rotate(call, client_id, {"former_expires_in": seconds})

    assert (answer.status, answer.json()["param"]) == (400, "former_expires_in")


def test_the_other_mode_sees_nothing(call: Caller) -> None:
    """Nor does it rotate or revoke."""
    client_id = create(call).json()["id"]
    other = replace(call, mode="live", client_id="pnx_live_0000000000000000000000")

    assert other(handler, "GET", "/clients").json()["data"] == []
    assert other(handler, "GET", f"/clients/{client_id}").status == 404
    assert rotate(other, client_id, {}).status == 404
    assert other(handler, "DELETE", f"/clients/{client_id}").status == 404
    assert model.CLIENTS_MAX == 50

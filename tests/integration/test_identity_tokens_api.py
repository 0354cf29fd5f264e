"""Client credentials, tokens and the authorizer, end to end below API Gateway."""

import base64
import hashlib
from typing import Any

import jwt
import pytest

from authorize_request import handler as authorizer
from paynexus import runtime
from paynexus.db import Database
from paynexus.identity import service
from paynexus.identity.allowance import Charge, Rate
from paynexus.identity.model import Mode, hash_of, principal_from
from paynexus.identity.service import Credentials
from paynexus.ids import MerchantId
from tests.integration.conftest import Answer, answer_of, form, gateway_event
from tokens_api.handler import handler

FORM = {"content-type": "application/x-www-form-urlencoded"}
METHOD_ARN = "arn:aws:execute-api:us-east-1:123456789012:api/v1/GET/merchant"


@pytest.fixture
def credentials(
    deployed: pytest.MonkeyPatch, database: Database, merchant: MerchantId
) -> Credentials:
    """A client of the merchant in test mode."""
    return service.register_client(database, merchant, mode=Mode.TEST)


def request_token(body: str, **headers: str) -> Answer:
    """The token endpoint's answer."""
    event = gateway_event("POST", "/oauth/token", text=body, headers=FORM | headers)
    return answer_of(handler(event, None))


def basic(client_id: str, secret: str) -> str:
    """An HTTP Basic header."""
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def authorize(token: str) -> dict[str, Any]:
    """The authorizer's answer to a request with this token."""
    event = gateway_event("GET", "/merchant", headers={"Authorization": f"Bearer {token}"})
    return authorizer.handler({**event, "type": "REQUEST", "methodArn": METHOD_ARN}, None)


def test_credentials_become_a_token_that_authorizes(
    credentials: Credentials, merchant: MerchantId
) -> None:
    """Secret → token → principal of that merchant, for every route of the stage."""
    answer = request_token(
        form(
            grant_type="client_credentials",
            client_id=credentials.client_id,
            client_secret=credentials.client_secret,
        )
    )
    assert answer.status == 200
    assert answer.json()["token_type"] == "Bearer"
    assert answer.json()["expires_in"] == 900
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Request-Id" in answer.headers

    policy = authorize(answer.json()["access_token"])
    principal = principal_from(policy["context"], now=runtime.clock()())

    assert principal.merchant_id == merchant
    assert principal.mode == "test"
    assert principal.client_id == credentials.client_id
    (statement,) = policy["policyDocument"]["Statement"]
    assert statement["Resource"] == "arn:aws:execute-api:us-east-1:123456789012:api/v1/*"
    assert all(isinstance(value, str) for value in policy["context"].values())


def test_token_verifies_with_the_published_keys_alone(credentials: Credentials) -> None:
    """Anyone with an ordinary JWT library and the JWKS can check a token."""
    answer = request_token(
        form(grant_type="client_credentials"),
        authorization=basic(credentials.client_id, credentials.client_secret),
    )
    token = answer.json()["access_token"]
    published = answer_of(handler(gateway_event("GET", "/.well-known/jwks.json"), None))
    assert published.headers["Cache-Control"] == "public, max-age=300"

    keys = jwt.PyJWKSet.from_dict(published.json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(
        token, key, algorithms=["ES256"], audience="paynexus-api", issuer="https://paynexus.test"
    )

    assert claims["sub"] == credentials.client_id
    assert claims["exp"] - claims["iat"] == 900


def test_kid_is_the_thumbprint_of_rfc_7638(credentials: Credentials) -> None:
    """The key's name is the digest of its required members in their canonical form."""
    (key,) = runtime.token_keys().jwks(now=runtime.clock()())["keys"]
    canonical = f'{{"crv":"P-256","kty":"EC","x":"{key["x"]}","y":"{key["y"]}"}}'
    digest = hashlib.sha256(canonical.encode()).digest()

    assert key["kid"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_scopes_are_narrowed_on_request(credentials: Credentials) -> None:
    """A token may carry less than its client has, never more."""
    fields = {
        "grant_type": "client_credentials",
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
    }
    narrow = request_token(form(**fields, scope="payments:read qr:*")).json()
    wide = request_token(form(**fields, scope="payments:read everything"))

    assert narrow["scope"] == "payments:read qr:*"
    context = authorize(narrow["access_token"])["context"]
    assert principal_from(context).scopes == {"payments:read", "qr:*"}
    assert (wide.status, wide.json()["error"]) == (400, "invalid_scope")


REFUSALS: list[tuple[str, dict[str, str], int, str]] = [
    ("", {}, 400, "invalid_request"),
    ("grant_type=password", {}, 400, "unsupported_grant_type"),
    ("grant_type=client_credentials", {}, 401, "invalid_client"),
    ("grant_type=client_credentials&grant_type=x", {}, 400, "invalid_request"),
    ("grant_type=client_credentials&client_id=a&client_secret=b", {}, 401, "invalid_client"),
    (
        "grant_type=client_credentials&client_id=%00&client_secret=%00",
        {},
        401,
        "invalid_client",
    ),
    (
        "grant_type=client_credentials&client_secret=b",
        {"authorization": basic("a", "b")},
        400,
        "invalid_request",
    ),
    ("grant_type=client_credentials", {"authorization": "Basic %%%"}, 401, "invalid_client"),
    ("grant_type=client_credentials", {"authorization": "Bearer x"}, 401, "invalid_client"),
    (
        "grant_type=client_credentials",
        {"authorization": basic("é", "b")},
        401,
        "invalid_client",
    ),
    ("{}", {"content-type": "application/json"}, 400, "invalid_request"),
    ("a=" + "b" * 5_000, {}, 400, "invalid_request"),
]


def test_refusals_speak_rfc_6749(deployed: pytest.MonkeyPatch, database: Database) -> None:
    """Every refusal has the standard's code; a 401 says how to authenticate."""
    for body, headers, status, error in REFUSALS:
        answer = request_token(body, **headers)

        assert (answer.status, answer.json()["error"]) == (status, error), body
        assert ("WWW-Authenticate" in answer.headers) == (status == 401), body


def test_wrong_secret_revoked_client_and_replaced_secret_are_alike(
    credentials: Credentials, database: Database, merchant: MerchantId
) -> None:
    """None of the three learns which of them it is."""

    def refusal(client_id: str, secret: str) -> dict[str, str]:
        answer = request_token(
            form(grant_type="client_credentials", client_id=client_id, client_secret=secret)
        )
        assert answer.status == 401
        refusal: dict[str, str] = answer.json()
        return refusal

    renewed = service.replace_secret(database, merchant, mode=Mode.TEST)
    former = refusal(credentials.client_id, credentials.client_secret)
    wrong = refusal(credentials.client_id, "wrong")
    with database.transaction() as tx:
        tx.execute("UPDATE clients SET revoked_at = now()")
    revoked = refusal(renewed.client_id, renewed.client_secret)

    assert renewed.client_id == credentials.client_id
    assert former == wrong == revoked


def test_tokens_are_limited_once_the_client_is_known(credentials: Credentials) -> None:
    """The 61st of a moment is refused in the endpoint's own form; wrong secrets cost nothing."""
    own = {"client_id": credentials.client_id, "grant_type": "client_credentials"}
    wrong = [request_token(form(**own, client_secret="wrong")) for _ in range(70)]
    assert {answer.status for answer in wrong} == {401}
    assert all("RateLimit" not in answer.headers for answer in wrong)

    right = form(**own, client_secret=credentials.client_secret)
    first = request_token(right)
    assert first.headers["RateLimit-Policy"] == '"token";q=60;w=60'
    assert first.headers["RateLimit"] == '"token";r=59;t=1'
    limiter = runtime.rate_limiter()
    spent = Charge(limiter.allowances.request(Rate.TOKEN).policy, amount=59)
    limiter.admit(credentials.client_id, [spent], now=runtime.clock()())
    answers = [request_token(right) for _ in range(3)]
    refused = next(answer for answer in answers if answer.status != 200)

    assert (refused.status, refused.json()["error"]) == (429, "rate_limited")
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["RateLimit"].startswith('"token";r=0;')
    assert request_token(form(**own, client_secret="wrong")).status == 401


def test_only_a_hash_of_the_secret_is_stored(credentials: Credentials, database: Database) -> None:
    """Whoever reads the table can't act as a client."""
    row = database.connection().execute("SELECT clients::TEXT, secret_hash FROM clients").fetchone()

    assert row is not None
    assert credentials.client_secret not in row[0]
    assert row[1] == hash_of(credentials.client_secret)


def test_what_is_no_token_is_a_401(deployed: pytest.MonkeyPatch) -> None:
    """API Gateway answers 401 to exactly this message."""
    for token in ("", "x", "a.b.c", "é", "." * 5_000):
        with pytest.raises(Exception, match=r"^Unauthorized$"):
            authorize(token)


def test_health_asks_nothing() -> None:
    """Liveness needs neither database nor settings."""
    answer = answer_of(handler(gateway_event("GET", "/health"), None))

    assert (answer.status, answer.json()) == (200, {"status": "ok"})

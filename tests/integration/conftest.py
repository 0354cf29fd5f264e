"""The API's functions, called as API Gateway calls them, over real Postgres and Valkey."""

import base64
import datetime as dt
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from moto import mock_aws
from moto.kms.utils import ECDSAPrivateKey

from paynexus import ids, letterbox, runtime
from paynexus.db import Database
from paynexus.ids import MerchantId
from paynexus.payments.workflow import Workflow
from tests.integration.steps_in_process import StepFunctions
from tests.sandbox import KEY, Sandbox
from tests.settlement_world import SettlementWorld

type Handler = Callable[[Mapping[str, Any], object], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What API Gateway would send to the client."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """The body's value."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls functions in the name of one client."""

    merchant_id: MerchantId
    mode: str = "test"
    client_id: str = "pnx_test_0000000000000000000000"
    scope: str = "admin"

    def __call__(
        self,
        handler: Handler,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        queries: Mapping[str, list[str]] | None = None,
        text: str | None = None,
    ) -> Answer:
        """The function's answer to this request, with the principal in its context.

        `queries` are the parameters with all their values, where some have several.
        """
        context = {
            "merchant_id": ids.text("mer", self.merchant_id),
            "client_id": self.client_id,
            "mode": self.mode,
            "scope": self.scope,
            "expires_at": str(2**40),
        }
        if body is not None:
            text = json.dumps(body)
        event = gateway_event(
            method, path, text=text, headers=headers, query=query, authorizer=context
        )
        if queries:
            event["multiValueQueryStringParameters"] = dict(queries)
        return answer_of(handler(event, None))


def gateway_event(
    method: str,
    path: str,
    *,
    text: str | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    authorizer: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A request as a REST API hands it to a function."""
    given = {"content-type": "application/json", **(headers or {})}
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": given,
        "multiValueHeaders": {name: [value] for name, value in given.items()},
        "queryStringParameters": dict(query) if query else None,
        "multiValueQueryStringParameters": {k: [v] for k, v in query.items()} if query else None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "stage": "v1",
            "path": f"/v1{path}",
            "httpMethod": method,
            "requestId": secrets.token_hex(8),
            "identity": {"sourceIp": "127.0.0.1"},
            **({"authorizer": dict(authorizer)} if authorizer else {}),
        },
        "body": text,
        "isBase64Encoded": False,
    }


def answer_of(raw: Mapping[str, Any]) -> Answer:
    """What the function's raw answer means."""
    body = raw["body"] or ""
    content = base64.b64decode(body) if raw.get("isBase64Encoded") else body.encode()
    headers = {name: values[0] for name, values in raw["multiValueHeaders"].items()}
    return Answer(raw["statusCode"], headers, content)


@pytest.fixture(scope="module")
def account() -> Iterator[dict[str, str]]:
    """An AWS account with the signing keys and the product's keys, as settings name them.

    One a module: making clients costs more than most tests.
    """
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setattr(ECDSAPrivateKey, "sign", _signature_of_digest)
        runtime.aws.cache_clear()
        yield {
            "TOKEN_KEY_ALIAS": _alias_of(_signing_key()),
            "LEDGER_KEY_IDS": _signing_key(),
            "KEYS_SECRET": _stored(_keys()),
        }
        runtime.aws.cache_clear()


@pytest.fixture
def deployed(
    account: dict[str, str], database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.MonkeyPatch]:
    """The environment that a deployment gives: settings, secrets, the signing key."""
    settings = {
        **account,
        "STAGE": "test",
        "ISSUER": "https://paynexus.test",
        "REDIS_URL": redis_url,
        "DATABASE_SECRET": _stored(_connection_parts(database_url)),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"PAYNEXUS_{name}", value)
    _forget_clients()
    yield monkeypatch
    runtime.database().close()
    _forget_clients()


@pytest.fixture
def call(deployed: pytest.MonkeyPatch, merchant: MerchantId) -> Caller:
    """Calls functions in the name of the test's merchant."""
    return Caller(merchant)


@pytest.fixture
def acquirer(deployed: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    """The sandbox acquirer, and a workflow that leads to it: payments can be taken over HTTP."""
    sandbox = Sandbox(tmp_path / "acquirer")
    sandbox.start()
    deployed.setenv("PAYNEXUS_SANDBOX_ACQUIRER_URL", f"http://127.0.0.1:{sandbox.port}")
    runtime.settings.cache_clear()
    deployed.setitem(runtime.keys(), "sandbox_acquirer_key", KEY)
    deployed.setattr(runtime, "workflow", lambda: Workflow(StepFunctions(), "process_payment"))
    yield sandbox
    sandbox.stop()


def form(**fields: str) -> str:
    """A form body."""
    return urlencode(fields)


def _signature_of_digest(key: ECDSAPrivateKey, message: bytes, _algorithm: str) -> bytes:
    # moto ignores MessageType=DIGEST and would hash the digest once more; KMS does not.
    signature: bytes = key.private_key.sign(message, ec.ECDSA(Prehashed(SHA256())))
    return signature


def _signing_key() -> str:
    key = runtime.aws("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    key_id: str = key["KeyMetadata"]["KeyId"]
    return key_id


def _alias_of(key_id: str) -> str:
    alias = f"alias/{secrets.token_hex(8)}"
    runtime.aws("kms").create_alias(AliasName=alias, TargetKeyId=key_id)
    return alias


def _stored(value: Mapping[str, object]) -> str:
    name = secrets.token_hex(8)
    runtime.aws("secretsmanager").create_secret(Name=name, SecretString=json.dumps(value))
    return name


def _connection_parts(url: str) -> dict[str, object]:
    parts = psycopg.conninfo.conninfo_to_dict(url)
    return {
        "host": parts["host"],
        "port": int(str(parts.get("port", 5432))),
        "username": parts["user"],
        "password": parts.get("password", ""),
        "dbname": parts["dbname"],
    }


def _keys() -> dict[str, str]:
    names = ("sealing_key", "qr_signing_key", "sandbox_acquirer_key")
    return {name: base64.b64encode(os.urandom(32)).decode() for name in names}


def _forget_clients() -> None:
    """Each test has a database of its own; the account's clients serve the whole module."""
    for name, value in [*vars(runtime).items(), *vars(letterbox).items()]:
        if name != "aws" and hasattr(value, "cache_clear"):
            value.cache_clear()


@pytest.fixture
def books(database: Database, merchant: MerchantId) -> SettlementWorld:
    """Settlement with a bank of two boxes, a moment after all that a test books."""
    # Entries are recorded by the server's clock.
    moment = dt.datetime.now(dt.UTC).replace(microsecond=0)  # noqa: TID251 - the tests' edge
    return SettlementWorld(database, merchant, moment + dt.timedelta(hours=1))

"""The stack as the demo uses it: what any merchant's program could do, and what ops would."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
import psycopg
import urllib3
from botocore.config import Config

REQUEST_SECONDS = 40
PATIENCE_SECONDS = 90
POLL_SECONDS = 0.25
UNDECIDED = {"PENDING", "UNKNOWN"}


class DemoError(Exception):
    """A step did not end as it should; the message says which and how."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """The body's value."""
        return json.loads(self.body)


def require(holds: bool, reply: Reply) -> None:  # noqa: FBT001 - a condition is a boolean
    """The step went as it should; else the demo stops with what was answered."""
    if not holds:
        raise DemoError(f"unexpected answer {reply.status}: {reply.body[:600]!r}")


@dataclass
class Merchant:
    """A merchant's program: it knows the API's address and its own credentials."""

    stack: dict[str, Any]
    http: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)
    token: str = ""

    def log_in(self) -> Reply:
        """The next requests carry a fresh access token."""
        credentials = f"{self.stack['client_id']}:{self.stack['client_secret']}"
        headers = urllib3.make_headers(basic_auth=credentials)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = urlencode({"grant_type": "client_credentials"})
        reply = self._send("POST", "/oauth/token", body, headers)
        self.token = reply.json["access_token"]
        return reply

    def get(self, path: str, *, accept: str = "application/json") -> Reply:
        """What is at `path`."""
        return self._send("GET", path, None, {**self._authorization(), "Accept": accept})

    def post(self, path: str, body: dict[str, Any], *, key: str | None = None) -> Reply:
        """The answer to a request that acts, under `key` or one of its own."""
        headers = {
            **self._authorization(),
            "Content-Type": "application/json",
            "Idempotency-Key": key or secrets.token_hex(12),
        }
        return self._send("POST", path, json.dumps(body), headers)

    def act(self, path: str, body: dict[str, Any], *, key: str | None = None) -> Reply:
        """As `post`, repeated under its key while the operation is undecided or at work.

        This is how every client should treat 202, 409, 5xx and no answer at all: the same key
        never acts twice.
        """
        key = key or secrets.token_hex(12)

        def decided() -> Reply | None:
            try:
                reply = self.post(path, body, key=key)
            except urllib3.exceptions.HTTPError:
                return None
            if reply.status == 409 or reply.status >= 500:  # noqa: PLR2004 - HTTP
                return None
            return None if reply.json.get("status") in UNDECIDED else reply

        return eventually(f"an answer to POST {path}", decided)

    def patch(self, path: str, body: dict[str, Any]) -> Reply:
        """What is at `path` is changed."""
        headers = {**self._authorization(), "Content-Type": "application/json"}
        return self._send("PATCH", path, json.dumps(body), headers)

    def delete(self, path: str) -> Reply:
        """What is at `path` is gone."""
        return self._send("DELETE", path, None, self._authorization())

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _send(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Reply:
        answer = self.http.request(
            method,
            self.stack["api_url"] + path,
            body=body,
            headers=headers,
            timeout=REQUEST_SECONDS,
            retries=False,
        )
        return Reply(answer.status, answer.data, answer.headers)


@dataclass
class Operator:
    """What ops would do in the console: run a scheduled function now, let the bank's day pass."""

    stack: dict[str, Any]
    http: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)

    def invoke(self, function: str, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """The function's answer."""
        client = boto3.client(
            "lambda",
            endpoint_url=self.stack["aws_endpoint_url"],
            region_name=self.stack["region"],
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the local stack believes any
            config=Config(read_timeout=REQUEST_SECONDS, retries={"total_max_attempts": 1}),
        )
        name = self.stack["functions"][function]
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event or {}).encode())
        payload = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise DemoError(f"{function} failed: {payload}")
        result: dict[str, Any] = payload
        return result

    def let_bank_days_pass(self, days: int) -> None:
        """The bank's clock is `days` ahead, and its files are written."""
        url = f"{self.stack['bank_url']}/_mock/advance?days={days}"
        self.http.request("POST", url, timeout=REQUEST_SECONDS, retries=False)

    def database(self) -> psycopg.Connection:
        """A connection to the stack's database."""
        return psycopg.connect(self.stack["database_url"], autocommit=True)

    def webhooks(self, path: str) -> list[dict[str, Any]]:
        """What the merchant's server received at `path`."""
        url = f"{self.stack['webhook_sink_url']}/requests?path={path}"
        received: list[dict[str, Any]] = self.http.request("GET", url).json()["data"]
        return received


def described(state: Path) -> dict[str, Any]:
    """What `make up` wrote down."""
    path = state / "stack.json"
    if not path.exists():
        raise DemoError(f"There is no stack in {state}: run `make up` first.")
    stack: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return stack


def eventually[T](what: str, look: Callable[[], T | None]) -> T:
    """What `look` finds, once it finds something; DemoError after PATIENCE_SECONDS."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(POLL_SECONDS)
    raise DemoError(f"There was still no {what} after {PATIENCE_SECONDS} seconds.")

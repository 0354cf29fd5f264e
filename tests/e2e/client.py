"""A merchant's program: HTTP and JSON, nothing of the product's own code."""

import base64
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import urllib3

TIMEOUT = urllib3.Timeout(connect=10, read=120)
"""Far beyond what the API promises: the machine may be busy with something else."""
REPEAT = frozenset({202, 409, 429, 500, 502, 503, 504})
"""Not final: the same request is sent again under its key."""
REPEATS_MAX = 150
REPEAT_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """The body's value."""
        return json.loads(self.body)

    @property
    def is_replay(self) -> bool:
        """Whether the answer was given before."""
        return self.headers.get("Idempotent-Replayed") == "true"


@dataclass(slots=True)
class Client:
    """Speaks for one merchant; fetches its token when first needed, and anew after a 401."""

    api_url: str
    merchant_id: str
    client_id: str
    client_secret: str
    http: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(maxsize=16, retries=False, timeout=TIMEOUT)
    )
    _token: str = ""

    def get(self, path: str, **headers: str) -> Answer:
        """The answer to a GET."""
        return self.send("GET", path, headers=headers)

    def post(self, path: str, body: object = None, *, key: str | None = None) -> Answer:
        """The answer to a POST under an Idempotency-Key, a fresh one unless given."""
        return self.send(
            "POST", path, text=json.dumps({} if body is None else body), headers=_keyed(key)
        )

    def pay(self, amount: int = 1250, *, key: str | None = None, **fields: object) -> Answer:
        """The answer to a payment in EUR, by a card of its own unless one is given."""
        order = {"amount": amount, "currency": "EUR", "payment_method": card(), **fields}
        return self.post("/payments", order, key=key)

    def settle(self, path: str, body: object, *, key: str | None = None) -> Answer:
        """The final answer: the request is repeated under its key until there is one."""
        key = key or secrets.token_hex(12)
        for _ in range(REPEATS_MAX):
            try:
                answer = self.post(path, body, key=key)
            except urllib3.exceptions.HTTPError:
                # Nobody knows what became of it: that is what the key is for.
                time.sleep(REPEAT_PAUSE_SECONDS)
                continue
            if answer.status not in REPEAT:
                return answer
            time.sleep(REPEAT_PAUSE_SECONDS)
        raise AssertionError(f"{path} under {key} never ended: {answer.status} {answer.body!r}")

    def send(
        self,
        method: str,
        path: str,
        *,
        text: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to any request; an expired token is replaced once."""
        answer = self._send(method, path, text, headers, self.token())
        if answer.status == 401:
            answer = self._send(method, path, text, headers, self.token(fresh=True))
        return answer

    def raw(
        self, method: str, path: str, *, text: str | bytes | None = None, **headers: str
    ) -> Answer:
        """The answer to a request with these headers and no others."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.http.request(method, self.api_url + path, body=text, headers=named)
        return Answer(answer.status, answer.headers, answer.data)

    def token(self, *, fresh: bool = False) -> str:
        """An access token."""
        if fresh or not self._token:
            answer = self.ask_token()
            assert answer.status == 200, answer
            self._token = answer.json["access_token"]
        return self._token

    def ask_token(self) -> Answer:
        """The answer to a request for a token."""
        basic = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        return self.raw(
            "POST",
            "/oauth/token",
            text="grant_type=client_credentials",
            authorization=f"Basic {basic}",
            content_type="application/x-www-form-urlencoded",
        )

    def close(self) -> None:
        """No connection is left open."""
        self.http.clear()

    def _send(
        self,
        method: str,
        path: str,
        text: str | bytes | None,
        headers: Mapping[str, str] | None,
        token: str,
    ) -> Answer:
        given = {"authorization": f"Bearer {token}", **(headers or {})}
        if text is not None:
            given = {"content-type": "application/json", **given}
        answer = self.http.request(method, self.api_url + path, body=text, headers=given)
        return Answer(answer.status, answer.headers, answer.data)


def card(behaviour: str = "approve") -> str:
    """A payment method that nobody used before, which behaves so at the sandbox."""
    return f"tok_{behaviour}_{secrets.token_hex(6)}"


def _keyed(key: str | None) -> dict[str, str]:
    return {"idempotency-key": key or secrets.token_hex(12)}

"""The sandbox acquirer as a process of its own, over HTTP."""

import csv
import datetime as dt
import hashlib
import hmac
import io
import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import urllib3

ROOT = Path(__file__).parents[2]
KEY = "sandbox-key"


@dataclass
class Acquirer:
    """A running acquirer and a client for it."""

    state: Path
    options: tuple[str, ...] = ()
    http: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(retries=False, maxsize=32)
    )

    def start(self) -> None:
        """It answers."""
        command = [sys.executable, "-m", "tools.sandbox_acquirer", "--port", "0"]
        arguments = ["--state", str(self.state), "--api-key", KEY, *self.options]
        self.process = subprocess.Popen(
            command + arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """It is gone."""
        os.kill(self.process.pid, number)
        with self.process:
            return self.process.wait(30)

    def call(
        self, method: str, path: str, body: object = None, *, key: str = KEY, seconds: float = 30
    ) -> urllib3.BaseHTTPResponse:
        """The answer."""
        content = None if body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {key}"}
        return self.http.request(
            method, self.url + path, body=content, headers=headers, timeout=seconds
        )

    def charge(self, reference: str, token: str, **fields: object) -> urllib3.BaseHTTPResponse:
        """The answer to a charge of 12.50 euro."""
        return self.call("POST", "/v1/charges", charge_body(reference, token, **fields))


def charge_body(reference: str, token: str, **fields: object) -> dict[str, Any]:
    """A charge of 12.50 euro."""
    body = {"reference": reference, "amount": 1250, "currency": "EUR", "payment_method": token}
    return body | fields


@pytest.fixture(name="shared", scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acquirer]:
    """One for the tests that look at nothing but a reference of their own."""
    acquirer = Acquirer(tmp_path_factory.mktemp("acquirer"), ("--hold-seconds", "60"))
    acquirer.start()
    yield acquirer
    acquirer.stop()
    acquirer.http.clear()


@pytest.fixture(name="reference")
def _reference() -> str:
    """A reference of this test alone."""
    return secrets.token_hex(8)


@pytest.fixture(name="acquirer")
def _acquirer(tmp_path: Path) -> Iterator[Acquirer]:
    acquirer = Acquirer(tmp_path / "acquirer", ("--hold-seconds", "60"))
    acquirer.start()
    yield acquirer
    acquirer.stop()
    acquirer.http.clear()


def test_a_repeated_reference_is_answered_byte_for_byte_and_charged_once(
    acquirer: Acquirer,
) -> None:
    """The reference is the idempotency key."""
    first = acquirer.charge("a", "tok_approve")
    again = acquirer.charge("a", "tok_approve")
    other = acquirer.charge("a", "tok_approve", amount=1251)

    assert (first.status, again.status, other.status) == (200, 200, 409)
    assert first.data == again.data
    assert again.headers["Idempotent-Replayed"] == "true"
    assert other.json()["error"]["code"] == "reference_reused"
    listed = acquirer.call("GET", "/v1/charges").json()["data"]
    assert [(charge["reference"], charge["sends"]) for charge in listed] == [("a", 2)]


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("tok_decline", "generic_decline"),
        ("tok_decline_insufficient_funds", "insufficient_funds"),
        ("tok_decline_expired_card", "expired_card"),
        ("4111111111111111", "unknown_payment_method"),
    ],
)
def test_declines_are_answers_with_a_code(
    shared: Acquirer, reference: str, token: str, code: str
) -> None:
    """They are stored like approvals, and charge nothing."""
    answer = shared.charge(reference, token).json()

    assert (answer["status"], answer["code"]) == ("declined", code)
    assert shared.call("GET", f"/v1/operations/{reference}").json() == answer
    assert shared.call("GET", f"/v1/charges/{reference}").status == 404


@pytest.mark.parametrize("fault", ["timeout", "error", "disconnect"])
def test_a_fault_before_the_effect_leaves_nothing(
    shared: Acquirer, reference: str, fault: str
) -> None:
    """The reference stays unknown, and the next send meets the fault again."""
    body = charge_body(reference, f"tok_{fault}_before")

    assert not _is_clear(shared, body)
    assert shared.call("GET", f"/v1/operations/{reference}").status == 404
    assert not _is_clear(shared, body)


@pytest.mark.parametrize("fault", ["timeout", "error", "disconnect", "garbled"])
def test_after_a_fault_behind_the_effect_the_books_tell(
    shared: Acquirer, reference: str, fault: str
) -> None:
    """The inquiry finds the approval, and the next send is answered by it."""
    body = charge_body(reference, f"tok_{fault}_after")

    assert not _is_clear(shared, body)
    inquiry = shared.call("GET", f"/v1/operations/{reference}")
    assert inquiry.json()["status"] == "approved"
    assert shared.call("POST", "/v1/charges", body).data == inquiry.data


def _is_clear(acquirer: Acquirer, body: dict[str, Any]) -> bool:
    """Whether a client with little patience gets a whole answer."""
    try:
        answer = acquirer.call("POST", "/v1/charges", body, seconds=0.5)
        return answer.status == 200 and bool(answer.json())
    except (urllib3.exceptions.HTTPError, ValueError):
        return False


def test_a_fault_that_happens_once_lets_the_second_send_through(acquirer: Acquirer) -> None:
    """And 429 says when to come back."""
    first = acquirer.charge("a", "tok_rate_limited_once")
    second = acquirer.charge("a", "tok_rate_limited_once")

    assert (first.status, first.headers["Retry-After"]) == (429, "1")
    assert second.json()["status"] == "approved"


def test_simultaneous_sends_of_one_reference_make_one_charge(acquirer: Acquirer) -> None:
    """Fast and slow alike; while the slow one runs, an inquiry doesn't call it unknown."""
    tokens = ["tok_approve", "tok_slow"] * 8
    with ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda token: acquirer.charge(token, token), tokens)
        seen = _states_until_final(acquirer, "tok_slow")

    assert {(answer.status, answer.data) for answer in answers} == {
        (200, acquirer.call("GET", f"/v1/operations/{token}").data) for token in tokens
    }
    assert set(seen) <= {"unknown", "processing", "approved"}
    assert "unknown" not in seen[seen.index("processing") :]
    statistics = acquirer.call("GET", "/v1/statistics").json()
    assert statistics["totals"][0]["charges"] == 2
    assert statistics["most_sends_of_one_reference"] == 8


def _states_until_final(acquirer: Acquirer, reference: str) -> list[str]:
    seen: list[str] = []
    while seen[-1:] != ["approved"]:
        answer = acquirer.call("GET", f"/v1/operations/{reference}").json()
        state = answer.get("status", "unknown")
        if seen[-1:] != [state]:
            seen.append(state)
    return seen


def test_captures_refunds_and_cancels_keep_within_the_charge(acquirer: Acquirer) -> None:
    """Nothing interleaves into more than was authorized."""
    money = {"currency": "EUR"}
    acquirer.charge("a", "tok_approve", capture=False)

    def act(action: str, reference: str, **fields: object) -> tuple[str, str | None]:
        path = f"/v1/charges/a/{action}"
        answer = acquirer.call("POST", path, {"reference": reference, **fields}).json()
        return answer["status"], answer["code"]

    assert act("refunds", "r0", amount=1, **money) == ("declined", "amount_exceeds_captured")
    assert act("capture", "c1", amount=1000, **money) == ("approved", None)
    assert act("capture", "c2", amount=251, **money) == ("declined", "amount_exceeds_authorized")
    assert act("refunds", "r1", amount=400, **money) == ("approved", None)
    assert act("refunds", "r2", amount=601, **money) == ("declined", "amount_exceeds_captured")
    assert act("refunds", "r3", amount=600, currency="USD") == ("declined", "currency_mismatch")
    assert act("cancel", "x1") == ("approved", None)
    assert act("cancel", "x2") == ("approved", None)
    assert act("capture", "c3", amount=1, **money) == ("declined", "charge_released")
    assert act("refunds", "r4", amount=500, **money) == ("approved", None)
    assert acquirer.call("GET", "/v1/charges/a").json()["status"] == "partially_refunded"


def test_a_cancel_reverses_what_it_knows_and_bars_what_it_does_not(acquirer: Acquirer) -> None:
    """The technical cancel: whatever became of the charge, it doesn't stand afterwards."""
    acquirer.charge("known", "tok_error_after")
    for charge in ("known", "never"):
        body = {"reference": f"cancel-{charge}"}
        answer = acquirer.call("POST", f"/v1/charges/{charge}/cancel", body).json()

        assert answer["status"] == "approved"
    late = acquirer.charge("never", "tok_approve").json()

    assert (late["status"], late["code"]) == ("declined", "canceled_before_arrival")
    assert acquirer.call("GET", "/v1/charges/known").json()["canceled"] is True


def test_the_settlement_file_adds_up_to_the_books(acquirer: Acquirer) -> None:
    """Each movement once, signed, net of the fee."""
    acquirer.charge("a", "tok_approve")
    acquirer.charge("b", "tok_approve", capture=False)
    acquirer.charge("c", "tok_decline")
    acquirer.charge("d", "tok_error_before")
    body = {"reference": "r", "amount": 250, "currency": "EUR"}
    acquirer.call("POST", "/v1/charges/a/refunds", body)
    today = dt.datetime.now(dt.UTC).date()  # noqa: TID251 - the test's edge
    days = [today - dt.timedelta(days=1), today]
    files = [acquirer.call("GET", f"/v1/settlement-file?date={day}").data.decode() for day in days]
    rows = [row for file in files for row in csv.DictReader(io.StringIO(file))]

    assert [(row["reference"], row["gross"], row["fee"], row["net"]) for row in rows] == [
        ("a", "1250", "2", "1248"),
        ("r", "-250", "0", "-250"),
    ]


def test_a_killed_acquirer_remembers_every_answer_it_gave(acquirer: Acquirer) -> None:
    """And what was under way when it died never took effect."""
    answers = {f"a{n}": acquirer.charge(f"a{n}", "tok_approve").data for n in range(20)}
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(acquirer.charge, "slow", "tok_slow")
        while acquirer.call("GET", "/v1/operations/slow").status == 404:
            pass
        acquirer.stop(signal.SIGKILL)
        with pytest.raises(urllib3.exceptions.HTTPError):
            slow.result()
    acquirer.start()

    for reference, answer in answers.items():
        assert acquirer.charge(reference, "tok_approve").data == answer
    assert acquirer.call("GET", "/v1/operations/slow").status == 404
    assert acquirer.charge("slow", "tok_slow").json()["status"] == "approved"
    assert len(acquirer.call("GET", "/v1/charges").json()["data"]) == 21


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "1250"},
        {"amount": True},
        {"amount": 12.5},
        {"amount": 0},
        {"amount": 10**12 + 1},
        {"currency": "eur"},
        {"currency": "ÄÖÜ"},
        {"reference": ""},
        {"reference": "x" * 101},
        {"reference": "a\nb"},
        {"payment_method": None},
        {"capture": "yes"},
        {"surprise": 1},
    ],
)
def test_a_request_that_is_not_understood_leaves_nothing(
    shared: Acquirer, reference: str, change: dict[str, object]
) -> None:
    """400, and the reference is still free."""
    good = charge_body(reference, "tok_approve")
    refused = shared.call("POST", "/v1/charges", good | change)

    assert (refused.status, refused.json()["error"]["code"]) == (400, "invalid_request")
    assert shared.call("POST", "/v1/charges", good).status == 200


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 60_000])
def test_a_body_that_is_no_object_is_refused(shared: Acquirer, content: bytes) -> None:
    """However it is broken, the server answers and lives."""
    headers = {"Authorization": f"Bearer {KEY}"}
    url = shared.url + "/v1/charges"

    assert shared.http.request("POST", url, body=content, headers=headers).status == 400
    assert shared.call("GET", "/health").json() == {"status": "ok"}


def test_the_rest_is_refused_with_its_reason(shared: Acquirer) -> None:
    """Keys, sizes, routes, charges nobody knows."""
    body = {"reference": "r", "amount": 1, "currency": "EUR"}

    assert shared.call("GET", "/v1/statistics", key="wrong").status == 401
    assert shared.call("POST", "/v1/charges", {}, key="").status == 401
    assert shared.call("POST", "/v1/charges", {"reference": "x" * 70_000}).status == 413
    assert shared.call("POST", "/v1/elsewhere", {}).status == 404
    assert shared.call("GET", "/v1/elsewhere").status == 404
    assert shared.call("GET", "/v1/settlement-file?date=yesterday").status == 400
    assert shared.call("GET", "/v1/charges?limit=1001").status == 400
    unknown = shared.call("POST", "/v1/charges/none/refunds", body)
    assert (unknown.status, unknown.json()["error"]["code"]) == (404, "unknown_charge")


def test_two_processes_never_share_a_folder(acquirer: Acquirer) -> None:
    """The second says so in one sentence."""
    command = [sys.executable, "-m", "tools.sandbox_acquirer", "--port", "0"]
    arguments = ["--state", str(acquirer.state), "--api-key", KEY]
    second = subprocess.run(
        command + arguments, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert second.returncode == 1
    assert "another acquirer is running" in second.stderr
    assert second.stderr.count("\n") == 1


@pytest.fixture(name="callbacks")
def _callbacks() -> Iterator[tuple[str, Callable[[], tuple[str, bytes]]]]:
    """A receiver that refuses its first callback, and what it took since."""
    taken: queue.Queue[tuple[str, bytes]] = queue.Queue()
    refusals = iter([500])

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = next(refusals, 204)
            if status == 204:
                taken.put((self.headers["Acquirer-Signature"], body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", lambda: taken.get(timeout=30)
        server.shutdown()
        thread.join()


def test_callbacks_are_signed_and_come_twice_where_asked(
    tmp_path: Path, callbacks: tuple[str, Callable[[], tuple[str, bytes]]]
) -> None:
    """With the time of each sending; a refused one comes again."""
    url, take = callbacks
    acquirer = Acquirer(tmp_path, ("--callback-url", url))
    acquirer.start()
    acquirer.charge("a", "tok_duplicate_callback")
    first, second = take(), take()
    acquirer.stop()
    acquirer.http.clear()

    assert first[1] == second[1]
    assert json.loads(first[1])["operation"]["reference"] == "a"
    for header, body in (first, second):
        time, _, digest = header.removeprefix("t=").partition(",v1=")
        signed = f"{time}.".encode() + body
        assert digest == hmac.new(KEY.encode(), signed, hashlib.sha256).hexdigest()

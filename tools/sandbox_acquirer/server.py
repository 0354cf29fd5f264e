"""The acquirer over HTTP: routes, the api key, and faults as a client meets them."""

import contextlib
import hmac
import json
import re
import select
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from tools.sandbox_acquirer.disputes import asked_of, outcome_of
from tools.sandbox_acquirer.rules import Operation, RequestRefused, request_of
from tools.sandbox_acquirer.service import Acquirer
from tools.sandbox_acquirer.settlement import day_of, planted_of
from tools.sandbox_acquirer.tokens import Fault

BODY_BYTES_MAX = 64 * 1024
IDLE_SECONDS = 60.0
HOLD_STEP_SECONDS = 0.5
PAGE_MAX = 1000
PAGE_DEFAULT = 100

ROUTES = {
    "POST /v1/charges": "Take a payment.",
    "POST /v1/charges/{reference}/capture": "Capture all or part of an authorized charge.",
    "POST /v1/charges/{reference}/cancel": "Release or reverse a charge, or bar one never seen.",
    "POST /v1/charges/{reference}/refunds": "Return all or part of what was captured.",
    "GET /v1/operations/{reference}": "What became of an operation; 404 when it never took hold.",
    "GET /v1/charges": "All charges, oldest first (`after`, `limit`).",
    "GET /v1/charges/{reference}": "One charge as it is now.",
    "POST /v1/charges/{reference}/disputes": "Play the payer's bank: open a dispute.",
    "POST /v1/disputes/{id}/close": "Play the payer's bank: decide a dispute, `won` or `lost`.",
    "GET /v1/disputes/{id}": "One dispute as it is now.",
    "GET /v1/settlement-file": "The money of one UTC day (`date=YYYY-MM-DD`) as CSV.",
    "GET /v1/payouts": "What is paid for that day's file, by currency.",
    "POST /v1/settlement-faults": "Play a careless acquirer: plant a fault in a day's file.",
    "GET /v1/statistics": "Counts and totals of everything recorded.",
    "GET /health": "Liveness; needs no key.",
}

_ACTION = re.compile(r"/v1/charges(?:/([^/]+)/(capture|cancel|refunds))?")
_OPEN_DISPUTE = re.compile(r"/v1/charges/([^/]+)/disputes")
_CLOSE_DISPUTE = re.compile(r"/v1/disputes/([^/]+)/close")
_WHOLE = re.compile(r"[0-9]{1,19}")
_OPERATIONS = {
    None: Operation.CHARGE,
    "capture": Operation.CAPTURE,
    "cancel": Operation.CANCEL,
    "refunds": Operation.REFUND,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes over the line."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class Server(ThreadingHTTPServer):
    """One thread a connection; faults hold theirs until the client leaves or the hold ends."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        address: tuple[str, int],
        acquirer: Acquirer,
        *,
        api_key: str,
        hold_seconds: float,
        stopping: threading.Event,
    ) -> None:
        self.acquirer = acquirer
        self.api_key = api_key
        self.hold_seconds = hold_seconds
        self.stopping = stopping
        super().__init__(address, Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are everyday life here and are not reported."""


class Handler(BaseHTTPRequestHandler):
    """Translates between HTTP and the use cases."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "sandbox-acquirer"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    reads: ClassVar[dict[str, Callable[["Handler", dict[str, str]], Reply]]]

    def do_POST(self) -> None:
        """An operation is taken, or refused with the reason."""
        try:
            body = self._body()
            self._authenticate()
            self._operate(body)
        except RequestRefused as refusal:
            self._reply(_refusal(refusal))

    def do_GET(self) -> None:
        """A question is answered."""
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        try:
            if url.path != "/health":
                self._authenticate()
            self._reply(self._answer(url.path, query))
        except RequestRefused as refusal:
            self._reply(_refusal(refusal))

    def log_message(self, *args: object) -> None:
        """Requests are not logged: the books say all."""

    def _operate(self, body: dict[str, object]) -> None:
        path = urllib.parse.urlsplit(self.path).path
        if path == "/v1/settlement-faults":
            self._reply(_json(self.server.acquirer.plant(*planted_of(body))))
            return
        match = _ACTION.fullmatch(path)
        if match is None and self._dispute(path, body):
            return
        if match is None:
            raise RequestRefused(404, "no_such_route", "no such route")
        charge_reference = urllib.parse.unquote(match[1]) if match[1] else None
        request = request_of(_OPERATIONS[match[2]], body, charge_reference)
        exchange = self.server.acquirer.send(request)
        if exchange.fault is not None and not exchange.is_replay:
            self._fail(exchange.fault, exchange.answer)
            return
        headers = (("Idempotent-Replayed", "true"),) if exchange.is_replay else ()
        self._reply(Reply(200, (exchange.answer or "").encode(), headers=headers))

    def _dispute(self, path: str, body: dict[str, object]) -> bool:
        """Whether the path is of a dispute, which is then opened or closed."""
        acquirer = self.server.acquirer
        if opening := _OPEN_DISPUTE.fullmatch(path):
            reference = urllib.parse.unquote(opening[1])
            self._reply(_json(acquirer.open_dispute(reference, asked_of(body))))
            return True
        if closing := _CLOSE_DISPUTE.fullmatch(path):
            dispute_id = urllib.parse.unquote(closing[1])
            self._reply(_json(acquirer.close_dispute(dispute_id, outcome_of(body))))
            return True
        return False

    def _fail(self, fault: Fault, answer: str | None) -> None:
        """The client meets the fault; what took effect has done so already."""
        match fault:
            case Fault.TIMEOUT_BEFORE | Fault.TIMEOUT_AFTER:
                self._hold()
                self._hang_up()
            case Fault.DISCONNECT_BEFORE | Fault.DISCONNECT_AFTER:
                self._hang_up()
            case Fault.ERROR_BEFORE | Fault.ERROR_AFTER:
                self._reply(_error(500, "internal_error", "something broke; inquire"))
            case Fault.RATE_LIMITED:
                self._reply(_error(429, "rate_limited", "too many requests", ("Retry-After", "1")))
            case Fault.GARBLED_AFTER:
                torn = (answer or "").encode()
                self._reply(Reply(200, torn[: len(torn) // 2]))
            case _:
                self._reply(Reply(200, (answer or "").encode()))

    def _hold(self) -> None:
        """Say nothing until the client leaves, the hold ends or the server stops."""
        until = time.monotonic() + self.server.hold_seconds
        while time.monotonic() < until and not self.server.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], HOLD_STEP_SECONDS)
            if readable and self._is_gone():
                return

    def _is_gone(self) -> bool:
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, path: str, query: dict[str, str]) -> Reply:
        if path in self.reads:
            return self.reads[path](self, query)
        acquirer = self.server.acquirer
        if path.startswith("/v1/operations/"):
            answer = acquirer.inquire(urllib.parse.unquote(path.removeprefix("/v1/operations/")))
            if answer is None:
                raise RequestRefused(404, "unknown_reference", "no operation has this reference")
            return Reply(200, answer.encode())
        if path.startswith("/v1/charges/"):
            charge = acquirer.charge(urllib.parse.unquote(path.removeprefix("/v1/charges/")))
            if charge is None:
                raise RequestRefused(404, "unknown_charge", "no charge has this reference")
            return _json(charge)
        if path.startswith("/v1/disputes/"):
            dispute = acquirer.dispute(urllib.parse.unquote(path.removeprefix("/v1/disputes/")))
            if dispute is None:
                raise RequestRefused(404, "unknown_dispute", "no dispute has this id")
            return _json(dispute)
        raise RequestRefused(404, "no_such_route", "no such route")

    def _charges(self, query: dict[str, str]) -> Reply:
        after = _whole(query, "after", 0, 2**62)
        limit = _whole(query, "limit", PAGE_DEFAULT, PAGE_MAX)
        return _json(self.server.acquirer.charges(after=after, limit=limit))

    def _settlement_file(self, query: dict[str, str]) -> Reply:
        day = day_of(query.get("date"))
        return Reply(200, self.server.acquirer.settlement_file(day).encode(), "text/csv")

    def _payouts(self, query: dict[str, str]) -> Reply:
        return _json(self.server.acquirer.payouts(day_of(query.get("date"))))

    def _statistics(self, _query: dict[str, str]) -> Reply:
        return _json(self.server.acquirer.statistics())

    def _health(self, _query: dict[str, str]) -> Reply:
        return _json({"status": "ok"})

    def _authenticate(self) -> None:
        given = self.headers.get("Authorization", "")
        expected = f"Bearer {self.server.api_key}"
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise RequestRefused(401, "unauthorized", "send the api key as a bearer token")

    def _body(self) -> dict[str, object]:
        length = self.headers.get("Content-Length", "")
        if _WHOLE.fullmatch(length) is None or int(length) > BODY_BYTES_MAX:
            # The rest of the line can't be told from the next request.
            self.close_connection = True
            raise RequestRefused(413, "body_too_large", f"Content-Length up to {BODY_BYTES_MAX}")
        raw = self.rfile.read(int(length))
        if len(raw) < int(length):
            self.close_connection = True
            raise RequestRefused(400, "invalid_request", "the body broke off")
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise RequestRefused(400, "invalid_request", "the body is not JSON") from error
        if not isinstance(body, dict):
            raise RequestRefused(400, "invalid_request", "the body is not a JSON object")
        return body

    def _reply(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            # Unsaid, the client would send its next request into a line that is closing.
            self.send_header("Connection", "close")
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)


Handler.reads = {
    "/health": Handler._health,  # noqa: SLF001 - the class's own table
    "/v1/charges": Handler._charges,  # noqa: SLF001
    "/v1/settlement-file": Handler._settlement_file,  # noqa: SLF001
    "/v1/payouts": Handler._payouts,  # noqa: SLF001
    "/v1/statistics": Handler._statistics,  # noqa: SLF001
}


def _whole(query: dict[str, str], name: str, default: int, most: int) -> int:
    value = query.get(name, str(default))
    if _WHOLE.fullmatch(value) is None or int(value) > most:
        raise RequestRefused(400, "invalid_request", f"{name}: a whole number up to {most}")
    return int(value)


def _json(value: object) -> Reply:
    return Reply(200, json.dumps(value).encode())


def _error(status: int, code: str, message: str, *headers: tuple[str, str]) -> Reply:
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return Reply(status, body, headers=headers)


def _refusal(refusal: RequestRefused) -> Reply:
    return _error(refusal.status, refusal.code, refusal.message)

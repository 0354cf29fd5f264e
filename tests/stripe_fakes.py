"""Stripes by others, started as processes: none is the real one, and they differ from each other.

`localstripe` keeps books of payment intents but ignores idempotency keys; `Keys` stands before
it and keeps them as Stripe documents it. `stripe-stateful-mock` keeps keys, but knows charges only.
"""

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from tools.local_stack.parts import LOCALSTRIPE
from tools.local_stack.ports import free_port

START_SECONDS = 30.0
STRIPE_MOCK = Path(__file__).parent / "stripe_mock"


@contextmanager
def localstripe() -> Iterator[int]:
    """The port of a localstripe with empty books."""
    port = free_port()
    command = [sys.executable, "-c", LOCALSTRIPE, str(port)]
    with _running(command, port, {}):
        yield port


def empty(port: int) -> None:
    """The localstripe at this port has empty books."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("DELETE", "/_config/data")
    connection.getresponse().read()
    connection.close()


@contextmanager
def stateful_mock(installation: Path) -> Iterator[int]:
    """The port of a stripe-stateful-mock with empty books."""
    port = free_port()
    script = installation / "node_modules/stripe-stateful-mock/dist/cli.js"
    with _running(["node", str(script)], port, {"PORT": str(port), "LOG_LEVEL": "silent"}):
        yield port


@contextmanager
def _running(command: list[str], port: int, env: dict[str, str]) -> Iterator[None]:
    path = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"}
    process = subprocess.Popen(
        command, env=path | env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        yield
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls one request: an answer in its stead, or none; before it took effect or after."""

    path: str
    is_after: bool = False
    status: int | None = None
    content: bytes = b'{"error": {"type": "api_error", "message": "as ordered"}}'
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came in."""

    method: str
    path: str
    body: bytes
    key: str | None


@dataclass
class Keys:
    """Idempotency keys as Stripe keeps them, in front of one that doesn't; and faults to order.

    The first answer under a key is kept, a 500 too, but not what failed validation (400, 404);
    another body under it is refused. Disputes are those of `disputes`, each with the id of its
    intent, which is shown in whole to whoever asks for it.
    """

    upstream: int
    faults: deque[Fault] = field(default_factory=deque)
    seen: list[Seen] = field(default_factory=list)
    kept: dict[str, tuple[Seen, int, bytes]] = field(default_factory=dict)
    disputes: dict[str, dict[str, object]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                front._handle(self)

            do_POST = do_GET  # noqa: N815 - the name that the server calls

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def expire(self) -> None:
        """A day goes by: all keys are forgotten."""
        self.kept.clear()

    def sent(self, path: str) -> list[Seen]:
        """The POSTs to `path`."""
        return [one for one in self.seen if one.method == "POST" and one.path == path]

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        key = handler.headers.get("Idempotency-Key")
        request = Seen(handler.command, handler.path, body, key)
        self.seen.append(request)
        fault = self._fault_of(request)
        if fault and not fault.is_after:
            self._strike(handler, request, fault)
            return
        status, content = self._answer(request, handler.headers.get("Authorization", ""))
        if fault:
            self._strike(handler, request, fault)
            return
        _reply(handler, status, content)

    def _fault_of(self, request: Seen) -> Fault | None:
        if not self.faults:
            return None
        fault = self.faults[0]
        path = request.path.partition("?")[0]
        if request.method != fault.method or not path.endswith(fault.path):
            return None
        return self.faults.popleft()

    def _strike(self, handler: BaseHTTPRequestHandler, request: Seen, fault: Fault) -> None:
        if fault.status is None:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        if request.key:
            self.kept[request.key] = (request, fault.status, fault.content)
        _reply(handler, fault.status, fault.content)

    def _answer(self, request: Seen, authorization: str) -> tuple[int, bytes]:
        if request.key in self.kept:
            first, status, content = self.kept[request.key]
            if (first.path, first.body) == (request.path, request.body):
                return status, content
            return 400, b'{"error": {"type": "idempotency_error", "message": "other parameters"}}'
        path = request.path.partition("?")[0]
        if path.startswith("/v1/disputes/"):
            return self._dispute(path.removeprefix("/v1/disputes/"), request, authorization)
        status, content = self._forwarded(request, authorization)
        if request.key and status not in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}:
            self.kept[request.key] = (request, status, content)
        return status, content

    def _dispute(self, dispute_id: str, asked: Seen, authorization: str) -> tuple[int, bytes]:
        found = self.disputes.get(dispute_id)
        if found is None:
            return 404, b'{"error": {"type": "invalid_request_error", "code": "resource_missing"}}'
        if "expand" not in asked.path:
            return 200, json.dumps(found).encode()
        intent = Seen("GET", f"/v1/payment_intents/{found['payment_intent']}", b"", None)
        status, content = self._forwarded(intent, authorization)
        return status, json.dumps({**found, "payment_intent": json.loads(content)}).encode()

    def _forwarded(self, request: Seen, authorization: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=10)
        headers = {
            "Authorization": authorization,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        connection.request(request.method, request.path, request.body or None, headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, content


def _reply(handler: BaseHTTPRequestHandler, status: int, content: bytes) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)

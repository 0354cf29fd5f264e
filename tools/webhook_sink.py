"""A webhook receiver for developers: keeps what it is sent, answers as it is told.

    python -m tools.webhook_sink --port 8088 --state .local/webhook-sink

Any POST is stored as one JSON line (number, path, headers, body) before it is answered, and
answered with 200, or as its URL asks:

    ?status=500                 with this status
    ?fail_first=3               with 500 (or `status`) for the path's first three, then with 200
    ?retry_after=7              with a Retry-After of 7 seconds on each failure
    ?seconds=2                  after two seconds

GET /requests lists what came, `?after=N` only what came after number N, `?path=/x` only what
came to that path. GET /health answers 200.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

HOST = "127.0.0.1"
BODY_MAX_BYTES = 1_000_000
DISCARD_MAX_BYTES = 20 * BODY_MAX_BYTES
DISCARD_PART_BYTES = 65_536
SOCKET_TIMEOUT_SECONDS = 30


class Log:
    """Requests on disk, one JSON line each; numbers grow by one and survive a restart."""

    def __init__(self, state: Path) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self._path = state / "requests.jsonl"
        self._lock = threading.Lock()
        self._requests: list[dict[str, object]] = []
        if self._path.exists():
            self._requests = [json.loads(line) for line in _whole_lines(self._path)]

    def append(self, *, path: str, headers: list[tuple[str, str]], body: str) -> int:
        """The request is on disk; answers how many came to its path, itself included."""
        with self._lock:
            request: dict[str, object] = {
                "number": len(self._requests) + 1,
                "received_at": time.time(),
                "path": path,
                "headers": {name.lower(): value for name, value in headers},
                "body": body,
            }
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(request, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
            self._requests.append(request)
            return sum(1 for one in self._requests if one["path"] == path)

    def requests(self, *, after: int = 0, path: str | None = None) -> list[dict[str, object]]:
        """The requests numbered above `after`, of one path if given."""
        with self._lock:
            later = self._requests[after:]
        return [one for one in later if path in (None, one["path"])]


def _whole_lines(path: Path) -> list[str]:
    # A line that was cut short belongs to a request that was never answered: it is dropped,
    # from the file too, so that the next one starts on a line of its own.
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        path.write_bytes(whole)
    return whole.decode().split("\n")[:-1]


class Sink(ThreadingHTTPServer):
    """The server, with its log."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, log: Log) -> None:
        self.log = log
        super().__init__((HOST, port), Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Stores POSTs, lists them for GET."""

    protocol_version = "HTTP/1.1"
    timeout = SOCKET_TIMEOUT_SECONDS
    server: Sink

    def do_POST(self) -> None:
        """Store, then answer as the URL asks."""
        length = self.headers.get("content-length") or ""
        if not length.isdigit() or int(length) > BODY_MAX_BYTES:
            self.close_connection = True
            self._discard(int(length) if length.isdigit() else 0)
            self._answer(413, {"error": f"send a Content-Length up to {BODY_MAX_BYTES}"})
            return
        body = self.rfile.read(int(length)).decode(errors="replace")
        wishes = _numbers(urlsplit(self.path).query)
        count = self.server.log.append(
            path=urlsplit(self.path).path, headers=self.headers.items(), body=body
        )
        time.sleep(wishes.get("seconds", 0))
        status = _status(wishes, count)
        retry_after = wishes.get("retry_after") if status >= 300 else None  # noqa: PLR2004
        self._answer(status, {"received": True}, retry_after=retry_after)

    def do_GET(self) -> None:
        """List requests, or say that the server is well."""
        address = urlsplit(self.path)
        if address.path == "/health":
            self._answer(200, {"status": "ok"})
            return
        if address.path != "/requests":
            self._answer(404, {"error": "GET /requests lists what came"})
            return
        path = parse_qs(address.query).get("path", [None])[0]
        after = _numbers(address.query).get("after", 0)
        self._answer(200, {"data": self.server.log.requests(after=after, path=path)})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited name
        """Nothing is logged: GET /requests tells more."""

    def _discard(self, length: int) -> None:
        # Who is still sending would see a broken connection instead of the refusal.
        left = min(length, DISCARD_MAX_BYTES)
        while left > 0 and (part := self.rfile.read(min(left, DISCARD_PART_BYTES))):
            left -= len(part)

    def _answer(self, status: int, content: object, *, retry_after: int | None = None) -> None:
        body = json.dumps(content, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if self.close_connection:
            self.send_header("connection", "close")
        if retry_after is not None:
            self.send_header("retry-after", str(retry_after))
        self.end_headers()
        self.wfile.write(body)


def _numbers(query: str) -> dict[str, int]:
    return {
        name: int(values[-1]) for name, values in parse_qs(query).items() if values[-1].isdigit()
    }


def _status(wishes: dict[str, int], count: int) -> int:
    if "fail_first" not in wishes:
        return wishes.get("status", 200)
    return wishes.get("status", 500) if count <= wishes["fail_first"] else 200


def main(arguments: list[str]) -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="webhook_sink", description="Receives webhooks.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        sink = Sink(options.port, Log(options.state))
    except OSError as error:
        print(f"The webhook sink can't listen on port {options.port}: {error.strerror}.")
        return 1
    # shutdown() waits for serve_forever(), which runs in this thread: it needs another.
    stop = threading.Thread(target=sink.shutdown)
    signal.signal(signal.SIGTERM, lambda *_: stop.start())
    print(f"The webhook sink listens on {sink.url}.", flush=True)
    try:
        sink.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        sink.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

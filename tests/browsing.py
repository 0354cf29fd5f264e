"""A browser, and a server for it: functions answer as behind API Gateway, on loopback."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.integration.conftest import Handler, answer_of, gateway_event

STAGE = "/v1"
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def chromium() -> str | None:
    """Where this machine has a Chromium, if it has one."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@contextmanager
def served(handler: Handler) -> Iterator[str]:
    """The address of the stage at which the function answers every GET."""
    # As in Lambda, an environment answers one request at a time.
    turn = threading.Lock()

    class Stage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].removeprefix(STAGE)
            headers = {name.lower(): value for name, value in self.headers.items()}
            with turn:
                answer = answer_of(handler(gateway_event("GET", path, headers=headers), None))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Stage)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{STAGE}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

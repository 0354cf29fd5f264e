"""One GET of a small public document, within a deadline that holds for all of it."""

import contextlib
import queue
import socket
import threading
from http import HTTPStatus

import urllib3.exceptions
from urllib3.connection import HTTPConnection, HTTPException, HTTPSConnection
from urllib3.util import parse_url

from paynexus.identity.issuers.keys import FetchFailed

DEADLINE_SECONDS = 2.0
"""For name, connection, certificate and answer together."""
DOCUMENT_BYTES_MAX = 64 * 1024
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close"}
_ERRORS = (OSError, urllib3.exceptions.HTTPError, HTTPException, ValueError)


def fetch(url: str, *, deadline_seconds: float = DEADLINE_SECONDS) -> bytes:
    """The document at `url`, at most 64 kB; FetchFailed for anything but a whole 200.

    Redirects are not followed and no proxy is asked. The exchange runs beside the caller,
    because a resolver and a server that drips can't be hurried in any other way; when time is
    up, its line is cut.
    """
    connection = _connection(url)
    answers: queue.SimpleQueue[bytes | str] = queue.SimpleQueue()
    exchange = threading.Thread(target=_exchange, args=(connection, url, answers), daemon=True)
    exchange.start()
    try:
        answer = answers.get(timeout=deadline_seconds)
    except queue.Empty:
        _cut(connection)
        raise FetchFailed("no whole answer in time") from None
    if isinstance(answer, str):
        raise FetchFailed(answer)
    return answer


def _connection(url: str) -> HTTPConnection:
    # The host's certificate is required and checked: urllib3's default for a bare connection.
    parts = parse_url(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind((parts.host or "").strip("[]"), parts.port, timeout=DEADLINE_SECONDS)


def _exchange(
    connection: HTTPConnection, url: str, answers: "queue.SimpleQueue[bytes | str]"
) -> None:
    try:
        answers.put(_answer(connection, url))
    except _ERRORS as error:
        answers.put(type(error).__name__)
    finally:
        connection.close()


def _answer(connection: HTTPConnection, url: str) -> bytes | str:
    """The document, or why there is none, in words that quote nothing of it."""
    target = parse_url(url).request_uri
    connection.request("GET", target, headers=_HEADERS, preload_content=False)
    response = connection.getresponse()
    if response.status != HTTPStatus.OK:
        return f"status {response.status}"
    content = response.read(DOCUMENT_BYTES_MAX + 1, decode_content=False)
    return content if len(content) <= DOCUMENT_BYTES_MAX else "too large"


def _cut(connection: HTTPConnection) -> None:
    line = connection.sock
    if line is None:
        return
    # The other side may have hung up first; then there is nothing left to cut.
    with contextlib.suppress(OSError):
        # Past an SSLSocket's own shutdown, which would turn what follows into plain text.
        socket.socket.shutdown(line, socket.SHUT_RDWR)

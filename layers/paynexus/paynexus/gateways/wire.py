"""One HTTP exchange with a gateway, which knows how far it came when it fails."""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice
from typing import BinaryIO

import urllib3.exceptions
from urllib3 import BaseHTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import parse_url

from paynexus.gateways.outcomes import Failure, Kind, Moment

CONNECT_SECONDS_MAX = 3.0
ANSWER_CHUNK_BYTES = 16 * 1024
ANSWER_CHUNKS_MAX = 4

_ERRORS = (OSError, urllib3.exceptions.HTTPError, urllib3.connection.HTTPException)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read whole; `body` is {} unless it is a JSON object."""

    status: int
    body: dict[str, object]
    is_json: bool
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    content: bytes | None
    headers: Mapping[str, str]


def exchange(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: object = None,
    content: bytes | None = None,
    deadline_seconds: float,
) -> Answer | Failure:
    """The answer, or at which moment and how the call failed, within the deadline.

    What is sent is `content` as it stands, of the type that `headers` name, or `body` as JSON.

    Each exchange has a connection of its own. A kept one may have been closed by the far side
    an instant ago, and then nobody could say whether the request got through. (Resolving the
    name is the one step that the operating system times by itself.)
    """
    if content is None and body is not None:
        content = json.dumps(body).encode()
    given = {"Content-Type": "application/json", "Connection": "close", **headers}
    request = _Request(method, parse_url(url).request_uri, content, given)
    return _exchange(url, request, deadline_seconds, _gathered)


def download(
    url: str,
    *,
    headers: Mapping[str, str],
    into: BinaryIO,
    bytes_max: int,
    deadline_seconds: float,
) -> int | Failure:
    """The status of the answer, whose whole content is in `into`; or how it failed, likewise.

    UNREADABLE when there is more of it than `bytes_max`.
    """

    def write(response: BaseHTTPResponse) -> int | None:
        left = bytes_max
        for chunk in response.stream(ANSWER_CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                return None
            into.write(chunk)
        return response.status

    request = _Request("GET", parse_url(url).request_uri, None, {"Connection": "close", **headers})
    return _exchange(url, request, deadline_seconds, write)


def _exchange[T](
    url: str,
    request: _Request,
    deadline_seconds: float,
    take: Callable[[BaseHTTPResponse], T | None],
) -> T | Failure:
    started = time.monotonic()
    connection = _connection(url, min(deadline_seconds, CONNECT_SECONDS_MAX))
    try:
        connection.connect()
    except _ERRORS as error:
        connection.close()
        return Failure(Moment.CONNECT, _kind_of(error))
    left = max(deadline_seconds - (time.monotonic() - started), 0.0)
    with contextlib.closing(connection), _cut_off(connection, left) as is_cut_off:
        # A time-out of zero would mean "don't block"; the cut-off strikes at once anyway.
        connection.timeout = left or None
        return _talk(connection, request, is_cut_off, take)


def _talk[T](
    connection: HTTPConnection,
    request: _Request,
    is_cut_off: threading.Event,
    take: Callable[[BaseHTTPResponse], T | None],
) -> T | Failure:
    moment = Moment.SEND
    try:
        connection.request(
            request.method, request.path, request.content, request.headers, preload_content=False
        )
        moment = Moment.ANSWER
        response = connection.getresponse()
        taken = take(response)
    except _ERRORS as error:
        return Failure(moment, Kind.TIMED_OUT if is_cut_off.is_set() else _kind_of(error))
    if is_cut_off.is_set():
        return Failure(moment, Kind.TIMED_OUT)
    if not _has_stated_end(response):
        return Failure(moment, Kind.BROKEN)
    return Failure(moment, Kind.UNREADABLE) if taken is None else taken


def _gathered(response: BaseHTTPResponse) -> Answer | None:
    """The answer; None when it is too long for one."""
    chunks = list(islice(response.stream(ANSWER_CHUNK_BYTES), ANSWER_CHUNKS_MAX + 1))
    return _read(response, b"".join(chunks)) if len(chunks) <= ANSWER_CHUNKS_MAX else None


def _has_stated_end(response: BaseHTTPResponse) -> bool:
    """Whether the far side said where its answer ends: without that a torn one looks whole."""
    headers = response.headers
    is_empty = response.status == HTTPStatus.NO_CONTENT
    return is_empty or "Content-Length" in headers or "Transfer-Encoding" in headers


def _read(response: BaseHTTPResponse, content: bytes) -> Answer:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    is_json = isinstance(body, dict)
    headers = dict(response.headers.items())
    return Answer(response.status, body if is_json else {}, is_json, content, headers)


@contextlib.contextmanager
def _cut_off(connection: HTTPConnection, seconds: float) -> Iterator[threading.Event]:
    """The line is cut after `seconds`, which a socket time-out alone doesn't do.

    That one starts anew with each byte, so a far side that drips could hold us for ever.
    """
    line: socket.socket = connection.sock
    has_struck = threading.Event()

    def strike() -> None:
        has_struck.set()
        with contextlib.suppress(OSError):
            # Past an SSLSocket's own shutdown, which would turn what follows into plain text.
            socket.socket.shutdown(line, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, strike)
    timer.daemon = True
    timer.start()
    try:
        yield has_struck
    finally:
        timer.cancel()


def _connection(url: str, connect_seconds: float) -> HTTPConnection:
    parts = parse_url(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.host or "", parts.port, timeout=connect_seconds)


def _kind_of(error: Exception) -> Kind:
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return Kind.NAME_UNKNOWN
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        # To be asked before the next: urllib3 derives this from its time-out.
        return Kind.REFUSED
    if isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
        return Kind.TIMED_OUT
    if isinstance(error, ssl.SSLError | urllib3.exceptions.SSLError):
        return Kind.TLS_FAILED
    return Kind.BROKEN

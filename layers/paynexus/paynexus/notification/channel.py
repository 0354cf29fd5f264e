"""Webhooks over HTTP: one POST to a checked address, within a deadline, no redirects.

The standard library's client serves, because the socket is opened here: to the address that
was checked, shut from outside when time is up, whatever phase the exchange is in.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException, HTTPResponse

from paynexus.notification import webhook
from paynexus.notification.addresses import (
    AddressRefused,
    Network,
    Resolve,
    Target,
    resolve,
    target_of,
)
from paynexus.notification.port import Message, Receipt
from paynexus.sealing import Vault

DEADLINE_SECONDS = 15.0
RESPONSE_BYTES_MAX = 1024


class WebhookChannel:
    """Signs messages and posts them; it never raises for what the other side does."""

    def __init__(
        self,
        vault: Vault,
        networks: Sequence[Network],
        *,
        resolve: Resolve = resolve,
        deadline_seconds: float = DEADLINE_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._vault = vault
        self._networks = networks
        self._resolve = resolve
        self._deadline_seconds = deadline_seconds
        self._tls = tls or ssl.create_default_context()

    def send(self, message: Message) -> Receipt:
        """The message was posted once; the receipt tells the answer or why there is none."""
        headers = self._signed_headers(message)
        started = time.monotonic()
        try:
            target = target_of(message.url, networks=self._networks, resolve=self._resolve)
            return self._post(target, headers, message.body, started=started)
        except (AddressRefused, HTTPException, OSError) as error:
            return Receipt(None, _in_words(error), _elapsed_ms(started), "")

    def _signed_headers(self, message: Message) -> dict[str, str]:
        return webhook.headers(
            message_id=message.id,
            timestamp=message.timestamp,
            body=message.body,
            secrets_=[
                self._vault.open(sealed, owner=message.endpoint_id)
                for sealed in message.sealed_secrets
            ],
        )

    def _post(
        self, target: Target, headers: dict[str, str], body: bytes, *, started: float
    ) -> Receipt:
        address = (target.address, target.port)
        with socket.create_connection(address, timeout=self._deadline_seconds) as raw:
            remaining = self._deadline_seconds - (time.monotonic() - started)
            with _Deadline(raw, seconds=max(remaining, 0)), self._secured(raw, target) as secured:
                response = _exchange(secured, target, headers, body)
                excerpt = _excerpt(response)
                retry_after = response.headers.get("retry-after")
        return Receipt(response.status, None, _elapsed_ms(started), excerpt, retry_after)

    def _secured(self, raw: socket.socket, target: Target) -> socket.socket:
        # The address was dialled; the name is shown to the server and verified against it.
        if target.scheme == "http":
            return raw
        return self._tls.wrap_socket(raw, server_hostname=target.host)


class _Deadline:
    """Cuts a connection when time is up; its error inside the block becomes a TimeoutError.

    A socket's own time-out starts anew at each byte, so a slow sender could hold us for hours.
    """

    def __init__(self, raw: socket.socket, *, seconds: float) -> None:
        # A duplicate, because the TLS layer takes the original's descriptor over.
        self._handle = raw.dup()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._is_over = False

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        self._timer.cancel()
        self._timer.join()
        self._handle.close()
        if self._is_over and isinstance(error, (HTTPException, OSError)):
            raise TimeoutError("no complete answer before the deadline") from error

    def _cut(self) -> None:
        self._is_over = True
        # The other side may have hung up first; then there is nothing left to cut.
        with contextlib.suppress(OSError):
            self._handle.shutdown(socket.SHUT_RDWR)


def _exchange(
    secured: socket.socket, target: Target, headers: dict[str, str], body: bytes
) -> HTTPResponse:
    connection = HTTPConnection(target.address, target.port)
    connection.sock = secured
    connection.request("POST", target.path, body, {"host": target.host_header, **headers})
    return connection.getresponse()


def _excerpt(response: HTTPResponse) -> str:
    # The status has decided already: what can't be read of the body is not missed.
    with contextlib.suppress(HTTPException, OSError):
        return response.read(RESPONSE_BYTES_MAX).decode(errors="replace").replace("\0", "")
    return ""


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:RESPONSE_BYTES_MAX].replace("\0", "")


def _elapsed_ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)

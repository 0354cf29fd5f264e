"""Callbacks: what the acquirer tells the merchant's platform of its own accord, signed."""

import datetime as dt
import hashlib
import hmac
import http
import http.client
import threading
import urllib.parse
from collections.abc import Callable

from tools.sandbox_acquirer.store import Store

SIGNATURE_HEADER = "Acquirer-Signature"
TIMEOUT_SECONDS = 5.0
ROUND_SECONDS = 1.0


def signature_of(body: bytes, *, key: str, at: dt.datetime) -> str:
    """`t=<seconds>,v1=<hex>`: HMAC-SHA256 of `<seconds>.<body>` under the api key.

    With the time in the signed text, what was overheard can't be sent again for long.
    """
    seconds = str(int(at.timestamp()))
    signed = seconds.encode() + b"." + body
    return f"t={seconds},v1={hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()}"


class CallbackSender:
    """Delivers each recorded callback until it is answered 2xx, in the order of the books."""

    def __init__(
        self,
        store: Store,
        *,
        url: str,
        key: str,
        stopping: threading.Event,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._store = store
        self._clock = clock
        self._url = urllib.parse.urlsplit(url)
        self._key = key
        self._stopping = stopping

    def run(self) -> None:
        """Deliver until told to stop; a refused callback is tried again in the next round."""
        while not self._stopping.wait(ROUND_SECONDS):
            for callback_id, body in self._store.pending_callbacks():
                if not self._deliver(body.encode()):
                    break
                self._store.callback_delivered(callback_id)

    def _deliver(self, body: bytes) -> bool:
        is_tls = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if is_tls else http.client.HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=TIMEOUT_SECONDS)
        headers = {
            "Content-Type": "application/json",
            SIGNATURE_HEADER: signature_of(body, key=self._key, at=self._clock()),
        }
        try:
            connection.request("POST", self._url.path or "/", body, headers)
            return http.HTTPStatus(connection.getresponse().status).is_success
        except (OSError, ValueError, http.client.HTTPException):
            return False
        finally:
            connection.close()

"""Callbacks: what the acquirer tells the merchant's platform of its own accord, signed."""

import hashlib
import hmac
import http
import http.client
import threading
import urllib.parse

from tools.sandbox_acquirer.store import Store

SIGNATURE_HEADER = "Acquirer-Signature"
TIMEOUT_SECONDS = 5.0
ROUND_SECONDS = 1.0


def signature_of(body: bytes, *, key: str) -> str:
    """HMAC-SHA256 of the body under the api key, in hexadecimal."""
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


class CallbackSender:
    """Delivers each recorded callback until it is answered 2xx, in the order of the books."""

    def __init__(self, store: Store, *, url: str, key: str, stopping: threading.Event) -> None:
        self._store = store
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
            SIGNATURE_HEADER: signature_of(body, key=self._key),
        }
        try:
            connection.request("POST", self._url.path or "/", body, headers)
            return http.HTTPStatus(connection.getresponse().status).is_success
        except (OSError, ValueError, http.client.HTTPException):
            return False
        finally:
            connection.close()

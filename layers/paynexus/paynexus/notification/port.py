"""The delivery channel: what carries a message to its merchant and says how that went."""

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from paynexus.ids import EndpointId


@dataclass(frozen=True, slots=True)
class Message:
    """One event on its way to one endpoint; the secrets are still sealed."""

    endpoint_id: EndpointId
    url: str
    id: str
    body: bytes
    sealed_secrets: tuple[bytes, ...]
    timestamp: dt.datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the other side answered; without a status code, `error` says why there is none."""

    status_code: int | None
    error: str | None
    duration_ms: int
    response: str
    retry_after: str | None = None


class Channel(Protocol):
    """Carries a message once. Failing is an answer, not an exception."""

    def send(self, message: Message) -> Receipt:
        """The message was handed over, or the receipt says what went wrong."""


class Queue(Protocol):
    """Where deliveries wait for a worker."""

    def send(self, bodies: list[tuple[str, int]]) -> None:
        """Each body is queued, visible after so many seconds."""

"""From how a call ended to what is certain about it. Pure: two tables and their look-ups.

The question is always the same: can the gateway have acted on the request? It can't before it
holds the request whole. From then on only its own clear word is believed.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType

from paynexus.gateways.port import Outcome, Result


class Moment(enum.StrEnum):
    """How far the call had come when it failed."""

    CONNECT = "connect"
    """No connection stood yet."""
    SEND = "send"
    """The connection stood; the request was not handed over whole."""
    ANSWER = "answer"
    """The request was handed over; its answer was not read whole."""


class Kind(enum.StrEnum):
    """How it failed."""

    TIMED_OUT = "timed_out"
    REFUSED = "refused"
    NAME_UNKNOWN = "name_unknown"
    TLS_FAILED = "tls_failed"
    BROKEN = "broken"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that brought no answer."""

    moment: Moment
    kind: Kind

    @property
    def code(self) -> str:
        """The failure in one word, as attempts and metrics carry it."""
        return f"{self.moment}_{self.kind}"


FAILURES: Mapping[Moment, Outcome] = MappingProxyType(
    {
        Moment.CONNECT: Outcome.NOT_SENT,
        Moment.SEND: Outcome.NOT_SENT,
        Moment.ANSWER: Outcome.UNKNOWN,
    },
)
"""The moment alone decides, whatever the kind: a gateway can't act on half a request."""

REFUSED_UNREAD: Mapping[int, str] = MappingProxyType(
    {
        HTTPStatus.UNAUTHORIZED: "gateway_credentials_refused",
        HTTPStatus.FORBIDDEN: "gateway_credentials_refused",
        HTTPStatus.TOO_MANY_REQUESTS: "gateway_rate_limited",
    },
)
"""Statuses that say the request was turned away at the door, by whomever: NOT_SENT."""

REFUSED_READ = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.CONTENT_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_CONTENT,
    },
)
"""Statuses that say nothing was done.

With the gateway's own error code the request itself is at fault, so DECLINED. Without one
somebody on the way spoke, so NOT_SENT.
"""

CIRCUIT_OPEN = "circuit_open"
GATEWAY_BUSY = "gateway_busy"
RETRY_IN_VAIN = frozenset({CIRCUIT_OPEN, "gateway_credentials_refused"})
"""NOT_SENT for a reason that some milliseconds of waiting don't cure."""
STILL_ANSWERS = frozenset({"operation_in_progress", "reference_reused", "processing"})
"""UNKNOWN outcomes from a gateway that is in good health."""


def failed(failure: Failure) -> Result:
    """What is certain about a call that ended in `failure`."""
    return Result(FAILURES[failure.moment], code=failure.code)


def refused(status: int, error_code: str | None) -> Result:
    """What is certain about a call that was answered by an error status.

    Anything not known to mean "nothing was done" is UNKNOWN: 408, 409, redirects and all 5xx,
    503 included, for a proxy may say it after the gateway has acted.
    """
    if status in REFUSED_UNREAD:
        return Result(Outcome.NOT_SENT, code=REFUSED_UNREAD[status])
    if status in REFUSED_READ:
        if error_code is None:
            return Result(Outcome.NOT_SENT, code=f"gateway_status_{status}")
        return Result(Outcome.DECLINED, code=error_code)
    return Result(Outcome.UNKNOWN, code=error_code or f"gateway_status_{status}")

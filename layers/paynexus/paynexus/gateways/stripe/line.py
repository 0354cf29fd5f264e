"""Stripe's SDK over our own wire, so that each failure says how far its request had come."""

import time
from collections.abc import Callable, Mapping
from typing import Any, override

import stripe

from paynexus.gateways.outcomes import Failure, Kind, Moment, failed
from paynexus.gateways.port import Result
from paynexus.gateways.stripe.answers import UNREADABLE, Body, erred
from paynexus.gateways.wire import Answer, exchange

SUCCESSES = range(200, 300)


class CallEnded(Exception):
    """A call that Stripe didn't answer with what was asked for; `result` is what is certain."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.code)
        self.result = result


class Line:
    """Calls to Stripe until one deadline, each of them once: what is retried is ours to say."""

    def __init__(self, url: str, *, api_key: str, deadline_seconds: float) -> None:
        client = stripe.StripeClient(
            api_key,
            base_addresses={"api": url},
            http_client=_Wire(until=time.monotonic() + deadline_seconds),
            max_network_retries=0,
        )
        self.api = client.v1

    def ask(self, call: Callable[[], stripe.StripeObject]) -> Body:
        """Stripe's answer to one call of `api`; raises CallEnded with what else it came to."""
        try:
            thing: Any = call()
        except _LineFailed as end:
            raise CallEnded(failed(end.failure)) from end
        except stripe.StripeError as error:
            raise CallEnded(_result_of(error)) from error
        response = getattr(thing, "last_response", None)
        body: Body = response.data if response is not None else {}
        if not _is_whole(body):
            raise CallEnded(UNREADABLE)
        return body


class _LineFailed(stripe.APIConnectionError):
    """No answer came."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.code)  # type: ignore[no-untyped-call]  # the SDK's
        self.failure = failure


class _Wire(stripe.HTTPClient):
    name = "paynexus"

    def __init__(self, *, until: float) -> None:
        super().__init__()
        self._until = until

    @override
    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        left = self._until - time.monotonic()
        if left <= 0:
            raise _LineFailed(Failure(Moment.CONNECT, Kind.TIMED_OUT))
        content = post_data.encode() if isinstance(post_data, str) else post_data
        answer = exchange(
            method.upper(), url, headers=headers or {}, content=content, deadline_seconds=left
        )
        if not isinstance(answer, Answer):
            raise _LineFailed(answer)
        return answer.content.decode(errors="replace"), answer.status, answer.headers

    @override
    def close(self) -> None:
        """Nothing is kept open."""


def _is_whole(body: object) -> bool:
    """Whether this is an object of Stripe's, or a list of such."""
    if not isinstance(body, dict):
        return False
    if isinstance(body.get("data"), list):
        return isinstance(body.get("has_more"), bool) and all(map(_is_whole, body["data"]))
    return isinstance(body.get("id"), str)


def _result_of(error: stripe.StripeError) -> Result:
    body: Any = error.json_body
    own = body.get("error") if isinstance(body, dict) else None
    if error.http_status is None or error.http_status in SUCCESSES:
        return UNREADABLE
    return erred(error.http_status, own if isinstance(own, dict) else None)

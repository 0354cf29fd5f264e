"""Requests and callbacks as the deployed functions take them, Redis and signature included."""

from collections.abc import Callable

from paynexus import idempotency
from paynexus.gateways.sandbox_callbacks import signature_of
from paynexus.idempotency import Answer
from paynexus.payments import callbacks, disputes, expiry, sweeper
from tests.flow import Flow

KEY = "the-key"
UNDECIDED = 202


def ask(flow: Flow, key: str, act: Callable[[], Answer]) -> Answer:
    """What the request under the key is answered: by Redis if it knows, and else by `act`."""
    fingerprint, scope = idempotency.fingerprint_of(key, []), flow.scope(key, key)
    known = idempotency.remembered(flow.cache, scope, fingerprint=fingerprint, now=flow.now)
    if known is not None:
        return known
    answer = act()
    if not is_replay(answer) and is_final(answer):
        idempotency.remember(
            flow.cache, scope, fingerprint=fingerprint, answer=answer, now=flow.now
        )
    return answer


def is_replay(answer: Answer) -> bool:
    """Whether it was given before."""
    return idempotency.REPLAYED_HEADER in answer.headers


def is_final(answer: Answer) -> bool:
    """Whether it never changes any more; a challenge's is known by its repetition alone."""
    return answer.status != UNDECIDED or is_replay(answer)


def hear(flow: Flow, body: str, *, is_acted_on: bool = True) -> None:
    """A callback is kept, and acted on unless whoever took it dies before."""
    signed = {"acquirer-signature": signature_of(body, key=KEY, at=flow.now)}
    kept = callbacks.receive(flow.database, "sandbox", signed, body, key=KEY, now=flow.now)
    if kept is not None and is_acted_on:
        callbacks.take(flow.database, flow.run, kept, ask=flow.ask_about, now=flow.now)


def watch(flow: Flow) -> None:
    """The scheduled run: what is left half-way goes on, callbacks too; what is over ends."""
    now = flow.now
    sweeper.sweep(flow.database, flow.run, now=now)
    callbacks.sweep(flow.database, flow.run, ask=flow.ask_about, now=now)
    disputes.sweep(flow.database, flow.run, flow.ask_about, now=now)
    expiry.expire(flow.database, flow.run, now=now)

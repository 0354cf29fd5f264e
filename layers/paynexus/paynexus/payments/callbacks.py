"""Gateways' callbacks: kept before they are understood, applied once, in whatever order.

A callback is a reason to ask. What it says of a reference is held against what is known; where
nothing is known yet, the operation's step is run, which inquires at the gateway, and only that
answer ever becomes an outcome. So neither order nor repetition matter, and whoever could sign
in the gateway's name could make us ask, but never believe.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping
from uuid import UUID

from paynexus import ids
from paynexus.cards import has_card_number
from paynexus.db import Database
from paynexus.errors import (
    InvalidRequest,
    NotFound,
    PayNexusError,
    RequestTooLarge,
    SignatureRefused,
)
from paynexus.gateways.callbacks import DIALECTS, Dialect
from paynexus.gateways.port import DisputeWord, Word
from paynexus.observability import count, logger
from paynexus.payments import disputes, steps
from paynexus.payments.disputes import Ask
from paynexus.payments.store import callbacks as store
from paynexus.payments.store.callbacks import Callback
from paynexus.payments.sweeper import LEFT_ALONE, Runner
from paynexus.payments.verdicts import Asked, State, Verdict, judge, state_of

BODY_LIMIT_BYTES = 16 * 1024
SWEEP_LIMIT = 100
"""Callbacks of one run: the next one is a minute away."""


def dialect_of(gateway: str) -> Dialect:
    """How the gateway's callbacks are signed and put; NotFound for one that sends none."""
    if gateway not in DIALECTS:
        raise NotFound("There is no such gateway.")
    return DIALECTS[gateway]


def receive(
    db: Database,
    gateway: str,
    headers: Mapping[str, str],
    body: str,
    *,
    key: str,
    now: dt.datetime,
) -> Callback | None:
    """The callback is on record; None when it was before, and somebody looks after it.

    Raises SignatureRefused for what the gateway did not sign just now, RequestTooLarge beyond
    16 KiB, InvalidRequest for what is no text, NotFound for a gateway that sends none: then
    nothing is stored.
    """
    dialect = dialect_of(gateway)
    _require_storable(body)
    try:
        dialect.verify(headers, body, key=key, now=now)
    except SignatureRefused:
        logger.warning("callback forged", gateway=gateway)
        count("CallbackForged")
        raise
    return _kept(db, gateway, dialect, body, now)


def apply(db: Database, run: Runner, callback: Callback, *, ask: Ask, now: dt.datetime) -> State:
    """What the callback speaks of is as the gateway says when asked, and the payment with it.

    PENDING when the gateway could not be asked yet; the sweeper comes back to it.
    """
    word = dialect_of(callback.gateway).read(callback.body or "")
    if isinstance(word, DisputeWord):
        name = word.gateway_reference
        asked, verdict = disputes.learn(db, run, ask, callback.gateway, name, now=now)
    else:
        asked, verdict = _learn(db, run, callback.gateway, word, now)
    if verdict is not Verdict.ASK:
        _record(db, callback, verdict, asked, now)
    return state_of(verdict)


def take(db: Database, run: Runner, callback: Callback, *, ask: Ask, now: dt.datetime) -> None:
    """As `apply`; what fails is logged and left to the sweeper, since the callback is on record."""
    try:
        apply(db, run, callback, ask=ask, now=now)
    except PayNexusError as error:
        logger.warning("callback not applied", gateway=callback.gateway, code=error.code)
        count("CallbackFailed")


def sweep(db: Database, run: Runner, *, ask: Ask, now: dt.datetime) -> int:
    """Each callback that was left half-way was brought one step further; their number."""
    with db.transaction() as tx:
        left = store.take_up(tx, before=now - LEFT_ALONE, now=now, limit=SWEEP_LIMIT)
    for callback in left:
        take(db, run, callback, ask=ask, now=now)
    count("CallbacksSwept", len(left))
    return len(left)


def _require_storable(body: str) -> None:
    if len(body.encode("utf-8", "surrogatepass")) > BODY_LIMIT_BYTES:
        raise RequestTooLarge(f"The body exceeds {BODY_LIMIT_BYTES} bytes.")
    if "\0" in body or any("\ud800" <= character <= "\udfff" for character in body):
        raise InvalidRequest("The body is no UTF-8 text.")


def _kept(
    db: Database, gateway: str, dialect: Dialect, body: str, now: dt.datetime
) -> Callback | None:
    digest = hashlib.sha256(body.encode()).digest()
    # A number of a card is nobody's to keep, whoever sends it.
    is_clean = not has_card_number(body)
    own_id = dialect.id_of(body) if is_clean else None
    callback = Callback(
        id=ids.new_id(),
        gateway=gateway,
        callback_id=own_id or f"sha256:{digest.hex()}",
        body=body if is_clean else None,
        digest=digest,
    )
    verdict = None if is_clean else Verdict.CARD_NUMBER
    with db.statement() as connection:
        is_first, kept_digest = store.keep(connection, callback, verdict=verdict, now=now)
    if not is_first:
        _count_repeated(callback, is_same=kept_digest == digest)
        return None
    if verdict:
        _tell_refused(callback, verdict, None)
        return None
    return callback


def _learn(
    db: Database, run: Runner, gateway: str, word: Word | None, now: dt.datetime
) -> tuple[Asked | None, Verdict]:
    asked, verdict = _judged(db, gateway, word)
    if verdict is Verdict.ASK and asked is not None:
        run(asked.step)
        asked, verdict = _judged(db, gateway, word)
    if verdict is Verdict.CONFIRMED and asked is not None:
        # Whoever learned of it may have died before the payment's end.
        steps.finish(db, asked.step, blocked=False, now=now)
    return asked, verdict


def _judged(db: Database, gateway: str, word: Word | None) -> tuple[Asked | None, Verdict]:
    if word is None:
        return None, Verdict.UNREADABLE
    with db.reading() as connection:
        asked = store.asked(connection, gateway, word.reference)
    return asked, judge(word, asked)


def _record(
    db: Database, callback: Callback, verdict: Verdict, asked: Asked | None, now: dt.datetime
) -> None:
    state, attempt_id = state_of(verdict), asked.attempt_id if asked else None
    with db.statement() as connection:
        is_ours = store.finish(
            connection,
            callback.id,
            state=state,
            verdict=verdict,
            attempt_id=attempt_id,
            now=now,
        )
    if is_ours and state is State.APPLIED:
        count("CallbackApplied")
    elif is_ours:
        _tell_refused(callback, verdict, attempt_id)


def _count_repeated(callback: Callback, *, is_same: bool) -> None:
    count("CallbackRepeated")
    if not is_same:
        # Two words under one id: the first is kept, and this one only told of.
        logger.warning("callback refused", gateway=callback.gateway, verdict="id_reused")
        count("CallbackRefused")


def _tell_refused(callback: Callback, verdict: Verdict, attempt_id: UUID | None) -> None:
    logger.warning(
        "callback refused",
        gateway=callback.gateway,
        callback=str(callback.id),
        attempt=str(attempt_id) if attempt_id else None,
        verdict=str(verdict),
    )
    count("CallbackRefused")

"""One key, one effect: Postgres is the truth, Redis only answers finished keys sooner.

The header is draft-ietf-httpapi-idempotency-key-header-07: a missing key is 400, a key that
was used for another request 422, one whose first request is still at work 409.
"""

import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from paynexus import ids
from paynexus.cache import Cache
from paynexus.cards import has_card_number
from paynexus.db import Connection, Database
from paynexus.errors import (
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    InvalidRequest,
    OperationRunning,
    PayNexusError,
)
from paynexus.ids import MerchantId

KEY_HEADER = "Idempotency-Key"
KEY_LENGTH_LIMIT = 255
KEPT = dt.timedelta(days=30)
"""How long a key answers with what happened under it; used again after that, it is a new key."""
REMEMBERED = dt.timedelta(hours=24)
"""How long Redis answers for a finished key, which saves the way to Postgres."""
RUNNING = dt.timedelta(seconds=30)
"""Longer than API Gateway waits: after it, the first request is dead and may be resumed."""
RETRY_AFTER_SECONDS = 2
REPLAYED_HEADER = "Idempotent-Replayed"
PREFIX_OF_MADE = {
    "POST /payments": "pay",
    "POST /qr-codes": "qr",
    "POST /webhook-endpoints": "we",
    "POST /fraud/rules": "frl",
    "POST /fraud/lists": "fls",
    "POST /fraud/backtests": "fbt",
}
"""Operations whose key stands for the object that they make, and how its id is written."""
REFUNDING = "/refunds"
"""How operations end that make a refund of the payment that they name."""
BAD_REQUEST = 400
"""Answers from here on are refusals: what was asked for did not happen."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a key is unique: two merchants, modes or operations never share one."""

    merchant_id: MerchantId
    mode: str
    operation: str
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, kept byte for byte."""

    status: int
    body: str
    headers: dict[str, str]
    expires_at: dt.datetime | None = None
    """From then on its key is a new one; None where the database was not asked."""

    def replayed(self) -> "Answer":
        """The same answer, marked as a replay."""
        return replace(self, headers=self.headers | {REPLAYED_HEADER: "true"})


@dataclass(frozen=True, slots=True)
class Claim:
    """A key now held by this request: `object_id` is what it creates or goes on with.

    With an `answer`, the work is done and there is nothing left but to replay it.
    """

    object_id: UUID
    is_first: bool
    answer: Answer | None = None


SQL_CLAIM = """
SELECT state, object_id, status, headers, body FROM claim_key(
    %(merchant_id)s, %(mode)s, %(operation)s, %(key)s, %(fingerprint)s, %(object_id)s,
    %(now)s, %(running_until)s, %(expires_at)s)
"""
SQL_FINISH = """
UPDATE idempotency_keys
SET status = %(status)s, headers = %(headers)s, body = %(body)s, finished_at = %(now)s
WHERE object_id = %(object_id)s AND finished_at IS NULL
"""
SQL_RELEASE = """
UPDATE idempotency_keys SET running_until = %s WHERE object_id = %s AND finished_at IS NULL
"""
SQL_ANSWER = """
SELECT status, body, headers, expires_at FROM idempotency_keys
WHERE object_id = %s AND finished_at IS NOT NULL
"""
# Keys that are being claimed just now are left to the next run.
SQL_FORGET = """
DELETE FROM idempotency_keys WHERE (merchant_id, mode, operation, key) IN (
    SELECT merchant_id, mode, operation, key FROM idempotency_keys
    WHERE finished_at IS NOT NULL AND expires_at <= %s
    ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED
)
"""


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """What `claim_key` came to."""

    state: str
    object_id: UUID
    status: int | None
    headers: dict[str, str] | None
    body: str | None


def key_of(headers: Mapping[str, str]) -> str:
    """The request's Idempotency-Key, bare or as a quoted structured-field string.

    Raises IdempotencyKeyMissing unless it is 1 to 255 printable ASCII characters, InvalidRequest
    for one that could be a card number.
    """
    given = next((v for name, v in headers.items() if name.lower() == "idempotency-key"), None)
    if given is None:
        raise IdempotencyKeyMissing(
            "Send an Idempotency-Key header: any text of your own that names this request, "
            "such as a UUID. Repeating the request with it never acts twice.",
            param=KEY_HEADER,
        )
    key = given.strip()
    if len(key) > 1 and key.startswith('"') and key.endswith('"'):
        key = key[1:-1]
    if not 1 <= len(key) <= KEY_LENGTH_LIMIT or not all(" " <= c <= "~" for c in key):
        raise IdempotencyKeyMissing(
            f"An Idempotency-Key is 1 to {KEY_LENGTH_LIMIT} printable ASCII characters.",
            param=KEY_HEADER,
        )
    if has_card_number(key):
        raise InvalidRequest(
            "This key looks like a card number, and none is taken here.", param=KEY_HEADER
        )
    return key


def fingerprint_of(target: str, body: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """What makes two requests the same one: the path and the body's meaning, not its spelling.

    `body` is what was understood of it. The order of members and spaces don't count; nor do
    ways to write a number, of which a body may use one only: `5.0` is no amount.
    """
    text = json.dumps([target, body], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).digest()


def claim(
    tx: Connection, scope: Scope, *, fingerprint: bytes, object_id: UUID, now: dt.datetime
) -> Claim:
    """The key belongs to this request, or its finished answer is at hand.

    Raises IdempotencyKeyReused for another request under this key and OperationRunning while
    the first is at work. A first request that died is taken over: the claim then names the
    object it had begun.
    """
    values = claim_values(scope, fingerprint=fingerprint, object_id=object_id, now=now)
    with tx.cursor(row_factory=class_row(ClaimRow)) as cursor:
        return judged(cursor.execute(SQL_CLAIM, values).fetchone(), scope.operation)


def claim_values(
    scope: Scope, *, fingerprint: bytes, object_id: UUID, now: dt.datetime
) -> dict[str, object]:
    """What `claim_key` is asked."""
    return {
        "merchant_id": scope.merchant_id,
        "mode": scope.mode,
        "operation": scope.operation,
        "key": scope.key,
        "fingerprint": fingerprint,
        "object_id": object_id,
        "now": now,
        "running_until": now + RUNNING,
        "expires_at": now + KEPT,
    }


def finish(tx: Connection, object_id: UUID, answer: Answer, *, now: dt.datetime) -> None:
    """The key of this object answers with `answer` from now on; an earlier answer stands."""
    values = {
        "object_id": object_id,
        "status": answer.status,
        "headers": Jsonb(answer.headers),
        "body": answer.body,
        "now": now,
    }
    tx.execute(SQL_FINISH, values)


def answer_of(connection: Connection, object_id: UUID) -> Answer | None:
    """The stored answer of the object's key, if it is finished."""
    with connection.cursor(row_factory=class_row(Answer)) as cursor:
        return cursor.execute(SQL_ANSWER, (object_id,)).fetchone()


def release(tx: Connection, object_id: UUID, *, now: dt.datetime) -> None:
    """This request leaves its object undecided; the next one under the key may go on with it."""
    tx.execute(SQL_RELEASE, (now, object_id))


def forget(tx: Connection, *, now: dt.datetime, limit: int) -> int:
    """At most `limit` keys whose answers have expired are gone; how many.

    A key without an answer stays, however old: its request may still be taken up.
    """
    return tx.execute(SQL_FORGET, (now, limit)).rowcount


def run(
    db: Database,
    scope: Scope,
    *,
    fingerprint: bytes,
    object_id: UUID,
    now: dt.datetime,
    act: Callable[[Connection, UUID], Answer],
) -> Answer:
    """`act` has happened once under this key, in one transaction with its stored answer."""
    with db.transaction() as tx:
        claimed = claim(tx, scope, fingerprint=fingerprint, object_id=object_id, now=now)
        if claimed.answer is not None:
            return claimed.answer.replayed()
        answer = act(tx, claimed.object_id)
        finish(tx, claimed.object_id, answer, now=now)
        return answer


def remember(
    cache: Cache, scope: Scope, *, fingerprint: bytes, answer: Answer, now: dt.datetime
) -> None:
    """Redis may answer for this key, for a day at most and never longer than the key is kept."""
    until = min(now + REMEMBERED, answer.expires_at or now + REMEMBERED)
    seconds = int((until - now).total_seconds())
    if seconds > 0:
        text = json.dumps([until.isoformat(), answer.status, answer.body, answer.headers])
        value = json.dumps([_proof(scope, fingerprint, text), text])
        cache.set(_cache_key(scope), value.encode(), ttl_seconds=seconds)


def remembered(
    cache: Cache, scope: Scope, *, fingerprint: bytes, now: dt.datetime
) -> Answer | None:
    """The finished answer of this very request, if Redis has it.

    It is believed if it carries the proof that only who knew the request could write, and its
    time is not over: whatever else Redis says is as good as nothing.
    """
    try:
        proof, text = json.loads(cache.get(_cache_key(scope)) or b"null")
        if not hmac.compare_digest(proof, _proof(scope, fingerprint, text)):
            return None
        until, status, body, headers = json.loads(text)
        is_over = dt.datetime.fromisoformat(until) <= now
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return None if is_over else Answer(status, body, headers).replayed()


def judged(row: ClaimRow | None, operation: str) -> Claim:
    """What the row says of a claim for the operation, as `claim` returns and raises it."""
    assert row is not None, "claim_key answers with one row"  # noqa: S101 - a broken function
    if row.state in {"reused", "running"}:
        raise _conflict(row, operation)
    if row.state == "finished":
        assert row.status is not None, "a finished key has an answer"  # noqa: S101 - a constraint
        answer = Answer(row.status, row.body or "", row.headers or {})
        return Claim(row.object_id, is_first=False, answer=answer)
    return Claim(row.object_id, is_first=row.state == "claimed")


def reference_of(operation: str, object_id: UUID) -> str | None:
    """The id, as merchants know it, of what a key stands for: what it made, or acts on.

    None for an operation that names neither.
    """
    if operation in PREFIX_OF_MADE:
        return ids.text(PREFIX_OF_MADE[operation], object_id)
    if operation.endswith(REFUNDING):
        return ids.text("re", object_id)
    return next((part for part in operation.split("/")[2:] if "_" in part), None)


def _conflict(row: ClaimRow, operation: str) -> PayNexusError:
    reference = reference_of(operation, row.object_id)
    told: dict[str, Any] = {} if reference is None else {"operation_ref": reference}
    if row.state == "running":
        return OperationRunning(
            "The first request under this key is still at work: repeat it later with the same key.",
            retry_after=RETRY_AFTER_SECONDS,
            operation_state="running",
            safe_new_key=False,
            **told,
        )
    return IdempotencyKeyReused(
        "This Idempotency-Key was used for another request. Repeat that one exactly, or use a "
        "new key for what is new.",
        operation_state="running" if row.status is None else "finished",
        safe_new_key=row.status is not None and _came_to_nothing(row.status, row.body or ""),
        **told,
    )


def _came_to_nothing(status: int, body: str) -> bool:
    if status >= BAD_REQUEST:
        return True
    try:
        made = json.loads(body)
    except ValueError:
        # Answers that hold a secret are sealed: what they made, they made.
        return False
    return isinstance(made, dict) and made.get("status") == "FAILED"


def _cache_key(scope: Scope) -> str:
    return f"idempotency:{hashlib.sha256(_name(scope)).hexdigest()}"


def _proof(scope: Scope, fingerprint: bytes, text: str) -> str:
    # Redis knows neither the key nor the request: it can't write this, only repeat it.
    return hmac.digest(fingerprint + _name(scope), text.encode(), hashlib.sha256).hex()


def _name(scope: Scope) -> bytes:
    return json.dumps([str(scope.merchant_id), scope.mode, scope.operation, scope.key]).encode()

"""Redis answers for finished keys, and is believed only about the very request it is asked for."""

import datetime as dt
import json
from dataclasses import replace

import pytest

from paynexus import idempotency, ids
from paynexus.cache import Cache
from paynexus.idempotency import REMEMBERED, Answer, Scope
from paynexus.ids import MerchantId

ANSWER = Answer(201, '{"id": "pay_1"}', {"Content-Type": "application/json"})
MERCHANT = MerchantId(ids.new_id())
MOMENT = dt.timedelta(seconds=1)


def scope(key: str) -> Scope:
    """Where a key of the merchant's is unique."""
    return Scope(MERCHANT, "test", "POST /payments", key)


def keep(cache: Cache, now: dt.datetime, *, key: str = "one", answer: Answer = ANSWER) -> None:
    """The request under the key is finished."""
    idempotency.remember(cache, scope(key), fingerprint=b"body", answer=answer, now=now)


def found(
    cache: Cache, now: dt.datetime, *, key: str = "one", fingerprint: bytes = b"body"
) -> Answer | None:
    """What Redis is believed to say of the request."""
    return idempotency.remembered(cache, scope(key), fingerprint=fingerprint, now=now)


def rewritten(cache: Cache, value: bytes) -> None:
    """Redis holds this, under the only key there is."""
    client = cache._connected()
    (key,) = client.keys("idempotency:*")
    client.set(key, value)


def test_a_finished_key_is_answered(cache: Cache, now: dt.datetime) -> None:
    """Byte for byte, marked as a replay."""
    keep(cache, now)

    assert found(cache, now) == ANSWER.replayed()
    assert found(cache, now, fingerprint=b"other") is None
    assert found(cache, now, key="two") is None


def test_redis_is_not_told_the_key(cache: Cache, now: dt.datetime) -> None:
    """Who reads Redis can't make up an answer: the proof takes the key and the request."""
    keep(cache, now, key="a-merchants-own-key")
    client = cache._connected()
    (name,) = client.keys("idempotency:*")

    assert b"a-merchants-own-key" not in name + client.get(name)  # type: ignore[operator]  # likewise
    assert str(MERCHANT).encode() not in name


def test_another_keys_answer_is_none(cache: Cache, now: dt.datetime) -> None:
    """Two orders alike in all but their keys: Redis hands out the one's answer for the other."""
    for key in ("one", "two"):
        keep(cache, now, key=key)
    client = cache._connected()
    one, two = client.keys("idempotency:*")
    client.set(one, client.get(two))  # type: ignore[arg-type]  # likewise

    assert [found(cache, now, key=key) for key in ("one", "two")].count(None) == 1


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"5",
        b"\xff\xfe",
        b'["", ""]',
        b"[null, null]",
        b'["\xc3\xa9", "x"]',
        b"[" * 100_000,
        b'["' + b"0" * 64 + b'", "[]"]',
    ],
)
def test_what_is_no_answer_is_none(cache: Cache, now: dt.datetime, value: bytes) -> None:
    """Whatever Redis holds in its place."""
    keep(cache, now)
    rewritten(cache, value)

    assert found(cache, now) is None


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_an_altered_answer_is_none(cache: Cache, now: dt.datetime, place: int) -> None:
    """Its time, status, body or headers: the proof is of the others."""
    keep(cache, now)
    client = cache._connected()
    (key,) = client.keys("idempotency:*")
    proof, text = json.loads(client.get(key))  # type: ignore[arg-type]  # likewise
    said = json.loads(text)
    later = (now + dt.timedelta(days=9)).isoformat()
    said[place] = [later, 200, '{"id": "pay_2"}', {"X": "y"}][place]
    rewritten(cache, json.dumps([proof, json.dumps(said)]).encode())

    assert found(cache, now) is None


def test_an_answer_is_believed_for_a_day_however_long_redis_keeps_it(
    cache: Cache, now: dt.datetime
) -> None:
    """A clock of its own, a key restored from a copy: time is told by the answer itself."""
    keep(cache, now)

    assert found(cache, now + REMEMBERED - MOMENT) == ANSWER.replayed()
    assert found(cache, now + REMEMBERED) is None


def test_an_answer_is_never_believed_longer_than_its_key_is_kept(
    cache: Cache, now: dt.datetime
) -> None:
    """A request finished in its key's last hour; one that finished after it."""
    soon = now + dt.timedelta(hours=1)
    keep(cache, now, answer=replace(ANSWER, expires_at=soon))
    assert found(cache, soon - MOMENT) is not None
    assert found(cache, soon) is None

    keep(cache, now, key="two", answer=replace(ANSWER, expires_at=now))
    assert found(cache, now, key="two") is None

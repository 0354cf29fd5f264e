"""Redis answers for finished keys, and is believed only about the very request it is asked for."""

import json

import pytest

from paynexus import idempotency, ids
from paynexus.cache import Cache
from paynexus.idempotency import Answer, Scope
from paynexus.ids import MerchantId

ANSWER = Answer(201, '{"id": "pay_1"}', {"Content-Type": "application/json"})
MERCHANT = MerchantId(ids.new_id())


def scope(key: str) -> Scope:
    """Where a key of the merchant's is unique."""
    return Scope(MERCHANT, "test", "POST /payments", key)


def test_a_finished_key_is_answered(cache: Cache) -> None:
    """Byte for byte, marked as a replay."""
    idempotency.remember(cache, scope("one"), fingerprint=b"body", answer=ANSWER)

    assert idempotency.remembered(cache, scope("one"), fingerprint=b"body") == ANSWER.replayed()
    assert idempotency.remembered(cache, scope("one"), fingerprint=b"other") is None
    assert idempotency.remembered(cache, scope("two"), fingerprint=b"body") is None


def test_another_keys_answer_is_none(cache: Cache) -> None:
    """Two orders alike in all but their keys: Redis hands out the one's answer for the other."""
    for key in ("one", "two"):
        idempotency.remember(cache, scope(key), fingerprint=b"body", answer=ANSWER)
    client = cache._connected()
    one, two = client.keys("idempotency:*")
    client.set(one, client.get(two))  # type: ignore[arg-type]  # likewise

    found = [
        idempotency.remembered(cache, scope(key), fingerprint=b"body") for key in ("one", "two")
    ]
    assert found.count(None) == 1


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"null", b"5", b"\xff\xfe"])
def test_what_is_no_answer_is_none(cache: Cache, value: bytes) -> None:
    """Whatever Redis holds in its place."""
    idempotency.remember(cache, scope("one"), fingerprint=b"body", answer=ANSWER)
    client = cache._connected()
    (key,) = client.keys("idempotency:*")
    client.set(key, value)

    assert idempotency.remembered(cache, scope("one"), fingerprint=b"body") is None


@pytest.mark.parametrize("place", [2, 3, 4])
def test_an_answer_of_the_wrong_shape_is_none(cache: Cache, place: int) -> None:
    """A status, a body or headers that are none."""
    idempotency.remember(cache, scope("one"), fingerprint=b"body", answer=ANSWER)
    client = cache._connected()
    (key,) = client.keys("idempotency:*")
    said = json.loads(client.get(key))  # type: ignore[arg-type]  # likewise
    said[place] = None
    client.set(key, json.dumps(said))

    assert idempotency.remembered(cache, scope("one"), fingerprint=b"body") is None

"""Typed, time-ordered identifiers: UUIDv7 inside, `prefix_` and base32 outside."""

import datetime as dt
import secrets
import threading
import time
from typing import NewType
from uuid import UUID

PaymentId = NewType("PaymentId", UUID)
MerchantId = NewType("MerchantId", UUID)
UserId = NewType("UserId", UUID)
RefundId = NewType("RefundId", UUID)
DisputeId = NewType("DisputeId", UUID)
TransferId = NewType("TransferId", UUID)
AccountId = NewType("AccountId", UUID)
SettlementId = NewType("SettlementId", UUID)
EventId = NewType("EventId", UUID)
EndpointId = NewType("EndpointId", UUID)
DeliveryId = NewType("DeliveryId", UUID)
AttemptId = NewType("AttemptId", UUID)
QrCodeId = NewType("QrCodeId", UUID)

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base32 in lower case: no i, l, o, u to misread."""
TEXT_LENGTH = 26
"""128 bits in base32 digits of 5 bits."""

_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
"""Ten bits, as the two digits that say them."""
_VALUE_OF = {digit: value for value, digit in enumerate(ALPHABET)}
_SHIFTS = range(120, -1, -10)
_SEQUENCE_BITS = 12
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)
UUID_DIGITS = 32


class _Generator:
    """UUIDv7 (RFC 9562, 5.7, method 1) that never goes back within one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def __call__(self) -> UUID:
        with self._lock:
            fresh = (time.time_ns() // 1_000_000 << _SEQUENCE_BITS) | secrets.randbits(8)
            self._last = max(fresh, self._last + 1)
            milliseconds, sequence = self._last >> _SEQUENCE_BITS, self._last & 0xFFF
        value = milliseconds << 80 | 0x7 << 76 | sequence << 64 | 0b10 << 62
        return UUID(int=value | secrets.randbits(62))


new_id = _Generator()
"""A new UUIDv7, greater than every one this process made before."""


def of_digest(digest: bytes) -> UUID:
    """The UUID of version 8 (RFC 9562, 5.8) whose free bits are those of the digest.

    The same digest, of 16 bytes or more, is the same id: what follows from its name is made once.
    """
    number = int.from_bytes(digest[:16]) & ~(0xF << 76) | 0x8 << 76
    return UUID(int=number & ~(0b11 << 62) | 0b10 << 62)


def first_at(moment: dt.datetime) -> UUID:
    """The least id of the moment's millisecond; the moment lies in 1970 or later."""
    return UUID(int=(moment - _EPOCH) // _MILLISECOND << 80)


def text(prefix: str, value: UUID) -> str:
    """`value` as merchants see it: `prefix_` and 26 base32 digits."""
    return f"{prefix}_{_digits(value.int)}"


def digits_of(written: str) -> str:
    """The digits of a UUID in Postgres' text form; ValueError for anything else."""
    digits = written.replace("-", "")
    if len(digits) != UUID_DIGITS:
        raise ValueError(f"{written!r} is no UUID")
    return _digits(int(digits, 16))


def _digits(number: int) -> str:
    return "".join([_PAIRS[number >> shift & 0x3FF] for shift in _SHIFTS])


def parse(prefix: str, value: str) -> UUID:
    """The identifier that `text(prefix, …)` wrote; ValueError for anything else."""
    head, _, digits = value.partition("_")
    if head != prefix or len(digits) != TEXT_LENGTH:
        raise ValueError(f"not an id with the prefix {prefix}_")
    number = 0
    for digit in digits:
        number = number << 5 | _digit_value(digit)
    if number >> 128:
        raise ValueError("an id holds 128 bits")
    return UUID(int=number)


def _digit_value(digit: str) -> int:
    try:
        return _VALUE_OF[digit]
    except KeyError:
        raise ValueError(f"{digit!r} is not a base32 digit") from None

"""What a gateway says of its own accord: whether it is the gateway's own, and what it says. Pure.

A callback is signed, but all that it says is a word about a reference of ours: what is true is
asked of the gateway itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from paynexus.gateways import sandbox_callbacks
from paynexus.gateways.port import DisputeWord, Word
from paynexus.gateways.stripe import callbacks as stripe_callbacks


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one gateway signs its callbacks and puts what it has to say."""

    key_name: str
    """Which of the product's keys it signs with."""
    verify: Callable[..., None]
    """`verify(headers, body, key=…, now=…)` raises SignatureRefused for what isn't the gateway's
    own, or not of now. Headers go by their names in small letters."""
    id_of: Callable[[str], str | None]
    """The callback's own id; None for what has none that can be read."""
    read: Callable[[str], Word | DisputeWord | None]
    """What the body says; None for what can't be understood."""


def _sandbox(key_name: str) -> Dialect:
    return Dialect(
        key_name, sandbox_callbacks.verify, sandbox_callbacks.id_of, sandbox_callbacks.read
    )


def _stripe(key_name: str) -> Dialect:
    return Dialect(key_name, stripe_callbacks.verify, stripe_callbacks.id_of, stripe_callbacks.read)


DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "sandbox": _sandbox("sandbox_acquirer_key"),
        "sandbox_two": _sandbox("sandbox_two_key"),
        "stripe": _stripe("stripe_live_callback_secret"),
        "stripe_test": _stripe("stripe_test_callback_secret"),
    }
)
"""By the name of the gateway, as attempts and paths have it."""

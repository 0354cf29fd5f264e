"""What names a payout or a payment in a bank's text. Pure."""

import re
from collections.abc import Iterable

from paynexus.ids import ALPHABET, TEXT_LENGTH
from paynexus.settlement.acquirers.model import KEY_LENGTH_MIN, key_of

_SPACES = re.compile(r"[\s/,;:+|()\[\]'\"]+")
# Banks drop what is not in their alphabet, the line under the prefix among it.
_REFERENCE = re.compile(
    rf"(?<![a-z0-9])(chg|cap|ref)[^a-z0-9]?([{ALPHABET}]{{{TEXT_LENGTH}}})(?![a-z0-9])"
)


def keys_of(texts: Iterable[str]) -> set[str]:
    """What may be a reference in the texts: each word, as letters and digits in capitals."""
    words = {key_of(word) for text in texts for word in _SPACES.split(text)}
    return {word for word in words if len(word) >= KEY_LENGTH_MIN}


def references_of(texts: Iterable[str]) -> set[str]:
    """The references of ours that the texts hold."""
    return {
        f"{prefix}_{digits}"
        for text in texts
        for prefix, digits in _REFERENCE.findall(text.lower())
    }

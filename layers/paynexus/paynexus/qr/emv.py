"""The text of EMVCo merchant-presented codes: data objects and a checksum, nothing of ours.

EMV QR Code Specification for Payment Systems, Merchant-Presented Mode, 1.1: a data object is
two digits of id, two of length in characters, and the value; a template's value is made of
data objects in turn; the last object of a code is the checksum.
"""

import binascii
from collections.abc import Iterable, Iterator

VALUE_CHARACTERS_MAX = 99
CHECKSUM = "63"
CHECKSUM_HEAD = CHECKSUM + "04"
CHECKSUM_CHARACTERS = len(CHECKSUM_HEAD) + 4

_HEAD = 4
_CRC_START = 0xFFFF


def write(objects: Iterable[tuple[str, str]]) -> str:
    """The data objects, `(id, value)` each, one after another; `read` takes them apart.

    Raises ValueError for an id that is not two digits and a value of no or over 99 characters.
    """
    return "".join(_object(number, value) for number, value in objects)


def read(text: str) -> dict[str, str]:
    """The values of the data objects in `text`, by id, in their order.

    Raises ValueError unless `text` is nothing but whole data objects, each id once, in
    printable ASCII.
    """
    values: dict[str, str] = {}
    for number, value in _objects(text):
        if number in values:
            raise ValueError(f"{number} stands twice")
        values[number] = value
    return values


def sealed(text: str) -> str:
    """`text` with its checksum after it."""
    return text + CHECKSUM_HEAD + _checksum_of(text)


def opened(text: str) -> str:
    """What the checksum at the end of `text` stands for; ValueError if it is not its own."""
    content = text[:-CHECKSUM_CHARACTERS]
    if text != sealed(content):
        raise ValueError("the checksum is not this text's")
    return content


def _object(number: str, value: str) -> str:
    if len(number) != 2 or not _are_digits(number):  # noqa: PLR2004 - as the standard says
        raise ValueError(f"{number!r} is no id of two digits")
    if not 0 < len(value) <= VALUE_CHARACTERS_MAX:
        raise ValueError(f"{number}: a value has 1 to {VALUE_CHARACTERS_MAX} characters")
    return f"{number}{len(value):02d}{value}"


def _objects(text: str) -> Iterator[tuple[str, str]]:
    if not text.isascii() or not text.isprintable():
        raise ValueError("printable ASCII is expected")
    at = 0
    while at < len(text):
        head, start = text[at : at + _HEAD], at + _HEAD
        if len(head) < _HEAD or not _are_digits(head):
            raise ValueError(f"no data object at {at}")
        at = start + int(head[2:])
        if at == start or at > len(text):
            raise ValueError(f"the value at {start} is not whole")
        yield head[:2], text[start:at]


def _are_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _checksum_of(text: str) -> str:
    # Over everything before the four digits, the checksum's own id and length included.
    # CRC-16/CCITT-FALSE (IBM 3740): polynomial 0x1021, starts at 0xFFFF, nothing reflected.
    return f"{binascii.crc_hqx((text + CHECKSUM_HEAD).encode(), _CRC_START):04X}"

"""Texts, days and amounts out of a bank's elements. Pure.

What is missing or can't be read refuses the file, with the element's name.
"""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from xml.etree.ElementTree import Element  # a type; see stream.py for who parses

from paynexus.errors import BankFileRefused
from paynexus.money import EXPONENTS, Money

MOST_DIGITS = 18
"""Of an amount, by the standard."""
LONGEST_TEXT = 1_000
"""Characters of a text that is kept; the standard's longest have 500."""

_DAY = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:T\d{2}:\d{2}:\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?", re.ASCII
)
_LARGEST_AMOUNT = (1 << 63) - 1
"""Minor units; what a column of the database holds."""

type Children = dict[str, Element]


class Names:
    """The names of one namespace's elements: `names.Ntry` is `{urn:…}Ntry`."""

    def __init__(self, namespace: str) -> None:
        self._prefix = f"{{{namespace}}}"

    def __getattr__(self, name: str) -> str:
        tag = f"{self._prefix}{name}"
        setattr(self, name, tag)
        return tag


def children(element: Element | None) -> Children:
    """Those of the element by name; of a name that stands twice, the last."""
    return {} if element is None else {child.tag: child for child in element}


def said(element: Element | None) -> str | None:
    """The element's text, without blanks around it; None where there is none."""
    written = None if element is None else element.text
    if element is None or not written:
        return None
    found = written.strip()
    if len(found) > LONGEST_TEXT:
        raise BankFileRefused(f"{_path(element.tag)} has more than {LONGEST_TEXT} characters")
    return found or None


def text(element: Element | None, *path: str) -> str | None:
    """The text at the end of the path; None where there is none."""
    for tag in path:
        if element is None:
            return None
        element = element.find(tag)
    return said(element)


def required(element: Element, *path: str) -> str:
    """The text that must be there."""
    found = text(element, *path)
    if found is None:
        raise BankFileRefused(f"{_path(*path)} is missing")
    return found


def texts(element: Element | None, *path: str) -> list[str]:
    """The texts at the ends of all such paths, in their order."""
    found = [] if element is None else [element]
    for tag in path:
        found = [child for parent in found for child in parent.findall(tag)]
    return [words for one in found if (words := said(one))]


def money(element: Element | None) -> Money | None:
    """The amount that the element states, exact; None for no element."""
    if element is None:
        return None
    currency = element.get("Ccy", "")
    exponent = EXPONENTS.get(currency)
    if exponent is None:
        raise BankFileRefused(f"{_path(element.tag)} is in an unknown currency {currency[:3]!r}")
    return Money(minor_units(element.text or "", exponent), currency)


def minor_units(written: str, exponent: int) -> int:
    """The number of minor units, such as 1050 for `10.5`; parts of one are refused."""
    whole, _, fraction = written.strip().partition(".")
    digits = whole + fraction
    if not (digits.isascii() and digits.isdigit() and len(digits) <= MOST_DIGITS):
        raise BankFileRefused(f"not an amount: {written[:30]!r}")
    if len(fraction) > exponent and fraction[exponent:].strip("0"):
        raise BankFileRefused(f"an amount in parts of a minor unit: {written[:30]!r}")
    amount = int((whole + fraction[:exponent].ljust(exponent, "0")) or "0")
    if amount > _LARGEST_AMOUNT:
        raise BankFileRefused(f"an amount beyond all accounts: {written[:30]!r}")
    return amount


def required_money(element: Element | None) -> Money:
    """The amount, which must be there."""
    found = money(element)
    if found is None:
        raise BankFileRefused("Amt is missing")
    return found


def is_debit(side: Element | None) -> bool:
    """Which way the money went, or on which side a balance stands."""
    found = said(side)
    if found not in ("CRDT", "DBIT"):
        raise BankFileRefused(f"CdtDbtInd is neither CRDT nor DBIT: {(found or '')[:10]!r}")
    return found == "DBIT"


def day_within(element: Element | None, names: Names) -> date | None:
    """The day of a choice of date and time; None for no element."""
    if element is None:
        return None
    written = said(element.find(names.Dt)) or said(element.find(names.DtTm))
    return None if written is None else day(written)


@lru_cache(maxsize=1024)
def day(written: str) -> date:
    """The day of a date or a time, in the bank's own time zone."""
    try:
        found = _DAY.fullmatch(written)
        return date.fromisoformat(found[1] if found else "")
    except ValueError as error:
        raise BankFileRefused(f"not a date: {written[:30]!r}") from error


def moment(written: str) -> datetime:
    """The time; one without a zone is taken for UTC."""
    try:
        found = datetime.fromisoformat(written)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BankFileRefused(f"not a time: {written[:40]!r}") from error


def _path(*tags: str) -> str:
    return "/".join(tag.rpartition("}")[2] for tag in tags)

"""The heads of statements, out of camt.052, .053 and .054. Pure."""

from collections.abc import Iterable
from datetime import date
from itertools import takewhile
from typing import NamedTuple
from xml.etree.ElementTree import Element  # a type; see stream.py for who parses

from paynexus.errors import BankFileRefused
from paynexus.settlement.bank.messages import Statement
from paynexus.settlement.bank.values import (
    Names,
    day,
    day_within,
    is_debit,
    money,
    required_money,
    text,
)

LONGEST_NUMBER = 18
"""Digits of a sequence number, by the standard."""


class _Balance(NamedTuple):
    signed: int
    currency: str
    day: date | None


def statement(
    node: Element, names: Names, *, first: Element | None, created: date | None
) -> Statement:
    """The statement's head, as it stands above its first entry.

    Currency and day are its own where it states them, else those of its `first` entry; a file
    `created` on a day without either is of that day.
    """
    above = takewhile(lambda child: child is not first, node)
    opening, closing = _opening_and_closing(above, names)
    return Statement(
        account_iban=account(node.find(names.Acct), names),
        number=_number(text(node, names.ElctrncSeqNb) or text(node, names.LglSeqNb)),
        day=_day(node, names, closing, first) or _given(created, "CreDtTm"),
        currency=_currency(node, names, closing or opening, first),
        opening=opening.signed if opening else None,
        closing=closing.signed if closing else None,
    )


def booked_balances(node: Element, names: Names) -> tuple[int | None, int | None]:
    """Opening and closing, in signed minor units."""
    opening, closing = _opening_and_closing(node, names)
    return opening.signed if opening else None, closing.signed if closing else None


def account(node: Element | None, names: Names) -> str:
    """The account's IBAN, or its number where it has none."""
    iban = text(node, names.Id, names.IBAN)
    return _given(iban or text(node, names.Id, names.Othr, names.Id), "Acct/Id/IBAN")


def _opening_and_closing(
    parts: Iterable[Element], names: Names
) -> tuple[_Balance | None, _Balance | None]:
    """A statement over many days states each day's: the first opens, the last closes."""
    found: dict[str, _Balance] = {}
    for balance in (part for part in parts if part.tag == names.Bal):
        kind = text(balance, names.Tp, names.CdOrPrtry, names.Cd)
        if kind not in ("OPBD", "PRCD", "CLBD") or (kind != "CLBD" and kind in found):
            continue
        amount = required_money(balance.find(names.Amt))
        signed = -amount.amount if is_debit(balance.find(names.CdtDbtInd)) else amount.amount
        found[kind] = _Balance(signed, amount.currency, day_within(balance.find(names.Dt), names))
    return found.get("OPBD") or found.get("PRCD"), found.get("CLBD")


def _day(
    node: Element, names: Names, closing: _Balance | None, first: Element | None
) -> date | None:
    said = text(node, names.FrToDt, names.ToDtTm) or text(node, names.CreDtTm)
    if closing and closing.day:
        return closing.day
    if said:
        return day(said)
    return None if first is None else day_within(first.find(names.BookgDt), names)


def _currency(node: Element, names: Names, balance: _Balance | None, first: Element | None) -> str:
    stated = text(node, names.Acct, names.Ccy)
    if stated:
        return stated
    if balance:
        return balance.currency
    amount = None if first is None else money(first.find(names.Amt))
    return _given(amount.currency if amount else None, "Acct/Ccy")


def _number(written: str | None) -> int | None:
    if written is None:
        return None
    if not (written.isascii() and written.isdigit() and len(written) <= LONGEST_NUMBER):
        raise BankFileRefused(f"not a sequence number: {written[:30]!r}")
    return int(written)


def _given[Value](value: Value | None, path: str) -> Value:
    if value is None:
        raise BankFileRefused(f"{path} is missing")
    return value

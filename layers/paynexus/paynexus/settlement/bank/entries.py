"""Entries and their parts, out of camt.052, .053 and .054. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple
from xml.etree.ElementTree import Element  # a type; see stream.py for who parses

from paynexus.errors import BankFileRefused
from paynexus.money import Money
from paynexus.settlement.bank.messages import Entry, Part
from paynexus.settlement.bank.values import (
    Children,
    Names,
    children,
    day_within,
    is_debit,
    money,
    required_money,
    said,
    text,
    texts,
)

MOST_PARTS = 100_000
"""Payments of one entry; they are kept until it ends."""
RETURNS = frozenset({"RPCR", "RRTN", "UPDD"})
"""Sub-families of ISO's bank transaction codes that say: paid before, and now back."""
UNKNOWN = frozenset({"NONREF", "NOTPROVIDED"})
"""What stands in a mandatory reference when there is none."""


def entry(node: Element, names: Names, *, statement: int, parts: Sequence[Part], on: date) -> Entry:
    """The entry with the `parts` of it that came before; `on` is its day if it states none."""
    own = children(node)
    whole = _facts(own, names)
    blocks = node.findall(names.NtryDtls)
    named = [_part(one, whole, names) for block in blocks for one in block.findall(names.TxDtls)]
    several = (*parts, *named)
    only = several[0] if len(several) == 1 else _unnamed(whole)
    booked_on = day_within(own.get(names.BookgDt), names) or on
    return Entry(
        statement=statement,
        reference=said(own.get(names.AcctSvcrRef))
        or only.reference
        or said(own.get(names.NtryRef))
        or "",
        message_id=(_batch(blocks[0], names) if blocks else None) or only.message_id,
        end_to_end_id=only.end_to_end_id,
        money=whole.money,
        is_debit=whole.is_debit,
        is_booked=_status(own.get(names.Sts), names) == "BOOK",
        booked_on=booked_on,
        value_on=day_within(own.get(names.ValDt), names) or booked_on,
        is_return=only.is_return,
        return_reason=only.return_reason,
        remittance=_joined([only.remittance, said(own.get(names.AddtlNtryInf))]),
        counterparty=only.counterparty,
        transfers=several if len(several) > 1 else (),
    )


def part(node: Element, whole: Element, names: Names) -> Part:
    """One payment of the entry `whole`, of which nothing after this payment need be there yet."""
    return _part(node, _facts(children(whole), names), names)


def code(node: Element | None, names: Names) -> str | None:
    """The reason: a code of the standard's, or a word of the bank's own."""
    return text(node, names.Cd) or text(node, names.Prtry)


class _Facts(NamedTuple):
    """What an entry says of all its payments."""

    money: Money
    is_debit: bool
    is_return: bool


def _facts(own: Children, names: Names) -> _Facts:
    money = required_money(own.get(names.Amt))
    return _Facts(money, is_debit(own.get(names.CdtDbtInd)), _is_reversal(own, names))


def _part(node: Element, whole: _Facts, names: Names) -> Part:
    own = children(node)
    refs, back, side = own.get(names.Refs), own.get(names.RtrInf), own.get(names.CdtDbtInd)
    is_out = whole.is_debit if side is None else is_debit(side)
    is_return = whole.is_return or back is not None or _is_reversal(own, names)
    return Part(
        text(refs, names.AcctSvcrRef) or "",
        _known(text(refs, names.MsgId)) or _known(text(refs, names.PmtInfId)),
        _known(text(refs, names.EndToEndId)),
        _own_amount(own, whole.money.currency, names),
        is_out,
        is_return,
        None if back is None else code(back.find(names.Rsn), names),
        _remittance(own, names),
        _counterparty(own.get(names.RltdPties), names, is_paid=is_out != is_return),
    )


def _unnamed(whole: _Facts) -> Part:
    """What is said of the payments of an entry that books many, or names none."""
    return Part("", None, None, None, whole.is_debit, whole.is_return, None, "", None)


def _batch(block: Element, names: Names) -> str | None:
    batch = block.find(names.Btch)
    return _known(text(batch, names.MsgId)) or _known(text(batch, names.PmtInfId))


def _status(status: Element | None, names: Names) -> str:
    """Since 2019 it is a choice of codes; before, it was plain text."""
    found = said(status) if status is None or not len(status) else code(status, names)
    if found is None:
        raise BankFileRefused("Sts is missing")
    return found


def _is_reversal(own: Children, names: Names) -> bool:
    """The side says which way money went now; this, that it is a way back."""
    if said(own.get(names.RvslInd)) in ("1", "true"):
        return True
    kind = own.get(names.BkTxCd)
    return kind is not None and text(kind, names.Domn, names.Fmly, names.SubFmlyCd) in RETURNS


def _own_amount(own: Children, currency: str, names: Names) -> Money | None:
    """In the entry's currency: what was asked for in another one is no part of its sum.

    Versions of the message have had it in three places; the best comes first.
    """
    details = own.get(names.AmtDtls)
    candidates = [own.get(names.Amt)]
    if details is not None:
        inner = [details.find(tag) for tag in (names.TxAmt, names.InstdAmt)]
        candidates += [one.find(names.Amt) for one in inner if one is not None]
    for candidate in candidates:
        if candidate is not None and candidate.get("Ccy") == currency:
            return money(candidate)
    return None


def _remittance(own: Children, names: Names) -> str:
    words, more = own.get(names.RmtInf), said(own.get(names.AddtlTxInf))
    if words is None:
        return more or ""
    return _joined(
        [
            *texts(words, names.Ustrd),
            *texts(words, names.Strd, names.CdtrRefInf, names.Ref),
            *texts(words, names.Strd, names.RfrdDocInf, names.Nb),
            more,
        ]
    )


def _counterparty(parties: Element | None, names: Names, *, is_paid: bool) -> str | None:
    """Who was paid, or who paid: the name, else the account."""
    if parties is None:
        return None
    sides = (names.Cdtr, names.CdtrAcct), (names.Dbtr, names.DbtrAcct)
    for party, its_account in sides if is_paid else sides[::-1]:
        who = parties.find(party)
        found = (
            text(who, names.Pty, names.Nm)
            or text(who, names.Nm)
            or text(parties.find(its_account), names.Id, names.IBAN)
        )
        if found:
            return found
    return None


def _known(reference: str | None) -> str | None:
    return None if reference in UNKNOWN else reference


def _joined(words: Iterable[str | None]) -> str:
    return " ".join(filter(None, words))

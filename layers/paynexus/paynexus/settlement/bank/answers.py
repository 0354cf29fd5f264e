"""What a bank says of our payments: statuses out of pain.002, returns out of pacs.004. Pure."""

from datetime import date
from xml.etree.ElementTree import Element  # a type; see stream.py for who parses

from paynexus.errors import BankFileRefused
from paynexus.settlement.bank.entries import code
from paynexus.settlement.bank.messages import Entry, PaymentStatus
from paynexus.settlement.bank.values import Names, day, money, required, text, texts


def payment_status(node: Element, block: Element, group: Element, names: Names) -> PaymentStatus:
    """Of one payment; what it leaves out is as its block, or the whole file, says."""
    reference = text(node, names.OrgnlEndToEndId) or text(node, names.OrgnlInstrId)
    status = text(node, names.TxSts) or text(block, names.PmtInfSts) or text(group, names.GrpSts)
    if reference is None or status is None:
        missing = "OrgnlEndToEndId" if reference is None else "TxSts"
        raise BankFileRefused(f"{missing} is missing")
    return _status(node, names, of=group, reference=reference, status=status)


def block_status(block: Element, group: Element, names: Names) -> PaymentStatus | None:
    """Of a block of payments that the bank doesn't name one by one: our files have one block."""
    status = text(block, names.PmtInfSts)
    if status is None:
        return None
    return _status(block, names, of=group, reference=None, status=status)


def file_status(group: Element, names: Names) -> PaymentStatus:
    """Of the file as a whole."""
    status = required(group, names.GrpSts)
    return _status(group, names, of=group, reference=None, status=status)


def returned(node: Element, group: Element | None, names: Names, *, on: date | None) -> Entry:
    """A payment that comes back, out of pacs.004; it is booked by a later statement."""
    amount = money(node.find(names.RtrdIntrBkSttlmAmt))
    if amount is None:
        raise BankFileRefused("RtrdIntrBkSttlmAmt is missing")
    settled = text(node, names.IntrBkSttlmDt)
    booked_on = day(settled) if settled else on
    if booked_on is None:
        raise BankFileRefused("IntrBkSttlmDt is missing")
    reasons = node.findall(names.RtrRsnInf)
    original = node.find(names.OrgnlGrpInf)
    return Entry(
        statement=0,
        reference=text(node, names.RtrId) or "",
        message_id=text(group if original is None else original, names.OrgnlMsgId),
        end_to_end_id=text(node, names.OrgnlEndToEndId) or text(node, names.OrgnlInstrId),
        money=amount,
        is_debit=False,
        is_booked=False,
        booked_on=booked_on,
        value_on=booked_on,
        is_return=True,
        return_reason=_reason(reasons, names),
        remittance=" ".join(_said(reasons, names)),
        counterparty=_creditor(node.find(names.OrgnlTxRef), names),
        transfers=(),
    )


def account_returned_to(node: Element, names: Names) -> str:
    """The account that had paid; empty where the return doesn't say."""
    original = node.find(names.OrgnlTxRef)
    debtor = None if original is None else original.find(names.DbtrAcct)
    return text(debtor, names.Id, names.IBAN) or text(debtor, names.Id, names.Othr, names.Id) or ""


def _creditor(original: Element | None, names: Names) -> str | None:
    creditor = None if original is None else original.find(names.Cdtr)
    return text(creditor, names.Pty, names.Nm) or text(creditor, names.Nm)


def _status(
    node: Element, names: Names, *, of: Element, reference: str | None, status: str
) -> PaymentStatus:
    reasons = node.findall(names.StsRsnInf)
    return PaymentStatus(
        original_message_id=required(of, names.OrgnlMsgId),
        end_to_end_id=reference,
        status=status,
        reason=_reason(reasons, names),
        information=" ".join(_said(reasons, names)) or None,
    )


def _reason(reasons: list[Element], names: Names) -> str | None:
    """The first code given."""
    return next(filter(None, (code(one.find(names.Rsn), names) for one in reasons)), None)


def _said(reasons: list[Element], names: Names) -> list[str]:
    return [line for reason in reasons for line in texts(reason, names.AddtlInf)]

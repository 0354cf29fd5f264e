"""What a bank's code means for a merchant, in a sentence that says what to do. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from paynexus.settlement.retries import PERMANENT_CODES

_WRONG_ACCOUNT = "The bank knows no account with this number: give us the right IBAN."
_CLOSED = "The account is closed: give us another one."
_BLOCKED = "The account is blocked: ask your bank, or give us another one."
_NO_TRANSFERS = "The account takes no such transfers: give us another one."
_HOLDER = "The holder's name or address is not that of the account: give us the right one."
_BANK = "The bank of the account can't be found: check the IBAN and the BIC."
_OURS = "This lies on our side or our bank's: we try again, you need not do anything."

SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "AC01": _WRONG_ACCOUNT,
        "AC02": _WRONG_ACCOUNT,
        "AC03": _WRONG_ACCOUNT,
        "AC04": _CLOSED,
        "AC05": _CLOSED,
        "AC06": _BLOCKED,
        "AC07": _CLOSED,
        "AC13": _NO_TRANSFERS,
        "AC14": _NO_TRANSFERS,
        "AC15": "The account was moved to another number: give us the new IBAN.",
        "AC16": _BLOCKED,
        "AG01": _NO_TRANSFERS,
        "AG02": _NO_TRANSFERS,
        "AGNT": _BANK,
        "AM04": _OURS,
        "AM05": "The bank took this for a payment that it had made already.",
        "AM09": "The amount that arrived is not the amount that we sent.",
        "BE01": _HOLDER,
        "BE04": _HOLDER,
        "BE05": _HOLDER,
        "BE06": "The bank doesn't know the holder: give us the right name and account.",
        "BE07": _HOLDER,
        "BE11": _HOLDER,
        "BE16": _HOLDER,
        "BE22": "The holder's name is missing: give us the name that the bank has.",
        "CUST": "The payment was sent back on request.",
        "DUPL": "The bank took this for a payment that it had made already.",
        "FF01": _OURS,
        "FOCR": "The payment was sent back since its recall was asked for.",
        "FR01": "The bank suspects fraud: ask your bank.",
        "MD06": "The payment was sent back on your own request.",
        "MD07": "The bank says that the holder has died: ask us how to go on.",
        "MS02": "The bank was told not to take the payment, without a reason: ask your bank.",
        "MS03": "The bank gave no reason: ask your bank.",
        "RC01": _BANK,
        "RC04": _BANK,
        "RC11": _BANK,
        "RR01": "The bank lacks the sender's account data: we will complete them.",
        "RR02": "The bank lacks the sender's name or address: we will complete them.",
        "RR03": "The bank lacks the holder's name or address: give us both.",
        "RR04": "The bank did not take the payment for a reason of the law: ask your bank.",
        "TM01": "The payment reached the bank too late in the day: we try again.",
    }
)
"""Of ISO 20022's ExternalStatusReason1Code and ExternalReturnReason1Code, those worth telling."""


def sentence_of(code: str) -> str:
    """What the code says, and what to do; of one that is not in the table, whether we try again."""
    known = SENTENCES.get(code)
    if known:
        return known
    if code in PERMANENT_CODES:
        return "The bank refused the account: check its details, or give us another one."
    return "The bank did not make the payment: we try again by ourselves."

"""What is told of lines that didn't fit. Pure."""

from collections.abc import Collection, Sequence

from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.chart import BOOKINGS
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.money import Money
from paynexus.settlement.breaks.model import BreakType, Found
from paynexus.settlement.statements import model
from paynexus.settlement.statements.model import BREAK_OF, Leftover, Standing, Verdict

OF_A_SETTLEMENT = frozenset({Verdict.AMOUNT, Verdict.CURRENCY})
"""Told of the settlement; all else, and a second such line, of the line itself."""


def leftovers(sha256: bytes, several: Sequence[Leftover], differed: Collection[str]) -> list[Found]:
    """A break for each, as large as the money in suspense.

    `differed` are the references of which another file has told such a break.
    """
    found, told = [], set(differed)
    for leftover in several:
        one = leftover.standing
        is_first = one is not None and one.end_to_end_id not in told
        subject = model.line_subject(sha256, leftover.line.position)
        if one and is_first and leftover.verdict in OF_A_SETTLEMENT:
            told.add(one.end_to_end_id)
            subject = one.subject
        found.append(_leftover(sha256, leftover, subject))
    return found


def _leftover(sha256: bytes, leftover: Leftover, subject: str) -> Found:
    line, one = leftover.line, leftover.standing
    details: dict[str, object] = {
        "line": model.line_object_id(sha256, line.position),
        "booked_on": line.booked_on.isoformat(),
        "end_to_end_id": line.end_to_end_id,
    }
    if one:
        details |= {"settlement": str(one.id), "status": one.status}
        details |= {"expected": {"amount": one.amount, "currency": one.currency}}
    return Found(
        type=BREAK_OF[leftover.verdict],
        subject=subject,
        mode=line.mode,
        currency=line.currency,
        amount=leftover.amount,
        merchant_id=one.merchant_id if one else None,
        details=details,
    )


def suspense(sha256: bytes, leftover: Leftover) -> Transfer:
    """The booking that keeps the money until somebody knows what it is for."""
    line = leftover.line
    is_in = leftover.amount > 0
    kind = TransferKind.UNEXPLAINED_IN if is_in else TransferKind.UNEXPLAINED_OUT
    debit, credit = (Account(AccountType(of), line.mode, line.currency) for of in BOOKINGS[kind])
    return Transfer(
        id=model.line_transfer_id(sha256, line.position),
        kind=kind,
        debit=debit,
        credit=credit,
        money=Money(abs(leftover.amount), line.currency),
        object_id=model.line_object_id(sha256, line.position),
    )


def failed(one: Standing, *, is_return: bool) -> Found:
    """A payout that the bank rejected or returned: its money is on the balance again."""
    return Found(
        type=BreakType.RETURNED,
        subject=one.subject,
        mode=one.mode,
        currency=one.currency,
        amount=one.amount,
        merchant_id=one.merchant_id,
        details={
            "settlement": str(one.id),
            "status": one.status,
            "code": one.steps[-1].code,
            "is_return": is_return,
            "is_back_on_balance": True,
        },
    )

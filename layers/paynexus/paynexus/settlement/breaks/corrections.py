"""What a person may propose about a break, and the transfer that it stands for. Pure."""

from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.money import Money
from paynexus.settlement.breaks.model import (
    Break,
    Correction,
    Resolution,
    object_id,
    transfer_id,
)
from paynexus.settlement.breaks.policies import POLICIES

MERCHANTS_OWN = frozenset({AccountType.MERCHANT_PAYABLE, AccountType.RESERVE})
"""Accounts of which each merchant has one of its own."""


def transfer_of(broken: Break, proposal: Resolution) -> Transfer | None:
    """The ledger's transfer that the proposal stands for; None for a mere explanation."""
    if proposal.correction is None:
        return None
    correction = proposal.correction
    debit, credit = (
        Account(side.type, broken.mode, broken.currency, side.merchant_id)
        for side in (correction.debit, correction.credit)
    )
    return Transfer(
        id=transfer_id(proposal.id),
        kind=TransferKind.ADJUSTMENT,
        debit=debit,
        credit=credit,
        money=Money(correction.amount, broken.currency),
        object_id=object_id(broken.id),
    )


def fault_of(broken: Break, correction: Correction | None, *, is_more_allowed: bool) -> str | None:
    """Why the break can't be resolved so, as a sentence; None where it can."""
    if correction is not None:
        fault = _fault_of_accounts(correction)
        if fault is not None:
            return fault
        most = abs(broken.amount)
        if correction.amount > most and not is_more_allowed:
            return f"The break explains {most} minor units at most; ask for more expressly."
    if POLICIES[broken.policy].is_in_suspense and not _empties_suspense(broken, correction):
        side = "from suspense (--debit)" if broken.amount > 0 else "to suspense (--credit)"
        return f"Its money lies in suspense: move all {abs(broken.amount)} minor units {side}."
    return None


def _fault_of_accounts(correction: Correction) -> str | None:
    if correction.amount <= 0:
        return "A transfer moves a positive amount."
    if correction.debit == correction.credit:
        return "A transfer needs two accounts."
    for side in (correction.debit, correction.credit):
        if side.type is AccountType.RESERVE:
            return "What is held back of a merchant is not corrected here: use its payable account."
        if (side.type in MERCHANTS_OWN) != (side.merchant_id is not None):
            return f"{side.type}: merchant_payable, and no other account, is a merchant's."
    return None


def _empties_suspense(broken: Break, correction: Correction | None) -> bool:
    if correction is None or correction.amount != abs(broken.amount):
        return False
    side = correction.debit if broken.amount > 0 else correction.credit
    return side.type is AccountType.SUSPENSE

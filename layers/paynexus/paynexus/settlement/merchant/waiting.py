"""What keeps a merchant's next payout back, and what to do about it. Pure."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from paynexus.settlement.batching.model import Candidate, Carry
from paynexus.settlement.merchant.failures import sentence_of
from paynexus.settlement.retries import FAILURES_LIMIT
from paynexus.settlement.terms import Frequency

MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Wait:
    """One reason, in a word and in a sentence; `until` where it passes by itself."""

    code: str
    message: str
    until: dt.datetime | None = None


def waits_for(candidate: Candidate, at: dt.datetime) -> tuple[Wait, ...]:
    """Every reason for which nothing, or not all, would be paid if a cut-off came now."""
    return (*_of_the_accounts(candidate, at), *_of_the_money(candidate))


def _of_the_accounts(candidate: Candidate, at: dt.datetime) -> Iterator[Wait]:
    if candidate.terms.frequency is Frequency.MANUAL:
        yield Wait(MANUAL, "It was agreed that you are paid on request: ask us for a payout.")
    if candidate.payee is None:
        yield Wait(
            Carry.NO_PAYOUT_ACCOUNT,
            f"We know no bank account of yours for {candidate.currency}: give us one.",
        )
    if candidate.payer is None:
        yield Wait(
            Carry.NO_HOUSE_ACCOUNT,
            f"We can't pay out {candidate.currency} in {candidate.mode} mode yet: ask us.",
        )
    if candidate.hold and candidate.payee:
        yield from _of_the_last_failure(candidate, at)


def _of_the_last_failure(candidate: Candidate, at: dt.datetime) -> Iterator[Wait]:
    hold, retry_at = candidate.hold, candidate.retry_at
    if hold is None or (retry_at and retry_at <= at):
        return
    why = sentence_of(hold.code) if hold.code else "The bank gave no reason."
    said = f" ({hold.code})" if hold.code else ""
    if retry_at:
        yield Wait(Carry.WAITS_TO_RETRY, f"The bank did not pay{said}. {why}", retry_at)
    elif hold.failures >= FAILURES_LIMIT:
        yield Wait(
            Carry.ACCOUNT_REFUSED,
            f"The bank did not pay {hold.failures} times in a row{said}: give us other details.",
        )
    else:
        yield Wait(Carry.ACCOUNT_REFUSED, f"The bank refused your account{said}. {why}")


def _of_the_money(candidate: Candidate) -> Iterator[Wait]:
    if candidate.posted <= 0:
        yield Wait(
            Carry.NOTHING_TO_PAY,
            "Nothing is owed to you; what is below zero is taken off what you sell next.",
        )
    elif candidate.posted < candidate.terms.minimum_amount:
        yield Wait(Carry.BELOW_MINIMUM, "It is less than the minimum: it is paid with later sales.")
    elif candidate.available < candidate.posted:
        yield Wait(
            Carry.RESERVED,
            "Refunds or disputes that are under way hold a part back: it is paid after them.",
        )

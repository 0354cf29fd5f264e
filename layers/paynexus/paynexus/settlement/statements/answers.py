"""What the bank's answers to payout files do. Pure."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from paynexus.ids import SettlementId
from paynexus.settlement.breaks.model import BreakType, Found
from paynexus.settlement.model import Status
from paynexus.settlement.statements.model import Answer, Asked, Judged, Standing, Verdict

ACCEPTED_CODES = frozenset({"ACCP", "ACTC", "ACSP", "ACWC", "ACSC", "ACCC"})
"""ISO 20022's ways to say yes. Even ACSC is not the money: only a booked entry is."""
REJECTED_CODES = frozenset({"RJCT", "CANC"})
DUPLICATE_CODES = frozenset({"DUPL", "AM05"})
"""The bank has this file or payment already: sent again after a crash, it is paid once."""
APPLIED = frozenset({Verdict.ACCEPTED, Verdict.REJECTED, Verdict.KNOWN})


@dataclass(frozen=True, slots=True)
class Heard:
    """What a status report is held against.

    `files` are our payout files by their message id, `made_at` is when the bank wrote the report,
    `rejected_at` when it wrote those that rejected.
    """

    standings: Sequence[Standing]
    files: Mapping[str, Asked]
    made_at: dt.datetime | None
    rejected_at: Mapping[SettlementId, dt.datetime | None]


@dataclass(slots=True)
class Outcome:
    """What the answers come to."""

    judged: list[Judged] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    rejected: list[Standing] = field(default_factory=list)


def judge(answers: Sequence[Answer], heard: Heard) -> Outcome:
    """Each answer's verdict; the settlements' steps are in their standings."""
    outcome = Outcome()
    by_reference = {one.end_to_end_id: one for one in heard.standings}
    members: dict[str | None, list[Standing]] = {}
    for one in heard.standings:
        members.setdefault(one.message_id, []).append(one)
    for answer in answers:
        asked = heard.files.get(answer.message_id)
        of_file = members.get(answer.message_id, [])
        if answer.end_to_end_id is not None:
            named = by_reference.get(answer.end_to_end_id)
            of_file = [named] if named and named.message_id == answer.message_id else []
        if asked is None or not of_file:
            outcome.judged.append(Judged(answer.position, Verdict.UNKNOWN_REFERENCE))
        elif answer.code in REJECTED_CODES and answer.reason_code in DUPLICATE_CODES:
            _duplicate(answer, asked, outcome)
        else:
            _apply(answer, of_file, heard, outcome)
    return outcome


def _duplicate(answer: Answer, asked: Asked, outcome: Outcome) -> None:
    """A file that we sent once and that the bank has twice was sent by somebody else."""
    outcome.judged.append(Judged(answer.position, Verdict.DUPLICATE_FILE))
    if asked.sends <= 1:
        outcome.found.append(
            Found(
                type=BreakType.DUPLICATE,
                subject=asked.subject,
                mode=asked.mode,
                currency=asked.currency,
                amount=-asked.amount,
                details={"message_id": asked.message_id, "code": answer.reason_code},
            )
        )


def _apply(answer: Answer, of_file: list[Standing], heard: Heard, outcome: Outcome) -> None:
    verdicts = [_verdict(answer, one, heard) for one in of_file]
    for one, verdict in zip(of_file, verdicts, strict=True):
        if verdict is Verdict.ACCEPTED:
            one.step(Status.ACCEPTED)
        elif verdict is Verdict.REJECTED:
            one.step(Status.REJECTED, answer.reason_code)
            outcome.rejected.append(one)
        elif verdict is Verdict.CONTRADICTION:
            outcome.found.append(_contradiction(answer, one))
    of_all = min(verdicts, key=_weight)
    is_of_one = answer.end_to_end_id is not None and of_all in APPLIED
    outcome.judged.append(Judged(answer.position, of_all, of_file[0].id if is_of_one else None))


def _verdict(answer: Answer, one: Standing, heard: Heard) -> Verdict:
    """Answers come late and twice: a yes after the money changes nothing, nor does a second no."""
    if answer.code in REJECTED_CODES:
        if one.status is Status.PAID:
            return Verdict.CONTRADICTION
        is_over = one.status in (Status.REJECTED, Status.RETURNED)
        return Verdict.KNOWN if is_over else Verdict.REJECTED
    if answer.code not in ACCEPTED_CODES:
        return Verdict.NO_DECISION
    if one.status is Status.REJECTED:
        before = heard.rejected_at.get(one.id)
        is_later = heard.made_at is not None and before is not None and heard.made_at > before
        return Verdict.CONTRADICTION if is_later else Verdict.OUTDATED
    is_open = one.status in (Status.PENDING, Status.INSTRUCTED)
    return Verdict.ACCEPTED if is_open else Verdict.KNOWN


def _contradiction(answer: Answer, one: Standing) -> Found:
    """They say that it is not paid, we say that it is; or the other way round."""
    is_no = answer.code in REJECTED_CODES
    return Found(
        type=BreakType.EXTRA,
        subject=one.subject,
        mode=one.mode,
        currency=one.currency,
        amount=one.amount if is_no else -one.amount,
        merchant_id=one.merchant_id,
        details={"code": answer.code, "reason": answer.reason_code, "status": one.status},
    )


def _weight(verdict: Verdict) -> int:
    """What a file's answer is called: the weightiest of what it did to its settlements."""
    order = (Verdict.CONTRADICTION, Verdict.REJECTED, Verdict.ACCEPTED, Verdict.NO_DECISION)
    return order.index(verdict) if verdict in order else len(order)

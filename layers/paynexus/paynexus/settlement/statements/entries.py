"""What the entries of a statement do. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from paynexus.ledger.model import TransferKind
from paynexus.settlement import model as settlements
from paynexus.settlement.model import OPEN, Status
from paynexus.settlement.statements.model import Judged, Leftover, Line, Match, Standing, Verdict

BY_REFERENCE = "end_to_end_id"
BY_MESSAGE = "message_id"
GOOD = frozenset({Verdict.PAID, Verdict.SHOWN, Verdict.RETURNED})


@dataclass(frozen=True, slots=True)
class Payouts:
    """Our settlements that the entries may be about."""

    by_reference: Mapping[str, Standing]
    by_message: Mapping[str, Sequence[Standing]]


@dataclass(slots=True)
class Outcome:
    """What the entries come to; `unmatched` are about no payout of ours."""

    judged: list[Judged] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)
    leftovers: list[Leftover] = field(default_factory=list)
    unmatched: list[Line] = field(default_factory=list)
    returned: list[Standing] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Fault:
    part: Line
    verdict: Verdict
    one: Standing | None


class _Before:
    """A settlement as it was before an entry's parts."""

    def __init__(self, one: Standing) -> None:
        self._one, self._status, self._is_shown = one, one.status, one.is_shown
        self._steps = len(one.steps)

    def restore(self) -> None:
        """It is so again."""
        self._one.status, self._one.is_shown = self._status, self._is_shown
        del self._one.steps[self._steps :]


def judge(lines: Iterable[Line], payouts: Payouts) -> Outcome:
    """Each line's verdict; the settlements' steps are in their standings.

    The parts of an entry follow it.
    """
    outcome = Outcome()
    entry, parts = None, list[Line]()
    for line in lines:
        if line.whole is not None:
            parts.append(line)
            continue
        if entry:
            _judge(entry, parts, payouts, outcome)
        entry, parts = line, []
    if entry:
        _judge(entry, parts, payouts, outcome)
    return outcome


def _judge(entry: Line, parts: list[Line], payouts: Payouts, outcome: Outcome) -> None:
    if not entry.amount:
        outcome.judged += [Judged(line.position, Verdict.NOTHING) for line in (entry, *parts)]
    elif parts:
        _judge_parts(entry, parts, payouts, outcome)
    elif one := payouts.by_reference.get(entry.end_to_end_id or ""):
        verdict = _verdict(entry, one, entry.amount)
        if verdict in GOOD:
            _apply(entry, one, verdict, outcome, position=entry.position)
        else:
            _leave(entry, verdict, one, outcome)
    elif members := _members(entry, payouts):
        _judge_file(entry, members, outcome)
    else:
        outcome.unmatched.append(entry)


def _members(entry: Line, payouts: Payouts) -> Sequence[Standing]:
    """What a debit without a reference of its own pays: all that is left of our file."""
    if entry.end_to_end_id is not None or not entry.is_debit or entry.is_return:
        return ()
    return payouts.by_message.get(entry.message_id or "", ())


def _verdict(line: Line, one: Standing, amount: int) -> Verdict:
    """What a line says of a settlement, to the cent, or why it is not about it."""
    if (line.mode, line.iban) != (one.mode, one.iban) or one.status is Status.REJECTED:
        return Verdict.EXTRA
    if line.currency != one.currency:
        return Verdict.CURRENCY
    if line.is_debit:
        return _verdict_of_debit(line, one, amount)
    if one.status is Status.RETURNED:
        return Verdict.DUPLICATE
    return Verdict.RETURNED if amount == one.amount else Verdict.AMOUNT


def _verdict_of_debit(line: Line, one: Standing, amount: int) -> Verdict:
    if line.is_return:
        return Verdict.EXTRA
    is_open = one.status in OPEN
    if not is_open and one.is_shown:
        return Verdict.DUPLICATE
    if amount != one.amount:
        return Verdict.AMOUNT
    return Verdict.PAID if is_open else Verdict.SHOWN


def _apply(
    line: Line,
    one: Standing,
    verdict: Verdict,
    outcome: Outcome,
    *,
    position: int,
    rule: str = BY_REFERENCE,
) -> None:
    """The settlement moves on; what books that books the entry at `position`."""
    if verdict is Verdict.RETURNED:
        # Money that came back had left, whether or not a statement has shown it.
        one.step(Status.PAID)
        one.step(Status.RETURNED, line.reason_code)
        outcome.returned.append(one)
        kind, amount = TransferKind.PAYOUT_RETURNED, one.amount
    else:
        if verdict is Verdict.PAID:
            one.step(Status.PAID)
        one.is_shown = True
        kind, amount = TransferKind.PAYOUT_PAID, -one.amount
    outcome.matches.append(Match(settlements.transfer_id(one.id, kind), position, rule, amount))
    if rule is BY_REFERENCE:
        outcome.judged.append(Judged(line.position, verdict, one.id))


def _leave(line: Line, verdict: Verdict, one: Standing | None, outcome: Outcome) -> None:
    outcome.judged.append(Judged(line.position, verdict))
    outcome.leftovers.append(Leftover(line, line.moved, verdict, one))


def _judge_file(entry: Line, members: Sequence[Standing], outcome: Outcome) -> None:
    """One debit for a whole file: all that it still has to pay, and nothing but that."""
    first = members[0]
    if (entry.mode, entry.iban, entry.currency) != (first.mode, first.iban, first.currency):
        _leave(entry, Verdict.EXTRA, None, outcome)
        return
    expected = [one for one in members if one.status in OPEN or _is_unshown(one)]
    if not expected:
        _leave(entry, Verdict.DUPLICATE, None, outcome)
    elif sum(one.amount for one in expected) != entry.amount:
        _leave(entry, Verdict.AMOUNT, None, outcome)
    else:
        outcome.judged.append(Judged(entry.position, Verdict.BATCH))
        for one in expected:
            verdict = Verdict.PAID if one.status in OPEN else Verdict.SHOWN
            _apply(entry, one, verdict, outcome, position=entry.position, rule=BY_MESSAGE)


def _is_unshown(one: Standing) -> bool:
    return one.status is Status.RETURNED and not one.is_shown


def _judge_parts(entry: Line, parts: list[Line], payouts: Payouts, outcome: Outcome) -> None:
    """One entry for many payments: what is ours of it is applied, the rest is left over.

    If ours is more than the whole, the entry is not what its parts say: nothing is applied.
    """
    tried = Outcome()
    before = [_Before(one) for part in parts if (one := _one(part, payouts))]
    bad = [fault for part in parts if (fault := _try(entry, part, payouts, tried))]
    rest = entry.moved - sum(match.amount for match in tried.matches)
    if not tried.matches:
        _leave_parts(entry, bad, outcome)
    elif rest * entry.moved < 0:
        for state in reversed(before):
            state.restore()
        outcome.judged += [Judged(part.position, Verdict.AMOUNT) for part in parts]
        _leave(entry, Verdict.AMOUNT, None, outcome)
    else:
        outcome.judged += [
            Judged(entry.position, Verdict.BATCH),
            *tried.judged,
            *(Judged(fault.part.position, fault.verdict) for fault in bad),
        ]
        outcome.matches += tried.matches
        outcome.returned += tried.returned
        if rest:
            only = bad[0] if len(bad) == 1 else _Fault(entry, Verdict.EXTRA, None)
            outcome.leftovers.append(Leftover(entry, rest, only.verdict, only.one))


def _leave_parts(entry: Line, bad: list[_Fault], outcome: Outcome) -> None:
    """Nothing of the entry was applied: it is ours and at fault, or somebody else's."""
    ours = [fault for fault in bad if fault.one]
    if not ours:
        outcome.judged += [Judged(fault.part.position, Verdict.NOTICE) for fault in bad]
        outcome.unmatched.append(entry)
        return
    outcome.judged += [Judged(fault.part.position, fault.verdict) for fault in bad]
    verdicts = {fault.verdict for fault in ours}
    verdict = verdicts.pop() if len(verdicts) == 1 else Verdict.EXTRA
    _leave(entry, verdict, ours[0].one if len(ours) == 1 else None, outcome)


def _one(part: Line, payouts: Payouts) -> Standing | None:
    return payouts.by_reference.get(part.end_to_end_id or "")


def _try(entry: Line, part: Line, payouts: Payouts, tried: Outcome) -> _Fault | None:
    """The part's fault, or None when it was applied."""
    one = _one(part, payouts)
    if one is None:
        return _Fault(part, Verdict.EXTRA, None)
    verdict = _verdict(part, one, one.amount if part.amount is None else part.amount)
    if verdict not in GOOD:
        return _Fault(part, verdict, one)
    _apply(part, one, verdict, tried, position=entry.position)
    return None

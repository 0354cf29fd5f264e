"""What a bank's words do, without a database: statuses and entries against settlements."""

import datetime as dt
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paynexus.ids import MerchantId, SettlementId
from paynexus.settlement.model import MOVES, Status
from paynexus.settlement.statements import answers, entries, model
from paynexus.settlement.statements.answers import Heard
from paynexus.settlement.statements.entries import Payouts
from paynexus.settlement.statements.model import Answer, Asked, Line, Standing, Verdict

AT = dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
IBAN = "NL41MOCK0000000001"
FILE = Asked("PNX-1", "test", "EUR", 5_000, 1)
OVER = {Status.PAID, Status.RETURNED}


def _standing(status: Status = Status.INSTRUCTED, number: int = 1, amount: int = 5_000) -> Standing:
    return Standing(
        id=SettlementId(UUID(int=number)),
        end_to_end_id=f"SET-{number}",
        message_id="PNX-1",
        mode="test",
        currency="EUR",
        amount=amount,
        status=status,
        merchant_id=MerchantId(UUID(int=1)),
        cutoff=AT,
        iban=IBAN,
        is_shown=status in OVER,
    )


def _line(position: int = 0, **changes: Any) -> Line:  # noqa: ANN401 - a line's fields
    line = Line(
        position=position,
        whole=None,
        end_to_end_id="SET-1",
        message_id=None,
        amount=5_000,
        currency="EUR",
        is_debit=True,
        is_return=False,
        reason_code=None,
        booked_on=AT.date(),
        iban=IBAN,
        mode="test",
    )
    return replace(line, **changes)


def _says(one: Standing, code: str, *, after: dt.timedelta = HOUR) -> answers.Outcome:
    heard = Heard([one], {"PNX-1": FILE}, AT + after, {one.id: AT})
    return answers.judge([Answer(0, "PNX-1", one.end_to_end_id, code, "AC04")], heard)


def _books(*lines: Line, of: list[Standing]) -> entries.Outcome:
    by_reference = {one.end_to_end_id: one for one in of}
    return entries.judge(lines, Payouts(by_reference, {"PNX-1": of}))


@pytest.mark.parametrize("code", ["ACCP", "ACSC", "RJCT", "CANC", "PDNG", "RCVD", "XXXX"])
@pytest.mark.parametrize("status", list(Status))
def test_an_answer_moves_a_settlement_along_the_table_or_not_at_all(
    status: Status, code: str
) -> None:
    """Whatever the bank says whenever, no forbidden move comes of it."""
    one = _standing(status)
    _says(one, code)
    _require_allowed(status, one)


@pytest.mark.parametrize(
    ("status", "accepted", "rejected"),
    [
        (Status.PENDING, Verdict.ACCEPTED, Verdict.REJECTED),
        (Status.INSTRUCTED, Verdict.ACCEPTED, Verdict.REJECTED),
        (Status.ACCEPTED, Verdict.KNOWN, Verdict.REJECTED),
        (Status.PAID, Verdict.KNOWN, Verdict.CONTRADICTION),
        (Status.REJECTED, Verdict.CONTRADICTION, Verdict.KNOWN),
        (Status.RETURNED, Verdict.KNOWN, Verdict.KNOWN),
    ],
)
def test_a_yes_a_no_and_neither(status: Status, accepted: Verdict, rejected: Verdict) -> None:
    """The same said twice changes nothing; what contradicts the end is for people to see."""

    def said(*codes: str) -> set[Verdict]:
        return {_says(_standing(status), code).judged[0].verdict for code in codes}

    assert said("ACCP", "ACTC", "ACSP", "ACWC", "ACSC", "ACCC") == {accepted}
    assert said("RJCT", "CANC") == {rejected}
    assert said("PDNG", "RCVD", "XXXX", "") == {Verdict.NO_DECISION}


@pytest.mark.parametrize("after", [-HOUR, dt.timedelta()])
def test_a_yes_that_was_given_before_the_no_is_no_contradiction(after: dt.timedelta) -> None:
    """Files come in any order: what the bank wrote last is what it means."""
    outcome = _says(_standing(Status.REJECTED), "ACCP", after=after)

    assert outcome.judged[0].verdict is Verdict.OUTDATED
    assert outcome.found == []


@pytest.mark.parametrize(("sends", "breaks"), [(1, 1), (2, 0)])
def test_a_duplicate_is_no_rejection(sends: int, breaks: int) -> None:
    """The file that came first still counts; if we sent it twice, nobody is told."""
    one = _standing()
    heard = Heard([one], {"PNX-1": replace(FILE, sends=sends)}, AT, {})
    outcome = answers.judge([Answer(0, "PNX-1", None, "RJCT", "DUPL")], heard)

    assert [judged.verdict for judged in outcome.judged] == [Verdict.DUPLICATE_FILE]
    assert (one.steps, len(outcome.found)) == ([], breaks)


@pytest.mark.parametrize(
    ("changes", "status", "expected"),
    [
        ({}, Status.PENDING, Verdict.PAID),
        ({}, Status.INSTRUCTED, Verdict.PAID),
        ({}, Status.ACCEPTED, Verdict.PAID),
        ({}, Status.PAID, Verdict.DUPLICATE),
        ({}, Status.RETURNED, Verdict.DUPLICATE),
        ({}, Status.REJECTED, Verdict.EXTRA),
        ({"is_debit": False}, Status.PAID, Verdict.RETURNED),
        ({"is_debit": False}, Status.ACCEPTED, Verdict.RETURNED),
        ({"is_debit": False}, Status.RETURNED, Verdict.DUPLICATE),
        ({"is_debit": False}, Status.REJECTED, Verdict.EXTRA),
        ({"is_debit": False, "amount": 4_900}, Status.PAID, Verdict.AMOUNT),
        ({"iban": "DE89370400440532013000"}, Status.ACCEPTED, Verdict.EXTRA),
        ({"mode": "live"}, Status.ACCEPTED, Verdict.EXTRA),
        ({"amount": 4_999}, Status.ACCEPTED, Verdict.AMOUNT),
        ({"currency": "USD"}, Status.ACCEPTED, Verdict.CURRENCY),
        ({"is_return": True}, Status.PAID, Verdict.EXTRA),
        ({"amount": 0}, Status.ACCEPTED, Verdict.NOTHING),
    ],
)
def test_only_the_exact_movement_pays(
    changes: dict[str, Any], status: Status, expected: Verdict
) -> None:
    """A line that differs in amount, currency, account, side or time is not this payment."""
    one = _standing(status)
    outcome = _books(_line(**changes), of=[one])

    assert [judged.verdict for judged in outcome.judged] == [expected]
    _require_allowed(status, one)
    _require_whole(outcome, [_line(**changes)])


def test_the_debit_of_what_came_back_before_is_its_own() -> None:
    """A return proves the payment, and the payment's own line then moves nothing more."""
    one = _standing()
    outcome = _books(_line(0, is_debit=False, is_return=True), _line(1), _line(2), of=[one])

    assert [judged.verdict for judged in outcome.judged] == ["returned", "shown", "duplicate"]
    assert [step.status for step in one.steps] == [Status.PAID, Status.RETURNED]
    assert [match.amount for match in outcome.matches] == [5_000, -5_000]
    assert [left.amount for left in outcome.leftovers] == [-5_000]


def test_a_batch_pays_its_parts() -> None:
    """With amounts or without; what isn't ours of it is left over."""
    several = [_standing(number=n, amount=n * 100) for n in (1, 2)]
    whole = _line(0, end_to_end_id=None, amount=350)
    parts = [
        _line(1, whole=0, amount=None),
        _line(2, whole=0, end_to_end_id="SET-2", amount=200),
        _line(3, whole=0, end_to_end_id="OTHER", amount=50),
    ]
    outcome = _books(whole, *parts, of=several)

    assert {judged.position: judged.verdict for judged in outcome.judged} == {
        0: "batch",
        1: "paid",
        2: "paid",
        3: "extra",
    }
    assert [left.amount for left in outcome.leftovers] == [-50]
    _require_whole(outcome, [whole])


def test_a_batch_that_is_less_than_its_parts_pays_nothing() -> None:
    """Its whole amount moved, for a reason that is not what its parts say."""
    several = [_standing(number=n, amount=n * 100) for n in (1, 2)]
    whole = _line(0, end_to_end_id=None, amount=250)
    parts = [_line(n, whole=0, end_to_end_id=f"SET-{n}", amount=None) for n in (1, 2)]
    outcome = _books(whole, *parts, of=several)

    assert [one.steps for one in several] == [[], []]
    assert {judged.verdict for judged in outcome.judged} == {Verdict.AMOUNT}
    _require_whole(outcome, [whole])


def test_a_debit_for_a_whole_file_pays_all_that_is_left_of_it() -> None:
    """What was rejected is not in it; another sum is not this file's."""
    rejected = _standing(Status.REJECTED, 1, 100)
    several = [rejected, *(_standing(number=n, amount=n * 100) for n in (2, 3))]
    line = _line(end_to_end_id=None, message_id="PNX-1")

    wrong = _books(replace(line, amount=600), of=several)
    right = _books(replace(line, amount=500), of=several)
    again = _books(replace(line, amount=500), of=several)

    assert [outcome.judged[0].verdict for outcome in (wrong, right, again)] == [
        Verdict.AMOUNT,
        Verdict.BATCH,
        Verdict.DUPLICATE,
    ]
    assert [match.amount for match in right.matches] == [-200, -300]


@given(st.data())
def test_every_entry_moves_cash_by_its_whole_amount(data: st.DataObject) -> None:
    """Whatever lines come on whatever settlements: matched, left over or unmatched, to the cent."""
    amounts = st.sampled_from([100, 200, 300])
    several = [
        _standing(data.draw(st.sampled_from(list(Status))), n, data.draw(amounts))
        for n in range(1, 4)
    ]
    starts = [one.status for one in several]
    references = st.sampled_from([None, "SET-1", "SET-2", "SET-3", "OTHER"])
    lines: list[Line] = []
    for _ in range(data.draw(st.integers(1, 6))):
        whole = _line(
            len(lines),
            end_to_end_id=data.draw(references),
            message_id=data.draw(st.sampled_from([None, "PNX-1"])),
            amount=data.draw(st.sampled_from([100, 200, 300, 500, 600])),
            is_debit=data.draw(st.booleans()),
            is_return=data.draw(st.booleans()),
        )
        lines.append(whole)
        for _ in range(data.draw(st.sampled_from([0, 0, 2, 3]))):
            part = replace(
                whole,
                position=len(lines),
                whole=whole.position,
                end_to_end_id=data.draw(references),
                amount=data.draw(st.sampled_from([None, 100, 200])),
            )
            lines.append(part)
    outcome = _books(*lines, of=several)

    _require_whole(outcome, [line for line in lines if line.whole is None])
    for start, one in zip(starts, several, strict=True):
        _require_allowed(start, one)
    judged = [one.position for one in outcome.judged]
    open_ones = {line.position for line in outcome.unmatched}
    assert sorted({*judged, *open_ones}) == [line.position for line in lines]
    assert len(judged) == len(set(judged))


def _require_whole(outcome: entries.Outcome, lines: list[Line]) -> None:
    moved = {line.position: 0 for line in lines}
    for match in outcome.matches:
        moved[match.position] += match.amount
    for left in outcome.leftovers:
        moved[left.line.position] += left.amount
    for line in outcome.unmatched:
        moved[line.position] += line.moved
    assert moved == {line.position: line.moved for line in lines}
    assert len({match.transfer_id for match in outcome.matches}) == len(outcome.matches)


def _require_allowed(start: Status, one: Standing) -> None:
    for step in one.steps:
        assert step.status in MOVES[start]
        start = step.status
    assert start is one.status


def test_lines_have_names_of_their_own() -> None:
    """In breaks, in transfers, and as the ids of bookings; pinned, since booked once is booked."""
    sha256 = bytes(range(32))

    assert model.line_subject(sha256, 7) == "bank_line:0001020304050607:7"
    assert model.line_object_id(sha256, 7).startswith("bln_")
    assert str(model.line_transfer_id(sha256, 7)) == "7019cab8-7246-8208-8d66-73982a39bb84"
    assert model.line_transfer_id(sha256, 7) != model.line_transfer_id(sha256, 8)

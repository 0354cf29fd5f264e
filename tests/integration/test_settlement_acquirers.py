"""Gateways' settlement files against the ledger, and payouts against what arrives at the bank."""

import datetime as dt
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from paynexus import ids
from paynexus.db import Database
from paynexus.errors import BankFileRefused, DatabaseUnavailable
from paynexus.gateways.port import Instruction, Operation, Outcome, Result
from paynexus.ids import AttemptId
from paynexus.money import Money
from paynexus.payments import authority, operations, pursuit, sweeper
from paynexus.payments.store import attempts
from paynexus.settlement.acquirers import service
from paynexus.settlement.acquirers.model import Payout
from tests import shown_by_the_bank
from tests.acquirer_files import AcquirerDay, reference_of
from tests.flow import Flow
from tests.sandbox import Sandbox
from tools.sandbox_acquirer.settlement import FileFault


@pytest.fixture
def day(flow: Flow, sandbox: Sandbox) -> Iterator[AcquirerDay]:
    """A day at the acquirer; in the end a bank has shown what came and went."""
    yield AcquirerDay(flow, sandbox)
    shown_by_the_bank.show(flow.database, now=flow.now)


def test_a_day_is_explained_to_the_cent(day: AcquirerDay) -> None:
    """Each line is matched, each fee booked; when the payout arrives, nothing is left."""
    day.trade()

    taken = day.take()
    [arrival] = day.arrive()
    day.take(after_days=10)

    assert day.verdicts() == {"matched": taken.lines}
    assert taken.lines == 14
    assert arrival.rule == "gateway_payout_reference"
    assert day.balance("gateway_receivable") == 0
    assert day.balance("cash") + day.balance("gateway_costs") > 0
    assert day.breaks() == []


PLANTED = {
    FileFault.DROP: ("missing", "transfer:", -2500),
    FileFault.DOUBLE: ("duplicate", "gateway_line:", 2500),
    FileFault.AMOUNT: ("amount", "gateway_line:", 100),
    FileFault.FEE: ("fee", "gateway_line:", 7),
    FileFault.CURRENCY: ("currency", "gateway_line:", 2500),
    FileFault.LATE: ("timing", "gateway_line:", 0),
    FileFault.UNKNOWN: ("extra", "gateway_line:", 1000),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_one_break_of_its_type(day: AcquirerDay, fault: FileFault) -> None:
    """And nothing besides, when all that can be known is known; its amount is what is left."""
    day.agree_on_fees()
    day.trade()
    victim = day.flow.take(amount=2500)[0]
    reference = "chg_nobody" if fault is FileFault.UNKNOWN else reference_of(victim)
    day.plant(fault, reference)

    day.take()
    day.arrive()
    tomorrow = day.day + dt.timedelta(days=1)
    day.take(tomorrow, after_days=2)
    day.arrive(tomorrow)
    day.take(after_days=10)

    type_, subject, amount = PLANTED[fault]
    [found] = day.breaks()
    assert (found[0], found[2]) == (type_, amount)
    assert found[1].startswith(subject)
    assert len(day.breaks(are_open=True)) == (0 if fault is FileFault.LATE else 1)
    assert day.balance("gateway_receivable") == LEFT.get(fault, 0)


LEFT = {
    FileFault.DROP: 2500,
    FileFault.DOUBLE: -2500,
    FileFault.AMOUNT: -100,
    FileFault.CURRENCY: 2500,
    FileFault.UNKNOWN: -1000,
}
"""What the gateway still owes when a fault is paid as it stands in the file."""


def test_a_file_counts_once_however_often_and_at_once(
    day: AcquirerDay, another_database: Callable[[], Database]
) -> None:
    """Of five at once one is new; the same lines in other bytes are repetitions."""
    day.trade()
    days = [
        AcquirerDay(replace(day.flow, database=another_database()), day.sandbox) for _ in range(5)
    ]

    with ThreadPoolExecutor(5) as pool:
        taken = list(pool.map(lambda one: one.take(), days))
    again = day.give(day.file(), f"copy-of-{day.day}.csv")
    head, first, *rest = day.file().splitlines(keepends=True)
    turned = day.give("".join([head, *reversed(rest), first]), f"{day.day}-again.csv")

    assert sorted(one.is_repeated for one in taken) == [False, True, True, True, True]
    assert again.is_repeated
    assert not turned.is_repeated
    assert day.verdicts() == {"matched": 14, "repeated": 14}
    day.arrive()
    assert day.balance("gateway_receivable") == 0
    assert day.breaks() == []


def test_two_files_with_the_same_line_at_once_make_one_duplicate(
    day: AcquirerDay, another_database: Callable[[], Database]
) -> None:
    """Under a line of its own number: the second is not the first again."""
    day.flow.take(amount=1000)
    head, line = day.file().splitlines(keepends=True)
    other = AcquirerDay(replace(day.flow, database=another_database()), day.sandbox)
    second = head + line.replace(line.split(",")[0], "999", 1)

    with ThreadPoolExecutor(2) as pool:
        pool.submit(day.give, head + line, "one.csv")
        pool.submit(other.give, second, "two.csv")

    assert day.verdicts() == {"matched": 1, "duplicate": 1}
    [(type_, _, amount)] = day.breaks()
    assert (type_, amount) == ("duplicate", 1000)


@pytest.mark.parametrize("token", ["tok_disconnect_after", "tok_refund_disconnect_after"])
def test_an_unknown_outcome_is_settled_by_the_file(day: AcquirerDay, token: str) -> None:
    """The gateway's file is the last authority; a second look has nothing to prove any more."""
    payment_id = day.flow.take(token, amount=1000)[0]
    if "refund" in token:
        day.flow.operate(Operation.REFUND, payment_id, operations.refund, amount=300, reason=None)

    day.take()
    day.take()

    payment = day.flow.payment(payment_id)
    assert (str(payment.status), payment.refunding_amount) == ("COMPLETED", 0)
    assert len(day.proved) == 1
    assert set(day.verdicts()) == {"matched"}
    assert day.breaks() == []
    day.arrive()
    assert day.balance("gateway_receivable") == 0


def test_a_run_that_dies_before_its_proofs_is_made_good_by_the_next(day: AcquirerDay) -> None:
    """The line waits; the same file, taken again, finds what is not proven yet."""
    payment_id = day.flow.take("tok_disconnect_after", amount=1000)[0]

    with pytest.raises(Killed):
        service.take(
            day.flow.database,
            io.BytesIO(day.file().encode()),
            name=f"gateways/sandbox/{day.day}.csv",
            prove=_die,
            now=day.flow.now,
        )
    assert day.verdicts() == {"waiting": 1}
    again = day.take()

    assert again.is_repeated
    assert again.proved == 1
    assert str(day.flow.payment(payment_id).status) == "COMPLETED"
    assert day.verdicts() == {"matched": 1}
    assert day.breaks() == []


def test_a_proof_that_fails_keeps_none_of_the_others(day: AcquirerDay) -> None:
    """And is tried again before its line has waited in vain, however long nobody came by."""
    one, two = (day.flow.take("tok_disconnect_after", amount=1000)[0] for _ in range(2))

    def prove(reference: str, result: Result, now: dt.datetime) -> None:
        if reference == reference_of(one):
            raise DatabaseUnavailable("not now")
        day.prove(reference, result, now)

    name = f"gateways/sandbox/{day.day}.csv"
    with pytest.raises(DatabaseUnavailable):
        service.take(
            day.flow.database,
            io.BytesIO(day.file().encode()),
            name=name,
            prove=prove,
            now=day.flow.now,
        )
    assert str(day.flow.payment(two).status) == "COMPLETED"
    assert day.verdicts() == {"matched": 1, "waiting": 1}
    day.arrive()

    day.take(after_days=30)

    assert day.verdicts() == {"matched": 2}
    assert day.breaks() == []


@pytest.mark.parametrize(
    ("fault", "type_", "amount"),
    [(FileFault.AMOUNT, "amount", 100), (FileFault.CURRENCY, "currency", 1000)],
)
def test_a_line_that_differs_proves_nothing(
    day: AcquirerDay, fault: FileFault, type_: str, amount: int
) -> None:
    """It is a break, and the outcome stays unknown; found out otherwise, it is none besides."""
    payment_id = day.flow.take("tok_disconnect_after", amount=1000)[0]
    day.plant(fault, reference_of(payment_id))

    day.take()
    day.arrive()

    assert str(day.flow.payment(payment_id).status) == "UNKNOWN"
    assert day.proved == []
    authority.settle_unknown(
        day.flow.database, reference_of(payment_id), Result(Outcome.APPROVED), now=day.flow.now
    )
    day.take(after_days=10)
    [(found, _, off)] = day.breaks()
    assert (found, off) == (type_, amount)


def test_money_that_came_late_is_booked_and_goes_back(day: AcquirerDay) -> None:
    """A charge that was proven void and was taken all the same: both lines have their transfer."""
    payment_id = day.flow.take("tok_disconnect_after", amount=1000)[0]
    settled = authority.settle_unknown(
        day.flow.database,
        reference_of(payment_id),
        Result(Outcome.DECLINED, code="expired_card"),
        now=day.flow.now,
    )
    assert settled is authority.Settled.SETTLED

    today = day.day
    day.take(today)
    day.flow.now += dt.timedelta(days=1, minutes=10)
    sweeper.sweep(day.flow.database, day.flow.run, now=day.flow.now)
    day.take(today, after_days=0)

    assert str(day.flow.payment(payment_id).status) == "FAILED"
    assert day.verdicts() == {"matched": 2, "repeated": 1}
    day.arrive(today)
    day.take(today, after_days=10)
    assert day.balance("suspense") == 0
    assert day.balance("gateway_receivable") == 0
    assert day.breaks() == []


def test_a_charge_and_its_cancel_undo_each_other(day: AcquirerDay) -> None:
    """Where the books know of neither, both lines are explained by each other."""
    payment_id = day.flow.take("tok_disconnect_after", amount=1000)[0]
    reference = reference_of(payment_id)
    [(attempt,)] = day.ask("SELECT id FROM attempts WHERE reference = %s", reference)
    with day.flow.database.transaction() as tx:
        cancel = ids.text(pursuit.CALL_OFF_PREFIX, attempt)
        attempts.call_off(tx, attempt, AttemptId(ids.new_id()), cancel, now=day.flow.now)
    day.sandbox.gateway.send(
        Instruction(Operation.CANCEL, cancel, Money(1000, "EUR"), original_reference=reference),
        deadline_seconds=5,
    )

    day.take()

    assert day.verdicts() == {"offset": 2}
    assert day.proved == []
    assert day.breaks() == []


def test_an_unknown_line_is_explained_when_its_transfer_comes(day: AcquirerDay) -> None:
    """A dispute that we had not heard of waits, is a break after days, and ends by itself."""
    payment_id = day.flow.take(amount=1000)[0]
    name = day.payers.open(payment_id, 400)

    day.take()
    assert day.verdicts() == {"matched": 1, "waiting": 1}
    day.take(after_days=5)
    assert [(one[0], one[2]) for one in day.breaks(are_open=True)] == [
        ("extra", -400),
        ("timing", -598),
    ]
    day.payers.learn(name)
    day.arrive()
    day.take(after_days=6)

    assert day.breaks(are_open=True) == []
    assert day.verdicts() == {"matched": 1, "timing": 1}
    assert day.balance("gateway_receivable") == 0


def test_what_is_missing_ends_as_timing_when_a_later_file_has_it(day: AcquirerDay) -> None:
    """One break a transfer, however often the books are looked through."""
    day.flow.take(amount=1000)
    late = day.flow.take(amount=2500)[0]
    whole = day.file()
    day.plant(FileFault.DROP, reference_of(late))
    day.take()
    day.arrive()
    day.take(after_days=5)
    day.take(after_days=9)
    assert [(one[0], one[2]) for one in day.breaks(are_open=True)] == [("missing", -2500)]

    head, _, line = whole.splitlines(keepends=True)
    day.give(head + line.replace("SBX-", "SBX-LATER-"), f"{day.day}-rest.csv", after_days=10)

    [(_, subject, _)] = day.breaks(are_open=True)
    assert subject.startswith("gateway_payout:sandbox:SBX-LATER-")
    assert day.ask("SELECT resolution FROM breaks WHERE type = 'missing'") == [("timing",)]
    assert day.verdicts() == {"matched": 2}


class Killed(BaseException):
    """The process dies here."""


def _die(reference: str, result: Result, now: dt.datetime) -> None:
    raise Killed


def test_fees_that_nobody_agreed_on_are_booked_unchecked(day: AcquirerDay) -> None:
    """What the gateway keeps is what it keeps."""
    victim = day.flow.take(amount=2500)[0]
    day.plant(FileFault.FEE, reference_of(victim))

    day.take()

    assert day.balance("gateway_costs") == 5 + 7
    assert day.breaks() == []


def test_a_file_of_hardly_this_account_is_refused(
    day: AcquirerDay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More breaks than a person can look at are one mistake; nothing is applied."""
    monkeypatch.setattr(service, "BREAKS_MAX", 2)
    day.flow.take(amount=1000)
    head, line = day.file().splitlines(keepends=True)
    text = head + line + "".join(line.replace("chg_", f"chg_{n}", 1) for n in range(3))

    with pytest.raises(BankFileRefused, match="more than 2 lines can't be explained"):
        day.give(text, "other.csv")
    assert day.verdicts() == {}
    assert day.balance("gateway_costs") == 0


def test_a_payout_may_come_in_parts_but_not_twice(day: AcquirerDay) -> None:
    """Parts that add up are no break, in one statement or in two; more than that is a duplicate."""
    day.flow.take(amount=1000)
    day.take()
    text = f"REF/{day.payouts()[0]['reference'].replace('-', '')}"

    day.bank(day.credit(500, text), day.credit(400, text))
    assert [(one[0], one[2]) for one in day.breaks(are_open=True)] == [("amount", -98)]
    day.bank(day.credit(98, text))
    assert day.breaks(are_open=True) == []
    assert day.balance("gateway_receivable") == 0
    day.bank(day.credit(998, text))

    assert [(one[0], one[2]) for one in day.breaks(are_open=True)] == [("duplicate", 998)]
    assert day.balance("gateway_receivable") == -998


def test_a_payout_is_found_by_its_amount_where_no_other_can_be_meant(day: AcquirerDay) -> None:
    """Within days; not two alike, not of another currency or mode, not a little off."""
    day.flow.take(amount=1000)
    day.take()
    first = day.credit(998, "whatever")

    assert day.bank(first, day.credit(998, "whatever")) == []
    assert day.bank(day.credit(998, currency="USD"), day.credit(997)) == []
    assert day.bank(replace(first, mode="live"), day.credit(998, after_days=5)) == []
    [arrival] = day.bank(replace(first, key=(first.key[0], 99)), day.credit(997))

    assert (arrival.rule, arrival.key[1]) == ("amount_and_day", 99)
    assert day.breaks() == []
    assert day.bank(day.credit(998)) == []


def test_an_acquirer_may_pay_each_payment_by_itself(day: AcquirerDay) -> None:
    """Then our own reference names it; what comes twice is a duplicate."""
    payment_id = day.flow.take(amount=1000)[0]
    refused = day.flow.take("tok_decline", amount=700)[0]
    texts = f"EREF {reference_of(payment_id).replace('_', '').upper()} THANK YOU"

    [arrival] = day.bank(day.credit(1000, texts), day.credit(700, reference_of(refused)))
    assert arrival.rule == "attempt_reference"
    assert day.balance("gateway_receivable") == 0
    assert day.breaks() == []

    day.bank(day.credit(1000, texts))
    assert [(one[0], one[2]) for one in day.breaks()] == [("duplicate", 1000)]


def test_a_payout_of_another_amount_or_day_is_a_break(day: AcquirerDay) -> None:
    """What came is booked, what lacks is left; lateness ends with the money."""
    day.flow.take(amount=1000)
    day.take()
    day.take(after_days=6)
    [overdue] = day.breaks(are_open=True)
    assert (overdue[0], overdue[2]) == ("timing", -998)

    day.bank(day.credit(950, str(day.payouts()[0]["reference"]), after_days=6))

    assert [(one[0], one[2]) for one in day.breaks(are_open=True)] == [("amount", -48)]
    assert day.balance("gateway_receivable") == 48


def test_what_a_gateway_collects_is_a_payout_too(day: AcquirerDay) -> None:
    """More went back than was taken: the bank takes it from our account."""
    yesterday = day.day
    payment_id = day.flow.take(amount=1000)[0]
    whole = day.file()
    day.flow.operate(Operation.REFUND, payment_id, operations.refund, amount=900, reason=None)
    head, _, refund = day.file().splitlines(keepends=True)
    day.give(whole, f"{yesterday}.csv")
    day.give(head + refund.replace("SBX-", "SBX-B"), "second.csv")

    day.bank(day.credit(998, f"SBX-{yesterday:%Y%m%d}-EUR"))
    [arrival] = day.bank(day.credit(-900, f"SBX-B{yesterday:%Y%m%d}-EUR"))

    assert arrival.transfers[0].money.amount == 900
    assert day.balance("cash") == 98
    assert day.balance("gateway_receivable") == 0
    assert day.breaks() == []


def test_lines_that_come_after_their_payout_are_a_break(day: AcquirerDay) -> None:
    """What arrived is no longer what was told."""
    day.flow.take(amount=1000)
    day.take()
    day.arrive()
    day.flow.take(amount=500)

    day.give(day.file(), f"{day.day}-more.csv")

    [(type_, subject, amount)] = day.breaks()
    assert (type_, amount) == ("amount", -499)
    assert subject.startswith("gateway_payout:sandbox:SBX-")


def test_what_a_gateway_said_is_never_rewritten(day: AcquirerDay) -> None:
    """By whomever."""
    day.flow.take(amount=1000)
    day.take()
    day.arrive()
    for change in (
        "UPDATE gateway_lines SET gross = gross + 1, net = net + 1",
        "UPDATE gateway_lines SET verdict = 'extra'",
        "DELETE FROM gateway_lines",
        "UPDATE gateway_files SET lines = 2",
        "DELETE FROM gateway_files",
        "UPDATE gateway_payouts SET arrived_at = now() + INTERVAL '1 day'",
        "UPDATE gateway_payouts SET reference = 'another'",
        "DELETE FROM gateway_payouts",
    ):
        with pytest.raises(psycopg.Error, match=r"never|once"):
            day.ask(change)


def test_ids_in_sql_are_those_of_python(day: AcquirerDay) -> None:
    """What the audit compares."""
    value = ids.new_id()
    payout = Payout("sandbox", "test", "EUR", "SBX-1", 1, day.day)

    assert day.ask("SELECT public_id('gpo', %s)", value) == [(ids.text("gpo", value),)]
    query = "SELECT gateway_payout_id('sandbox', 'test', 'SBX-1')"
    assert day.ask(query) == [(payout.id,)]

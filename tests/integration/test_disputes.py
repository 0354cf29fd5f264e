"""Disputes on real parts: money taken by the acquirer, covered, borne or given back."""

import datetime as dt
from dataclasses import dataclass

import psycopg
import pytest

from paynexus import ids
from paynexus.errors import InvalidRequest
from paynexus.gateways.port import DisputeState, GatewayDispute, Operation, Outcome, Result
from paynexus.ids import PaymentId
from paynexus.lists.model import Page
from paynexus.money import Money
from paynexus.payments import authority, cases, disputes, operations, pursuit
from paynexus.payments.dispute import Dispute, DisputeStatus
from paynexus.payments.disputes import ASKED_AGAIN_AFTER
from paynexus.payments.verdicts import Verdict
from tests.disputing import Bank
from tests.flow import Flow
from tests.sandbox import Sandbox
from tools.sandbox_acquirer.disputes import Outcome as End

SQL_BALANCES = """
SELECT a.type, sum(b.debits_posted - b.credits_posted)::BIGINT,
    sum(b.debits_pending - b.credits_pending)::BIGINT
FROM accounts AS a INNER JOIN account_balances AS b ON b.account_id = a.id
WHERE a.type IN ('gateway_receivable', 'merchant_payable', 'dispute', 'suspense')
GROUP BY a.type
"""


type Words = dict[str, DisputeState | Money]


@dataclass
class World(Bank):
    """What there is to see of it."""

    def one(self) -> Dispute:
        """The only dispute on record."""
        flow = self.flow
        found, more = disputes.page(flow.database, flow.merchant, "test", Page(1))
        assert not more
        return found[0]

    def balances(self) -> dict[str, tuple[int, int]]:
        """Posted and pending, debit-positive, by account."""
        rows = self.flow.database.connection().execute(SQL_BALANCES).fetchall()
        return {row[0]: (row[1], row[2]) for row in rows}

    def told(self) -> list[tuple[str, int]]:
        """Events about disputes, and their places in the order."""
        rows = self.flow.database.connection().execute(
            "SELECT type, sequence FROM events WHERE type LIKE 'dispute.%' ORDER BY created_at"
        )
        return [(row[0], row[1]) for row in rows]

    def cases(self) -> list[tuple[str, str, str | None]]:
        """Kind, state and resolution of all cases."""
        rows = self.flow.database.connection().execute(
            "SELECT kind, state, resolution FROM cases ORDER BY opened_at, kind"
        )
        return [(row[0], row[1], row[2]) for row in rows]


@pytest.fixture
def bank(flow: Flow, sandbox: Sandbox) -> World:
    """A payer's bank."""
    return World(flow, sandbox)


def refund(flow: Flow, payment_id: PaymentId, amount: int) -> int:
    """The status that a refund is answered with."""
    return flow.operate(
        Operation.REFUND, payment_id, operations.refund, amount=amount, reason=None
    ).status


def test_an_open_dispute_reserves_what_the_merchant_may_lose(bank: World) -> None:
    """The acquirer has the money: it stands on the dispute's account, and waits at the merchant."""
    payment_id, _ = bank.flow.take(amount=1000)
    before = bank.balances()

    assert bank.learn(bank.open(payment_id)) is Verdict.CONFIRMED

    dispute, payment = bank.one(), bank.flow.payment(payment_id)
    assert (dispute.status, dispute.money, dispute.covered_amount) == (
        DisputeStatus.OPEN,
        Money(1000, "EUR"),
        1000,
    )
    assert (payment.disputed_amount, payment.refundable_amount) == (1000, 0)
    after = bank.balances()
    assert after["gateway_receivable"][0] == before["gateway_receivable"][0] - 1000
    assert after["dispute"] == (1000, -1000)
    assert after["merchant_payable"] == (before["merchant_payable"][0], 1000)
    assert bank.told() == [("dispute.opened.v1", 1)]
    assert bank.cases() == []


def test_a_won_dispute_leaves_no_trace_in_any_balance(bank: World) -> None:
    """The gateway gave the money back, and all of it may be refunded again."""
    payment_id, _ = bank.flow.take(amount=1000)
    before = bank.balances()
    name = bank.open(payment_id, 400)
    bank.learn(name)

    bank.close(name, End.WON)
    assert bank.learn(name) is Verdict.CONFIRMED

    assert bank.one().status is DisputeStatus.WON
    assert {k: v for k, v in bank.balances().items() if v != (0, 0)} == before
    assert bank.flow.payment(payment_id).refundable_amount == 1000
    assert bank.told() == [("dispute.opened.v1", 1), ("dispute.won.v1", 2)]
    assert refund(bank.flow, payment_id, 1000) == 201


def test_a_lost_dispute_is_the_merchants_loss(bank: World) -> None:
    """It pays what was covered; the dispute's account is empty again."""
    payment_id, _ = bank.flow.take(amount=1000)
    before = bank.balances()
    name = bank.open(payment_id, 400)
    bank.learn(name)

    bank.close(name, End.LOST)
    assert bank.learn(name) is Verdict.CONFIRMED

    after = bank.balances()
    assert after["dispute"] == (0, 0)
    assert after["merchant_payable"] == (before["merchant_payable"][0] + 400, 0)
    assert bank.flow.payment(payment_id).refundable_amount == 600
    assert bank.told() == [("dispute.opened.v1", 1), ("dispute.lost.v1", 2)]
    assert refund(bank.flow, payment_id, 600) == 201


@pytest.mark.parametrize("end", list(End))
def test_an_end_that_is_heard_of_first_opens_the_dispute_too(bank: World, end: End) -> None:
    """Nobody told us of its opening: both are on record and told, in their order."""
    payment_id, _ = bank.flow.take(amount=1000)
    name = bank.open(payment_id)
    bank.close(name, end)

    assert [bank.learn(name) for _ in range(3)] == [Verdict.CONFIRMED] * 3

    assert bank.one().status == end.upper()
    assert bank.told() == [("dispute.opened.v1", 1), (f"dispute.{end}.v1", 2)]


def test_what_was_refunded_before_is_a_persons_business(bank: World) -> None:
    """The payer has it twice: once the dispute is lost, the excess stands in suspense."""
    payment_id, _ = bank.flow.take(amount=1000)
    refund(bank.flow, payment_id, 700)
    name = bank.open(payment_id)

    bank.learn(name)
    assert (bank.one().covered_amount, bank.one().excess) == (300, 700)
    assert bank.cases() == [("dispute_excess", "OPEN", None)]
    bank.close(name, End.LOST)
    bank.learn(name)

    assert bank.balances()["suspense"] == (700, 0)
    assert bank.balances()["dispute"] == (0, 0)
    assert bank.cases() == [("dispute_excess", "OPEN", None)]


def test_the_case_closes_when_the_dispute_is_won(bank: World) -> None:
    """The gateway gave back what had been returned before: nobody need do anything."""
    payment_id, _ = bank.flow.take(amount=1000)
    refund(bank.flow, payment_id, 1000)
    name = bank.open(payment_id)
    bank.learn(name)

    bank.close(name, End.WON)
    bank.learn(name)

    assert bank.cases() == [("dispute_excess", "CLOSED", "WON")]
    assert bank.balances().get("suspense", (0, 0)) == (0, 0)


def test_each_of_two_disputes_has_its_case(bank: World) -> None:
    """A person who closed the first one is told of the second."""
    payment_id, _ = bank.flow.take(amount=1000)
    refund(bank.flow, payment_id, 1000)
    bank.learn(bank.open(payment_id, 300))
    connection = bank.flow.database.connection()
    [(first,)] = connection.execute("SELECT id FROM cases").fetchall()
    with bank.flow.database.transaction() as tx:
        assert cases.close(tx, first, "written off", who="ada", now=bank.flow.now)

    bank.learn(bank.open(payment_id, 200))

    assert sorted(bank.cases()) == [
        ("dispute_excess", "CLOSED", "written off"),
        ("dispute_excess", "OPEN", None),
    ]


def test_no_refund_begins_with_disputed_money(bank: World) -> None:
    """Only what no dispute has taken goes back."""
    payment_id, _ = bank.flow.take(amount=1000)
    bank.learn(bank.open(payment_id, 600))

    with pytest.raises(InvalidRequest, match="At most 400 minor units"):
        refund(bank.flow, payment_id, 401)
    assert refund(bank.flow, payment_id, 400) == 201


def test_a_refund_that_fails_leaves_its_money_to_the_dispute(bank: World) -> None:
    """600 were on their way back when 1000 were disputed: in the end nothing is in excess."""
    flow = bank.flow
    payment_id, _ = flow.take("tok_refund_timeout_before", amount=1000)
    assert refund(flow, payment_id, 600) == 202
    name = bank.open(payment_id)
    bank.learn(name)
    assert (bank.one().covered_amount, bank.one().excess) == (400, 600)

    connection = flow.database.connection()
    [(reference,)] = connection.execute(
        "SELECT reference FROM attempts WHERE operation = 'refund'"
    ).fetchall()
    settle(flow, reference, Outcome.DECLINED)
    assert flow.payment(payment_id).refundable_amount == 0
    bank.close(name, End.LOST)
    bank.learn(name)

    assert (bank.one().covered_amount, bank.one().excess) == (1000, 0)
    assert bank.balances().get("suspense", (0, 0)) == (0, 0)


def settle(flow: Flow, reference: str, outcome: Outcome) -> None:
    """The gateway's own sure word about an attempt."""
    authority.settle_unknown(flow.database, reference, Result(outcome), now=flow.now)


def test_a_dispute_of_a_charge_we_lost_sight_of_clears_it_up_first(bank: World) -> None:
    """The payment was UNKNOWN to us: it is COMPLETED, and its money covers the dispute."""
    payment_id, _ = bank.flow.take("tok_error_after", amount=1000)
    connection = bank.flow.database.connection()
    assert connection.execute("SELECT status::TEXT FROM transactions").fetchone() == ("UNKNOWN",)

    assert bank.learn(bank.open(payment_id)) is Verdict.CONFIRMED

    assert str(bank.flow.payment(payment_id).status) == "COMPLETED"
    assert bank.one().covered_amount == 1000


@pytest.mark.parametrize(
    ("reference", "state", "money", "verdict"),
    [
        ("chg_nobody", DisputeState.OPEN, Money(1000, "EUR"), Verdict.UNKNOWN_REFERENCE),
        (None, DisputeState.OPEN, Money(1000, "USD"), Verdict.WRONG_CURRENCY),
        (None, DisputeState.INQUIRY, Money(1000, "EUR"), Verdict.WITHOUT_NEWS),
    ],
)
def test_what_makes_no_sense_changes_nothing(
    bank: World, reference: str | None, state: DisputeState, money: Money, verdict: Verdict
) -> None:
    """Nor does an inquiry of the payer's bank, which takes no money."""
    flow = bank.flow
    payment_id, _ = flow.take(amount=1000)
    own = pursuit.reference_of(Operation.CHARGE, payment_id)
    said = GatewayDispute("dsp_1", reference or own, state, money)

    _, found = disputes.learn(
        flow.database, flow.run, lambda *_: said, "sandbox", "dsp_1", now=flow.now
    )

    assert found is verdict
    assert disputes.page(flow.database, flow.merchant, "test", Page(9)) == ([], False)
    assert flow.payment(payment_id).version == 2


@pytest.mark.parametrize(
    ("changed", "verdict", "opened"),
    [
        ({"state": DisputeState.WON}, Verdict.CONTRADICTS, [("contradiction", "OPEN", None)]),
        ({"money": Money(999, "EUR")}, Verdict.WRONG_AMOUNT, []),
        ({"state": DisputeState.OPEN}, Verdict.CONFIRMED, []),
    ],
)
def test_a_lost_dispute_stays_lost(
    bank: World,
    changed: Words,
    verdict: Verdict,
    opened: list[tuple[str, str, str | None]],
) -> None:
    """Another end is a contradiction, another amount another dispute, an older word no news."""
    flow = bank.flow
    payment_id, _ = flow.take(amount=1000)
    reference = pursuit.reference_of(Operation.CHARGE, payment_id)
    words: Words = {"state": DisputeState.LOST, "money": Money(1000, "EUR")}

    def say(said: Words) -> Verdict:
        state, money = said["state"], said["money"]
        assert isinstance(state, DisputeState)
        assert isinstance(money, Money)
        word = GatewayDispute("dsp_1", reference, state, money)
        _, found = disputes.learn(
            flow.database, flow.run, lambda *_: word, "sandbox", "dsp_1", now=flow.now
        )
        return found

    assert say(words) is Verdict.CONFIRMED
    before = bank.balances()

    assert say({**words, **changed}) is verdict
    assert bank.one().status is DisputeStatus.LOST
    assert bank.balances() == before
    assert bank.cases() == opened


def test_a_dispute_of_a_declined_charge_contradicts(bank: World) -> None:
    """Nothing was taken that could be asked back."""
    flow = bank.flow
    payment_id, _ = flow.take("tok_decline", amount=1000)
    reference = pursuit.reference_of(Operation.CHARGE, payment_id)
    said = GatewayDispute("dsp_1", reference, DisputeState.OPEN, Money(1000, "EUR"))

    _, verdict = disputes.learn(
        flow.database, flow.run, lambda *_: said, "sandbox", "dsp_1", now=flow.now
    )

    assert verdict is Verdict.CONTRADICTS


def test_open_disputes_are_asked_about_each_day(bank: World) -> None:
    """The callback of its end never came: a day later it is known all the same, and once."""
    flow = bank.flow
    payment_id, _ = flow.take(amount=1000)
    name = bank.open(payment_id)
    bank.learn(name)
    bank.close(name, End.LOST)

    def sweep(after: dt.timedelta) -> int:
        now = flow.now + after
        return disputes.sweep(flow.database, flow.run, flow.ask_about, now=now)

    assert sweep(ASKED_AGAIN_AFTER) == 0
    assert bank.one().status is DisputeStatus.OPEN
    assert sweep(ASKED_AGAIN_AFTER + dt.timedelta(seconds=1)) == 1
    assert bank.one().status is DisputeStatus.LOST
    assert sweep(3 * ASKED_AGAIN_AFTER) == 0


def test_a_gateway_that_is_away_is_asked_the_next_day(bank: World) -> None:
    """Nothing is guessed, and the others have their turn."""
    flow = bank.flow
    payment_id, _ = flow.take(amount=1000)
    name = bank.open(payment_id)
    bank.learn(name)
    bank.close(name, End.WON)
    bank.sandbox.stop()
    later = flow.now + ASKED_AGAIN_AFTER + dt.timedelta(seconds=1)

    assert disputes.sweep(flow.database, flow.run, flow.ask_about, now=later) == 1
    assert bank.one().status is DisputeStatus.OPEN
    bank.sandbox.start()
    assert disputes.sweep(flow.database, flow.run, flow.ask_about, now=later) == 0
    again = later + ASKED_AGAIN_AFTER + dt.timedelta(seconds=1)
    assert disputes.sweep(flow.database, flow.run, flow.ask_about, now=again) == 1
    assert bank.one().status is DisputeStatus.WON


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE disputes SET status = 'OPEN'",
        "UPDATE disputes SET status = 'WON'",
        "UPDATE disputes SET amount = 1001",
        "UPDATE disputes SET covered_amount = 1",
        "UPDATE disputes SET gateway_reference = 'another'",
        "DELETE FROM disputes",
        "UPDATE transactions SET refunding_amount = 1",
        "UPDATE transactions SET refunded_amount = 1",
    ],
)
def test_what_a_lost_dispute_took_is_gone_for_good(bank: World, statement: str) -> None:
    """Neither its end nor what it asked for changes, and none of it can be refunded."""
    payment_id, _ = bank.flow.take(amount=1000)
    name = bank.open(payment_id)
    bank.close(name, End.LOST)
    bank.learn(name)

    with pytest.raises(psycopg.DatabaseError) as refused:
        bank.flow.database.connection().execute(statement.encode())
    assert refused.value.sqlstate in {"PN010", "PN020", "23514"}


@pytest.mark.parametrize(
    ("covered", "amount", "constraint"),
    [(500, 500, "are not what it says"), (501, 500, "covers_no_more"), (0, 0, "is_positive")],
)
def test_a_dispute_that_its_payment_knows_nothing_of_is_refused(
    bank: World, covered: int, amount: int, constraint: str
) -> None:
    """Whichever way it is written."""
    payment_id, _ = bank.flow.take(amount=1000)
    values = (ids.new_id(), payment_id, bank.flow.merchant, amount, covered, ids.new_id())
    with pytest.raises(psycopg.errors.CheckViolation, match=constraint):
        bank.flow.database.connection().execute(
            "INSERT INTO disputes (id, payment_id, merchant_id, mode, amount, covered_amount,"
            " currency, status, gateway, gateway_reference, cover_id, created_at, updated_at,"
            " asked_at) VALUES (%s, %s, %s, 'test', %s, %s, 'EUR', 'OPEN', 'sandbox', 'dsp_1', %s,"
            " now(), now(), now())",
            values,
        )

"""Breaks on real Postgres: recorded once, settled by the world, resolved by two people."""

import datetime as dt
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from threading import Barrier
from typing import Any, Self, override

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg.abc import Query
from psycopg.conninfo import make_conninfo

from paynexus import ids
from paynexus.db import Database
from paynexus.errors import (
    AccountClosed,
    DatabaseUnavailable,
    InvalidRequest,
    InvalidState,
    NotFound,
)
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import store as ledger
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.money import Money
from paynexus.settlement.breaks import model, service
from paynexus.settlement.breaks.model import (
    BREAK_MOVES,
    BreakId,
    BreakStatus,
    BreakType,
    Correction,
    Explained,
    Side,
    break_id,
)
from tests import shown_by_the_bank
from tests.conftest import TEMPLATE
from tests.integration.breaks_world import (
    CASH,
    COSTS,
    FEES,
    RECEIVABLE,
    SUSPENSE,
    Desk,
    difference,
    money,
)
from tools.local_stack import postgres

MANY = 10_000
STATEMENTS_MAX = 4
"""For so many findings."""


@pytest.fixture(name="postgres_url", scope="module")
def _postgres_url(postgres_server: postgres.Server) -> str:
    return make_conninfo(postgres_server.url, dbname=TEMPLATE)


@pytest.fixture(name="desk")
def _desk(database: Database, merchant: MerchantId, now: dt.datetime) -> Iterator[Desk]:
    yield Desk(database, merchant, now)
    shown_by_the_bank.show(database, now=now)


def test_a_difference_breaks_once(desk: Desk) -> None:
    """However often it is found, in one call or in two; the first word about it stands."""
    first, second = difference("a"), difference("b", type=BreakType.FEE)

    assert desk.record(first, second, first) == 2
    assert desk.record(replace(first, amount=7), replace(first, type=BreakType.TIMING)) == 1

    of = break_id(first.type, first.subject)
    broken = desk.broken(of)
    assert (broken.amount, broken.status, broken.opened_at) == (500, BreakStatus.OPEN, desk.now)
    assert broken.policy == "correct_the_amount"
    assert desk.now < broken.due_at < desk.now + dt.timedelta(days=5)


def test_a_payout_that_is_booked_back_is_resolved_at_once(desk: Desk) -> None:
    """By its policy, with a reason; want of our own cover is a person's all the same."""
    returned = difference("x", type=BreakType.RETURNED, subject="settlement:set_1")
    ours = replace(
        returned, subject="settlement:set_2", details={"code": "AM04", "is_back_on_balance": True}
    )
    merchants = replace(returned, details={"code": "AC04", "is_back_on_balance": True})

    assert desk.record(merchants, ours) == 2

    resolved = desk.broken(break_id(returned.type, merchants.subject))
    assert (resolved.status, resolved.resolved_at) == (BreakStatus.RESOLVED, desk.now)
    assert resolved.resolution
    assert desk.broken(break_id(ours.type, ours.subject)).status is BreakStatus.OPEN


def test_thousands_of_findings_take_a_handful_of_statements(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded, and settled."""
    found = [difference(str(number)) for number in range(MANY)]
    explained = [
        Explained(type=one.type, subject=one.subject, resolution="it came") for one in found
    ]
    statements: list[object] = []

    class Counting(psycopg.Cursor[Any]):
        @override
        def execute(self, query: Query, *args: Any, **kwargs: Any) -> Self:
            statements.append(query)
            return super().execute(query, *args, **kwargs)

    with desk.database.transaction() as tx:
        monkeypatch.setattr(tx, "cursor_factory", Counting)
        assert service.record(tx, found, now=desk.now) == MANY
        assert service.record(tx, found, now=desk.now) == 0
        recorded = len(statements)
        assert service.settle_all(tx, explained, now=desk.now) == MANY
        monkeypatch.undo()

    assert 0 < recorded <= STATEMENTS_MAX
    assert len(statements) - recorded <= STATEMENTS_MAX


def test_two_who_find_the_same_at_once_record_it_once(
    desk: Desk, another_database: Callable[[], Database]
) -> None:
    """In opposite orders, and without waiting for each other in a circle."""
    found = [difference(str(number)) for number in range(200)]
    both = Barrier(2)

    def find(order: list[model.Found]) -> int:
        database = another_database()
        with database.transaction() as tx:
            both.wait()
            return service.record(tx, order, now=desk.now)

    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(find, [found, found[::-1]]))

    assert sum(made) == len(found)


def test_the_world_settles_what_it_explains(desk: Desk) -> None:
    """Once; with what somebody had proposed refused, as nothing is left to correct."""
    of = desk.open()
    desk.propose(of, Correction(FEES, CASH, 500))
    found = difference("one")

    def settle() -> bool:
        with desk.database.transaction() as tx:
            return service.settle(
                tx, type=found.type, subject=found.subject, resolution="it came", now=desk.now
            )

    assert [settle(), settle()] == [True, False]

    file = service.find(desk.database, of)
    assert (file.broken.status, file.broken.resolution) == (BreakStatus.RESOLVED, "it came")
    [withdrawn] = file.resolutions
    assert (withdrawn.decided_by, withdrawn.is_approved) == (service.THE_POLICY, False)
    with pytest.raises(InvalidState, match="it came"):
        desk.approve(of)
    assert desk.record(found) == 0


def test_lifecycle_in_sql_is_the_one_in_python(database: Database) -> None:
    """Every pair."""
    connection = database.connection()
    for old, new in product(BreakStatus, BreakStatus):
        row = connection.execute("SELECT break_may_become(%s, %s)", (old, new)).fetchone()

        assert row == (new in BREAK_MOVES[old],), (old, new)


@pytest.mark.parametrize(
    ("change", "sqlstate"),
    [
        ("UPDATE breaks SET amount = 1", "PN020"),
        ("UPDATE breaks SET subject = 'transfer:x'", "PN020"),
        ("UPDATE breaks SET type = 'fee'", "PN020"),
        ("UPDATE breaks SET details = '{\"a\": 1}'", "PN020"),
        ("DELETE FROM breaks", "PN020"),
        ("TRUNCATE breaks CASCADE", "PN020"),
        ("UPDATE break_resolutions SET transfer = NULL, action = 'explanation'", "PN020"),
        ("UPDATE break_resolutions SET proposed_by = 'eve'", "PN020"),
        ("DELETE FROM break_resolutions", "PN020"),
        ("UPDATE breaks SET status = 'RESOLVED'", "23514"),
        ("INSERT INTO breaks SELECT * FROM breaks", "PN010"),
    ],
)
def test_what_a_break_is_about_never_changes(desk: Desk, change: str, sqlstate: str) -> None:
    """The database sees to it, whoever asks."""
    desk.propose(desk.open(), Correction(FEES, CASH, 500))

    with pytest.raises(psycopg.Error) as refused:
        desk.database.connection().execute(change.encode())

    assert refused.value.sqlstate == sqlstate


def test_a_resolved_break_stays_so(desk: Desk) -> None:
    """Nothing about it is changed any more, not even whose it is."""
    of = desk.open()
    desk.propose(of)
    desk.approve(of)
    connection = desk.database.connection()

    for change in (
        "UPDATE breaks SET assignee = 'eve'",
        "UPDATE breaks SET status = 'OPEN'",
        "UPDATE breaks SET resolution = 'else'",
    ):
        with pytest.raises(psycopg.Error) as refused:
            connection.execute(change.encode())
        assert refused.value.sqlstate == "PN010"
    with pytest.raises(InvalidState, match="as agreed"):
        service.assign(desk.database, of, assignee="eve")


def test_two_people_move_the_money_out_of_suspense(desk: Desk) -> None:
    """What one proposes and another approves is booked, and the break resolved by it."""
    of = desk.arrive(amount=500)
    desk.propose(of, Correction(SUSPENSE, desk.payable(), 500))
    assert desk.broken(of).status is BreakStatus.PROPOSED
    assert desk.transfers(of) == []

    file = desk.approve(of)

    [(transfer_id, amount)] = desk.transfers(of)
    assert (file.broken.status, file.broken.transfer_id) == (BreakStatus.RESOLVED, transfer_id)
    assert (amount, file.broken.resolution) == (500, "as agreed")
    assert balance(desk, "suspense") == 0
    assert balance(desk, "merchant_payable") == -500


@pytest.mark.parametrize("name", ["ada", " Ada", "A da", "ADA ", "\uff41da"])
def test_one_person_is_not_two(desk: Desk, name: str) -> None:
    """However the name is written; neither to approve nor to refuse."""
    of = desk.open()
    desk.propose(of, Correction(FEES, CASH, 500), by="ada")

    with pytest.raises(InvalidState, match="four eyes"):
        desk.approve(of, by=name)
    with pytest.raises(InvalidState, match="four eyes"):
        desk.refuse(of, by=name)

    assert (desk.broken(of).status, desk.transfers(of)) == (BreakStatus.PROPOSED, [])


@pytest.mark.parametrize("name", ["ada", " Ada", "A\tDA "])
def test_the_database_counts_eyes_itself(desk: Desk, name: str) -> None:
    """For whoever comes without the product's code."""
    desk.propose(desk.open(), by="ada")

    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        desk.database.connection().execute(
            "UPDATE break_resolutions SET decided_by = %s, decided_at = now(), is_approved = TRUE",
            (name,),
        )

    assert refused.value.diag.constraint_name == "four_eyes"


@settings(max_examples=300, deadline=None)
@given(name=st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co")), max_size=20))
@example(name="\u1e9e")
@example(name="\u0130")
@example(name="\ufb03 \u2003x")
def test_names_are_compared_alike_in_sql_and_python(postgres_url: str, name: str) -> None:
    """So that who is refused is told why."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        row = connection.execute("SELECT name_of_a_person(%s)", (name,)).fetchone()

    assert row == (model.person(name),)


@pytest.mark.parametrize("name", ["", "  ", "paynexus", "Pay Nexus", "a\u200bda", "x" * 101])
def test_who_acts_has_a_name(desk: Desk, name: str) -> None:
    """One that can be seen, and not the policy's."""
    of = desk.open()

    with pytest.raises(InvalidRequest):
        desk.propose(of, by=name)
    with pytest.raises(InvalidRequest):
        service.assign(desk.database, of, assignee=name)


def test_approved_twice_is_booked_once(desk: Desk) -> None:
    """The same answer for who approved; another is told that it is over."""
    of = desk.open()
    desk.propose(of, Correction(FEES, CASH, 500))

    assert desk.approve(of, by="bob").broken == desk.approve(of, by="BOB").broken
    with pytest.raises(InvalidState, match="as agreed"):
        desk.approve(of, by="eve")

    assert len(desk.transfers(of)) == 1


def test_approved_at_once_is_booked_once(
    desk: Desk, another_database: Callable[[], Database]
) -> None:
    """By four people on connections of their own, the proposer among them."""
    of = desk.arrive(amount=-500)
    desk.propose(of, Correction(COSTS, SUSPENSE, 500))
    all_of_them = Barrier(4)

    def approve(name: str) -> str:
        database = another_database()
        database.connection()
        all_of_them.wait()
        try:
            service.approve(database, of, by=name, now=desk.now)
        except (InvalidState, DatabaseUnavailable) as error:
            return error.code
        return "approved"

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(approve, ["bob", "eve", "Ada ", "cy"]))

    assert said[2] == "invalid_state"
    assert said.count("approved") == 1
    assert len(desk.transfers(of)) == 1
    assert balance(desk, "suspense") == 0


def test_approved_and_refused_at_once_is_one_of_them(
    desk: Desk, another_database: Callable[[], Database]
) -> None:
    """The books and the break agree on which."""
    for number in range(10):
        of = desk.open(str(number))
        desk.propose(of, Correction(FEES, CASH, 500))
        both = Barrier(2)

        def decide(act: Callable[[Desk], object], both: Barrier = both) -> bool:
            other = replace(desk, database=another_database())
            other.database.connection()
            both.wait()
            try:
                act(other)
            except InvalidState:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            done = list(
                pool.map(
                    decide,
                    [
                        lambda one, of=of: one.approve(of, by="bob"),
                        lambda one, of=of: one.refuse(of, by="cy"),
                    ],
                )
            )

        assert sorted(done) == [False, True]
        is_resolved = desk.broken(of).status is BreakStatus.RESOLVED
        assert is_resolved is done[0]
        assert len(desk.transfers(of)) == done[0]


def test_what_is_refused_is_open_again(desk: Desk) -> None:
    """And may be proposed anew; both proposals stay on record."""
    of = desk.open()
    desk.propose(of, Correction(FEES, CASH, 500))
    with pytest.raises(InvalidState, match="ada has proposed"):
        desk.propose(of, by="cy")
    desk.refuse(of)
    assert (desk.broken(of).status, desk.transfers(of)) == (BreakStatus.OPEN, [])
    with pytest.raises(InvalidState, match="Nothing is proposed"):
        desk.approve(of)

    desk.propose(of, Correction(FEES, CASH, 400), by="bob")
    file = desk.approve(of, by="ada")

    assert [one.is_approved for one in file.resolutions] == [False, True]
    assert file.resolutions[0].decision == "not so"
    assert [amount for _, amount in desk.transfers(of)] == [400]


def test_an_adjustment_that_the_ledger_refuses_changes_nothing(desk: Desk) -> None:
    """The break waits on; once the account is open, the same proposal is booked."""
    of = desk.arrive(amount=500)
    desk.propose(of, Correction(SUSPENSE, FEES, 500))
    connection = desk.database.connection()
    close = "SELECT ledger_close_account((ledger_account('fees', 'test', 'EUR', NULL)).id, %s)"
    connection.execute(close, (True,))

    with pytest.raises(AccountClosed):
        desk.approve(of)

    assert (desk.broken(of).status, desk.transfers(of)) == (BreakStatus.PROPOSED, [])
    connection.execute(close, (False,))
    assert desk.approve(of).broken.status is BreakStatus.RESOLVED


@pytest.mark.parametrize(
    ("correction", "says"),
    [
        (Correction(FEES, CASH, 501), "500 minor units at most"),
        (Correction(FEES, CASH, 0), "positive"),
        (Correction(FEES, FEES, 1), "two accounts"),
        (Correction(FEES, Side(AccountType.MERCHANT_PAYABLE), 1), "merchant_payable"),
        (Correction(FEES, Side(AccountType.CASH, MerchantId(ids.new_id())), 1), "cash"),
        (Correction(Side(AccountType.RESERVE, MerchantId(ids.new_id())), FEES, 1), "held back"),
    ],
)
def test_a_correction_that_can_not_be_is_refused(
    desk: Desk, correction: Correction, says: str
) -> None:
    """With what is wrong about it."""
    of = desk.open(amount=-500)

    with pytest.raises(InvalidRequest, match=says):
        desk.propose(of, correction)

    assert desk.broken(of).status is BreakStatus.OPEN


def test_more_than_the_break_explains_is_asked_for_expressly(desk: Desk) -> None:
    """As for one that is late and about no amount."""
    of = desk.open(amount=0, type=BreakType.TIMING)
    correction = Correction(COSTS, RECEIVABLE, 90)

    with pytest.raises(InvalidRequest, match="0 minor units at most"):
        desk.propose(of, correction)
    desk.propose(of, correction, is_more_allowed=True)

    assert desk.approve(of).broken.status is BreakStatus.RESOLVED
    assert [amount for _, amount in desk.transfers(of)] == [90]


def test_no_merchant_no_proposal(desk: Desk) -> None:
    """A merchant that isn't there is named as the trouble; and so is a break."""
    of = desk.open()
    nobody = Side(AccountType.MERCHANT_PAYABLE, MerchantId(ids.new_id()))

    with pytest.raises(NotFound, match="merchant"):
        desk.propose(of, Correction(nobody, CASH, 1))
    with pytest.raises(NotFound, match="break"):
        desk.propose(BreakId(ids.new_id()))


@pytest.mark.parametrize(
    ("amount", "correction"),
    [
        (500, None),
        (500, Correction(SUSPENSE, FEES, 499)),
        (500, Correction(FEES, SUSPENSE, 500)),
        (500, Correction(FEES, CASH, 500)),
        (-500, Correction(SUSPENSE, FEES, 500)),
    ],
)
def test_money_in_suspense_is_not_talked_away(
    desk: Desk, amount: int, correction: Correction | None
) -> None:
    """All of it leaves suspense, to the side it came from."""
    of = desk.arrive(amount=amount)

    with pytest.raises(InvalidRequest, match="in suspense"):
        desk.propose(of, correction)


def test_operators_find_what_they_look_for(desk: Desk) -> None:
    """The most urgent first; resolved ones when asked for, latest first."""
    late = desk.open("late", type=BreakType.FEE)
    urgent = desk.open("urgent", type=BreakType.DUPLICATE)
    gone = desk.open("gone", mode="live")
    desk.propose(gone)
    desk.approve(gone)
    desk.propose(late)

    def listed(**filters: object) -> list[BreakId]:
        return [one.id for one in service.listing(desk.database, **filters)]  # type: ignore[arg-type]

    assert listed() == [urgent, late]
    assert listed(type=BreakType.FEE) == [late]
    assert listed(status=BreakStatus.PROPOSED) == [late]
    assert listed(status=BreakStatus.RESOLVED) == [gone]
    assert listed(mode="live") == []
    assert listed(status=BreakStatus.RESOLVED, mode="test") == []


def test_the_audit_sees_what_was_done_past_the_rules(desk: Desk) -> None:
    """Each rule again, as a question: money in suspense, and adjustments, without a break."""
    connection = desk.database.connection()
    of = desk.arrive(amount=500)
    explained = (
        "SELECT mode, currency, held FROM audit.suspense_is_more_than_unresolved_breaks_explain"
    )
    assert connection.execute(explained.encode()).fetchall() == []

    with connection.transaction(force_rollback=True):
        connection.execute(
            "UPDATE breaks SET status = 'RESOLVED', resolved_at = now(), resolution = 'so what'"
        )
        assert connection.execute(explained.encode()).fetchall() == [("test", "EUR", 500)]
    with connection.transaction(force_rollback=True):
        stray = Transfer(
            id=TransferId(ids.new_id()),
            kind=TransferKind.ADJUSTMENT,
            debit=Account(AccountType.FEES, "test", "EUR"),
            credit=Account(AccountType.CASH, "test", "EUR"),
            money=Money(1, "EUR"),
            object_id=model.object_id(of),
        )
        ledger.post(connection, stray)
        row = connection.execute(
            "SELECT transfer_id FROM audit.adjustment_belongs_to_no_approved_resolution"
        ).fetchone()
        assert row == (stray.id,)
    with connection.transaction(force_rollback=True):
        connection.execute("UPDATE breaks SET status = 'PROPOSED'")
        row = connection.execute(
            "SELECT count(*) FROM audit.break_status_differs_from_its_proposals"
        ).fetchone()
        assert row == (1,)


def balance(desk: Desk, account: str) -> int:
    """Debits less credits, of test money in EUR."""
    row = (
        desk.database.connection()
        .execute(
            "SELECT coalesce(sum(debits_posted - credits_posted), 0)::INT FROM account_balances"
            " WHERE account_id IN (SELECT id FROM accounts WHERE type = %s)",
            (account,),
        )
        .fetchone()
    )
    assert row is not None
    return int(row[0])


def test_a_line_of_the_banks_breaks_once(desk: Desk) -> None:
    """Found again, it is the same break."""
    desk.arrive("feed:1")

    assert desk.record(money("feed:1")) == 0


def test_settling_and_approving_at_once_do_not_wait_in_a_circle(
    desk: Desk, another_database: Callable[[], Database]
) -> None:
    """A file that books on suspense and then settles, against a person who approves."""
    for number in range(10):
        found = money(f"{number:016x}:1")
        of = desk.arrive(f"{number:016x}:1")
        desk.propose(of, Correction(SUSPENSE, FEES, 500))
        both = Barrier(2)

        def apply_file(both: Barrier = both, found: model.Found = found) -> bool:
            with another_database().transaction() as tx:
                both.wait()
                explained = Transfer(
                    id=TransferId(ids.new_id()),
                    kind=TransferKind.GATEWAY_PAYOUT,
                    debit=Account(AccountType.SUSPENSE, "test", "EUR"),
                    credit=Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR"),
                    money=Money(500, "EUR"),
                    object_id="gpo_test",
                )
                ledger.post(tx, explained)
                is_settled = service.settle(
                    tx,
                    type=found.type,
                    subject=found.subject,
                    resolution="a gateway's payout",
                    now=desk.now,
                    transfer_id=explained.id,
                )
                if not is_settled:
                    raise InvalidState("It was explained otherwise meanwhile.")
            return True

        def approve(both: Barrier = both, of: BreakId = of) -> bool:
            other = replace(desk, database=another_database())
            other.database.connection()
            both.wait()
            other.approve(of)
            return True

        with ThreadPoolExecutor(2) as pool:
            acts = [pool.submit(act) for act in (apply_file, approve)]
        refused = [act.exception() for act in acts]

        assert sum(error is None for error in refused) == 1
        assert {type(error) for error in refused if error} == {InvalidState}
        assert balance(desk, "suspense") == 0

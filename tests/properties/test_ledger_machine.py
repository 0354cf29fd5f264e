"""Any sequence of orders comes to what TigerBeetle's rules say: thousands of them, each run.

The sequences are drawn from fixed seeds, so that every run tries the same ones; a failure
prints its shortest form. How many were tried is asserted, and printed at the end of the run.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

import psycopg
import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from paynexus import errors, ids
from paynexus.db import Connection, Database
from paynexus.ledger import store
from tests.properties.ledger_author import BYTES_OF_ORDER, HOUR, Author
from tests.properties.ledger_bridge import (
    NAMES,
    Books,
    empty_accounts,
    require_same_state,
    require_same_verdict,
)
from tests.properties.ledger_oracle import MAX_PARTS, Ledger, Order

pytestmark = pytest.mark.proof

SEQUENCES = 5_000
SEEDS = 5
"""The sequences are drawn in so many tests, so that several processes share them."""

SCRIPTS = st.binary(min_size=3 * BYTES_OF_ORDER, max_size=6 * BYTES_OF_ORDER)
MEASURES = (
    *(("limit", name, side) for name in NAMES for side in (0, 1, 2)),
    *(("close", name, is_closed) for name in NAMES for is_closed in (1, 0)),
    *(("spread", name, slots) for name in NAMES for slots in (1, 2, 3, 7)),
    *[("wait", "", hours) for hours in (1, 1, 1, 2, 2)],
)

profile = settings(
    max_examples=SEQUENCES // SEEDS,
    stateful_step_count=5,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class LedgerMachine(RuleBasedStateMachine):
    """A merchant's five accounts: the product's beside the oracle's."""

    connection: ClassVar[Connection]
    sequences: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.author = Author()
        self.ledger = Ledger(empty_accounts())

    @initialize()
    def open(self) -> None:
        """Nobody has booked on these accounts before."""
        self.books = Books.fresh(self.connection)

    def _book(self, script: bytes) -> None:
        """A batch of up to six orders, of any kind, old and new."""
        self._require_agreement(list(self.author.orders(script)))

    # Drawn twice as often as each of the others.
    book = rule(script=SCRIPTS)(_book)
    book_too = rule(script=SCRIPTS)(_book)

    @rule(which=st.binary(min_size=1, max_size=3))
    def book_again(self, which: bytes) -> None:
        """Orders are repeated, as they were or with one thing changed."""
        if not self.author.asked:
            self._book(which * BYTES_OF_ORDER)
        self._require_agreement([self.author.again(byte) for byte in which])

    @rule(measure=st.sampled_from(MEASURES))
    def administer(self, measure: tuple[str, str, int]) -> None:
        """An account is limited, closed, spread over more or fewer rows; or time passes."""
        what, account, number = measure
        if what == "wait":
            self._wait(number)
        elif what == "spread":
            self.books.spread(account, number)
        elif what == "close":
            self.books.close(account, is_closed=bool(number))
            self.ledger.accounts[account].is_closed = bool(number)
        else:
            self._limit(account, (None, "debit", "credit")[number])

    def _limit(self, account: str, side: str | None) -> None:
        if self.ledger.limit(account, side):
            self.books.limit(account, side)
            return
        with pytest.raises(errors.FundsExceeded):
            self.books.limit(account, side)

    def _wait(self, hours: int) -> None:
        """So much time has passed; what is due after one is swept at once."""
        self.books.age(hours * HOUR)
        self.ledger.now += hours * HOUR
        if hours == 1:
            self._sweep()

    def teardown(self) -> None:
        """All books agree to the last entry."""
        self._sweep()
        require_same_state(self.books, self.ledger, [order.id for order in self.author.asked])
        type(self).sequences += 1

    def _sweep(self) -> None:
        assert self.ledger.expire() == store.expire(self.books.connection, limit=1_000)

    def _require_agreement(self, orders: Sequence[Order]) -> None:
        results = self.books.book(list(orders))
        for verdict, result in zip(self.ledger.book(orders), results, strict=True):
            require_same_verdict(verdict, result)


@pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.long) for part in range(1, SEEDS))]
)
def test_every_sequence_comes_to_what_the_rules_say(
    database: Database, database_url: str, part: int, record_property: Callable[[str, object], None]
) -> None:
    """Statuses, amounts, balances, holds and entries are the oracle's, whatever is asked."""
    with psycopg.connect(database_url, autocommit=True, prepare_threshold=0) as connection:

        class Machine(LedgerMachine):
            pass

        Machine.connection, Machine.sequences = connection, 0
        run_state_machine_as_test(seed(part)(Machine), settings=profile)
    record_property("sequences of ledger orders, one after another", Machine.sequences)
    assert Machine.sequences >= SEQUENCES // SEEDS


def test_the_fiftieth_part_of_a_hold_is_its_last(database: Database) -> None:
    """Forty-nine parts leave the rest; the fiftieth can only be final. Too long for chance."""
    books, ledger = Books.fresh(database.connection()), Ledger(empty_accounts())
    hold = Order(ids.new_id(), "pending", NAMES[0], NAMES[1], 100)
    parts = [
        Order(ids.new_id(), "post", amount=1, is_final=False, pending_id=hold.id)
        for _ in range(MAX_PARTS)
    ]
    last = Order(ids.new_id(), "post", amount=2, pending_id=hold.id)
    orders = [hold, *parts, last, parts[0], parts[-1]]

    verdicts = ledger.book(orders)
    for verdict, result in zip(verdicts, books.book(orders), strict=True):
        require_same_verdict(verdict, result)
    assert [one.status for one in verdicts].count("created") == 1 + MAX_PARTS
    assert verdicts[MAX_PARTS].status == "too_many_parts"
    require_same_state(books, ledger, [order.id for order in orders])

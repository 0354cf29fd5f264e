"""Whatever several clients order at once comes to what the rules say of some order of it all.

Which order, the books tell: the numbers of the entries. What booked nothing must be explained
by a moment between its being asked and its being answered.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from uuid import UUID

import psycopg
import pytest

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.ledger import store
from paynexus.ledger.results import Result
from tests.properties.ledger_author import HOUR
from tests.properties.ledger_bridge import NAMES, Books, empty_accounts, require_same_state
from tests.properties.ledger_oracle import Ledger, Order

pytestmark = pytest.mark.proof

RUNS = 400
CLIENTS = 4
CALLS = 6
"""Calls of each client, each a transaction of its own."""
EARLIER = 3
"""Holds and single transfers that were there before; batches ask for nothing that may not be."""
NEAR = 4
"""How far from the order of its entries' numbers a call is looked for."""

SQL_ORDER = """
SELECT CASE WHEN t.state = 'expire' THEN t.pending_id ELSE t.id END, max(e.id), t.state = 'expire'
FROM accounts AS a
INNER JOIN ledger_entries AS e ON e.account_id = a.id
INNER JOIN transfers AS t ON t.id = e.transfer_id
WHERE a.merchant_id = %s
GROUP BY t.id
"""


@dataclass(slots=True)
class Call:
    """One transaction: what was asked, what was answered, and between which moments."""

    orders: list[Order]
    results: list[Result] = field(default_factory=list)
    asked_at: float = 0
    answered_at: float = 0

    @property
    def answers(self) -> list[tuple[str, int | None]]:
        """Each order's status, and the amount of those that were booked now."""
        return [
            (one.status, one.amount if one.status == "created" else None) for one in self.results
        ]

    def is_explained_by(self, ledger: Ledger) -> bool:
        """The rules say just this, as the ledger stands; then it stands as after the call."""
        trial = ledger.copy()
        verdicts = [
            (one.status, one.amount if one.status == "created" else None)
            for one in trial.book(self.orders)
        ]
        if verdicts != self.answers:
            return False
        for name in ("accounts", "transfers", "holds", "failed", "reversals", "entries"):
            setattr(ledger, name, getattr(trial, name))
        return True


@dataclass(slots=True)
class Script:
    """What the clients will ask: funds, holds and limits first, then everything at once."""

    dice: random.Random
    holds: list[Order] = field(default_factory=list)
    singles: list[Order] = field(default_factory=list)

    def prelude(self, books: Books, ledger: Ledger) -> None:
        """Something to pay with, something to resolve, some of it due, limits on two accounts."""
        for number in range(6):
            name, other = self.dice.sample(NAMES, 2)
            kind = "pending" if number % 2 else "single"
            due = HOUR if number == self.dice.randrange(6) and number % 2 else None
            order = Order(ids.new_id(), kind, name, other, self.dice.randint(5, 60), timeout=due)
            (self.holds if number % 2 else self.singles).append(order)
            assert [one.status for one in ledger.book([order])] == ["created"]
            books.book([order])
        books.age(HOUR)
        ledger.now += HOUR
        for name in self.dice.sample(NAMES, 3):
            books.spread(name, self.dice.choice([1, 2, 4]))
            side = self.dice.choice(["debit", "credit"])
            if ledger.limit(name, side):
                books.limit(name, side)

    def calls(self) -> list[Call]:
        """One client's calls."""
        return [Call(self._call()) for _ in range(CALLS)]

    def _call(self) -> list[Order]:
        what = self.dice.randrange(8)
        if what < 2:
            return [self._resolution(self.holds)]
        if what == 2:
            return [self._reversal(self.singles)]
        if what == 3:
            return [self.dice.choice(self.singles + self.holds)]
        makers: list[Callable[[], Order]] = [
            self._new,
            self._new,
            lambda: self._resolution(self.holds[:EARLIER]),
            lambda: self._reversal(self.singles[:EARLIER]),
        ]
        orders = [self.dice.choice(makers)() for _ in range(self.dice.randint(1, 3))]
        self.singles += [one for one in orders if one.state == "single"]
        self.holds += [one for one in orders if one.state == "pending"]
        if len(orders) > 1 and not self.dice.randrange(4):
            orders[0] = replace(orders[0], is_linked=True)
        return orders

    def _resolution(self, holds: Sequence[Order]) -> Order:
        """Several clients ask for the same holds; all of one, or a part."""
        pending_id = self.dice.choice(holds).id
        if not self.dice.randrange(4):
            return Order(ids.new_id(), "void", pending_id=pending_id)
        amount, is_final = self.dice.choice([(None, True), (5, True), (5, False), (9, False)])
        return Order(ids.new_id(), "post", amount=amount, is_final=is_final, pending_id=pending_id)

    def _reversal(self, transfers: Sequence[Order]) -> Order:
        return Order(ids.new_id(), "reverse", reverses=self.dice.choice(transfers).id)

    def _new(self) -> Order:
        debit, credit = self.dice.sample(NAMES, 2)
        return Order(
            ids.new_id(),
            self.dice.choice(["single", "pending"]),
            debit,
            credit,
            self.dice.randint(1, 40),
            balancing=self.dice.choice([None, None, None, "debit", "credit"]),
        )


@pytest.fixture(name="connections")
def _connections(database: Database, database_url: str) -> Iterator[list[Connection]]:
    opened = [
        psycopg.connect(database_url, autocommit=True, prepare_threshold=0)
        for _ in range(CLIENTS + 2)
    ]
    yield opened
    for one in opened:
        one.close()


@pytest.mark.parametrize("half", range(2))
def test_what_happens_at_once_has_an_order_that_explains_it(
    connections: list[Connection], half: int, record_property: Callable[[str, object], None]
) -> None:
    """No circle of waits, no overdraft, no double: statuses and books are those of some order."""
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        for number in range(half * RUNS // 2, (half + 1) * RUNS // 2):
            _run(number, pool, connections)
    record_property("sequences of ledger orders, many at once", RUNS // 2)


def _run(number: int, pool: ThreadPoolExecutor, connections: Sequence[Connection]) -> None:
    script = Script(random.Random(number))  # noqa: S311 - dice, not secrets
    ledger = Ledger(empty_accounts())
    books = Books.fresh(connections[0])
    script.prelude(books, ledger)
    clients = [script.calls() for _ in range(CLIENTS)]
    together = threading.Barrier(CLIENTS + 1)
    running = [
        pool.submit(_ask, Books(connection, books.merchant_id), calls, together)
        for connection, calls in zip(connections[1:], clients, strict=False)
    ]
    running.append(pool.submit(_sweep, connections[-1], together))
    for one in running:
        one.result()
    calls = [call for client in clients for call in client]
    try:
        _require_an_order(books, ledger, calls)
    except AssertionError as error:
        error.add_note(f"run {number}")
        raise


def _ask(books: Books, calls: list[Call], together: threading.Barrier) -> None:
    together.wait(timeout=30)
    for call in calls:
        call.asked_at = time.monotonic()
        call.results = books.book(call.orders)
        call.answered_at = time.monotonic()


def _sweep(connection: Connection, together: threading.Barrier) -> None:
    together.wait(timeout=30)
    for _ in range(3):
        store.expire(connection, limit=2)


def _require_an_order(books: Books, ledger: Ledger, calls: list[Call]) -> None:
    booked = _booked(books, calls)
    waiting = [call for call in calls if not any(one is call for one in booked)]
    explained = _explained(ledger, booked, waiting)
    assert explained is not None, "\n".join(_story(booked, waiting))
    require_same_state(books, explained, [order.id for call in calls for order in call.orders])


def _explained(
    ledger: Ledger, booked: Sequence[Call | UUID], waiting: Sequence[Call]
) -> Ledger | None:
    """The ledger after all of this, in an order in which everyone was told the truth.

    Calls that booked nothing stand as early as they may. The others stand as their entries
    are numbered, or a little apart from it: those that share no account commit in any order.
    """
    waiting = _after_the_refused(ledger, booked, waiting)
    if not booked:
        return None if waiting else ledger
    for event in booked[:NEAR]:
        others = [one for one in booked if one is not event]
        if isinstance(event, Call) and any(_is_before(one, event) for one in [*others, *waiting]):
            continue
        trial = ledger.copy()
        if isinstance(event, UUID):
            trial.expire_one(event)
        elif not event.is_explained_by(trial):
            continue
        found = _explained(trial, others, waiting)
        if found is not None:
            return found
    return None


def _after_the_refused(
    ledger: Ledger, booked: Sequence[Call | UUID], waiting: Sequence[Call]
) -> Sequence[Call]:
    """Those that booked nothing and that nothing explains yet; of the others, the effect."""
    for call in waiting:
        may_stand = not any(_is_before(one, call) for one in [*booked, *waiting])
        if may_stand and call.is_explained_by(ledger):
            return _after_the_refused(ledger, booked, [one for one in waiting if one is not call])
    return waiting


def _is_before(one: Call | UUID, other: Call) -> bool:
    return isinstance(one, Call) and one.answered_at < other.asked_at


def _booked(books: Books, calls: list[Call]) -> list[Call | UUID]:
    """The calls that booked something, and the holds that expired, in the order of the books.

    Of two that share an account the later has the later last entry: it waited for the
    other's end.
    """
    rows = books.connection.execute(SQL_ORDER, (books.merchant_id,)).fetchall()
    numbers = {id_: number for id_, number, is_expiry in rows if not is_expiry}
    order: list[tuple[int, Call | UUID]] = [
        (number, id_) for id_, number, is_expiry in rows if is_expiry
    ]
    for call in calls:
        created = [numbers[one.id] for one in call.results if one.status == "created"]
        if created:
            order.append((max(created), call))
    return [event for _, event in sorted(order, key=lambda pair: pair[0])]


def _story(booked: Sequence[Call | UUID], unexplained: Sequence[Call]) -> Iterator[str]:
    """What the books say happened, one event a line, and what does not fit in."""
    for title, events in (("booked", booked), ("unexplained", unexplained)):
        for event in events:
            if isinstance(event, UUID):
                yield f"{title}: {event} expired"
                continue
            yield f"{title}: from {event.asked_at:.6f} to {event.answered_at:.6f}"
            yield from (
                f"    {order} -> {answer}"
                for order, answer in zip(event.orders, event.answers, strict=True)
            )

"""Past balances are sums of what was booked: by when it counts, and by when it was known."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import reading, store
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Balance, Entry, Order, Transfer, TransferKind
from paynexus.ledger.reading import Line, Period, Statement, Sums
from paynexus.lists.model import Page
from paynexus.money import Money

pytestmark = pytest.mark.proof

MICROSECOND = dt.timedelta(microseconds=1)
FAR = "infinity"
OPEN = dt.datetime(2199, 1, 1, tzinfo=dt.UTC)

type Totals = tuple[int, int, int, int]
"""Debits pending, debits posted, credits pending, credits posted."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something to book: `of` and `part` choose an open hold and how much of it to post."""

    verb: str
    is_out: bool
    amount: int
    of: int
    part: float
    is_final: bool
    shift: dt.timedelta | None
    """How long before its recording it counts; None: from its recording."""


steps = st.lists(
    st.builds(
        Step,
        verb=st.sampled_from(["single", "pending", "pending", "post", "post", "void"]),
        is_out=st.booleans(),
        amount=st.integers(1, 1_000),
        of=st.integers(0, 9),
        part=st.floats(0.01, 1),
        is_final=st.booleans(),
        shift=st.none()
        | st.sampled_from([1, 3, 50_000]).map(lambda n: dt.timedelta(microseconds=n))
        | st.integers(-5, 5).map(lambda n: dt.timedelta(days=n)),
    ),
    min_size=1,
    max_size=12,
)


@dataclass(frozen=True, slots=True)
class Change:
    """What one transfer adds to the payable account's totals, and its two times."""

    totals: Totals
    recorded: dt.datetime
    effective: dt.datetime


def totals(*, pending: int, posted: int, is_out: bool) -> Totals:
    """What is debited where it goes out of the payable account, credited where it comes in."""
    return (pending, posted, 0, 0) if is_out else (0, 0, pending, posted)


class Book:
    """Books steps between two accounts of its own, and keeps what each should change."""

    def __init__(self, connection: Connection, merchant: MerchantId) -> None:
        self.connection = connection
        self.payable = Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", merchant)
        self.reserve = Account(AccountType.RESERVE, "test", "EUR", merchant)
        self.open: list[tuple[TransferId, int, bool]] = []
        self.changes: list[Change] = []

    def take(self, step: Step) -> None:
        """The step is booked and noted; one that needs a hold does nothing without."""
        at = None
        if step.shift is not None:
            row = self.connection.execute("SELECT clock_timestamp()").fetchone()
            at = row[0] - step.shift if row else None
        id_ = TransferId(ids.new_id())
        if step.verb in {"single", "pending"}:
            self._begin(step, id_, at)
        elif self.open:
            self._resolve(step, id_, at)

    def _begin(self, step: Step, id_: TransferId, at: dt.datetime | None) -> None:
        debit, credit = self.reserve, self.payable
        if step.is_out:
            debit, credit = credit, debit
        money = Money(step.amount, "EUR")
        transfer = Transfer(id_, TransferKind.ADJUSTMENT, debit, credit, money, "x")
        if step.verb == "pending":
            self.open.append((id_, step.amount, step.is_out))
            order = Order.pending(transfer, effective_at=at)
            self._note(order, totals(pending=step.amount, posted=0, is_out=step.is_out))
        else:
            order = Order.single(transfer, effective_at=at)
            self._note(order, totals(pending=0, posted=step.amount, is_out=step.is_out))

    def _resolve(self, step: Step, id_: TransferId, at: dt.datetime | None) -> None:
        hold, left, is_out = self.open.pop(step.of % len(self.open))
        if step.verb == "void":
            order = Order.void(hold, id=id_, effective_at=at)
            self._note(order, totals(pending=-left, posted=0, is_out=is_out))
            return
        amount = max(int(left * step.part), 1)
        order = Order.post(hold, id=id_, amount=amount, is_final=step.is_final, effective_at=at)
        stays = not step.is_final and amount < left
        released = amount if stays else left
        self._note(order, totals(pending=-released, posted=amount, is_out=is_out))
        if stays:
            self.open.append((hold, left - amount, is_out))

    def _note(self, order: Order, totals: Totals) -> None:
        [result] = store.transfers(self.connection, [order])
        result.require_booked()
        row = self.connection.execute(
            "SELECT created_at, effective_at FROM transfers WHERE id = %s", (order.id,)
        ).fetchone()
        assert row is not None
        assert order.effective_at in {None, row[1]}
        self.changes.append(Change(totals, *row))

    def known(self, effective: dt.datetime, recorded: dt.datetime | str) -> Totals:
        """The totals at one time as known at another, counted one by one."""
        counted = [
            change.totals
            for change in self.changes
            if change.effective <= effective
            and (isinstance(recorded, str) or change.recorded <= recorded)
        ]
        return (
            sum(one[0] for one in counted),
            sum(one[1] for one in counted),
            sum(one[2] for one in counted),
            sum(one[3] for one in counted),
        )

    def moments(self) -> Iterator[dt.datetime]:
        """Every moment at which something changes, the one before and the one after."""
        for change in self.changes:
            for moment in (change.recorded, change.effective):
                yield from (moment - MICROSECOND, moment, moment + MICROSECOND)


@pytest.fixture
def books(database: Database) -> Connection:
    """A connection on which nothing but the examples happens."""
    return database.connection()


def opened(connection: Connection, *, slots: int) -> tuple[MerchantId, UUID]:
    """A merchant of one example and its payable account, spread over so many rows."""
    merchant = MerchantId(ids.new_id())
    connection.execute("INSERT INTO merchants (id, name) VALUES (%s, 'M')", (merchant,))
    row = connection.execute(
        "SELECT id FROM ledger_account('merchant_payable', 'test', 'EUR', %s)", (merchant,)
    ).fetchone()
    assert row is not None
    connection.execute("SELECT ledger_spread_account(%s, %s)", (row[0], slots))
    return merchant, row[0]


def checkpointed(connection: Connection, account: UUID, *, every: int) -> None:
    """Every so manyth entry of the account has a checkpoint, as the job would make it."""
    connection.execute(
        "INSERT INTO balance_checkpoints"
        " SELECT account_id, id, t.* FROM ("
        "   SELECT account_id, id, row_number() OVER (ORDER BY id) AS n FROM ledger_entries"
        "   WHERE account_id = %s) AS e, ledger_undated_totals(account_id, id + 1) AS t"
        " WHERE n %% %s = 0 ORDER BY id ON CONFLICT DO NOTHING",
        (account, every),
    )


def booked(
    connection: Connection, steps: list[Step], *, slots: int, every: int
) -> tuple[Book, UUID]:
    """A book in which the steps are booked, with checkpoints made meanwhile."""
    merchant, account = opened(connection, slots=slots)
    book = Book(connection, merchant)
    for number, step in enumerate(steps):
        book.take(step)
        if number % 4 == 0:
            checkpointed(connection, account, every=every)
    return book, account


def balance(totals: Totals) -> Balance:
    """The totals as a merchant is told them."""
    debits_pending, debits_posted, credits_pending, credits_posted = totals
    return Balance("EUR", credits_posted - debits_posted, credits_pending, debits_pending)


def sums(totals: Totals) -> Sums:
    """Posted and pending, as the account's normal side sees the totals."""
    debits_pending, debits_posted, credits_pending, credits_posted = totals
    return Sums(credits_posted - debits_posted, credits_pending - debits_pending)


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=steps, slots=st.integers(1, 3), every=st.integers(1, 5), data=st.data())
def test_past_balances_are_the_sums_of_what_was_booked(
    books: Connection, steps: list[Step], slots: int, every: int, data: st.DataObject
) -> None:
    """At any effective time, as known at any recorded time, with checkpoints anywhere."""
    book, account = booked(books, steps, slots=slots, every=every)
    moments = sorted(book.moments()) or [dt.datetime(2026, 1, 1, tzinfo=dt.UTC)]
    times = st.sampled_from(moments)
    asked = data.draw(st.lists(st.tuples(times, times | st.just(FAR)), min_size=8, max_size=8))
    found = books.execute(
        "SELECT b.debits_pending, b.debits_posted, b.credits_pending, b.credits_posted, b.posted,"
        " b.pending, b.available"
        " FROM unnest(%s::TIMESTAMPTZ[], %s::TIMESTAMPTZ[]) WITH ORDINALITY AS q (e, r, n)"
        " CROSS JOIN LATERAL ledger_balance_at(%s, q.e, q.r) AS b ORDER BY n",
        ([str(e) for e, _ in asked], [str(r) for _, r in asked], account),
    ).fetchall()

    for (effective, recorded), row in zip(asked, found, strict=True):
        expected = book.known(effective, recorded)
        debits_pending, debits_posted, credits_pending, credits_posted = expected
        assert row[:4] == expected
        assert row[4:] == (
            credits_posted - debits_posted,
            credits_pending - debits_pending,
            credits_posted - debits_posted - debits_pending,
        )


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    steps=steps,
    slots=st.integers(1, 3),
    every=st.integers(1, 5),
    data=st.data(),
)
def test_statements_add_up_whole_and_page_by_page(
    books: Connection, steps: list[Step], slots: int, every: int, data: st.DataObject
) -> None:
    """Opening and lines make the closing balance, and each line the balance beside it."""
    book, account = booked(books, steps, slots=slots, every=every)
    size = data.draw(st.integers(1, 4))
    times = st.sampled_from(sorted(book.moments()) or [OPEN])
    first, until = sorted((data.draw(times), data.draw(times | st.just(OPEN))))
    period = Period(first, until, data.draw(times | st.just(OPEN)))

    whole = reading.statement(books, account, period, limit=1_000)

    assert whole.opening == sums(book.known(first - MICROSECOND, period.known))
    assert whole.closing == sums(book.known(until - MICROSECOND, period.known))
    posted, pending = whole.opening.posted, whole.opening.pending
    for line in whole.lines:
        assert first <= line.effective_at < until
        posted, pending = posted + line.change.posted, pending + line.change.pending
        assert line.balance == Sums(posted, pending)
    assert whole.closing == Sums(posted, pending)
    assert list(paged(books, account, period, size=size)) == whole.lines


def paged(connection: Connection, account: UUID, period: Period, *, size: int) -> Iterator[Line]:
    """The statement's lines, read so many at a time."""
    last: Line | None = None
    while True:
        page: Statement = reading.statement(connection, account, period, limit=size, after=last)
        if not page.lines:
            return
        yield from page.lines
        last = page.lines[-1]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=steps, slots=st.integers(1, 3), every=st.integers(1, 5), size=st.integers(1, 4))
def test_entries_show_the_balance_after_each(
    books: Connection, steps: list[Step], slots: int, every: int, size: int
) -> None:
    """In the order of recording, forwards and backwards, however far the account is spread."""
    book, _ = booked(books, steps, slots=slots, every=every)
    merchant = book.payable.merchant_id
    assert merchant is not None
    forwards: list[Entry] = []
    backwards: list[Entry] = []
    while page := reading.entries(
        books, merchant, "test", Page[int](size), after=forwards[-1].id if forwards else 0
    ):
        forwards += page
    while page := reading.entries(
        books, merchant, "test", Page(size, before=backwards[-1].id if backwards else None)
    ):
        backwards += page

    assert forwards == backwards[::-1]
    assert len(forwards) == len(book.changes)
    for entry, change in zip(forwards, book.changes, strict=True):
        after = sums(book.known(OPEN, change.recorded))
        assert entry.balance_after == (after.posted if entry.type == "posted" else after.pending)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=steps, slots=st.integers(1, 3), every=st.integers(1, 5), limit=st.integers(0, 5))
def test_merchants_are_told_what_the_steps_left(
    books: Connection, steps: list[Step], slots: int, every: int, limit: int
) -> None:
    """The balance now, the open holds in it, the oldest first, and the same of a past moment."""
    book, _ = booked(books, steps, slots=slots, every=every)
    merchant = book.payable.merchant_id
    assert merchant is not None

    [owed] = reading.balances(books, merchant, "test", holds=limit)

    assert owed.balance == balance(book.known(OPEN, FAR))
    told = [(one.transfer_id, one.amount, one.is_outgoing) for one in owed.holds]
    assert told == sorted(book.open)[:limit]
    for moment in book.moments():
        [past] = reading.balances_at(books, merchant, "test", at=moment, known_at=OPEN)
        assert past == balance(book.known(moment, OPEN))

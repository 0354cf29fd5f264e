"""Merchants, functions that die, sweepers, an acquirer and a lying Redis, as a seed says.

python -m tests.faults.simulation --seeds 17        # one scenario, with its trace
python -m tests.faults.simulation --seeds 0-20000   # as many as wanted
"""

import argparse
import datetime as dt
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import override
from uuid import UUID

import psycopg

from paynexus import db, ids
from paynexus.cache import Cache
from paynexus.clock import system_clock
from paynexus.db import Database
from paynexus.errors import InvalidRequest, InvalidState, NotFound, PayNexusError
from paynexus.gateways.port import Operation
from paynexus.idempotency import Answer
from paynexus.ids import MerchantId, PaymentId
from paynexus.ledger import audit
from paynexus.payments import operations
from paynexus.payments.expiry import EXPIRY_RETRY
from paynexus.payments.model import AUTHORIZATION_LIFETIME
from tests.faults.acquirer import Books, Line
from tests.faults.agreement import require_agreement, require_at_rest, require_final
from tests.faults.asking import ask, hear, is_final, watch
from tests.faults.cuts import Killed
from tests.faults.scheduling import TRACE_KEPT, Schedule, ScheduledDatabase, Weather
from tests.flow import Flow
from tools.local_stack import postgres
from tools.sandbox_acquirer.disputes import Outcome as End

ROOT = Path(__file__).parents[2]
CALM = Weather(0, 0, 0, 0)
CONNECTIONS = 8
AMOUNTS = (1000, 1000, 60_000, 1_000_001)
TOKENS = ("tok_approve",) * 6 + ("tok_decline", "tok_capture_decline", "tok_refund_decline")
GARBAGE = (
    b"",
    b"null",
    b"[",
    b"[1e999, 1]",
    b'["a", null]',
    b"\xff\xfe",
    b'["x", "[]"]',
    b"[[[]]]",
)
TROUBLED_MINUTES = (1, 2, 5, 15, 40)
MINUTE = dt.timedelta(minutes=1)
LADDER_MINUTES = 12
"""After which a charge that nobody knows of is called off."""
MINUTES_TO_HEAL = (1, 3, 6, 13, 15, *range(60, 14 * 60, 60))
"""Beyond the last message that may be late: every rung of the ladder has come by then."""


class LyingCache(Cache):
    """A Redis that forgets, remembers what was before, mixes things up, or babbles."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__("")
        self._schedule = schedule
        self._kept: dict[str, list[bytes]] = {}

    @override
    def get(self, key: str) -> bytes | None:
        schedule, kept = self._schedule, self._kept.get(key, [])
        schedule.point("get")
        if schedule.dice.random() >= schedule.weather.cache:
            return kept[-1] if kept else None
        others = [value for values in self._kept.values() for value in values]
        lies = [None, *kept, *others, *GARBAGE, *(one[: len(one) // 2] for one in kept)]
        schedule.note("Redis lies")
        return schedule.dice.choice(lies)

    @override
    def set(self, key: str, value: bytes, *, ttl_seconds: int) -> None:
        self._schedule.point("set")
        self._kept.setdefault(key, []).append(value)


@dataclass
class Purchase:
    """A payment as its merchant knows it."""

    number: int
    token: str
    amount: int
    capture: str
    payment_id: PaymentId | None = None
    """Known once any request has learned it."""


@dataclass
class Wish:
    """One request that is repeated under its key until it is answered, or given up."""

    key: str
    purchase: Purchase
    operation: Operation
    begin: Callable[..., operations.Begun] | None = None
    how: dict[str, object] = field(default_factory=dict)


@dataclass
class World:
    """All that takes part in one scenario."""

    seed: int
    databases: list[ScheduledDatabase]
    merchant: MerchantId
    began: dt.datetime

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)  # noqa: S311 - a test's dice, to be thrown again
        self.schedule = Schedule(self.dice, Weather.of(self.dice), self.began)
        self.books = Books(tell=self._call_back)
        self.line = Line(self.books, self.schedule)
        self.cache = LyingCache(self.schedule)
        self.free = [one.of(self.schedule) for one in self.databases]
        self.main = Clocked(self, self.free.pop())
        self.answers: dict[str, Answer] = {}
        self.replays = 0

    def play(self) -> None:
        """Everybody does what they do, everything heals, and all is as it must be."""
        self._set_up()
        self.schedule.run(self.began + dt.timedelta(minutes=self.dice.choice(TROUBLED_MINUTES)))
        self._heal()
        self._ask_again()
        require_at_rest(self.main, self.books, self.payments)
        self._pass_a_week()
        require_final(self.main, self.payments)
        require_agreement(self.main, self.books, self.payments)

    def counts(self) -> dict[str, int]:
        """What there was in this scenario."""
        return {
            "scenarios": 1,
            "payments": len(self.payments),
            "effects at the acquirer": len(self.books.effects),
            "disputes": len(self.books.disputes),
            "crashes": self.schedule.crashes,
            "messages that came late": sum(" late " in one for one in self.schedule.trace),
            "lies of Redis": sum("Redis lies" in one for one in self.schedule.trace),
            "answers that were repeated": self.replays,
        }

    @property
    def payments(self) -> list[PaymentId]:
        """All there are in this scenario."""
        query = "SELECT id FROM transactions WHERE idempotency_key LIKE %s ORDER BY id"
        rows = self.main.database.connection().execute(query, (f"{self.seed}-%",))
        return [PaymentId(row[0]) for row in rows]

    def _set_up(self) -> None:
        purchases = [self._purchase(number) for number in range(self.dice.choice([1, 1, 2, 3]))]
        self.wishes = [wish for one in purchases for wish in self._wishes(one)]
        for number in range(self.dice.randint(2, 4)):
            own = sorted(
                self.dice.sample(self.wishes, self.dice.randint(1, min(5, len(self.wishes)))),
                key=self.wishes.index,
            )
            self._start(f"client {number}", partial(self._shop, wishes=own), 2)
        for number in range(self.dice.randint(1, 3)):
            self._start(f"sweeper {number}", watch, self.dice.choice([10, 90, 700]))
        for _ in range(self.dice.choice([0, 1, 2, 3])):
            self.schedule.at(self.dice.choice([5, 60, 600, 4000]), self._dispute)
        # Three who come by at the same moment, now and then.
        if self.dice.random() < 0.2:
            for number in range(3):
                self._start(f"crowd {number}", watch, 0.1, later=65)

    def _dispute(self) -> None:
        """A payer's bank takes back some of a charge, or all, and decides later, or never."""
        charges = sorted(self.books.charges.items())
        open_to_it = [one for _, one in charges if one.captured > one.disputed and not one.canceled]
        if not open_to_it:
            return
        charge = self.dice.choice(open_to_it)
        amount = min(self.dice.choice([100, 700, charge.captured]), charge.captured)
        name = self.books.dispute(charge, min(amount, charge.captured - charge.disputed)).id
        self.schedule.note(f"dispute {len(self.books.disputes)} is opened")
        if self.dice.random() < 0.7:
            end = self.dice.choice(list(End))
            later = self.dice.choice([1, 30, 600, 20_000, 90_000])
            self.schedule.at(later, partial(self.books.decide, name, end))

    def _purchase(self, number: int) -> Purchase:
        token = f"{self.dice.choice(TOKENS)}_{self.seed}x{number}"
        capture = self.dice.choice(["automatic", "manual"])
        return Purchase(number, token, self.dice.choice(AMOUNTS), capture)

    def _wishes(self, purchase: Purchase) -> Iterator[Wish]:
        prefix = f"{self.seed}-{purchase.number}"
        yield Wish(prefix, purchase, Operation.CHARGE)
        if purchase.amount == 60_000:
            is_authenticated = self.dice.random() < 0.8
            how: dict[str, object] = {"is_authenticated": is_authenticated}
            yield Wish(f"{prefix}-confirm", purchase, Operation.CHARGE, operations.confirm, how)
        for number in range(self.dice.randint(0, 4)):
            yield self._later_wish(f"{prefix}-{number}", purchase)

    def _later_wish(self, key: str, purchase: Purchase) -> Wish:
        amount = self.dice.choice([100, 400, 700, None])
        kind = self.dice.choice(["capture", "refund", "cancel", "refund", "capture"])
        if kind == "cancel":
            return Wish(key, purchase, Operation.CANCEL, operations.cancel)
        if kind == "refund":
            how: dict[str, object] = {"amount": amount, "reason": None}
            return Wish(key, purchase, Operation.REFUND, operations.refund, how)
        how = {"amount": amount, "is_final": self.dice.random() < 0.4}
        return Wish(key, purchase, Operation.CAPTURE, operations.capture, how)

    def _start(
        self, name: str, work: Callable[[Flow], object], within: float, *, later: float = 0
    ) -> None:
        def in_own_process() -> None:
            if not self.free:
                return
            database = self.free.pop()
            try:
                work(Clocked(self, database))
            except PayNexusError as error:
                self.schedule.note(f"fails: {error.code}")
            finally:
                self.free.append(database)

        self.schedule.start(name, in_own_process, after=later + self.dice.uniform(0, within))

    def _shop(self, flow: Flow, wishes: list[Wish]) -> None:
        """A merchant's process: each wish in turn, each asked for as often as it takes."""
        for wish in wishes:
            for _ in range(self.dice.randint(1, 4)):
                is_answered = False
                # Who answers may be gone: the merchant's own program is not, and asks again.
                with suppress(Killed):
                    is_answered = self.ask(flow, wish)
                if is_answered:
                    break
                self.schedule.sleep(self.dice.choice([0.1, 2, 32]), "waits")

    def ask(self, flow: Flow, wish: Wish) -> bool:
        """The request is sent as the API takes it; whether that was final."""
        self.schedule.note(f"asks {wish.key}")
        try:
            answer = ask(flow, wish.key, lambda: self._act(flow, wish))
        except (InvalidState, InvalidRequest) as refusal:
            self.schedule.note(f"is refused: {refusal.code}")
            return True
        except PayNexusError as error:
            self.schedule.note(f"is put off: {error.code}")
            return False
        if not is_final(answer):
            return False
        self._require_same(wish.key, answer)
        return True

    def _act(self, flow: Flow, wish: Wish) -> Answer:
        purchase = wish.purchase
        if wish.begin is None:
            purchase.payment_id, answer = flow.take(
                purchase.token, purchase.amount, key=wish.key, capture=purchase.capture
            )
            return answer
        if purchase.payment_id is None:
            raise NotFound("Nobody has told this merchant of the payment yet.")
        return flow.operate(
            wish.operation, purchase.payment_id, wish.begin, key=wish.key, **wish.how
        )

    def _require_same(self, key: str, answer: Answer) -> None:
        """Whatever was answered under the key before, the answer is the same to the byte."""
        before = self.answers.setdefault(key, answer)
        self.replays += before is not answer
        assert (answer.status, answer.body) == (before.status, before.body), key

    def _call_back(self, body: str) -> None:
        """The acquirer tells what it has done: not at all, once, or again and again."""
        for _ in range(self.dice.choice([0, 1, 1, 2])):
            self._start("callback", partial(hear, body=body), 1, later=self._on_the_way())

    def _on_the_way(self) -> float:
        return self.dice.choice([0, 0.1, 1, 10, 100, 1000])

    def _heal(self) -> None:
        """Nothing new goes wrong; sweepers come by until what was late has come, and longer."""
        self.schedule.weather, self.line.is_well = CALM, True
        ended = self.schedule.now
        for minutes in MINUTES_TO_HEAL:
            self.schedule.run(ended + dt.timedelta(minutes=minutes))
            watch(self.main)
            if minutes > LADDER_MINUTES and self.schedule.is_over and not self._is_open():
                break
        for body in self.books.news:
            hear(self.main, body)

    def _is_open(self) -> bool:
        query = "SELECT EXISTS (SELECT FROM attempts WHERE next_at IS NOT NULL OR outcome IS NULL)"
        row = self.main.database.connection().execute(query).fetchone()
        return bool(row and row[0])

    def _ask_again(self) -> None:
        """Every wish is repeated by a merchant who has heard nothing: twice."""
        for _ in range(2):
            self.schedule.now += dt.timedelta(seconds=31)
            for wish in self.wishes:
                self.ask(self.main, wish)
        self.schedule.now += dt.timedelta(minutes=2)
        watch(self.main)

    def _pass_a_week(self) -> None:
        self.schedule.run(self.schedule.now + AUTHORIZATION_LIFETIME + EXPIRY_RETRY)
        # A dispute that ends just then puts the expiry off once.
        for wait in (MINUTE, EXPIRY_RETRY, MINUTE):
            self.schedule.run(self.schedule.now + wait + MINUTE)
            watch(self.main)


class Clocked(Flow):
    """A flow whose time is the schedule's, whenever it is asked for."""

    def __init__(self, world: World, database: Database) -> None:
        self._schedule = world.schedule
        gateways = {"test": world.line}
        super().__init__(database, world.cache, gateways, world.merchant, world.began)

    @property
    def now(self) -> dt.datetime:
        """The schedule's time."""
        return self._schedule.now

    @now.setter
    def now(self, _: dt.datetime) -> None:
        """The schedule alone lets time pass."""


@contextmanager
def seeded_ids(seed: int, began: dt.datetime) -> Iterator[None]:
    """New ids follow from the seed, each greater than the one before."""
    dice, before, number = random.Random(f"ids {seed}"), ids.new_id, 0  # noqa: S311 - likewise
    milliseconds = int(began.timestamp() * 1000)

    def new_id() -> UUID:
        nonlocal number
        number += 1
        value = (milliseconds + (number >> 12)) << 80 | 0x7 << 76 | (number & 0xFFF) << 64
        return UUID(int=value | 0b10 << 62 | (seed << 30) | dice.getrandbits(30))

    ids.new_id = new_id  # type: ignore[assignment]
    try:
        yield
    finally:
        ids.new_id = before


def play(
    seed: int, databases: list[ScheduledDatabase], merchant: MerchantId, began: dt.datetime
) -> World:
    """The seed's scenario has been played; AssertionError says what was wrong, and how to see it.

    Every scenario leaves nothing open behind, so that it is the same alone and among others.
    """
    world = World(seed, databases, merchant, began)
    with seeded_ids(seed, began):
        try:
            world.play()
        except Exception as error:
            trace = "\n".join(world.schedule.trace[-TRACE_KEPT:])
            command = f"python -m tests.faults.simulation --seeds {seed}"
            raise AssertionError(f"seed {seed}: {error!r}\n{trace}\nAlone: {command}") from error
    return world


def new_merchant(database: Database) -> MerchantId:
    """A merchant who pays 1.5 % and 25 cents a payment."""
    merchant_id = MerchantId(ids.new_id())
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Café')", (merchant_id,))
        tx.execute("INSERT INTO merchant_fees VALUES (%s, 'EUR', 150, 25)", (merchant_id,))
    return merchant_id


def main(arguments: list[str]) -> int:
    """The seeds are played on a Postgres of their own; one alone shows its trace."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.simulation")
    parser.add_argument("--seeds", default="0-1999", help="one seed, or the first and the last")
    first, _, last = parser.parse_args(arguments).seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    with tempfile.TemporaryDirectory() as home:
        server = postgres.start(Path(home))
        try:
            _play_all(server.url, seeds)
        finally:
            server.stop()
    return 0


def _play_all(url: str, seeds: range) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        db.migrate(connection, ROOT / "infra/database/migrations")
    database = Database(lambda: url)
    merchant, sums = new_merchant(database), Counter[str]()
    databases = [ScheduledDatabase(url) for _ in range(CONNECTIONS)]
    began = system_clock().replace(microsecond=0)
    for seed in seeds:
        world = play(seed, databases, merchant, began)
        sums.update(world.counts())
    if len(seeds) == 1:
        sys.stdout.write("\n".join(world.schedule.trace) + "\n")
    assert audit.violations(database) == []
    for one in (database, *databases):
        one.close()
    sys.stdout.writelines(f"{total} {name}\n" for name, total in sums.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

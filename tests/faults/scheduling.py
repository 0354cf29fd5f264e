"""Processes that take turns as a seed says: one runs at a time, in virtual time, and may die.

A process is a thread that hands its turn back at its points; between two points nobody else
runs. So the same seed leads to the same order of all that happens.
"""

import datetime as dt
import heapq
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import override

from paynexus.db import Connection, Database
from tests.faults.cuts import CutDatabase, Killed, Knife, die

PATIENCE_SECONDS = 60
TRACE_KEPT = 60


@dataclass(frozen=True)
class Weather:
    """How likely things go wrong, at each point or on each message."""

    stall: float
    crash: float
    line: float
    cache: float

    @classmethod
    def of(cls, dice: random.Random) -> "Weather":
        """Mostly some of everything, sometimes calm, sometimes a storm of one kind."""
        return cls(*(dice.choice([0, *levels]) for levels in LEVELS))


LEVELS = ((0.03, 0.15), (0.01, 0.04), (0.2, 0.6, 0.95), (0.3, 0.9))


class Process:
    """A thread that runs only while it has the turn."""

    def __init__(self, name: str, work: Callable[[], object], begins: Callable[[], None]) -> None:
        self.name, self._work, self._begins = name, work, begins
        self._mine, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.is_over = False
        self.error: BaseException | None = None
        self._thread.start()

    def resume(self) -> None:
        """It has run to its next point, or its end."""
        self._mine.release()
        assert self._back.acquire(timeout=PATIENCE_SECONDS), f"{self.name} hangs"
        if self.is_over:
            self._thread.join()
        if self.error is not None:
            raise self.error

    def hand_back(self) -> None:
        """Others have had their turns."""
        self._back.release()
        self._mine.acquire()

    def _run(self) -> None:
        self._mine.acquire()
        try:
            self._begins()
            self._work()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again where the turn goes back to
            self.error = error
        self.is_over = True
        self._back.release()


@dataclass
class Schedule:
    """What happens when, in virtual time; `dice` decides all that is not decided."""

    dice: random.Random
    weather: Weather
    began: dt.datetime
    now: dt.datetime = field(init=False)
    trace: list[str] = field(default_factory=list)
    running: Process | None = None
    crashes: int = 0
    _queue: list[tuple[dt.datetime, int, Callable[[], object]]] = field(default_factory=list)
    _number: int = 0

    def __post_init__(self) -> None:
        self.now = self.began

    def at(self, seconds: float, event: Callable[[], object]) -> None:
        """The event happens so many seconds from now."""
        self._number += 1
        when = self.now + dt.timedelta(milliseconds=round(seconds * 1000))
        heapq.heappush(self._queue, (when, self._number, event))

    def start(self, name: str, work: Callable[[], object], *, after: float) -> None:
        """A process begins its work then."""
        process = Process(name, work, lambda: self.note("begins"))
        self.at(after, lambda: self._turn(process))

    def run(self, until: dt.datetime | None = None) -> None:
        """All has happened that was to happen, up to the moment."""
        while self._queue and (until is None or self._queue[0][0] <= until):
            when, _, event = heapq.heappop(self._queue)
            # Never the same moment twice: what is sorted by time has one order only.
            self.now = max(when, self.now + dt.timedelta(milliseconds=1))
            event()
        if until is not None:
            self.now = max(self.now, until)

    @property
    def is_over(self) -> bool:
        """Whether nothing is to happen any more."""
        return not self._queue

    def note(self, what: str) -> None:
        """It goes on record."""
        who = self.running.name if self.running else "-"
        self.trace.append(f"{(self.now - self.began).total_seconds():.3f} {who} {what}")

    def point(self, where: str = "statement") -> None:
        """The process may stand still here while others run, or be gone."""
        self.die_perhaps(where)
        throw = self.dice.random()
        if throw < self.weather.stall:
            # Within the minute or two that a function may live at most.
            self.sleep(self.dice.choice([0.5, 5, 31, 65]), f"stalls at {where}")
        elif throw < self.weather.stall + 0.4:
            self.sleep(10 ** self.dice.uniform(-2.5, 0), where)

    def die_perhaps(self, where: str) -> None:
        """The process may be gone; nobody else runs."""
        if self.dice.random() < self.weather.crash:
            self.note(f"dies at {where}")
            self.crashes += 1
            die()

    def sleep(self, seconds: float, why: str) -> None:
        """Others run meanwhile."""
        process = self.running
        if process is None:
            return
        self.note(why)
        self.at(seconds, lambda: self._turn(process))
        process.hand_back()

    def _turn(self, process: Process) -> None:
        self.running = process
        try:
            process.resume()
        finally:
            self.running = None


class Turns(Knife):
    """A knife that a schedule holds: each point of an order is one of the process that runs."""

    def __init__(self) -> None:
        super().__init__(-1, die)
        self.schedule: Schedule

    @override
    def point(self) -> bool:
        self.schedule.point()
        return False


class ScheduledDatabase(CutDatabase):
    """The product's database; its process may stand still where it holds no lock, or die."""

    def __init__(self, url: str) -> None:
        self._turns = Turns()
        super().__init__(url, self._turns, before_commits=False)

    def of(self, schedule: Schedule) -> "ScheduledDatabase":
        """The schedule that its points belong to from now on."""
        self._turns.schedule = schedule
        return self

    def at_rest(self) -> Database:
        """The same database, of which nothing is cut."""
        return Database(self._conninfo)

    @override
    def connection(self) -> Connection:
        connection = super().connection()
        connection.prepare_threshold = 1
        return connection

    @override
    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        schedule = self._turns.schedule
        schedule.point("begin")
        with Database.transaction(self) as tx:
            yield tx
            schedule.die_perhaps("commit")
        schedule.point("committed")

"""Card payments and frauds as the Fraud Detection Handbook simulates them, draw for draw.

The Handbook (Le Borgne, Siblini, Lebichot, Bontempi: Reproducible Machine Learning for Credit
Card Fraud Detection, chapter 3) defines customers and terminals on a square, the customers'
habits, and three kinds of fraud. Its random numbers come from seeds, so the same draws in the
same order give the same payments: its published results are ours to compare with.
"""

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DAY_SECONDS = 86_400
SIDE = 100
"""Length of the square on which customers and terminals lie."""
NOON_SECONDS = DAY_SECONDS / 2
SPREAD_SECONDS = 20_000
"""Standard deviation of the time of day."""
LARGE_AMOUNT = 220
"""Scenario 1: every payment above it is a fraud."""
TERMINALS_A_DAY = 2
TERMINAL_DAYS = 28
"""Scenario 2: so many terminals a day fall to thieves, for so long."""
CARDS_A_DAY = 3
CARD_DAYS = 14
CARD_SHARE = 3
CARD_FACTOR = 5
"""Scenario 3: of so many cards a day, for so long, a third of the amounts is multiplied."""

type Ints = NDArray[np.int64]
type Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class World:
    """How much is simulated; as it stands, what the Handbook publishes results of."""

    customers: int = 5_000
    terminals: int = 10_000
    days: int = 183
    radius: float = 5
    """A customer pays at terminals nearer than this."""
    begins: dt.date = dt.date(2018, 4, 1)


HANDBOOK = World()


@dataclass(frozen=True, slots=True)
class Payments:
    """Payments in order of time; all arrays have one element for each."""

    seconds: Ints
    """Since the world began."""
    customer: Ints
    terminal: Ints
    amount: Floats
    """In major units."""
    scenario: Ints
    """0: genuine; else the scenario that marked it last."""
    scenarios_alone: Ints
    """How many frauds each of the three scenarios added to those before it."""

    @property
    def day(self) -> Ints:
        """Days since the world began."""
        return self.seconds // DAY_SECONDS

    @property
    def fraud(self) -> NDArray[np.bool_]:
        """Whether it is a fraud."""
        return self.scenario > 0


def payments(folder: Path) -> Payments:
    """The Handbook's payments, read from the folder, where they are written the first time."""
    path = folder / "handbook-payments.npz"
    if not path.exists():
        made = simulated(HANDBOOK)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{field.name: getattr(made, field.name) for field in fields(made)})
    with np.load(path) as stored:
        return Payments(**{field.name: stored[field.name] for field in fields(Payments)})


def simulated(world: World) -> Payments:
    """The world's payments, the frauds marked; the same whenever it is called."""
    genuine = _genuine(world)
    order = np.argsort(genuine[:, 0], kind="stable")
    seconds, customer, terminal = (genuine[order, column].astype(np.int64) for column in range(3))
    amount = np.round(genuine[order, 3], 2)
    day = seconds // DAY_SECONDS
    scenario = np.zeros(len(order), dtype=np.int64)
    scenario[amount > LARGE_AMOUNT] = 1
    alone = [np.count_nonzero(scenario)]
    _take_terminals(world, day, terminal, scenario)
    alone.append(np.count_nonzero(scenario) - sum(alone))
    _take_cards(world, day, customer, amount, scenario)
    alone.append(np.count_nonzero(scenario) - sum(alone))
    return Payments(seconds, customer, terminal, amount, scenario, np.array(alone))


@dataclass(frozen=True, slots=True)
class _Customer:
    number: int
    mean_amount: float
    payments_a_day: float
    terminals: list[int]


def _genuine(world: World) -> Floats:
    """Rows of second, customer, terminal, amount: customer by customer."""
    rows = [row for customer in _customers(world) for row in _payments_of(customer, world.days)]
    return np.array(rows, dtype=np.float64)


def _customers(world: World) -> Iterator[_Customer]:
    draws = np.random.RandomState(0)
    places = np.random.RandomState(1).uniform(0, SIDE, (world.terminals, 2))
    for number in range(world.customers):
        x, y = draws.uniform(0, SIDE), draws.uniform(0, SIDE)
        mean_amount, payments_a_day = draws.uniform(5, 100), draws.uniform(0, 4)
        distances = np.sqrt(np.sum(np.square(np.array([x, y]) - places), axis=1))
        near = np.flatnonzero(distances < world.radius).tolist()
        yield _Customer(number, mean_amount, payments_a_day, near)


def _payments_of(customer: _Customer, days: int) -> Iterator[tuple[float, int, int, float]]:
    """One customer's payments. Every draw counts, those of discarded payments too."""
    draws, choices = np.random.RandomState(customer.number), random.Random(customer.number)  # noqa: S311 - the Handbook's
    mean, spread = customer.mean_amount, customer.mean_amount / 2
    for day in range(days):
        for _ in range(draws.poisson(customer.payments_a_day)):
            second = int(draws.normal(NOON_SECONDS, SPREAD_SECONDS))
            if not 0 < second < DAY_SECONDS:
                continue
            amount = draws.normal(mean, spread)
            if amount < 0:
                amount = draws.uniform(0, mean * 2)
            if customer.terminals:
                terminal = choices.choice(customer.terminals)
                yield second + day * DAY_SECONDS, customer.number, terminal, amount


def _take_terminals(world: World, day: Ints, terminal: Ints, scenario: Ints) -> None:
    """Every payment at a taken terminal is a fraud."""
    for first in range(int(day.max())):
        draws = np.random.RandomState(first)
        taken = draws.choice(world.terminals, TERMINALS_A_DAY, replace=False)
        scenario[_during(day, first, TERMINAL_DAYS, terminal, taken)] = 2


def _take_cards(world: World, day: Ints, customer: Ints, amount: Floats, scenario: Ints) -> None:
    """A third of a taken card's payments is multiplied, and a fraud."""
    for first in range(int(day.max())):
        draws = np.random.RandomState(first)
        taken = draws.choice(world.customers, CARDS_A_DAY, replace=False)
        theirs = _during(day, first, CARD_DAYS, customer, taken).tolist()
        chosen = random.Random(first).sample(theirs, k=len(theirs) // CARD_SHARE)  # noqa: S311 - likewise
        amount[chosen] *= CARD_FACTOR
        scenario[chosen] = 3


def _during(day: Ints, first: int, days: int, who: Ints, taken: Ints) -> Ints:
    """The payments of who was taken, from the first day on."""
    begin, end = np.searchsorted(day, (first, first + days))
    found: Ints = begin + np.flatnonzero(np.isin(who[begin:end], taken))
    return found

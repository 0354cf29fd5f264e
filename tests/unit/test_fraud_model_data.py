"""The simulated payments, the split and the figures are those that the Handbook publishes."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from tools.fraud_model import protocol, simulator
from tools.fraud_model.simulator import HANDBOOK, Payments, World


@pytest.fixture(scope="session")
def handbook() -> Payments:
    """All of its payments; made in seconds."""
    return simulator.simulated(HANDBOOK)


@pytest.mark.proof
def test_the_handbooks_payments_come_out(handbook: Payments) -> None:
    """Its totals, and what each scenario added."""
    assert len(handbook.seconds) == 1_754_155
    assert np.count_nonzero(handbook.fraud) == 14_681
    assert handbook.scenarios_alone.tolist() == [978, 9_099, 4_604]


@pytest.mark.proof
def test_the_handbooks_split_comes_out(handbook: Payments) -> None:
    """A week of training, a week of delay, a week of test without the cards known by then."""
    split = protocol.split(handbook, protocol.PUBLISHED_START)

    sizes = [
        (len(each), int(np.count_nonzero(handbook.fraud[each])))
        for each in (split.train, split.test)
    ]
    assert sizes == [(67_240, 598), (58_264, 385)]


@pytest.mark.proof
def test_a_longer_training_has_the_same_test(handbook: Payments) -> None:
    """And ends on the same day."""
    short = protocol.split(handbook, protocol.PUBLISHED_START)
    long = protocol.split(handbook, protocol.PUBLISHED_START, train_days=35)

    assert long.test.tolist() == short.test.tolist()
    assert long.train[-1] == short.train[-1]
    assert handbook.day[long.train[0]] == handbook.day[short.train[0]] - 28


def test_a_small_world_is_the_same_each_time(tmp_path: Path) -> None:
    """Whether it is made or made again."""
    world = World(customers=20, terminals=500, days=30, radius=20)

    once, again = simulator.simulated(world), simulator.simulated(world)

    assert once.amount.tolist() == again.amount.tolist()
    assert (np.diff(once.seconds) >= 0).all()
    assert set(once.scenario.tolist()) == {0, 2, 3}
    assert (once.amount[once.scenario == 0] <= simulator.LARGE_AMOUNT).all()


def payments(*rows: tuple[int, int, bool]) -> Payments:
    """Day, customer, and whether it is a fraud."""
    days, customers, frauds = (
        np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)
    )
    nothing = np.zeros(len(days), dtype=np.int64)
    return Payments(
        days * simulator.DAY_SECONDS, customers, nothing, nothing.astype(float), frauds, nothing[:3]
    )


def test_known_cards_leave_the_test_a_week_after_their_fraud() -> None:
    """Customer 1 in the training, customer 2 on the last day that is known on the second day."""
    start = HANDBOOK.begins + dt.timedelta(days=10)
    told = payments(
        (10, 1, True), (17, 2, True), (24, 1, False), (24, 2, False), (25, 2, False), (25, 3, True)
    )

    split = protocol.split(told, start)

    assert split.train.tolist() == [0]
    assert split.test.tolist() == [3, 5]


def test_figures_of_a_known_order() -> None:
    """Two frauds, found first and third of four: AP (1 + 2/3) / 2, three of four pairs right."""
    told = payments((0, 1, True), (0, 2, False), (0, 3, True), (0, 4, False))

    found = protocol.scores(told, np.arange(4), np.array([0.9, 0.5, 0.4, 0.1]))

    assert found.average_precision == pytest.approx(5 / 6)
    assert found.auc == pytest.approx(3 / 4)
    assert found.card_precision == pytest.approx(2 / 100)


def test_equal_predictions_tell_nothing() -> None:
    """Half of the pairs, and the share of frauds."""
    told = payments((0, 1, True), (0, 2, False), (0, 3, True), (0, 4, False))

    found = protocol.scores(told, np.arange(4), np.zeros(4))

    assert found.auc == 0.5
    assert found.average_precision == 0.5


def test_a_card_is_found_once() -> None:
    """On the second day nobody looks at it again."""
    told = payments((0, 1, True), (0, 2, False), (1, 1, True), (1, 2, True))

    found = protocol.scores(told, np.arange(4), np.array([0.9, 0.5, 0.9, 0.5]))

    assert found.card_precision == pytest.approx((0.01 + 0.01) / 2)

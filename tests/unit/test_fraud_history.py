"""What each feature says of a card's and a terminal's past."""

import pytest

from paynexus.fraud.history.features import FEATURES, Values, features
from paynexus.fraud.history.model import DAY_SECONDS, CardHistory, History, TerminalHistory
from paynexus.fraud.history.replay import DAY, Label, Paid, Replay
from paynexus.money import Money


def of_card(amount: int, *payments: tuple[float, int], currency: str = "EUR") -> Values:
    """Payments by age in days, and amount."""
    card = CardHistory(tuple((int(days * DAY_SECONDS), each) for days, each in payments))
    return features(Money(amount, currency), History(card=card))


def of_terminal(
    *, genuine: tuple[float, ...] = (), frauds: tuple[tuple[float, str], ...]
) -> Values:
    """Payments by age in days; frauds with their cards."""
    terminal = TerminalHistory(
        tuple(int(days * DAY_SECONDS) for days in genuine),
        tuple((int(days * DAY_SECONDS), card) for days, card in frauds),
    )
    return features(Money(1000, "EUR"), History(terminal=terminal))


def test_an_amount_is_told_beside_the_usual_ones() -> None:
    """Mean 20, standard deviation 10, largest 30."""
    values = of_card(5000, (1, 1000), (20, 3000))

    assert values["card_usual_amount"] == 20
    assert values["card_amount_ratio"] == 2.5
    assert values["card_amount_deviation"] == 3
    assert values["card_amount_to_largest"] == pytest.approx(5 / 3)
    assert values["card_payments_14d"] == 1


def test_a_thiefs_amounts_dont_shift_what_is_usual() -> None:
    """They are remembered as unusual for two weeks."""
    values = of_card(1000, (1, 1000), (2, 5000), (3, 1000), (4, 1000), (15, 9000))

    assert values["card_usual_amount"] == 10
    assert values["card_unusual_14d"] == 1
    assert values["card_largest_ratio_14d"] == 5
    assert values["card_days_since_unusual"] == 2


def test_amounts_are_in_major_units_of_their_currency() -> None:
    """Yen have no minor unit, dinars have three decimals."""
    assert of_card(1000, (1, 1000), currency="JPY")["card_usual_amount"] == 1000
    assert of_card(1000, (1, 1000), currency="JPY")["amount_major"] == 1000
    assert of_card(1000, currency="BHD")["amount_major"] == 1


def test_equal_amounts_have_no_deviation() -> None:
    """There is no spread to measure it by."""
    assert of_card(1000, (1, 1000), (2, 1000))["card_amount_deviation"] is None


def test_a_new_card_is_told_by_its_counts_alone() -> None:
    """No amount to compare with."""
    values = features(Money(1000, "EUR"), History())

    known = {name for name, value in values.items() if value is not None}
    assert known == {
        "amount_major",
        "card_known_frauds",
        "card_payments_14d",
        "terminal_payments",
        "terminal_known_frauds",
        "terminal_known_frauds_14d",
        "terminal_fraud_cards",
        "terminal_frauds_in_a_row",
    }


def test_without_a_history_all_but_the_amount_is_unknown() -> None:
    """Postgres didn't answer, say."""
    values = features(Money(1000, "EUR"), None)

    assert values == dict.fromkeys(FEATURES) | {"amount_major": 10}


def test_a_terminal_in_a_thiefs_hands() -> None:
    """Since ten days, after a genuine payment twelve days ago."""
    values = of_terminal(genuine=(12, 20), frauds=((8, "a"), (9, "b"), (10, "a")))

    assert values["terminal_payments"] == 5
    assert values["terminal_known_frauds"] == 3
    assert values["terminal_known_frauds_14d"] == 3
    assert values["terminal_fraud_share"] == 0.6
    assert values["terminal_fraud_cards"] == 2
    assert values["terminal_days_since_fraud"] == 8
    assert values["terminal_days_since_first_fraud"] == 10
    assert values["terminal_genuine_since_fraud"] == 0
    assert values["terminal_frauds_in_a_row"] == 3
    assert values["terminal_days_since_last_genuine_before"] == 12


def test_a_terminal_that_is_genuine_again() -> None:
    """Two payments after the last fraud speak for it."""
    values = of_terminal(genuine=(8, 9), frauds=((20, "a"),))

    assert values["terminal_known_frauds_14d"] == 0
    assert values["terminal_genuine_since_fraud"] == 2
    assert values["terminal_frauds_in_a_row"] == 0
    assert values["terminal_days_since_last_genuine_before"] is None


def test_a_replay_refuses_to_go_back() -> None:
    """What was judged at a moment can't learn of an earlier one afterwards."""
    replay = Replay()
    early, late = (Paid(at, at, "a", None, "EUR", 100) for at in (DAY, 2 * DAY))
    replay.add(late)

    with pytest.raises(ValueError, match="order of time"):
        replay.history(early)
    with pytest.raises(ValueError, match="order of time"):
        replay.add(early)
    with pytest.raises(ValueError, match="known before"):
        replay.label(Label(early, is_fraud=True, known_at=DAY))


def test_a_fraud_is_known_after_its_time_only() -> None:
    """Until then its terminal is taken for what it seemed to be."""
    replay = Replay()
    paid = Paid(1, DAY, "a", "t", "EUR", 100)
    replay.add(paid)
    replay.label(Label(paid, is_fraud=True, known_at=10 * DAY))

    def told(at: int) -> TerminalHistory:
        return replay.history(Paid(2, at, "b", "t", "EUR", 100)).terminal

    assert told(7 * DAY) == TerminalHistory()
    assert told(9 * DAY) == TerminalHistory(genuine=(8 * DAY_SECONDS,))
    assert told(10 * DAY) == TerminalHistory(genuine=(9 * DAY_SECONDS,))
    assert told(11 * DAY) == TerminalHistory(frauds=((10 * DAY_SECONDS, "a"),))

"""Reports against figures worked out by hand, and statistics against published ones."""

import datetime as dt
import json
from dataclasses import replace
from hashlib import blake2b
from uuid import UUID

import pytest

from paynexus.fraud.backtest.replay import Judged, Judgement, Observed
from paynexus.fraud.backtest.report import report_of
from paynexus.fraud.backtest.statistics import CLUSTERS_MAX, Interval, bootstrap, wilson
from paynexus.fraud.backtest.tally import EXAMPLES_MAX, Hindsight, Tally, Truth
from paynexus.fraud.model import Verdict
from paynexus.ids import MerchantId, PaymentId
from tests.backtest_world import START, paid

ALLOW, CHALLENGE, BLOCK = Verdict
LATER = START + dt.timedelta(days=90)
OTHER = MerchantId(UUID(int=2))


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_of_rates_are_wilsons(
    successes: int, trials: int, low: float, high: float
) -> None:
    """Newcombe (1998), Statistics in Medicine 17, p. 857, table I, method 3."""
    found = wilson(successes, trials)

    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_nothing_is_said_of_a_rate_without_a_trial() -> None:
    """Neither zero nor one."""
    assert wilson(0, 0) is None


def _cards(number: int) -> dict[bytes, int]:
    return {
        blake2b(str(index).encode(), digest_size=16).digest(): (index * 7919) % 2_001 - 800
        for index in range(number)
    }


def test_the_bootstrap_is_the_same_for_the_same_data() -> None:
    """Whatever the order in which cards were seen."""
    cards = _cards(300)

    assert bootstrap(cards) == bootstrap(dict(reversed(cards.items())))


def test_cards_without_a_difference_change_nothing() -> None:
    """They may be left out."""
    cards = _cards(50)

    assert bootstrap(cards) == bootstrap(cards | {b"nothing": 0})


@pytest.mark.parametrize("number", [400, CLUSTERS_MAX + 1_000])
def test_the_bootstrap_agrees_with_the_normal_approximation(number: int) -> None:
    """With many cards, a sum varies by the root of the squares: 1.96 of it on either side."""
    cards = _cards(number)
    total = sum(cards.values())
    reach = 1.96 * sum(value * value for value in cards.values()) ** 0.5

    found = bootstrap(cards)

    assert found.low == pytest.approx(total - reach, abs=reach * 0.15)
    assert found.high == pytest.approx(total + reach, abs=reach * 0.15)


def test_one_card_proves_nothing() -> None:
    """More than one draw in 40 leaves it out: its money might be luck."""
    assert bootstrap({b"card": 10_000}).low == 0
    assert bootstrap({}) == Interval(0, 0)


def _judged(observed: Observed, base: Verdict, candidate: Verdict) -> Judged:
    return Judged(observed, Judgement(base), Judgement(candidate))


def _tally(*judged: Judged, frauds: tuple[int, ...] = (), genuine: tuple[int, ...] = ()) -> Tally:
    labels = {PaymentId(UUID(int=number)): True for number in frauds}
    labels |= {PaymentId(UUID(int=number)): False for number in genuine}
    tally = Tally(Hindsight(labels, as_of=LATER))
    for one in judged:
        tally.add(one)
    return tally


def test_a_report_worked_out_by_hand() -> None:
    """Two frauds stopped and one let through, a genuine payment stopped, another challenged."""
    tally = _tally(
        _judged(paid(1, amount=5_000, card="a"), ALLOW, BLOCK),
        _judged(paid(2, amount=3_000, card="b"), CHALLENGE, BLOCK),
        _judged(paid(3, amount=700, card="c"), BLOCK, ALLOW),
        _judged(paid(4, amount=900, card="d"), ALLOW, BLOCK),
        _judged(paid(5, amount=400, card="e"), ALLOW, CHALLENGE),
        _judged(paid(6, amount=100, card="e", was_charged=False), ALLOW, BLOCK),
        *[_judged(paid(number, card=f"f{number}"), ALLOW, ALLOW) for number in range(10, 14)],
        frauds=(1, 2, 3),
    )

    report = report_of(tally, warm_up=7)

    money = report["money"][0]
    assert (report["payments"], report["warm_up_payments"], report["cards"]) == (10, 7, 9)
    assert report["known"] == {"fraud": 3, "genuine": 6, "unknown": 1}
    assert (report["flipped"]["count"], report["flipped"]["rate"]) == (6, 0.6)
    assert [
        (one["from"], one["to"], one["payments"]) for one in report["flipped"]["decisions"]
    ] == [
        (ALLOW, BLOCK, 3),
        (ALLOW, CHALLENGE, 1),
        (BLOCK, ALLOW, 1),
        (CHALLENGE, BLOCK, 1),
    ]
    assert report["flipped"]["decisions"][0]["amounts"] == [{"amount": 6_000, "currency": "EUR"}]
    assert (money["fraud_stopped"], money["fraud_let_through"]) == (8_000, 700)
    assert (money["genuine_stopped"], money["genuine_let_through"]) == (900, 0)
    assert (money["unknown_stopped"], money["challenged"]) == (
        100,
        {"fraud": 0, "genuine": 400, "unknown": 0},
    )
    assert money["difference"] == 8_000 - 700 - 900
    assert report["frauds_let_through"]["count"] == 1
    assert report["detection"]["base"]["precision"]["rate"] == 1
    assert report["detection"]["base"]["recall"]["rate"] == round(2 / 3, 6)
    assert report["detection"]["candidate"]["precision"]["rate"] == 0.5
    assert report["detection"]["candidate"]["recall"]["rate"] == round(2 / 3, 6)
    assert report["detection"]["candidate"]["false_positive_rate"]["rate"] == round(2 / 6, 6)
    assert report["detection"]["candidate"]["verdicts"] == {"ALLOW": 5, "CHALLENGE": 1, "BLOCK": 4}


def test_currencies_are_never_added_up() -> None:
    """Each has its own money."""
    tally = _tally(
        _judged(paid(1, amount=100), ALLOW, BLOCK),
        _judged(paid(2, amount=500, currency="JPY"), ALLOW, BLOCK),
        frauds=(1,),
        genuine=(2,),
    )

    differences = {
        one["currency"]: one["difference"] for one in report_of(tally, warm_up=0)["money"]
    }

    assert differences == {"EUR": 100, "JPY": -500}


def test_false_positives_are_told_by_merchant() -> None:
    """First the merchant whose customers suffer most from the change."""
    tally = _tally(
        _judged(paid(1), BLOCK, ALLOW),
        _judged(paid(2), ALLOW, ALLOW),
        _judged(paid(3, merchant=OTHER), ALLOW, CHALLENGE),
        _judged(paid(4, merchant=OTHER), ALLOW, ALLOW),
    )

    merchants = report_of(tally, warm_up=0)["false_positives"]["merchants"]

    assert [one["increase"] for one in merchants] == [0.5, -0.5]
    assert [one["candidate"]["count"] for one in merchants] == [1, 0]
    assert [one["base"]["count"] for one in merchants] == [0, 1]


@pytest.mark.parametrize(
    ("days", "was_charged", "truth"),
    [
        (60, True, Truth.GENUINE),
        (59, True, Truth.UNKNOWN),
        (60, False, Truth.UNKNOWN),
    ],
)
def test_silence_says_genuine_only_late_and_of_what_was_charged(
    days: int,
    was_charged: bool,  # noqa: FBT001 - a parameter of the test
    truth: Truth,
) -> None:
    """Nobody disputes what was never charged, and disputes take their time."""
    hindsight = Hindsight({}, as_of=START + dt.timedelta(days=days))

    assert hindsight.truth_of(_judged(paid(1, was_charged=was_charged), ALLOW, ALLOW)) is truth


def test_a_label_is_believed_at_once() -> None:
    """Of a payment that was refused as well: a case says what it was."""
    hindsight = Hindsight({PaymentId(UUID(int=1)): False}, as_of=START)

    found = hindsight.truth_of(_judged(paid(1, was_charged=False), BLOCK, BLOCK))

    assert found is Truth.GENUINE


def test_few_payments_are_named_and_all_are_counted() -> None:
    """A report stays small."""
    judged = [_judged(paid(number), ALLOW, BLOCK) for number in range(1, EXAMPLES_MAX + 10)]

    decision = report_of(_tally(*judged), warm_up=0)["flipped"]["decisions"][0]

    assert decision["payments"] == EXAMPLES_MAX + 9
    assert len(decision["examples"]["genuine"]) == EXAMPLES_MAX


def test_rule_errors_and_erased_payers_are_told() -> None:
    """They make a report less sure: whoever reads it has to know."""
    observed = replace(paid(1), is_payer_kept=False)
    tally = _tally(Judged(observed, Judgement(ALLOW), Judgement(ALLOW, errors=2)))

    report = report_of(tally, warm_up=0)

    assert report["rule_errors"] == {"base": 0, "candidate": 1}
    assert report["payer_no_longer_kept"] == 1


def test_a_report_of_nothing_is_a_report() -> None:
    """Rates of nothing are null, and all of it is JSON."""
    report = report_of(_tally(), warm_up=0)

    assert report["flipped"]["rate"] is None
    assert report["money"] == []
    assert json.loads(json.dumps(report)) == report

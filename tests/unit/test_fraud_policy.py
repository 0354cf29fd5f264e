"""What follows from what spoke, case by case."""

import pytest

from paynexus.fraud.model import Action, Hit, Source, Verdict
from paynexus.fraud.policy import Limits, Scored, Thresholds, settle
from paynexus.money import Money

TEN_EUROS = Money(1000, "EUR")
FIVE_HUNDRED = Money(50_000, "EUR")


def _hit(action: Action, source: Source = Source.RULE, *, is_platform: bool = True) -> Hit:
    return Hit(source, "1", f"{source}_{action}", action, "Said.", is_platform)


def _scored(probability: float, *, is_shadow: bool = False) -> Scored:
    return Scored("1", probability, Thresholds(challenge_at=0.3, block_at=0.9), is_shadow)


def test_nothing_against_a_payment_lets_it_through() -> None:
    """Without a reason, as there is none."""
    decision = settle([], money=TEN_EUROS, limits=Limits())

    assert (decision.verdict, decision.hits) == (Verdict.ALLOW, ())


@pytest.mark.parametrize(
    ("actions", "verdict", "first"),
    [
        ([Action.REVIEW], Verdict.ALLOW, Action.REVIEW),
        ([Action.REVIEW, Action.CHALLENGE], Verdict.CHALLENGE, Action.CHALLENGE),
        ([Action.CHALLENGE, Action.BLOCK, Action.REVIEW], Verdict.BLOCK, Action.BLOCK),
        ([Action.BLOCK, Action.ALLOW], Verdict.ALLOW, Action.ALLOW),
    ],
)
def test_actions_are_heeded_in_their_order(
    actions: list[Action], verdict: Verdict, first: Action
) -> None:
    """Allow-lists, block, challenge, review; all are on record."""
    decision = settle([_hit(action) for action in actions], money=TEN_EUROS, limits=Limits())

    assert decision.verdict is verdict
    assert decision.hits[0].action is first
    assert len(decision.hits) == len(actions)


def test_a_merchants_allow_list_stands_back_behind_the_platforms_lists() -> None:
    """Its own customer on a sanctions list is blocked; over the platform's limit it passes."""
    mine = _hit(Action.ALLOW, Source.LIST, is_platform=False)
    sanctioned = settle([mine, _hit(Action.BLOCK, Source.LIST)], money=TEN_EUROS, limits=Limits())
    limited = settle([mine, _hit(Action.BLOCK, Source.RULE)], money=TEN_EUROS, limits=Limits())

    assert sanctioned.verdict is Verdict.BLOCK
    assert limited.verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("probability", "verdict"),
    [
        (0.29, Verdict.ALLOW),
        (0.3, Verdict.CHALLENGE),
        (0.89, Verdict.CHALLENGE),
        (0.9, Verdict.BLOCK),
    ],
)
def test_a_score_speaks_from_its_thresholds_on(probability: float, verdict: Verdict) -> None:
    """In shadow it speaks too, and decides nothing."""
    live = settle([], money=TEN_EUROS, limits=Limits(), scored=_scored(probability))
    shadow = settle(
        [], money=TEN_EUROS, limits=Limits(), scored=_scored(probability, is_shadow=True)
    )

    assert live.verdict is verdict
    assert shadow.verdict is Verdict.ALLOW
    assert len(shadow.hits) == len(live.hits)


@pytest.mark.parametrize(
    ("skipped", "money", "verdict"),
    [
        (["rules"], TEN_EUROS, Verdict.ALLOW),
        (["rules"], FIVE_HUNDRED, Verdict.CHALLENGE),
        (["lists", "rules", "velocity", "model"], FIVE_HUNDRED, Verdict.CHALLENGE),
        (["model"], FIVE_HUNDRED, Verdict.ALLOW),
        (["velocity"], FIVE_HUNDRED, Verdict.ALLOW),
    ],
)
def test_what_could_not_be_checked_passes_by_its_amount(
    skipped: list[str], money: Money, verdict: Verdict
) -> None:
    """A small payment is let through, a larger one proves itself; a model is no must."""
    decision = settle([], money=money, limits=Limits(), skipped=skipped)

    assert decision.verdict is verdict
    assert decision.skipped == tuple(skipped)


def test_limits_are_whole_numbers_from_zero_on() -> None:
    """Anything else in a stored configuration is as good as absent."""
    odd = {"challenge_above_minor": "1", "block_above_minor": -1, "max_payments_per_hour": True}

    assert Limits.from_configuration(odd) == Limits()
    assert Limits.from_configuration({"challenge_above_minor": 7}).challenge_above_minor == 7

"""Routing: the merchant's rules in their order, then health, then how each gateway has done."""

from collections import Counter

import pytest

from paynexus import ids
from paynexus.gateways.circuit import Health, State
from paynexus.gateways.outcomes import STILL_ANSWERS
from paynexus.gateways.port import Outcome, Result
from paynexus.gateways.routing import (
    RETRYABLE_DECLINES,
    Facts,
    Policy,
    brand_of,
    choose,
    is_given_up,
    may_fail_over,
    policy_of,
)
from paynexus.money import Money

BOTH = ["sandbox", "sandbox_two"]
OPEN = Health(State.OPEN)
DRAWS = 4000


def facts(
    amount: int = 1000, currency: str = "EUR", token: str = "tok_approve_visa", country: str = "DE"
) -> Facts:
    """A payment of its own each time."""
    return Facts(ids.new_id(), Money(amount, currency), token, country)


def rated(rate: float) -> Health:
    """Well, and so successful in euros."""
    return Health(success_rates={"EUR": rate})


def chosen(
    policy: Policy,
    wanted: Facts,
    *,
    health: dict[str, Health] | None = None,
    tried: tuple[str, ...] = (),
) -> str | None:
    """The gateway's name."""
    choice = choose(wanted, policy, BOTH, health or {}, tried)
    return choice.gateway if choice else None


def ruled(**rule: object) -> Policy:
    """One rule that prefers the second gateway."""
    return policy_of({"rules": [{"name": "r", "gateways": ["sandbox_two", "sandbox"], **rule}]})


@pytest.mark.parametrize(
    ("when", "wanted", "fits"),
    [
        ({}, facts(), True),
        ({"currencies": ["EUR", "USD"]}, facts(), True),
        ({"currencies": ["USD"]}, facts(), False),
        ({"countries": ["DE"]}, facts(), True),
        ({"countries": ["FR"]}, facts(), False),
        ({"brands": ["visa"]}, facts(), True),
        ({"brands": ["visa"]}, facts(token="tok_approve_amex"), False),
        ({"brands": ["visa"]}, facts(token="tok_approve"), False),
        ({"amount": {"at_least": 1000, "at_most": 1000}}, facts(1000), True),
        ({"amount": {"at_least": 1001}}, facts(1000), False),
        ({"amount": {"at_most": 999}}, facts(1000), False),
        ({"currencies": ["EUR"], "countries": ["FR"]}, facts(), False),
    ],
)
def test_a_rule_fits_when_all_its_conditions_hold(
    when: dict[str, object], wanted: Facts, *, fits: bool
) -> None:
    """Both bounds of an amount belong to it."""
    assert chosen(ruled(when=when), wanted) == ("sandbox_two" if fits else "sandbox")


def test_the_first_rule_that_fits_decides_and_names_all_that_may_be_asked() -> None:
    """No other gateway is asked, even when the named one is at rest or was tried."""
    rules = [
        {"name": "dollars", "when": {"currencies": ["USD"]}, "gateways": ["sandbox"]},
        {"name": "only-two", "gateways": ["sandbox_two"]},
        {"name": "never", "gateways": ["sandbox"]},
    ]
    policy = policy_of({"rules": rules})

    assert chosen(policy, facts(currency="USD")) == "sandbox"
    assert chosen(policy, facts()) == "sandbox_two"
    assert chosen(policy, facts(), health={"sandbox_two": OPEN}) == "sandbox_two"
    assert chosen(policy, facts(), tried=("sandbox_two",)) is None
    choice = choose(facts(), policy, BOTH, {})
    assert choice is not None
    assert (choice.why["rule"], choice.why["reason"], choice.has_alternative) == (
        "only-two",
        "only",
        False,
    )


def test_a_rule_that_names_no_configured_gateway_leaves_none() -> None:
    """A merchant who wants Stripe alone is not served by another."""
    policy = policy_of({"rules": [{"name": "stripe", "gateways": ["stripe"]}]})

    assert chosen(policy, facts()) is None
    assert choose(facts(token="pm_1"), policy, [*BOTH, "stripe_test"], {}) is not None


@pytest.mark.parametrize(
    ("token", "gateway"),
    [("pm_card_visa", "stripe_test"), ("tok_approve", "sandbox"), ("nobodys", "sandbox")],
)
def test_a_token_goes_to_a_gateway_that_could_have_made_it(token: str, gateway: str) -> None:
    """What nobody made goes where all else does, to be declined."""
    choice = choose(facts(token=token), Policy(), [*BOTH, "stripe_test"], {})

    assert choice is not None
    assert choice.gateway == gateway


def test_open_circuits_are_passed_over_unless_all_are_open() -> None:
    """And nobody fails over to one."""
    assert chosen(Policy(), facts(), health={"sandbox": OPEN}) == "sandbox_two"
    assert chosen(Policy(), facts(), health={"sandbox": OPEN, "sandbox_two": OPEN}) == "sandbox"
    assert chosen(Policy(), facts(), health={"sandbox_two": OPEN}, tried=("sandbox",)) is None
    choice = choose(facts(), Policy(), BOTH, {"sandbox": OPEN})
    assert choice is not None
    assert (choice.why["passed_over"], choice.has_alternative) == (
        {"sandbox": "circuit_open"},
        False,
    )


def test_a_split_is_kept_to_by_payments_and_repeated_by_each() -> None:
    """Within three hundredths of its shares; the same payment always goes the same way."""
    policy = policy_of({"rules": [{"name": "s", "split": {"sandbox": 70, "sandbox_two": 30}}]})
    payments = [facts() for _ in range(DRAWS)]
    drawn = [chosen(policy, one) for one in payments]

    assert abs(Counter(drawn)["sandbox"] / DRAWS - 0.7) < 0.03
    assert [chosen(policy, one) for one in payments] == drawn
    assert {chosen(policy, one, health={"sandbox": OPEN}) for one in payments} == {"sandbox_two"}


def test_the_most_successful_comes_first_and_the_others_are_tried_now_and_then() -> None:
    """By the share that the merchant gives to exploration."""
    policy = policy_of({"by_success_rate": True, "explore_percent": 10})
    health = {"sandbox": rated(0.8), "sandbox_two": rated(0.9)}
    drawn = Counter(chosen(policy, facts(), health=health) for _ in range(DRAWS))

    assert abs(drawn["sandbox"] / DRAWS - 0.1) < 0.03
    never = policy_of({"by_success_rate": True, "explore_percent": 0})
    assert {chosen(never, facts(), health=health) for _ in range(50)} == {"sandbox_two"}
    assert {chosen(Policy(), facts(), health=health) for _ in range(50)} == {"sandbox"}


@pytest.mark.parametrize(
    ("outcome", "code", "may"),
    [
        (Outcome.NOT_SENT, "connect_refused", True),
        (Outcome.NOT_SENT, "circuit_open", True),
        (Outcome.APPROVED, None, False),
        (Outcome.UNKNOWN, "answer_timed_out", False),
        (Outcome.DECLINED, None, False),
        (Outcome.DECLINED, "insufficient_funds", False),
        (Outcome.DECLINED, "stolen_card", False),
        (Outcome.DECLINED, "do_not_honor", False),
        *((Outcome.DECLINED, code, True) for code in sorted(RETRYABLE_DECLINES)),
    ],
)
def test_only_what_was_certainly_not_taken_goes_elsewhere(
    outcome: Outcome, code: str | None, *, may: bool
) -> None:
    """And no refusal of the card."""
    assert may_fail_over(outcome, code) is may


def test_a_gateway_that_says_it_is_at_work_is_not_given_up() -> None:
    """Anything else unknown is."""
    assert is_given_up(Result(Outcome.UNKNOWN, code="answer_timed_out"))
    assert not any(is_given_up(Result(Outcome.UNKNOWN, code=code)) for code in STILL_ANSWERS)
    assert not is_given_up(Result(Outcome.DECLINED, code="answer_timed_out"))


def test_the_brand_is_known_where_the_token_tells_it() -> None:
    """Of a real token usually not."""
    assert [brand_of(token) for token in ("tok_approve_visa_1", "pm_card_amex", "pm_1N2o3P")] == [
        "visa",
        "amex",
        None,
    ]

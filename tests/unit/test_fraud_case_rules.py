"""When a case is opened, and what may become of it."""

import datetime as dt
from itertools import product

import pytest

from paynexus import ids
from paynexus.errors import InvalidState
from paynexus.fraud.cases.model import (
    CASE_TRANSITIONS,
    CaseFact,
    CaseOutcome,
    CaseState,
    FraudCase,
    FraudCaseId,
    opens_case,
)
from paynexus.fraud.model import Action, Hit, Source, Verdict
from paynexus.fraud.policy import Limits
from paynexus.ids import MerchantId, PaymentId
from paynexus.money import Money

NOW = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)
ALL, ABOVE_100 = 0, 100


def _hit(action: Action, *, is_shadow: bool = False) -> Hit:
    return Hit(Source.RULE, "frv_1", "odd", action, "It is odd.", is_shadow=is_shadow)


@pytest.mark.parametrize(
    ("verdict", "amount", "above", "expected"),
    [
        (Verdict.CHALLENGE, 1, ALL, True),
        (Verdict.BLOCK, 1, ALL, True),
        (Verdict.ALLOW, 10**9, ALL, False),
        (Verdict.CHALLENGE, 100, ABOVE_100, False),
        (Verdict.CHALLENGE, 101, ABOVE_100, True),
        (Verdict.BLOCK, 100, ABOVE_100, False),
        (Verdict.BLOCK, 101, ABOVE_100, True),
    ],
)
def test_a_stopped_payment_above_the_amount_is_a_case(
    verdict: Verdict, amount: int, above: int, *, expected: bool
) -> None:
    """By default each; one that was let through is none."""
    assert opens_case(verdict, [], amount, above_minor=above) is expected


@pytest.mark.parametrize("verdict", Verdict)
def test_whatever_is_to_be_reviewed_is_a_case(verdict: Verdict) -> None:
    """Also below the amount."""
    assert opens_case(verdict, [_hit(Action.REVIEW)], 1, above_minor=ABOVE_100)


def test_a_shadow_asks_for_nothing() -> None:
    """It is recorded, and decides nothing."""
    assert not opens_case(Verdict.ALLOW, [_hit(Action.REVIEW, is_shadow=True)], 1, above_minor=ALL)


def test_a_payment_that_an_allow_list_let_through_is_not_reviewed() -> None:
    """Unless that list is a shadow itself, or was outweighed."""
    review, shadow = _hit(Action.REVIEW), _hit(Action.ALLOW, is_shadow=True)

    assert not opens_case(Verdict.ALLOW, [_hit(Action.ALLOW), review], 1, above_minor=ALL)
    assert opens_case(Verdict.ALLOW, [shadow, review], 1, above_minor=ALL)
    assert opens_case(Verdict.BLOCK, [_hit(Action.ALLOW), _hit(Action.BLOCK)], 1, above_minor=ALL)


@pytest.mark.parametrize(
    ("given", "expected"),
    [({"case_above_minor": 5}, 5)]
    + [({"case_above_minor": bad}, 0) for bad in (None, -1, "5", 5.0, True)]
    + [({}, 0)],
)
def test_the_policy_is_the_merchants_where_it_is_a_number(
    given: dict[str, object], expected: int
) -> None:
    """Else the default: every case is opened."""
    assert Limits.from_configuration(given).case_above_minor == expected


def test_only_the_steps_of_the_table_are_taken() -> None:
    """From each state, by each fact."""
    for state, fact in product(CaseState, CaseFact):
        case = _case(state)
        steps = {
            CaseFact.ASSIGNED: lambda one=case: one.assigned("ada"),
            CaseFact.CLOSED: lambda one=case: one.closed(CaseOutcome.UNCLEAR, now=NOW),
            CaseFact.REOPENED: lambda one=case: one.reopened("ada"),
        }
        if (state, fact) in CASE_TRANSITIONS:
            assert steps[fact]().state is CASE_TRANSITIONS[state, fact]
        else:
            with pytest.raises(InvalidState, match=f"{state} can't be {fact}"):
                steps[fact]()


def test_a_reopened_case_has_no_outcome() -> None:
    """As if nothing had been found."""
    reopened = _case(CaseState.OPEN).closed(CaseOutcome.CONFIRMED, now=NOW).reopened("ada")

    assert (reopened.outcome, reopened.closed_at, reopened.assignee) == (None, None, "ada")


def _case(state: CaseState) -> FraudCase:
    return FraudCase(
        FraudCaseId(ids.new_id()),
        PaymentId(ids.new_id()),
        MerchantId(ids.new_id()),
        "test",
        Verdict.BLOCK,
        None,
        Money(100, "EUR"),
        state,
        NOW,
    )

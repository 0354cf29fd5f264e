"""Magic tokens."""

import pytest

from tools.sandbox_acquirer.tokens import (
    APPROVAL,
    BEHAVIOURS,
    LATER_OPERATIONS,
    UNKNOWN_TOKEN,
    Fault,
    behaviour_of,
)


@pytest.mark.parametrize("suffix", ["", "_visa_4242", "7"])
@pytest.mark.parametrize("name", BEHAVIOURS)
def test_each_token_means_its_own_behaviour_with_any_suffix(name: str, suffix: str) -> None:
    """The longest known name counts."""
    assert behaviour_of(f"tok_{name}{suffix}", "charge") is BEHAVIOURS[name]


@pytest.mark.parametrize("operation", LATER_OPERATIONS)
def test_a_token_may_speak_of_a_later_operation(operation: str) -> None:
    """Then the charge is approved."""
    token = f"tok_{operation}_timeout_after_1"

    assert behaviour_of(token, "charge") is APPROVAL
    assert behaviour_of(token, operation).fault is Fault.TIMEOUT_AFTER
    assert behaviour_of("tok_timeout_after", operation) is APPROVAL


@pytest.mark.parametrize("token", ["", "tok_", "tok_nothing", "approve", "4111111111111111"])
def test_anything_else_is_no_token(token: str) -> None:
    """It is declined, not approved by accident."""
    assert behaviour_of(token, "charge") is UNKNOWN_TOKEN


def test_a_token_may_speak_of_one_acquirer() -> None:
    """The other one approves."""
    token = "tok_timeout_after_at_sandbox_1"

    assert behaviour_of(token, "charge").fault is Fault.TIMEOUT_AFTER
    assert behaviour_of(token, "charge", acquirer="sandbox_two") is APPROVAL
    other = "tok_decline_at_sandbox_two"
    assert behaviour_of(other, "charge") is APPROVAL
    assert behaviour_of(other, "charge", acquirer="sandbox_two") is BEHAVIOURS["decline"]
    assert behaviour_of("tok_nothing_at_sandbox_two", "charge") is UNKNOWN_TOKEN

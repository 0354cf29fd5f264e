"""The gate at the edge of each threshold, and changes as they are written."""

import datetime as dt
from typing import Any
from uuid import UUID

import pytest

from paynexus.fraud.backtest import changes
from paynexus.fraud.backtest.changes import (
    Change,
    LimitChange,
    ListChange,
    ModelChange,
    ModelState,
    Proposal,
    RuleChange,
    ThresholdChange,
)
from paynexus.fraud.backtest.configuration import Configuration
from paynexus.fraud.backtest.gate import Evidence, Gate, checks
from paynexus.fraud.backtest.proposed import Proposed
from paynexus.fraud.lists.model import FraudList, Kind, State
from paynexus.fraud.model import Action

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
RULE, OTHER_RULE = UUID(int=1), UUID(int=2)


def _report(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - parts of a report
    return {
        "payments": 1_000,
        "flipped": {"rate": 0.02},
        "detection": {
            "base": {"false_positive_rate": {"count": 10, "of": 1_000}},
            "candidate": {"false_positive_rate": {"count": 11, "of": 1_000}},
        },
        "money": [{"currency": "EUR", "interval": [0, 500]}],
    } | changed


def _unmet(report: dict[str, Any], *, days: float = 7, is_unchanged: bool = True) -> list[str]:
    evidence = Evidence(report, NOW - dt.timedelta(days=days), is_unchanged)
    return [check.name for check in checks(Gate(), evidence, now=NOW) if not check.is_met]


def test_a_report_at_every_limit_passes() -> None:
    """A limit is still within."""
    assert _unmet(_report()) == []


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"payments": 999}, "payments_min"),
        ({"flipped": {"rate": 0.020001}}, "flipped_max"),
        ({"flipped": {"rate": None}}, "flipped_max"),
        ({"money": [{"currency": "EUR", "interval": [-1, 500]}]}, "money_floor_minor.EUR"),
        (
            {
                "detection": {
                    "base": {"false_positive_rate": {"count": 10, "of": 1_000}},
                    "candidate": {"false_positive_rate": {"count": 12, "of": 1_000}},
                }
            },
            "false_positive_increase_max",
        ),
        (
            {
                "detection": {
                    "base": {"false_positive_rate": {"count": 0, "of": 0}},
                    "candidate": {"false_positive_rate": {"count": 0, "of": 0}},
                }
            },
            "false_positive_increase_max",
        ),
    ],
)
def test_a_report_beyond_one_limit_is_held_back_by_it(changed: dict[str, Any], name: str) -> None:
    """And by no other: the check says which. What isn't known is no proof."""
    assert _unmet(_report(**changed)) == [name]


def test_each_currency_has_to_keep_its_money() -> None:
    """A gain in one is no excuse for a loss in another."""
    money = [
        {"currency": "EUR", "interval": [900, 1_000]},
        {"currency": "JPY", "interval": [-10, 20]},
    ]

    assert _unmet(_report(money=money)) == ["money_floor_minor.JPY"]


def test_an_old_back_test_and_one_of_something_that_changed_open_nothing() -> None:
    """The world has moved on."""
    assert _unmet(_report(), days=7.1) == ["age_days_max"]
    assert _unmet(_report(), is_unchanged=False) == ["unchanged"]


def test_a_merchants_choices_lie_over_the_platforms() -> None:
    """What neither chose is the default."""
    gate = Gate.from_choices({"payments_min": 10, "flipped_max": 1}, {"payments_min": 20})

    assert gate == Gate(payments_min=20, flipped_max=1)


@pytest.mark.parametrize(
    "choices",
    [
        {"unheard_of": 1},
        {"payments_min": "5"},
        {"payments_min": 0},
        {"payments_min": True},
        {"payments_min": 1.5},
        {"flipped_max": 1.01},
        {"flipped_max": -0.01},
        {"flipped_max": float("nan")},
        {"age_days_max": None},
    ],
)
def test_what_is_no_threshold_is_refused_by_its_name(choices: dict[str, Any]) -> None:
    """A misspelt gate is not an open one."""
    with pytest.raises(ValueError, match=next(iter(choices))):
        Gate.from_choices(choices)


@pytest.mark.parametrize(
    "change",
    [
        RuleChange(RULE, OTHER_RULE),
        RuleChange(RULE, None),
        ListChange(RULE, (Proposal("a"), Proposal("b", "Seen.", NOW)), (UUID(int=5),)),
        ModelChange("model-7", ModelState.ACTIVE),
        ThresholdChange(0.5, 0.9),
        LimitChange({"challenge_above_minor": 5}),
    ],
)
def test_a_change_is_read_as_it_was_written(change: Change) -> None:
    """And one with a member more is refused."""
    value = changes.written(change)

    assert changes.read(value) == change
    with pytest.raises(ValueError, match="extra"):
        changes.read(value | {"extra": 1})


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"type": "rule", "rule": "frl_no", "version": None},
        {"type": "rule", "rule": "frl_01jd3x8k5v7wqs2r9h4mc6t0ne"},
        {"type": "list", "list": "fls_01jd3x8k5v7wqs2r9h4mc6t0ne", "add": [], "remove": []},
        *[
            {"type": "list", "list": "fls_01jd3x8k5v7wqs2r9h4mc6t0ne", "add": add, "remove": []}
            for add in (
                ["ada@example.com"],
                [{"value": ""}],
                [{"value": "a", "note": None}],
                [{"value": "a", "expires": "2026-12-31"}],
                [{"value": "a", "unheard_of": 1}],
                [{"value": "a"}, {"value": "a", "note": "Twice."}],
            )
        ],
        {"type": "model", "model": "", "state": "active"},
        {"type": "model", "model": "m", "state": "on"},
        {"type": "thresholds", "challenge_at": 0.9, "block_at": 0.5},
        {"type": "thresholds", "challenge_at": 0, "block_at": 0.5},
        {"type": "thresholds", "challenge_at": 0.5, "block_at": 1.1},
        {"type": "thresholds", "challenge_at": True, "block_at": True},
        {"type": "thresholds", "challenge_at": float("nan"), "block_at": 1},
        {"type": "limits", "limits": {}},
        {"type": "limits", "limits": {"skip_below_minor": 5}},
        {"type": "limits", "limits": {"challenge_above_minor": -1}},
        {"type": "limits", "limits": {"challenge_above_minor": True}},
    ],
)
def test_what_is_no_change_is_refused(value: dict[str, Any]) -> None:
    """Before anything is replayed."""
    with pytest.raises(ValueError, match=r"\w"):
        changes.read(value)


LIST = FraudList(
    id=UUID(int=9),
    merchant_id=None,
    name="Stopped",
    kind=Kind.EMAIL,
    action=Action.BLOCK,
    note="It was stopped before.",
    min_quality=None,
    state=State.ACTIVE,
    author="ada",
    created_at=NOW,
)
BASE = Configuration(
    rules={RULE: "v1"},
    platform={"model": "m1", "model_state": "shadow", "challenge_at": 0.5, "block_at": 0.9},
    own={"model": None, "model_state": None, "challenge_at": 0.3, "block_at": 0.6},
    limits={"block_above_minor": 7},
)


def test_a_change_of_a_rule_replaces_its_version_or_takes_it_out() -> None:
    """The configuration that it is applied to stays as it was."""
    reworded = BASE.applied(RuleChange(RULE, OTHER_RULE), is_platform=True, rule="v2")
    disabled = BASE.applied(RuleChange(RULE, None), is_platform=True)

    assert (reworded.rules, disabled.rules, BASE.rules) == ({RULE: "v2"}, {}, {RULE: "v1"})


def test_entries_that_a_change_removes_say_nothing_with_it() -> None:
    """And what it proposes does."""
    old = UUID(int=11)
    proposed = Proposed(LIST, [Proposal("ada@example.com")], now=NOW)

    changed = BASE.applied(
        ListChange(LIST.id, (Proposal("ada@example.com"),), (old,)),
        is_platform=False,
        proposed=proposed,
    )

    assert (changed.removed, changed.proposed) == (frozenset({old}), proposed)
    assert (BASE.removed, BASE.proposed) == (frozenset(), None)


def test_an_outline_names_nobody() -> None:
    """Events outlive whoever is on a list."""
    change = ListChange(LIST.id, (Proposal("ada@example.com"),), (UUID(int=5),))

    outline = changes.outlined(change)

    assert (outline["add"], outline["remove"]) == (1, 1)
    assert "ada" not in str(outline)


def test_limits_that_a_change_does_not_name_stay() -> None:
    """It names one of them."""
    changed = BASE.applied(LimitChange({"challenge_above_minor": 5}), is_platform=False)

    assert changed.limits == {"block_above_minor": 7, "challenge_above_minor": 5}


def test_a_merchants_own_settings_outlast_a_change_of_the_platforms() -> None:
    """It chose its thresholds, and takes the platform's model."""
    changed = BASE.applied(ModelChange("m2", ModelState.ACTIVE), is_platform=True).applied(
        ThresholdChange(0.1, 0.2), is_platform=True
    )
    own = changed.applied(ThresholdChange(0.1, 0.2), is_platform=False)

    assert changed.settings == {
        "model": "m2",
        "model_state": "active",
        "challenge_at": 0.3,
        "block_at": 0.6,
    }
    assert own.settings["block_at"] == 0.2

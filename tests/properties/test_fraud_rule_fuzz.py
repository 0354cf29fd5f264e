"""No rule ends the process, costs more than its length, or means what it doesn't say."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paynexus.errors import InvalidRule
from paynexus.fraud.features import FEATURES
from paynexus.fraud.rulebook.language import Compiled, compile_rule
from tests.properties.rule_author import Author

ROOT = Path(__file__).parents[2]
PROCESSES = 4
"""Each with a quarter of the cases and a seed of its own."""


@pytest.mark.parametrize(
    "cases", [2_000, pytest.param(100_000, marks=pytest.mark.long)], ids=["quick", "whole"]
)
def test_random_rules_and_payments(
    cases: int, record_property: Callable[[str, object], None]
) -> None:
    """Every rule compiles or is told where it is wrong; every evaluation answers as expected.

    In processes with little memory, which a crash of the library would end. Half of the rules
    are right, and an oracle of our own knows their answer.
    """
    counts = {"crashes of rules": 0}
    for seed in range(PROCESSES):
        told = _fuzzed(cases // PROCESSES, seed)
        assert told["wrong"] == []
        for name, count in told["counts"].items():
            counts[name] = counts.get(name, 0) + count
    for name in (
        "crashes of rules",
        "rules",
        "evaluations",
        "evaluations over budget",
        "evaluations over a millisecond of CPU",
    ):
        record_property(name if "rules" in name else f"{name} of rules", counts[name])

    assert counts["rules"] == cases
    assert counts["evaluations over budget"] == 0
    assert counts["evaluations with an expected answer"] > cases // 3
    assert counts["rules refused"] > cases // 3


@given(st.integers(0, 2**32), st.sampled_from(sorted(FEATURES)))
def test_what_decides_without_a_feature_decides_so_whatever_it_is(seed: int, name: str) -> None:
    """A rule that hits or misses with something unknown would do so knowing it."""
    author = Author(seed)
    rule, payment = _compiled(author), author.payment()
    unknown = rule.evaluate(payment | {name: None})
    if unknown.error is None:
        for _ in range(5):
            assert rule.evaluate(payment | {name: author.payment()[name]}) == unknown


@given(st.integers(0, 2**32))
def test_a_rule_answers_by_the_features_it_names(seed: int) -> None:
    """What others are, and whether they are known, is no matter; one that errs never hits."""
    author = Author(seed)
    rule, payment = _compiled(author), author.payment()
    outcome = rule.evaluate(payment)
    named = {name: payment[name] for name in rule.features}

    assert rule.evaluate(author.payment() | named) == outcome
    assert not (outcome.is_hit and outcome.error)


def _compiled(author: Author) -> Compiled:
    """The author's next rule that reads a feature and isn't too long."""
    while True:
        try:
            return compile_rule(author.rule().text)
        except InvalidRule:
            continue


def _fuzzed(cases: int, seed: int) -> Any:  # noqa: ANN401 - JSON
    done = subprocess.run(
        [sys.executable, "-m", "tests.properties.rule_fuzz", str(cases), str(seed)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"seed {seed} ended by {done.returncode}: {done.stderr[-2000:]}"
    return json.loads(done.stdout)

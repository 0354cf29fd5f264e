"""What fraud rules cost: loaded, asked, and at their worst."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from statistics import median
from typing import Any

from paynexus import ids
from paynexus.errors import InvalidRule
from paynexus.fraud.features import FEATURES, Kind
from paynexus.fraud.model import Action, Value
from paynexus.fraud.rulebook.book import book_of
from paynexus.fraud.rulebook.language import activation_of, compile_rule
from paynexus.fraud.rulebook.model import RuleId, Running, VersionId, Wording
from tests.benchmarks.figures import Figure
from tests.benchmarks.run import Part, Run
from tests.properties.rule_author import Author

MILLISECONDS, MICROSECONDS = 1e3, 1e6
RULES = 50
GOAL_LOAD_MILLISECONDS = 50
"""Of a process that judges its first payment: the library, and rules of two scopes."""
GOAL_RULE_MICROSECONDS = 1_000
"""Of CPU for the slowest rule that can be written."""
SAMPLES = 2_000
"""Random rules and greedy texts, those that are no rules among them."""
REPEATS = 20
VALUES: Mapping[Kind, Value] = {
    Kind.BOOL: True,
    Kind.INT: 12_345,
    Kind.DOUBLE: 1.5,
    Kind.STRING: "x" * 254,
}
LONG = (
    " && ".join(["amount>1"] * 83),
    f"amount in [{','.join(['1'] * 490)}]",
    "||".join(["[amount]==[1]"] * 66),
    "||".join(["int(card_bin)>1"] * 58),
    "||".join(["amount/0>1"] * 80),
    "&&".join(["size(country)>1"] * 58),
    "&&".join(["!country.contains('y')"] * 41),
)
FIRST = """
import time
from tests.benchmarks.sections.rules import rules
from paynexus.fraud.rulebook.book import book_of
made = rules()
began = time.process_time()
book_of(made)
print((time.process_time() - began) * 1e3)
"""


def measured(run: Run) -> Iterator[Part]:
    """In one process, without a database: what a decision's own share of CPU is."""
    made = rules()
    book = book_of(made)
    values = {feature.name: VALUES[feature.kind] for feature in FEATURES.values()}
    rounds = max(3, run.settings.rounds)
    first = median(_first_load() for _ in range(rounds))
    again = _best(lambda: book_of(made)) * MILLISECONDS
    asked = _best(lambda: book.evaluate(values)) * MICROSECONDS
    figures = [
        Figure(f"{RULES} rules loaded by a new process", first, "ms", goal=GOAL_LOAD_MILLISECONDS),
        Figure(f"{RULES} rules compiled", again, "ms"),
        Figure(f"{RULES} rules evaluated", asked, "µs"),
        Figure("slowest rule", _slowest(values), "µs", goal=GOAL_RULE_MICROSECONDS),
    ]
    yield Part("Fraud rules: own CPU", figures)


def rules() -> list[Running]:
    """As many as a busy merchant and the platform have, each with four conditions."""
    return [
        Running(
            RuleId(ids.new_id()),
            VersionId(ids.new_id()),
            f"rule_{number}",
            Wording(
                f"amount > {number} && card_count_1h > {number % 7}"
                f" && (!has_country || country in ['DE', 'FR', 'X{number}']) && hour < 24",
                Action.CHALLENGE,
                "It speaks.",
            ),
            is_platform=number % 2 == 0,
            is_shadow=False,
        )
        for number in range(RULES)
    ]


def _first_load() -> float:
    """With the library's import, in a process that has not judged yet."""
    done = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True)
    return float(done.stdout)


def _slowest(values: Mapping[str, Value]) -> float:
    author = Author(seed=1)
    texts = [*LONG, *(author.garbage() for _ in range(SAMPLES))]
    prepared = activation_of(values)
    slowest = 0.0
    for text in texts:
        try:
            rule = compile_rule(text)
        except InvalidRule:
            continue
        slowest = max(slowest, _best(lambda rule=rule: rule.judge(prepared)))  # type: ignore[misc]
    return slowest * MICROSECONDS


def _best(act: Callable[[], Any]) -> float:
    """CPU seconds of one call: the least of several, so that neighbours don't count."""
    least = float("inf")
    for _ in range(REPEATS):
        began = time.thread_time()
        act()
        least = min(least, time.thread_time() - began)
    return least

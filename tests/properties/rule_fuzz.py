"""Rules by the thousand, in a process of their own: a fault of the library would end it.

    python -m tests.properties.rule_fuzz CASES SEED

prints what was counted, and how long the slowest evaluation took.
"""

import json
import re
import resource
import sys
import time
from collections import Counter

from paynexus.errors import InvalidRule
from paynexus.fraud.model import Value
from paynexus.fraud.rulebook.language import (
    EXPRESSION_CHARACTERS_MAX,
    Compiled,
    activation_of,
    compile_rule,
)
from paynexus.fraud.rulebook.model import Outcome
from tests.properties.rule_author import Author, Err, Part

MEMORY_BYTES = 1 << 30
"""Of addresses: a rule that grows without end is killed by it. The library takes 200 MB."""
BUDGET_SECONDS = 0.001
"""Of CPU for one evaluation, told and not judged here."""
PLACE = re.compile(r"expression: (\d+):(\d+): .")
TOO_LONG = re.compile("expression: a rule has 1000 characters at most")


class Fuzz:
    """One run, and what it counts."""

    def __init__(self, seed: int) -> None:
        self.author = Author(seed)
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.slowest = 0.0

    def case(self) -> None:
        """One rule and up to three payments; half of the rules are right, half likely wrong."""
        if self.author.random.random() < 0.5:
            rule = self.author.rule()
            compiled = self._compiled(rule.text, is_right=len(rule.text) <= 1_000)
            if compiled:
                for payment in (self.author.payment(), self.author.payment()):
                    self._compare(rule, payment, self._evaluated(compiled, payment))
        else:
            compiled = self._compiled(self.author.garbage(), is_right=False)
        if compiled:
            self._evaluated(compiled, self.author.odd_payment())

    def _compare(self, rule: Part, payment: dict[str, Value], outcome: Outcome) -> None:
        self.counts["evaluations with an expected answer"] += 1
        if (None if outcome.error else outcome.is_hit) != _expected(rule, payment):
            self.wrong.append(f"means otherwise: {rule.text!r} of {payment}: {outcome}")

    def _compiled(self, text: str, *, is_right: bool) -> Compiled | None:
        self.counts["rules"] += 1
        try:
            compiled = compile_rule(text)
        except InvalidRule as error:
            self.counts["rules refused"] += 1
            if is_right and "reads no feature" not in error.detail:
                self.wrong.append(f"refused: {text!r}: {error.detail}")
            if not _is_placed(error.detail, text):
                self.wrong.append(f"not placed: {text!r}: {error.detail}")
            return None
        if len(text) > EXPRESSION_CHARACTERS_MAX:
            self.wrong.append(f"too long: {text!r}")
        return compiled

    def _evaluated(self, compiled: Compiled, payment: dict[str, Value]) -> Outcome:
        prepared = activation_of(payment)
        took, outcome = _timed(compiled, prepared)
        if took > BUDGET_SECONDS:
            # Once may be the collection of garbage.
            took = min(_timed(compiled, prepared)[0] for _ in range(3))
        self.counts["evaluations"] += 1
        self.counts["evaluations that erred"] += outcome.error is not None
        self.counts["evaluations over a millisecond of CPU"] += took > BUDGET_SECONDS
        self.slowest = max(self.slowest, took)
        read = {name: payment.get(name) for name in compiled.features}
        if compiled.evaluate(read) != outcome:
            self.wrong.append(f"reads more than {compiled.features}: {payment}")
        if outcome.error and ("budget" in outcome.error or "MemoryError" in outcome.error):
            self.counts["evaluations over budget"] += 1
        return outcome


def _timed(compiled: Compiled, prepared: object) -> tuple[float, Outcome]:
    start = time.thread_time()
    outcome = compiled.judge(prepared)
    return time.thread_time() - start, outcome


def _expected(rule: Part, payment: dict[str, Value]) -> bool | None:
    """Whether it hits; None where it errs."""
    try:
        return bool(rule.meaning(payment))
    except Err:
        return None


def _is_placed(detail: str, text: str) -> bool:
    place = PLACE.match(detail)
    if place is None:
        return len(text) > EXPRESSION_CHARACTERS_MAX and TOO_LONG.match(detail) is not None
    lines = text.split("\n")
    line, column = int(place[1]), int(place[2])
    return 1 <= line <= len(lines) and 1 <= column <= len(lines[line - 1]) + 1


def main() -> None:
    """As the module says."""
    cases, seed = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    fuzz = Fuzz(seed)
    fuzz.counts.update({"evaluations over budget": 0, "evaluations over a millisecond of CPU": 0})
    for _ in range(cases):
        fuzz.case()
    slowest = round(fuzz.slowest * 1e6)
    told = {"counts": fuzz.counts, "wrong": fuzz.wrong[:20], "slowest_us": slowest}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()

"""Writes random rules, each with what it means: an oracle that knows nothing of the library.

And random payments, and texts that are no rules, or wish to be too much of one.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from paynexus.fraud.features import FEATURES, Kind
from paynexus.fraud.model import Value

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
DEPTH_MAX = 4
TEXTS = ("", "DE", "US", "e", "example.com", "401234", "ä", "😀", "0", "-7", "9" * 30, '"', "\\")
NUMBERS = (0, 1, 2, 3, 7, 100, 50_000, 2**31, INT_MAX)
DOUBLES = (0.0, 0.5, 1.0, 3.25, 1e9, 1e300)
ALPHABET = "amount country()[]{}<>=!&|?:+-*/%.,'\"\\ \n\t01e_xuü😀\x00\u202e\ud800@#$`~;^"
WORDS = (
    *FEATURES, "true", "false", "null", "in", "&&", "||", "!", "?", ":", "(", ")", "[", "]", "{",
    "}", ",", ".", "==", "<", "+", "-", "*", "/", "%", "'x'", '"y"', "r'z'", "b'q'", "1", "2.5",
    "3u", "0x1f", "1e9", "map", "filter", "exists", "all", "exists_one", "has", "matches", "size",
    "int", "double", "string", "bytes", "dyn", "type", "timestamp", "duration", "contains",
    "startsWith", "google.protobuf.Struct", "google.protobuf.Any", "x", "//", "'''", "as", "import",
)  # fmt: skip

type Answer = bool | int | float | str
type Meaning = Callable[[Mapping[str, Value]], Answer]


class Err(Exception):
    """The rule errs."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a rule, and what it is worth."""

    text: str
    meaning: Meaning


class Author:
    """Writes by its seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable, not secret

    def rule(self) -> Part:
        """A rule that is right, as long as it isn't too long."""
        return self._of(Kind.BOOL, DEPTH_MAX)

    def payment(self) -> dict[str, Value]:
        """Features of the right types, some of them not known."""
        return {
            name: None if self._once_in(4) else self._value(feature.kind)
            for name, feature in FEATURES.items()
        }

    def odd_payment(self) -> dict[str, Value]:
        """Features of which some are what they never are."""
        odd = (2**63, -(2**70), math.nan, math.inf, "\ud800", "x" * 5_000, True, 1.5, "1", -1)
        return {
            name: self.random.choice(odd) if self._once_in(3) else value
            for name, value in self.payment().items()
        }

    def garbage(self) -> str:
        """A text that is likely no rule."""
        kind = self.random.randrange(4)
        if kind == 0:
            return "".join(self.random.choices(ALPHABET, k=self.random.randrange(80)))
        if kind == 1:
            return " ".join(self.random.choices(WORDS, k=self.random.randrange(1, 60)))
        if kind == 2:
            return self._spoilt(self.rule().text)
        return self._greedy()

    def _once_in(self, times: int) -> bool:
        return self.random.randrange(times) == 0

    def _value(self, kind: Kind) -> Value:
        if kind is Kind.BOOL:
            return self._once_in(2)
        if kind is Kind.STRING:
            return self.random.choice(TEXTS)
        if kind is Kind.DOUBLE:
            return self.random.choice((*DOUBLES, math.nan, math.inf, -1.5))
        return self.random.choice((*NUMBERS, -1, INT_MIN, self.random.randrange(100)))

    def _of(self, kind: Kind, depth: int) -> Part:
        if depth == 0 or self._once_in(5):
            return self._atom(kind)
        write = {
            Kind.BOOL: self._truth,
            Kind.INT: self._whole,
            Kind.DOUBLE: self._decimal,
            Kind.STRING: self._atom_of_text,
        }[kind]
        if self._once_in(8):
            return self._choice(kind, depth - 1)
        return write(depth - 1)

    def _atom(self, kind: Kind) -> Part:
        names = [name for name, feature in FEATURES.items() if feature.kind is kind]
        if names and not self._once_in(3):
            name = self.random.choice(names)
            return Part(name, lambda values: _known(values, name))
        if kind is Kind.BOOL:
            value: Answer = self._once_in(2)
            return Part("true" if value else "false", lambda _: value)
        if kind is Kind.STRING:
            word = self.random.choice(TEXTS)
            return Part(_quoted(word), lambda _: word)
        number = self.random.choice(NUMBERS if kind is Kind.INT else DOUBLES)
        return Part(repr(number), lambda _: number)

    def _atom_of_text(self, _depth: int) -> Part:
        return self._atom(Kind.STRING)

    def _truth(self, depth: int) -> Part:
        write = self.random.choice(
            (self._junction, self._junction, self._not, self._comparison, self._comparison,
             self._membership, self._question_of_text)
        )  # fmt: skip
        return write(depth)

    def _junction(self, depth: int) -> Part:
        left, right = self._of(Kind.BOOL, depth), self._of(Kind.BOOL, depth)
        decisive = self._once_in(2)
        sign = "||" if decisive else "&&"

        def meaning(values: Mapping[str, Value]) -> Answer:
            # One side that decides is enough, whatever the other errs about.
            answers = [_or_error(side, values) for side in (left, right)]
            if decisive in answers:
                return decisive
            return _raised(answers)

        return Part(f"({left.text} {sign} {right.text})", meaning)

    def _not(self, depth: int) -> Part:
        inner = self._of(Kind.BOOL, depth)
        return Part(f"!({inner.text})", lambda values: not inner.meaning(values))

    def _choice(self, kind: Kind, depth: int) -> Part:
        if_, then, else_ = self._of(Kind.BOOL, depth), self._of(kind, depth), self._of(kind, depth)
        return Part(
            f"({if_.text} ? {then.text} : {else_.text})",
            lambda values: (then if if_.meaning(values) else else_).meaning(values),
        )

    def _comparison(self, depth: int) -> Part:
        kind = self.random.choice(tuple(Kind))
        left, right = self._of(kind, depth), self._of(kind, depth)
        sign, compare = self.random.choice(_COMPARISONS)
        return Part(
            f"({left.text} {sign} {right.text})",
            lambda values: compare(left.meaning(values), right.meaning(values)),
        )

    def _membership(self, depth: int) -> Part:
        kind = self.random.choice((Kind.INT, Kind.STRING))
        one = self._of(kind, depth)
        among = [self._atom(kind) for _ in range(self.random.randrange(1, 5))]

        def meaning(values: Mapping[str, Value]) -> Answer:
            answers = [part.meaning(values) for part in (one, *among)]
            return answers[0] in answers[1:]

        return Part(f"({one.text} in [{', '.join(part.text for part in among)}])", meaning)

    def _question_of_text(self, _depth: int) -> Part:
        text, word = self._atom(Kind.STRING), self._atom(Kind.STRING)
        name, ask = self.random.choice(_QUESTIONS)
        return Part(
            f"{text.text}.{name}({word.text})",
            lambda values: ask(str(text.meaning(values)), str(word.meaning(values))),
        )

    def _whole(self, depth: int) -> Part:
        if self._once_in(4):
            text = self._atom(Kind.STRING)
            return Part(f"size({text.text})", lambda values: len(str(text.meaning(values))))
        left, right = self._of(Kind.INT, depth), self._of(Kind.INT, depth)
        sign, calculate = self.random.choice(_WHOLE)
        return Part(
            f"({left.text} {sign} {right.text})",
            lambda values: _in_64_bits(
                calculate(int(left.meaning(values)), int(right.meaning(values)))
            ),
        )

    def _decimal(self, depth: int) -> Part:
        if self._once_in(2):
            whole = self._of(Kind.INT, depth)
            return Part(f"double({whole.text})", lambda values: float(whole.meaning(values)))
        left, right = self._of(Kind.DOUBLE, depth), self._of(Kind.DOUBLE, depth)
        sign, calculate = self.random.choice(_DECIMAL)
        return Part(
            f"({left.text} {sign} {right.text})",
            lambda values: calculate(float(left.meaning(values)), float(right.meaning(values))),
        )

    def _spoilt(self, text: str) -> str:
        for _ in range(self.random.randrange(1, 4)):
            at = self.random.randrange(len(text) + 1)
            if self._once_in(2):
                text = text[:at] + text[at + self.random.randrange(1, 4) :]
            else:
                text = text[:at] + self.random.choice((*WORDS, *ALPHABET)) + text[at:]
        return text

    def _greedy(self) -> str:
        times = self.random.choice((5, 30, 33, 100, 400, 20_000))
        inner = self.rule().text if self._once_in(2) else "is_qr"
        return self.random.choice(_GREEDY)(times, inner)


def _known(values: Mapping[str, Value], name: str) -> Answer:
    value = values[name]
    if value is None:
        raise Err
    return value


def _or_error(part: Part, values: Mapping[str, Value]) -> Answer | None:
    try:
        return part.meaning(values)
    except Err:
        return None


def _raised(answers: list[Answer | None]) -> Answer:
    if None in answers:
        raise Err
    assert answers[0] == answers[1]
    return bool(answers[0])


def _in_64_bits(number: int) -> int:
    if not INT_MIN <= number <= INT_MAX:
        raise Err
    return number


def _divided(left: int, right: int) -> int:
    if right == 0:
        raise Err
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _rest(left: int, right: int) -> int:
    # The least number has no rest by -1: its quotient is no number of 64 bits.
    return left - right * _in_64_bits(_divided(left, right))


def _quotient(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if math.isnan(left) or left == 0:
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def _quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


_COMPARISONS: tuple[tuple[str, Callable[[Answer, Answer], bool]], ...] = (
    ("==", lambda a, b: a == b),
    ("!=", lambda a, b: a != b),
    ("<", lambda a, b: a < b),  # type: ignore[operator]  # both are of one type
    ("<=", lambda a, b: a <= b),  # type: ignore[operator]
    (">", lambda a, b: a > b),  # type: ignore[operator]
    (">=", lambda a, b: a >= b),  # type: ignore[operator]
)
_QUESTIONS: tuple[tuple[str, Callable[[str, str], bool]], ...] = (
    ("contains", lambda text, word: word in text),
    ("startsWith", str.startswith),
    ("endsWith", str.endswith),
)
_WHOLE: tuple[tuple[str, Callable[[int, int], int]], ...] = (
    ("+", lambda a, b: a + b),
    ("-", lambda a, b: a - b),
    ("*", lambda a, b: a * b),
    ("/", _divided),
    ("%", _rest),
)
_DECIMAL: tuple[tuple[str, Callable[[float, float], float]], ...] = (
    ("+", lambda a, b: a + b),
    ("-", lambda a, b: a - b),
    ("*", lambda a, b: a * b),
    ("/", _quotient),
)
_GREEDY: tuple[Callable[[int, str], str], ...] = (
    lambda n, rule: "(" * n + rule + ")" * n,
    lambda n, rule: "!" * n + rule,
    lambda n, _: "-" * n + "amount > 1",
    lambda n, _: "[" * n + "]" * n + " == []",
    lambda n, rule: " && ".join([rule] * n),
    lambda n, rule: " || ".join([rule] * n),
    lambda n, _: "+".join(["amount"] * n) + " > 1",
    lambda n, rule: f"{rule} ? {rule} : " * n + rule,
    lambda n, _: f"amount in [{','.join(['1'] * n)}]",
    lambda n, _: "country" + ".size()" * n + " > 1",
    lambda n, _: "country" + ".a" * n + " > 1",
    lambda n, _: "[[1]]" + "[0]" * n + " == amount",
    lambda n, _: "country == '" + "x" * n,
    lambda n, _: "country.matches('" + "(x+" * n + ")+" * n + "y')",
    lambda n, _: "[country]" + ".map(y, y + y + y + y)" * n + " == []",
    lambda n, _: "[1, 2, 3].all(x, " * n + "is_qr" + ")" * n,
    lambda n, _: "{'a':" * n + "1" + "}" * n + " == {}",
    lambda n, _: "google.protobuf.Value{list_value: [" * n + "]}" * n + " == is_qr",
    lambda n, _: "country" + " + country" * n + " == country",
    lambda n, _: "amount > " + "9" * n,
    lambda n, _: "double(amount) > 1" + "0" * n + ".0",
    lambda n, _: "double(amount) > 1e" + "9" * n,
    lambda n, _: "country == '" + "\\u0041" * n + "'",
    lambda n, _: "/" * n + "\n" * n + "is_qr",
)

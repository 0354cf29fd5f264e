"""The language of rules: CEL's logic, comparisons and arithmetic over the features. No I/O.

What a rule costs is bounded by its length: CEL's macros are off, so nothing repeats; text and
lists can't be joined, so nothing grows; and there are no regular expressions, one of which may
take a third of a second. The library refuses nesting beyond 32 levels by itself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from paynexus.errors import InvalidRule
from paynexus.fraud.features import FEATURES
from paynexus.fraud.model import Value
from paynexus.fraud.rulebook.model import HIT, MISS, Outcome

EXPRESSION_CHARACTERS_MAX = 1_000
"""Length of a rule. The slowest rule of this length is evaluated within a millisecond."""
ERROR_CHARACTERS_MAX = 160
"""Of what the library says about a fault."""

OPERATORS: Mapping[str, tuple[str, ...]] = {
    "!_": (),
    "_&&_": (),
    "_||_": (),
    "_?_:_": (),
    "_==_": (),
    "_!=_": (),
    "_<_": (),
    "_<=_": (),
    "_>_": (),
    "_>=_": (),
    "@in": ("in_list",),
    "-_": ("negate_int64", "negate_double"),
    "_+_": ("add_int64", "add_double"),
    "_-_": ("subtract_int64", "subtract_double"),
    "_*_": ("multiply_int64", "multiply_double"),
    "_/_": ("divide_int64", "divide_double"),
    "_%_": ("modulo_int64",),
}
"""CEL's operators that rules may use, and on which types; all of them where none is named."""
FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "contains": (),
    "startsWith": (),
    "endsWith": (),
    "size": ("size_string", "string_size"),
    "int": ("double_to_int64", "string_to_int64"),
    "double": ("int64_to_double",),
}
"""CEL's functions that rules may use, likewise."""

_FAULT = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
"""The library's own -1:-1 says that it gave up, not where."""
_UNDECLARED = re.compile(r"undeclared reference to '(.+?)'")
_UNKNOWN_VALUE = re.compile(r'No value with name "(\w+)"')
_TOO_DEEP = re.compile("recursion (?:limit|depth)", re.IGNORECASE)
_STATUS = re.compile(r"^[A-Z_]+: ")
_TOKEN = re.compile(
    r"""
    (?P<ignored>
        //[^\n]*
        | (?:[rR][bB]?|[bB][rR])(?:\"{3}.*?\"{3} | '{3}.*?'{3} | "[^"]*" | '[^']*')
        | [bB]?(?:\"{3}(?:\\.|[^\\])*?\"{3} | '{3}(?:\\.|[^\\])*?'{3}
            | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*')
        | \d[\w.]*
    )
    | (?P<name>[A-Za-z_]\w*)
    | (?P<brace>\{)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A rule that can be evaluated, however often."""

    features: tuple[str, ...]
    """The names of those that it reads, in their order."""
    _program: Any

    def evaluate(self, values: Mapping[str, Value]) -> Outcome:
        """What the rule says of these features; nothing raises."""
        return self.judge(activation_of(values))

    def judge(self, activation: object) -> Outcome:
        """Likewise, of features that `activation_of` prepared for several rules."""
        try:
            answer = self._program.eval(activation)
            value = answer.value()
        except Exception as error:  # noqa: BLE001 - a rule decides or errs, whatever it meets
            return Outcome(is_hit=False, error=_told(f"{type(error).__name__}: {error}"))
        if isinstance(value, bool) and answer.type() == _types()["bool"]:
            return HIT if value else MISS
        return Outcome(is_hit=False, error=_told(str(value)))


def compile_rule(expression: str) -> Compiled:
    """The rule, checked against the catalogue of features.

    Raises InvalidRule with the line and column of the fault, and what would be right.
    """
    _require_plain(expression)
    try:
        program = _environment().compile(expression)
    except RuntimeError as error:
        raise _invalid(expression, str(error)) from None
    names = _names_of(expression)
    if program.return_type() != _types()["bool"]:
        kind = str(program.return_type()).lower()
        raise _fault(f"1:1: a rule is true or false; this is of type {kind}. Compare it.")
    features = tuple(name for name in FEATURES if name in names)
    if not features:
        raise _fault("1:1: the rule reads no feature, so all payments are one to it. Name one.")
    return Compiled(features, program)


def activation_of(values: Mapping[str, Value]) -> object:
    """The features as the library takes them; those that are None are not known to rules."""
    known = {name: value for name, value in values.items() if value is not None}
    return _environment().Activation(known)


@cache
def _environment() -> Any:  # noqa: ANN401 - the library's types are its own
    # Once a process. Imported late: functions that judge no payment never load the library.
    from cel_expr_python import cel  # noqa: PLC0415

    types = _types()
    return cel.NewEnv(
        config=cel.NewEnvConfigFromYaml(_allowed()),
        variables={feature.name: types[feature.kind] for feature in FEATURES.values()},
    )


@cache
def _types() -> Mapping[str, Any]:
    from cel_expr_python import cel  # noqa: PLC0415 - as above

    kinds = cel.Type
    return {"bool": kinds.BOOL, "int": kinds.INT, "double": kinds.DOUBLE, "string": kinds.STRING}


def _allowed() -> str:
    lines = ["stdlib:", "  disable_macros: true", "  include_functions:"]
    for name, overloads in {**OPERATORS, **FUNCTIONS}.items():
        lines.append(f"  - name: '{name}'")
        if overloads:
            lines.append("    overloads:")
            lines += [f"    - id: {overload}" for overload in overloads]
    return "\n".join(lines)


def _require_plain(expression: str) -> None:
    length = len(expression)
    if length > EXPRESSION_CHARACTERS_MAX:
        limit = EXPRESSION_CHARACTERS_MAX
        raise _fault(f"a rule has {limit} characters at most, this has {length}. Make two of it.")
    for index, character in enumerate(expression):
        if not character.isprintable() and character not in "\n\t":
            raise _fault(
                f"{_position(expression, index)}: a character that can't be seen "
                f"(U+{ord(character):04X}). Leave it out, or write it as \\uXXXX."
            )


def _names_of(expression: str) -> set[str]:
    """The names in a rule that compiles; InvalidRule for a message or a map."""
    names = set()
    for token in _TOKEN.finditer(expression):
        if token["brace"]:
            position = _position(expression, token.start())
            raise _fault(f"{position}: rules have no maps and messages. Use features and lists.")
        if token["name"]:
            names.add(token["name"])
    return names


def _invalid(expression: str, said: str) -> InvalidRule:
    if _TOO_DEEP.search(said):
        return _fault(
            "1:1: nested, or chained by arithmetic, more than 32 levels deep. Make two rules of it."
        )
    faults = [_placed(expression, found) for found in _FAULT.finditer(said)]
    if not faults:
        return _fault("1:1: this can't be read as CEL. Write a comparison, such as amount > 5000.")
    line, column, text = min(faults)
    return _fault(f"{line}:{column}: {text}")


def _placed(expression: str, found: re.Match[str]) -> tuple[int, int, str]:
    line, column, text = int(found[1]), int(found[2]), found[3]
    undeclared = _UNDECLARED.search(text)
    if undeclared:
        name = undeclared[1]
        return line, _start_of_call(expression, line, column, name), _about_name(name)
    return line, column, f"{_told(text.partition(' expecting {')[0])}{_advice(text)}"


def _start_of_call(expression: str, line: int, column: int, name: str) -> int:
    """The library points at a call's parenthesis; people look for its name."""
    written = expression.split("\n")[line - 1][: column - 1]
    return column - len(name) if written.endswith(name) else column


def _about_name(name: str) -> str:
    if not name.isidentifier():
        return f"rules have no operator {name.replace('_', ' ').strip()}."
    near = get_close_matches(name, [*FEATURES, *FUNCTIONS], n=3)
    if near:
        return f"there is no {name}. Did you mean {' or '.join(near)}?"
    return f"there is no {name}. Features are in the catalogue; functions: {', '.join(FUNCTIONS)}."


def _advice(text: str) -> str:
    if "(int, double)" in text or "(double, int)" in text:
        return ". Whole numbers and decimals don't mix: write double(…) around the whole one."
    if "found no matching overload" in text:
        return ". Both sides must be of one type, and of one that has this operation."
    if "Syntax error" in text:
        return ". CEL writes && || ! == and texts in quotes: amount > 5000 && country == 'DE'."
    return ""


def _told(said: str) -> str:
    unknown = _UNKNOWN_VALUE.search(said)
    if unknown:
        return f"{unknown[1]} is not known of this payment"
    return _STATUS.sub("", said)[:ERROR_CHARACTERS_MAX].strip()


def _position(expression: str, index: int) -> str:
    before = expression[:index]
    return f"{before.count('\n') + 1}:{index - before.rfind('\n')}"


def _fault(detail: str) -> InvalidRule:
    return InvalidRule(f"expression: {detail}", param="expression")

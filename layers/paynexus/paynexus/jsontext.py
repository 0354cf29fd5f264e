"""JSON text: strict when it comes in, of one form when it goes out."""

import json
import math
from typing import Any

from paynexus.errors import InvalidRequest, RequestTooLarge

BODY_LIMIT_BYTES = 64 * 1024
NESTING_LIMIT = 32
"""Objects and lists inside one another in a request body."""
INTEGER_DIGITS_LIMIT = 40
"""Of an integer in a request body: far more than 64 bits have, and quickly read."""
KEY_SHOWN = 64
"""Characters of a doubtful key that are told back."""
PROBLEM_MEDIA_TYPE = "application/problem+json"


def parse(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """The value of a JSON text; InvalidRequest for what parsers disagree about.

    Duplicate keys, NaN and infinities, minus nought, byte order marks, endless integers and
    deep nesting are refused: two parties that read them differently would see two different
    payments.
    """
    if not text:
        raise InvalidRequest("The body is empty; send a JSON object.")
    # No character takes less than a byte: what is far too large isn't encoded to be counted.
    if (
        len(text) > BODY_LIMIT_BYTES
        or len(text.encode("utf-8", "surrogatepass")) > BODY_LIMIT_BYTES
    ):
        raise RequestTooLarge(f"The body exceeds {BODY_LIMIT_BYTES} bytes.")
    _refuse_deep_nesting(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_finite,
        )
        text.encode("utf-8")
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (UnicodeError, RecursionError, ValueError) as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from error
    return value


def write(value: object) -> str:
    """JSON as this API writes it everywhere: compact, UTF-8, keys in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, item in pairs:
        if name in value:
            shown = name[:KEY_SHOWN].encode("utf-8", "replace").decode()
            raise InvalidRequest(f"{shown}: this key stands twice.", param=shown)
        value[name] = item
    return value


def _integer(digits: str) -> int:
    if len(digits) > INTEGER_DIGITS_LIMIT:
        raise InvalidRequest(f"An integer has more than {INTEGER_DIGITS_LIMIT} digits.")
    if digits == "-0":
        raise InvalidRequest("-0 is not an integer to everybody; write 0.")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise InvalidRequest("A number is too large to be read.")
    return number


def _refuse_constant(name: str) -> float:
    raise InvalidRequest(f"{name} is not a JSON value.")


def _refuse_deep_nesting(text: str) -> None:
    depth, in_string, escaped = 0, False, False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > NESTING_LIMIT:
                raise InvalidRequest(f"The body nests deeper than {NESTING_LIMIT} levels.")
        elif character in "]}":
            depth -= 1

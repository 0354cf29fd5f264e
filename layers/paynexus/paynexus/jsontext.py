"""JSON text: strict when it comes in, of one form when it goes out."""

import json
from typing import Any

from paynexus.errors import InvalidRequest, RequestTooLarge

BODY_LIMIT_BYTES = 64 * 1024
NESTING_LIMIT = 32
"""Objects and lists inside one another in a request body."""
PROBLEM_MEDIA_TYPE = "application/problem+json"


def parse(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """The value of a JSON text; InvalidRequest for what parsers disagree about.

    Duplicate keys, NaN and infinities, byte order marks and deep nesting are refused: two
    parties that read them differently would see two different payments.
    """
    if not text:
        raise InvalidRequest("The body is empty; send a JSON object.")
    if len(text.encode("utf-8", "surrogatepass")) > BODY_LIMIT_BYTES:
        raise RequestTooLarge(f"The body exceeds {BODY_LIMIT_BYTES} bytes.")
    _refuse_deep_nesting(text)
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        text.encode("utf-8")
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (UnicodeError, RecursionError, ValueError) as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from error
    return value


def write(value: object) -> str:
    """JSON as this API writes it everywhere: compact, UTF-8, keys in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidRequest(f"{twice}: this key stands twice.", param=twice)
    return value


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

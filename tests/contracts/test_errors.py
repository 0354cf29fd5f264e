"""docs/errors.md has a section for each code that an answer may carry, with its status."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from paynexus import errors, http
from paynexus.payments.model import Failure
from paynexus.payments.resource import refusal

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/errors.md"
SECTION = re.compile(r"^### (\w+)\n\n\*\*(\d{3})\*\* · ", re.MULTILINE)
TOKEN_STATUS = {"invalid_client": 401}
"""RFC 6749, 5.2: 400 for every other refusal of the token endpoint."""


def kinds(
    base: type[errors.PayNexusError] = errors.PayNexusError,
) -> Iterator[type[errors.PayNexusError]]:
    """Each error of errors.py, but for the token endpoint's, which has answers of its own."""
    if base is not errors.TokenRefused and base.__module__ == errors.__name__:
        yield base
        for kind in base.__subclasses__():
            yield from kinds(kind)


def reasons_of(error: type[errors.PayNexusError]) -> set[str]:
    """The codes that `error` is raised with."""
    return {
        keyword.value.value
        for folder in ("layers/paynexus/paynexus", "functions")
        for path in (ROOT / folder).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == error.__name__
        for keyword in call.keywords
        if keyword.arg == "reason"
        and isinstance(keyword.value, ast.Constant)
        and isinstance(keyword.value.value, str)
    }


def expected() -> dict[str, int]:
    """Each code with the status it is answered with."""
    codes: dict[str, int] = {}
    for kind in kinds():
        codes[kind.code] = http.status_of(kind.__new__(kind))
    codes |= dict.fromkeys(reasons_of(errors.QrRefused), http.STATUS_OF[errors.QrRefused])
    codes |= {reason: TOKEN_STATUS.get(reason, 400) for reason in reasons_of(errors.TokenRefused)}
    for operation in ("capture", "cancel"):
        answer = refusal(operation, Failure("any", "Any."))
        codes[json.loads(answer.body)["code"]] = answer.status
    return codes


def test_each_code_has_a_section_with_its_status() -> None:
    """And no section speaks of a code that is gone."""
    page = PAGE.read_text(encoding="utf-8")
    documented = {code: int(status) for code, status in SECTION.findall(page)}

    assert documented == expected()
    assert len(re.findall("^### ", page, re.MULTILINE)) == len(documented)


@pytest.mark.parametrize("error", [errors.QrRefused, errors.TokenRefused])
def test_the_reasons_are_found(error: type[errors.PayNexusError]) -> None:
    """The look-up above reads the code as it is written today."""
    assert len(reasons_of(error)) >= 3


def test_api_gateway_speaks_of_the_same_errors() -> None:
    """What the template answers by itself links to a section that exists."""
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    linked = set(re.findall(r"docs\.paynexus\.dev/errors#(\w+)", template))

    assert linked
    assert linked <= set(expected())

"""The `responses` of an operation: its successes, its refusals, and the headers of both."""

import re
from typing import Any

from paynexus.jsontext import PROBLEM_MEDIA_TYPE
from tools.export_openapi import fixed
from tools.export_openapi.answers import ANSWERS, JSON, Success, content_of
from tools.export_openapi.examples import EXAMPLES, Example
from tools.export_openapi.refusals import (
    TOKEN_REQUEST,
    Asked,
    Refusal,
    by_status,
    refusals_of,
)


def responses_of(method: str, operation: dict[str, Any]) -> dict[str, Any]:
    """Every status that the operation answers, lowest first."""
    asked = _asked(method, operation)
    if asked.name not in ANSWERS or asked.name not in EXAMPLES:
        raise LookupError(
            f"{asked.name}: say in tools/export_openapi what it answers (answers.py), and show it "
            "(examples/)"
        )
    found = {
        str(status): _success(asked, status, success)
        for status, success in ANSWERS[asked.name].items()
    }
    refusals = by_status(refusals_of(asked))
    found |= {str(status): _refused(several) for status, several in refusals.items()}
    if asked.name == TOKEN_REQUEST:
        del found["413"]
        found |= {status: fixed.token_refusal(status) for status in ("400", "401", "429")}
    return dict(sorted(found.items()))


def key_of(example: Example) -> str:
    """What the example is called in the document: its title's letters."""
    return re.sub(r"\W+", "_", example.title.lower()).strip("_")


def _asked(method: str, operation: dict[str, Any]) -> Asked:
    return Asked(
        name=operation["operationId"],
        method=method,
        parameters=tuple((one["in"], one["name"]) for one in operation["parameters"]),
        has_body="requestBody" in operation,
        has_token=any("token" in one for one in operation["security"]),
    )


def _success(asked: Asked, status: int, success: Success) -> dict[str, Any]:
    content = content_of(success)
    for example in EXAMPLES[asked.name]:
        if example.status == status:
            shown = content[example.media_type].setdefault("examples", {})
            shown[key_of(example)] = {"summary": example.title, "value": example.answer}
    headers = _headers(asked)
    if asked.has("header", "Idempotency-Key"):
        headers |= _refs("Idempotent-Replayed")
    return {"description": success.description, "headers": headers, "content": content}


def _refused(refusals: list[Refusal]) -> dict[str, Any]:
    codes = [one.code for one in refusals]
    headers = _refs("Request-Id")
    if {"rate_limited", "operation_running"} & set(codes):
        headers |= _refs("Retry-After")
    if {"unauthenticated", "forbidden", "signature_refused"} & set(codes):
        headers |= _refs("WWW-Authenticate")
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    return {
        "description": f"Refused: {', '.join(f'`{code}`' for code in codes)}.",
        "headers": headers,
        "content": {
            PROBLEM_MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": examples,
            }
        },
    }


def _headers(asked: Asked) -> dict[str, Any]:
    if not asked.has_token:
        return _refs("Request-Id", "PayNexus-Version")
    return _refs("Request-Id", "PayNexus-Version", "RateLimit", "RateLimit-Policy")


def _refs(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


__all__ = ["JSON", "key_of", "responses_of"]

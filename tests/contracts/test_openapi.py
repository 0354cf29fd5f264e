"""docs/openapi.json is valid, current, and names exactly the routes that are deployed."""

import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tools import export_openapi


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """What the code says now."""
    return export_openapi.document()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Every operation with its method and path."""
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def test_document_is_valid(document: dict[str, Any]) -> None:
    """An independent validator takes it as OpenAPI 3.1."""
    OpenAPIV31SpecValidator(json.loads(json.dumps(document))).validate()


def test_file_is_current() -> None:
    """`python -m tools.export_openapi` would change nothing."""
    assert export_openapi.TARGET.read_text(encoding="utf-8") == export_openapi.text()


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    """Summary, description, a success and a refusal: what a reader needs."""
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert operation.get("summary"), where
        assert any(status.startswith("2") for status in operation["responses"]), where
        assert "default" in operation["responses"], where


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    """Client generators name functions after them."""
    names = [operation["operationId"] for _, _, operation in operations(document)]

    assert len(names) == len(set(names))


def test_every_body_is_closed(document: dict[str, Any]) -> None:
    """No request model takes fields that it does not know."""
    for name, schema in document["components"]["schemas"].items():
        if name != "Problem" and schema.get("type") == "object":
            assert schema.get("additionalProperties") is False, name


def test_posts_that_act_need_a_key(document: dict[str, Any]) -> None:
    """All but tokens, scans, and callbacks, which have ids of their own."""
    without = {
        path
        for method, path, operation in operations(document)
        if method == "post"
        and not any(p["name"] == "Idempotency-Key" for p in operation.get("parameters", []))
    }

    assert without == {"/oauth/token", "/qr-codes/scan", "/gateways/{name}/callbacks"}

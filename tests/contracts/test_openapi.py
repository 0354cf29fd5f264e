"""docs/openapi.json is valid, current, and names exactly the routes that are deployed."""

import json
import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from paynexus import errors
from tests.contracts.test_errors import expected, reasons_of
from tests.openapi import operations, resolved, validator
from tools import export_openapi


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """What the code says now."""
    return export_openapi.document()


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
        assert any(status.startswith("4") for status in operation["responses"]) or (
            path in {"/health", "/.well-known/jwks.json", "/.well-known/qr-keys.json"}
        ), where
        assert operation["tags"], where


def test_every_tag_is_described(document: dict[str, Any]) -> None:
    """And each is used."""
    used = {tag for _, _, operation in operations(document) for tag in operation["tags"]}

    assert used == {tag["name"] for tag in document["tags"]}
    assert all(tag["description"] for tag in document["tags"])


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    """Client generators name functions after them."""
    names = [operation["operationId"] for _, _, operation in operations(document)]

    assert len(names) == len(set(names))
    assert [name for name in names if not re.fullmatch("[a-z]+(_[a-z]+)+", name)] == []


def test_every_body_is_closed(document: dict[str, Any]) -> None:
    """Neither requests nor answers have members that the document does not name."""
    for name, schema in document["components"]["schemas"].items():
        is_map = "patternProperties" in schema or schema.get("additionalProperties") not in {
            None,
            False,
        }
        if schema.get("type") == "object" and not is_map:
            assert schema.get("additionalProperties") is False, name


def test_every_answer_has_a_schema(document: dict[str, Any]) -> None:
    """Each JSON answer names its members; `type: object` alone says nothing."""
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            for media_type, content in answer["content"].items():
                if media_type.endswith("json"):
                    schema = content["schema"]
                    assert "$ref" in schema or "properties" in schema, (method, path, status)


def test_every_status_has_an_example_that_its_schema_allows(document: dict[str, Any]) -> None:
    """And so has every request with a body."""
    for method, path, operation in operations(document):
        parts = dict(operation["responses"])
        if "requestBody" in operation:
            parts["request"] = operation["requestBody"]
        for part, answer in parts.items():
            shown = [
                (content.get("schema"), resolved(document, example)["value"])
                for media_type, content in answer["content"].items()
                for example in content.get("examples", {}).values()
                if media_type.endswith(("json", "urlencoded"))
            ]
            pictures = any("examples" in content for content in answer["content"].values())
            assert shown or pictures, (method, path, part)
            for schema, value in shown:
                validator(document, schema).validate(value)


def test_problems_name_every_code(document: dict[str, Any]) -> None:
    """The enum is what docs/errors.md describes, but for the token endpoint's own words."""
    enum = set(document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])

    assert enum == set(expected()) - reasons_of(errors.TokenRefused) | {"invalid_request"}


def test_posts_that_act_need_a_key(document: dict[str, Any]) -> None:
    """All but tokens, scans, and callbacks, which have ids of their own."""
    without = {
        path
        for method, path, operation in operations(document)
        if method == "post"
        and not any(p["name"] == "Idempotency-Key" for p in operation.get("parameters", []))
    }

    assert without == {"/oauth/token", "/qr-codes/scan", "/gateways/{name}/callbacks"}

"""The API reference is current, shows all of the document, and takes nothing in it for HTML."""

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from tools.export_reference.__main__ import SOURCE, files, page
from tools.export_reference.operations import groups_of
from tools.export_reference.schemas import Schemas

PAGE_BYTES_MAX = 1_000_000
"""A page that a phone loads within seconds."""
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> [link](javascript:alert(1))"


class Seen(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called for each tag."""
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name in ("href", "src"):
                self.links.add(value or "")
            elif name == "id":
                self.ids.append(value or "")

    def handle_data(self, data: str) -> None:
        """Called for each text."""
        self.text += data


@pytest.fixture(scope="module")
def document() -> Any:  # noqa: ANN401 - any JSON value
    """The document as it is kept."""
    return json.loads(SOURCE.read_text(encoding="utf-8"))


def test_files_are_current() -> None:
    """`python -m tools.export_reference` would change nothing."""
    for path, text in files().items():
        assert path.read_text(encoding="utf-8") == text, path.name


def test_the_page_shows_every_operation(document: Any) -> None:  # noqa: ANN401 - any JSON value
    """With method, path, summary and scope, parameters and members; links lead somewhere."""
    text = page(document)
    seen = Seen(text)
    operations = [one for group in groups_of(document) for one in group.operations]

    assert len(operations) == sum(len(item) for item in document["paths"].values())
    for one in operations:
        assert f"{one.method} {one.path}" in seen.text
        assert one.summary in seen.text
        for field in [*one.parameters, *(field for body in one.bodies for field in body.fields)]:
            assert field.name in seen.text
    assert len(set(seen.ids)) == len(seen.ids)
    within = {link[1:] for link in seen.links if link.startswith("#")}
    assert within <= set(seen.ids)
    assert len(text.encode()) < PAGE_BYTES_MAX


def test_the_page_needs_nothing_but_its_own_files(document: Any) -> None:  # noqa: ANN401 - any JSON value
    """No script, no style or handler within, one link to elsewhere, which is only followed."""
    seen = Seen(page(document))

    assert not seen.tags & {"script", "style", "iframe", "object", "form", "base"}
    assert not {name for name in seen.attributes if name == "style" or name.startswith("on")}
    beyond = {link for link in seen.links if ":" in link}
    assert beyond == {"https://docs.paynexus.dev/errors"}


def test_markup_within_the_document_is_text() -> None:
    """Wherever it stands: a description is CommonMark without HTML and harmful links."""
    seen = Seen(page(_document(HOSTILE)))

    assert "script" not in seen.tags
    assert "onerror" not in seen.attributes
    assert not any(link.startswith("javascript") for link in seen.links)
    assert seen.text.count("<script>alert(1)</script>") > 8


def test_a_schema_is_told_in_words() -> None:
    """References, null, enumerations, defaults, limits, maps, and objects without a name."""
    schemas = Schemas({"components": {"schemas": _SCHEMAS}})

    told = {
        field.name: (
            "".join(piece.text for piece in field.type),
            [(rule.label, *rule.values) for rule in field.rules],
            field.description,
            field.is_required,
        )
        for field in schemas.fields({"$ref": "#/components/schemas/Order"})
    }

    assert told == {
        "amount": ("integer", [("0 to 1,000",)], "", True),
        "buyer": ("Buyer or null", [], "", False),
        "method": ("string", [("one of", '"card"', '"qr"'), ("default", '"card"')], "How.", False),
        "labels": ("map of text to string", [], "", False),
        "tags": (
            "array of string or null",
            [("at most 3 items",), ("each matches", "^a")],
            "",
            False,
        ),
        "place": ("object", [], "", False),
        "place.city": ("string", [], "Where.", True),
        "lines": ("array of object", [], "", False),
        "lines[].sku": ("string or integer", [], "", False),
        "parent": ("Order", [], "The one before.", False),
    }
    assert [sorted(schemas.models())] == [["Buyer", "Either", "Order"]]


_SCHEMAS = {
    "Minor": {"type": "integer", "minimum": 0.0, "maximum": 1000.0},
    "Buyer": {"type": "object", "properties": {"id": {"type": "string"}}},
    "Either": {"oneOf": [{"$ref": "#/components/schemas/Buyer"}, {"type": "string"}]},
    "Order": {
        "type": "object",
        "required": ["amount"],
        "properties": {
            "amount": {"$ref": "#/components/schemas/Minor"},
            "buyer": {"anyOf": [{"$ref": "#/components/schemas/Buyer"}, {"type": "null"}]},
            "method": {"enum": ["card", "qr"], "default": "card", "description": "How."},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "tags": {
                "anyOf": [
                    {"type": "array", "maxItems": 3, "items": {"type": "string", "pattern": "^a"}},
                    {"type": "null"},
                ]
            },
            "place": {
                "type": "object",
                "required": ["city"],
                "properties": {"city": {"type": "string", "description": "Where."}},
            },
            "lines": {
                "type": "array",
                "items": {"properties": {"sku": {"type": ["string", "integer"]}}, "type": "object"},
            },
            "parent": {"$ref": "#/components/schemas/Order", "description": "The one before."},
        },
    },
}


def _document(text: str) -> dict[str, Any]:
    """A small document in which each text is this one."""
    schema = {
        "type": "object",
        "description": text,
        "properties": {text: {"type": "string", "description": text, "enum": [text]}},
        "examples": [{text: text}],
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/One"}}}
    named = {
        "application/json": {**content["application/json"], "examples": {text: {"value": text}}}
    }
    parameter = {"name": text, "in": "query", "description": text, "schema": {"type": "string"}}
    return {
        "info": {"title": text, "version": text, "description": text},
        "servers": [{"url": "/v1"}],
        "tags": [{"name": text, "description": text}],
        "components": {"schemas": {"One": schema}, "securitySchemes": {}},
        "paths": {
            "/ones": {
                "post": {
                    "tags": [text],
                    "summary": text,
                    "description": text,
                    "parameters": [parameter],
                    "requestBody": {"content": content},
                    "responses": {"200": {"description": text, "content": named}},
                }
            }
        },
    }
